// SPDX-License-Identifier: MIT
// py/gc.c remembers before which place no block is free, for objects of one block. A search of more starts
// there too, and passes all that was allocated since the last collection: each costs more than the one
// before. Here such a place is remembered for each size up to 16 blocks. The search still finds the first
// free run that is long enough, so memory is filled as before; only runs known to be too short are left out.

#include <string.h>
#include "py/gc.h"
#include "py/mpstate.h"
#include "gc_alloc.h"

#define BLOCK MICROPY_BYTES_PER_GC_BLOCK
#define BLOCKS_PER_ATB 4
#define MOST 16 // blocks

// Indices into the allocation table, as gc_last_free_atb_index is one: no n free blocks begin before starts[n].
static size_t starts[MOST + 1];
static size_t highest;

void *__real_gc_alloc(size_t n_bytes, unsigned int alloc_flags);
void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags);
void __real_gc_free(void *ptr);
void __wrap_gc_free(void *ptr);
void *__real_gc_realloc(void *ptr, size_t n_bytes, bool allow_move);
void *__wrap_gc_realloc(void *ptr, size_t n_bytes, bool allow_move);

void gc_alloc_restart(void) {
    memset(starts, 0, sizeof(starts));
    highest = 0;
}

static size_t index_of(const void *ptr) {
    return ((byte *)ptr - MP_STATE_MEM(area).gc_pool_start) / (BLOCK * BLOCKS_PER_ATB);
}

void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags) {
    size_t n = (n_bytes + BLOCK - 1) / BLOCK;
    if (n < 2 || n > MOST) {
        return __real_gc_alloc(n_bytes, alloc_flags);
    }
    size_t first = MP_STATE_MEM(area).gc_last_free_atb_index;
    size_t start = MAX(starts[n], starts[2]); // where two are not free, more are not
    void *ptr = NULL;
    if (start > first && MP_STATE_MEM(gc_alloc_amount) < MP_STATE_MEM(gc_alloc_threshold)) {
        // A stack overflow may be raised here, but not once this is changed.
        __asm__ volatile ("stur xzr, [sp, #-256]" : : : "memory");
        // Without a collection, which would find another start.
        bool collect = MP_STATE_MEM(gc_auto_collect_enabled);
        MP_STATE_MEM(gc_auto_collect_enabled) = false;
        MP_STATE_MEM(area).gc_last_free_atb_index = start;
        ptr = __real_gc_alloc(n_bytes, alloc_flags);
        MP_STATE_MEM(area).gc_last_free_atb_index = first;
        MP_STATE_MEM(gc_auto_collect_enabled) = collect;
    }
    if (ptr == NULL) {
        ptr = __real_gc_alloc(n_bytes, alloc_flags);
    }
    if (ptr != NULL) {
        starts[n] = index_of(ptr);
        highest = MAX(highest, starts[n]);
    }
    return ptr;
}

// Blocks from there on become free, or may.
static void freed_at(const void *ptr) {
    size_t index = index_of(ptr);
    index -= MIN(index, MOST / BLOCKS_PER_ATB); // a free run that was too short may end right before it
    if (index < highest) {
        for (unsigned n = 2; n <= MOST; n++) {
            starts[n] = MIN(starts[n], index);
        }
        highest = index;
    }
}

void __wrap_gc_free(void *ptr) {
    if (ptr != NULL) {
        freed_at(ptr);
    }
    __real_gc_free(ptr);
}

void *__wrap_gc_realloc(void *ptr, size_t n_bytes, bool allow_move) {
    void *got = __real_gc_realloc(ptr, n_bytes, allow_move);
    if (ptr != NULL && (got != NULL || n_bytes == 0)) {
        freed_at(got == ptr ? (byte *)ptr + n_bytes : ptr); // it may have shrunk there
    }
    return got;
}
