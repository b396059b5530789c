// SPDX-License-Identifier: MIT
// py/gc.c remembers before which place no block is free, for objects of one block. A search of more starts
// there too, and passes all that was allocated since the last collection: each costs more than the one
// before. Here such a place is remembered for each size up to 16 blocks. The search still finds the first
// free run that is long enough, so memory is filled as before; only runs known to be too short are left out.
// Nearly always that run is among the 32 blocks from there on, and is found in one word of the table.

#include <string.h>
#include "py/gc.h"
#include "py/mpstate.h"
#include "gc_alloc.h"

#define BLOCK MICROPY_BYTES_PER_GC_BLOCK
#define BLOCKS_PER_ATB 4
#define MOST 16 // blocks
#define WORD 32 // blocks that a word of the table is about

// The table has two bits a block: free 0, head 1, tail 2.
#define HEADS UINT64_C(0x5555555555555555)
#define TAILS UINT64_C(0xAAAAAAAAAAAAAAAA)
_Static_assert(MICROPY_GC_CONSERVATIVE_CLEAR && BLOCK == 32, "what is handed out is zero");

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

// How many bytes of the table from index `at` on are free blocks only; what is beyond `most` does not matter.
static size_t free_bytes(size_t at, size_t most) {
    const mp_state_mem_area_t *area = &MP_STATE_MEM(area);
    size_t n = 0;
    for (uint64_t word; n < most && at + n + sizeof(word) <= area->gc_alloc_table_byte_len; n += sizeof(word)) {
        memcpy(&word, area->gc_alloc_table_start + at + n, sizeof(word));
        if (word != 0) {
            return n + (size_t)__builtin_ctzll(word) / 8;
        }
    }
    return n;
}

// Many blocks, from table index `start` on: so many whole bytes of the table. NULL: there are none.
static void *take_many(size_t n, size_t start, unsigned int alloc_flags) {
    mp_state_mem_area_t *area = &MP_STATE_MEM(area);
    size_t bytes = (n + BLOCKS_PER_ATB - 1) / BLOCKS_PER_ATB, found;
    while ((found = free_bytes(start, bytes)) < bytes) {
        start += found + 1;
        if (start + bytes + sizeof(uint64_t) > area->gc_alloc_table_byte_len) {
            return NULL;
        }
    }
    byte *table = area->gc_alloc_table_start + start;
    size_t first = start * BLOCKS_PER_ATB;
    memset(table, (byte)TAILS, n / BLOCKS_PER_ATB);
    if (n % BLOCKS_PER_ATB != 0) {
        table[n / BLOCKS_PER_ATB] = (byte)(TAILS & ((1u << 2 * (n % BLOCKS_PER_ATB)) - 1));
    }
    table[0] = (byte)((table[0] & ~3u) | 1);
    area->gc_last_used_block = MAX(area->gc_last_used_block, first + n - 1);
    MP_STATE_MEM(gc_alloc_amount) += n;
    if (alloc_flags & GC_ALLOC_FLAG_HAS_FINALISER) {
        area->gc_finaliser_table_start[first / 8] |= 1u << first % 8;
    }
    return memset(area->gc_pool_start + first * BLOCK, 0, n * BLOCK);
}

static __attribute__((noinline)) void *search(size_t n_bytes, unsigned int alloc_flags) {
    size_t n = (n_bytes + BLOCK - 1) / BLOCK;
    if (n < 2) {
        return __real_gc_alloc(n_bytes, alloc_flags);
    }
    size_t first = MP_STATE_MEM(area).gc_last_free_atb_index, start = MAX(starts[MIN(n, MOST)], starts[2]);
    void *ptr = NULL;
    if (n > MOST && MP_STATE_THREAD(gc_lock_depth) == 0 && MP_STATE_MEM(gc_alloc_amount) < MP_STATE_MEM(gc_alloc_threshold)) {
        // A stack overflow may be raised here, but not once the table is changed.
        __asm__ volatile ("stur xzr, [sp, #-256]" : : : "memory");
        ptr = take_many(n, MAX(start, first), alloc_flags);
        if (ptr != NULL) {
            return ptr;
        }
    }
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
    if (ptr != NULL && n <= MOST) {
        starts[n] = index_of(ptr);
        highest = MAX(highest, starts[n]);
    }
    return ptr;
}

// Nearly always there is a run of n free blocks in the first word of the table that is looked at: where the last one was
// found.
void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags) {
    mp_state_mem_area_t *area = &MP_STATE_MEM(area);
    size_t n = (n_bytes + BLOCK - 1) / BLOCK, start = area->gc_last_free_atb_index, shift = 0;
    uint64_t word, free;
    if (n - 1 >= WORD - 1 || MP_STATE_THREAD(gc_lock_depth) != 0 || MP_STATE_MEM(gc_alloc_amount) >= MP_STATE_MEM(gc_alloc_threshold)) {
        return search(n_bytes, alloc_flags);
    }
    if (n > 1) {
        start = MAX(start, MAX(starts[MIN(n, MOST)], starts[2])); // where two are not free, more are not
    }
    for (;; start += n == 1 ? sizeof(word) : sizeof(word) / 2) { // a run of up to 16 is in one of them
        if (start + sizeof(word) > area->gc_alloc_table_byte_len) {
            return search(n_bytes, alloc_flags);
        }
        memcpy(&word, area->gc_alloc_table_start + start, sizeof(word));
        free = ~(word | word >> 1) & HEADS;
        for (size_t have = 1, more; have < n; have += more) {
            more = MIN(have, n - have);
            free &= free >> 2 * more; // where so many are free behind each other; behind the word none is
        }
        if (free != 0) {
            break;
        }
        if (n > MOST) {
            return search(n_bytes, alloc_flags);
        }
    }
    shift = (size_t)__builtin_ctzll(free);
    word |= (UINT64_C(1) | (TAILS & ~UINT64_C(3) & ~(~UINT64_C(0) << 2 * n))) << shift;
    memcpy(area->gc_alloc_table_start + start, &word, sizeof(word));
    size_t first = start * BLOCKS_PER_ATB + shift / 2, last = first + n - 1;
    area->gc_last_used_block = MAX(area->gc_last_used_block, last);
    if (n == 1) {
        area->gc_last_free_atb_index = (last + 1) / BLOCKS_PER_ATB;
    } else if (n <= MOST) {
        starts[n] = first / BLOCKS_PER_ATB;
        highest = MAX(highest, starts[n]);
    }
    MP_STATE_MEM(gc_alloc_amount) += n;
    if (alloc_flags & GC_ALLOC_FLAG_HAS_FINALISER) {
        area->gc_finaliser_table_start[first / 8] |= 1u << first % 8;
    }
    uint64_t *ptr = (uint64_t *)(area->gc_pool_start + first * BLOCK);
    size_t i = 0;
    do {
        ptr[i] = ptr[i + 1] = ptr[i + 2] = ptr[i + 3] = 0;
    } while ((i += 4) < n * 4);
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
