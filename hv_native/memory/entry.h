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

static inline void entry_flush(pgtable_t *pt, uint64_t addr, uint64_t size) {
    pt->flush(pt, addr, size);
}

#endif
