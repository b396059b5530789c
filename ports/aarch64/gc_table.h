// SPDX-License-Identifier: MIT
// The table of the heap's blocks, as py/gc.c lays it out, in words of 32 blocks.
#ifndef PORT_GC_TABLE_H
#define PORT_GC_TABLE_H

#include <string.h>
#include "py/gc.h"
#include "py/mpstate.h"

#define BLOCK MICROPY_BYTES_PER_GC_BLOCK
#define BLOCKS_PER_ATB 4
#define WORD 32 // blocks that a word of the table is about

// The table has two bits a block, the first block's lowest: free 0, head 1, tail 2, a marked head 3.
#define HEADS UINT64_C(0x5555555555555555)
#define TAILS UINT64_C(0xAAAAAAAAAAAAAAAA)
#define FREE_KIND 0u
#define HEAD_KIND 1u
#define TAIL_KIND 2u
_Static_assert(MICROPY_GC_CONSERVATIVE_CLEAR && BLOCK == 32, "what is handed out is zero");

// A stack overflow may be raised where this is, but not once the table is changed.
#define STACK_IS_THERE() __asm__ volatile ("stur xzr, [sp, #-256]" : : : "memory")

typedef mp_state_mem_area_t area_t;

static inline uint64_t table_word(const area_t *area, size_t at) {
    uint64_t word;
    memcpy(&word, area->gc_alloc_table_start + at, sizeof(word));
    return word;
}

static inline void table_set_word(area_t *area, size_t at, uint64_t word) {
    memcpy(area->gc_alloc_table_start + at, &word, sizeof(word));
}

static inline unsigned block_kind(const area_t *area, size_t block) {
    return area->gc_alloc_table_start[block / BLOCKS_PER_ATB] >> block % BLOCKS_PER_ATB * 2 & 3;
}

static inline size_t block_of(const area_t *area, const void *ptr) {
    return (size_t)((byte *)ptr - area->gc_pool_start) / BLOCK;
}

static inline area_t *area_of(const void *ptr) {
    for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        if ((uintptr_t)ptr - (uintptr_t)area->gc_pool_start < (uintptr_t)area->gc_pool_end - (uintptr_t)area->gc_pool_start) {
            return area;
        }
    }
    return NULL;
}

// How many of the blocks from `block` on, `most` at most, are of this kind: tails or free.
static inline size_t blocks_alike(const byte *table, size_t block, unsigned kind, size_t most) {
    size_t n = 0;
    while (n < most) {
        unsigned skip = (block + n) % BLOCKS_PER_ATB, have = WORD - skip;
        uint64_t word;
        memcpy(&word, table + (block + n) / BLOCKS_PER_ATB, sizeof(word));
        word ^= kind == TAIL_KIND ? TAILS : 0;
        word = (word | word >> 1) & HEADS & ~UINT64_C(0) << 2 * skip; // where another kind is
        if (word != 0) {
            return MIN(most, n + (size_t)__builtin_ctzll(word) / 2 - skip);
        }
        n += have;
    }
    return most;
}

#endif
