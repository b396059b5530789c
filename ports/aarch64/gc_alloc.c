// SPDX-License-Identifier: MIT
// py/gc.c remembers where the first free block may be, for the search of a single one. A search of two or
// more starts there too, and passes all that was allocated since the last collection: each costs more than
// the one before. Here is a second place to start from, for objects of 2 to 16 blocks: the end of the last
// one. A free run that was passed, too short or given back since, is found when the search from there fails,
// before anything is collected, and by every search after a collection.

#include "py/gc.h"
#include "py/mpstate.h"
#include "gc_alloc.h"

#define BLOCK MICROPY_BYTES_PER_GC_BLOCK
#define BLOCKS_PER_ATB 4
#define AT_TAIL 2
#define MOST (16 * BLOCK)

static size_t start; // an index into the allocation table, as gc_last_free_atb_index is

void *__real_gc_alloc(size_t n_bytes, unsigned int alloc_flags);
void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags);
void __real_gc_free(void *ptr);
void __wrap_gc_free(void *ptr);

void gc_alloc_restart(void) {
    start = 0;
}

static size_t index_of(const void *ptr) {
    return ((byte *)ptr - MP_STATE_MEM(area).gc_pool_start) / (BLOCK * BLOCKS_PER_ATB);
}

static bool has_tail(const void *ptr) {
    size_t next = ((byte *)ptr - MP_STATE_MEM(area).gc_pool_start) / BLOCK + 1;
    return (MP_STATE_MEM(area).gc_alloc_table_start[next / BLOCKS_PER_ATB] >> 2 * (next % BLOCKS_PER_ATB) & 3) == AT_TAIL;
}

void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags) {
    if (n_bytes <= BLOCK || n_bytes > MOST) {
        return __real_gc_alloc(n_bytes, alloc_flags);
    }
    size_t first = MP_STATE_MEM(area).gc_last_free_atb_index;
    void *ptr = NULL;
    if (start > first && MP_STATE_MEM(gc_alloc_amount) < MP_STATE_MEM(gc_alloc_threshold)) {
        // A stack overflow may be raised here, but not once this is changed.
        __asm__ volatile ("stur xzr, [sp, #-256]" : : : "memory");
        // No collection before all of the heap has been searched.
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
        start = index_of(ptr) + n_bytes / (BLOCK * BLOCKS_PER_ATB);
    }
    return ptr;
}

// What was one block leaves no room for what is searched here.
void __wrap_gc_free(void *ptr) {
    if (ptr != NULL && index_of(ptr) < start && has_tail(ptr)) {
        start = index_of(ptr);
    }
    __real_gc_free(ptr);
}
