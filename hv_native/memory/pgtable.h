// SPDX-License-Identifier: MIT
// Long-descriptor translation tables with a 4 KB granule, levels 1 to 3 (DDI 0487 D5.3). One engine
// for EL2's own stage 1 (mmu.c) and for every VM's stage 2 (stage2.c): they differ in attribute
// bits, in the size of the root, in where tables come from and in how a stale entry leaves the TLBs.
#ifndef HV_PGTABLE_H
#define HV_PGTABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "core/arch.h"

#define PTE_VALID BIT(0)
#define PTE_TABLE BIT(1)    // levels 1 and 2: a table. At level 3 every valid entry has it set
#define PTE_AF BIT(10)      // no hardware management on ARMv8.0: always set
#define PTE_ADDR_MASK UINT64_C(0x0000FFFFFFFFF000)

typedef struct pgtable pgtable_t;
struct pgtable {
    uint64_t *root;         // level 1
    unsigned root_entries;  // of 1 GB each
    // Make sure no core uses what was mapped at [addr, addr + size) any more: TLBI and DSB.
    void (*flush)(pgtable_t *pt, uint64_t addr, uint64_t size);
    uint64_t *(*new_table)(void);       // one zeroed page, or NULL
    void (*free_table)(uint64_t *table);
    uint32_t changes;       // of entries, so that what has been looked up can be kept as long as it is the same
    uint64_t permissions;   // the bits that may change without break-before-make
};

typedef struct {
    uint64_t entry;         // the descriptor found, valid or not
    unsigned level;         // 1..3
    uint64_t size;          // bytes one entry of that level covers
} pgwalk_t;

// All return false when no page is left for a table; then the range may be half done. Addresses and
// sizes are multiples of 4 KB. attr: the descriptor less address and type bits.
bool pgtable_map(pgtable_t *pt, uint64_t addr, uint64_t pa, uint64_t size, uint64_t attr);
// The same where nothing is: neither a mapping nor a mark.
bool pgtable_fill(pgtable_t *pt, uint64_t addr, uint64_t pa, uint64_t size, uint64_t attr);
// mark: what is left in the invalid entries, for software; 0, or a value with bits 1:0 clear.
bool pgtable_unmap(pgtable_t *pt, uint64_t addr, uint64_t size, uint64_t mark);
// Every valid entry in the range becomes made(entry, how): valid and with the same address, or 0.
typedef uint64_t (*pgtable_made_t)(uint64_t entry, uint64_t how);
bool pgtable_change(pgtable_t *pt, uint64_t addr, uint64_t size, pgtable_made_t made, uint64_t how);
// When the pages of the 2 MB at addr amount to one block, make them one.
void pgtable_fold(pgtable_t *pt, uint64_t addr);

// The entry of a page that has one of its own; NULL: it is part of a block, or there is no table. Who changes it counts
// that (changes), and flushes.
uint64_t *pgtable_page(const pgtable_t *pt, uint64_t addr);

pgwalk_t pgtable_walk(const pgtable_t *pt, uint64_t addr);
// The next mapped range from *addr on whose entries are of one level, alike and contiguous: *addr is its
// start, *walk that of its first entry, and its size is returned; 0 when there is none.
uint64_t pgtable_run(const pgtable_t *pt, uint64_t *addr, pgwalk_t *walk);
// Zero the root, flush, and free all tables below.
void pgtable_clear(pgtable_t *pt);

#endif
