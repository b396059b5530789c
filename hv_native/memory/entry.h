// SPDX-License-Identifier: MIT
// How an entry of a translation table is written, and a flush asked for. The checked image has its own of them
// (ports/aarch64/checked/memory/entry.h).
#ifndef HV_ENTRY_H
#define HV_ENTRY_H

#include "memory/pgtable.h"

// The walker sees the entry before anything that follows. With the caches off at boot the table is
// in memory already; afterwards walks are cacheable and coherent (TCR/VTCR inner and outer WB).
static inline void entry_set(const pgtable_t *pt, uint64_t *entry, uint64_t value) {
    (void)pt;
    *(volatile uint64_t *)entry = value;
    __asm__ volatile ("dsb ishst" : : : "memory");
}

// Where nothing was, one of several: the walker may see them in any order, and before entries_made().
static inline void entry_make(const pgtable_t *pt, uint64_t *entry, uint64_t value) {
    (void)pt;
    *(volatile uint64_t *)entry = value;
}

static inline void entries_made(void) {
    __asm__ volatile ("dsb ishst" : : : "memory");
}

static inline void entry_flush(pgtable_t *pt, uint64_t addr, uint64_t size) {
    pt->flush(pt, addr, size);
}

#endif
