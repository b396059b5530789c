// SPDX-License-Identifier: MIT
// hv_native/memory/entry.h for the checked image: the order of break, flush and make is looked at (checked.c).
#ifndef CHECKED_ENTRY_H
#define CHECKED_ENTRY_H

#include "memory/pgtable.h"

void entry_set(const pgtable_t *pt, uint64_t *entry, uint64_t value);
static inline void entry_make(const pgtable_t *pt, uint64_t *entry, uint64_t value) {
    entry_set(pt, entry, value);
}

static inline void entries_made(void) {
}

void entry_flush(pgtable_t *pt, uint64_t addr, uint64_t size);

#endif
