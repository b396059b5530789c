// SPDX-License-Identifier: MIT
// Map, unmap and protect as one recursive pass over the tables: at each entry the range either
// covers it whole and aligned (a leaf can be written), or it is split and the pass goes down.
// Break-before-make (DDI 0487 D5.10.1): a valid entry is cleared and flushed before another takes
// its place, also when a block becomes a table of the same mappings.

#include "arch.h"
#include "mem.h"
#include "pgtable.h"

#define ENTRIES 512
#define LAST_LEVEL 3

static unsigned level_shift(unsigned level) {
    return 12 + 9 * (LAST_LEVEL - level);
}

static bool is_table(uint64_t entry, unsigned level) {
    return level < LAST_LEVEL && (entry & 3) == (PTE_VALID | PTE_TABLE);
}

static uint64_t *table_of(uint64_t entry) {
    return (uint64_t *)(entry & PTE_ADDR_MASK);
}

static uint64_t leaf(uint64_t pa, uint64_t attr, unsigned level) {
    return pa | attr | PTE_VALID | (level == LAST_LEVEL ? PTE_TABLE : 0);
}

// The walker sees the entry before anything that follows. With the caches off at boot the table is
// in memory already; afterwards walks are cacheable and coherent (TCR/VTCR inner and outer WB).
static void set_entry(uint64_t *entry, uint64_t value) {
    *(volatile uint64_t *)entry = value;
    __asm__ volatile ("dsb ishst" : : : "memory");
}

static uint64_t *new_table(pgtable_t *pt) {
    uint64_t *t = pgtable_alloc_table();
    if (t != NULL) {
        pt->ntables++;
    }
    return t;
}

static void free_tables(pgtable_t *pt, uint64_t entry, unsigned level) {
    if (!is_table(entry, level)) {
        return;
    }
    uint64_t *t = table_of(entry);
    if (level + 1 < LAST_LEVEL) {
        for (unsigned i = 0; i < ENTRIES; i++) {
            free_tables(pt, t[i], level + 1);
        }
    }
    pgtable_free_table(t);
    pt->ntables--;
}

// Replace an entry by anything, with break-before-make.
static void replace(pgtable_t *pt, uint64_t *entry, uint64_t addr, unsigned level, uint64_t value) {
    uint64_t old = *entry;
    if (old & PTE_VALID) {
        set_entry(entry, 0);
        pt->flush(pt, addr, BIT(level_shift(level)));
        free_tables(pt, old, level);
    }
    if (value != 0) {
        set_entry(entry, value);
    }
}

// Make the entry point to a table, filled with what a block there mapped.
static uint64_t *descend(pgtable_t *pt, uint64_t *entry, uint64_t addr, unsigned level) {
    if (is_table(*entry, level)) {
        return table_of(*entry);
    }
    uint64_t *t = new_table(pt);
    if (t == NULL) {
        return NULL;
    }
    uint64_t block = *entry;
    if (block & PTE_VALID) {
        unsigned shift = level_shift(level + 1);
        uint64_t type = level + 1 == LAST_LEVEL ? PTE_TABLE : 0;
        for (uint64_t i = 0; i < ENTRIES; i++) {
            t[i] = (block + (i << shift)) | type;
        }
    }
    replace(pt, entry, addr, level, (uint64_t)t | PTE_VALID | PTE_TABLE);
    return t;
}

typedef struct {
    pgtable_t *pt;
    uint64_t end;
    enum { MAP, UNMAP, PROTECT } op;
    uint64_t offset;        // MAP: pa - addr, modulo 2^64
    uint64_t attr;          // MAP: attributes; PROTECT: bits to set
    uint64_t clear;         // PROTECT
} pass_t;

static void apply(const pass_t *p, uint64_t *entry, uint64_t addr, unsigned level) {
    if (p->op == MAP) {
        replace(p->pt, entry, addr, level, leaf(addr + p->offset, p->attr, level));
    } else if (p->op == UNMAP) {
        replace(p->pt, entry, addr, level, 0);
    } else if (*entry & PTE_VALID) {
        uint64_t value = (*entry & ~p->clear) | p->attr;
        if (value != *entry) {
            replace(p->pt, entry, addr, level, value);
        }
    }
}

// Whether one leaf of this level can stand for the whole entry.
static bool leaf_fits(const pass_t *p, uint64_t entry, uint64_t addr, unsigned level) {
    uint64_t size = BIT(level_shift(level));
    if ((addr & (size - 1)) != 0 || p->end - addr < size) {
        return false;
    }
    if (p->op == MAP) {
        return ((addr + p->offset) & (size - 1)) == 0;
    }
    return p->op == UNMAP || !is_table(entry, level);
}

static bool pass(const pass_t *p, uint64_t *table, unsigned entries, uint64_t addr, unsigned level) {
    unsigned shift = level_shift(level);
    while (addr < p->end) {
        uint64_t index = (addr >> shift) & (entries - 1);
        uint64_t *entry = &table[index];
        uint64_t next = (addr | (BIT(shift) - 1)) + 1;
        if (level == LAST_LEVEL || leaf_fits(p, *entry, addr, level)) {
            apply(p, entry, addr, level);
        } else if (p->op == MAP || (*entry & PTE_VALID)) {
            uint64_t *t = descend(p->pt, entry, ALIGN_DOWN(addr, BIT(shift)), level);
            if (t == NULL) {
                return false;
            }
            pass_t below = *p;
            below.end = next < p->end ? next : p->end;
            if (!pass(&below, t, ENTRIES, addr, level + 1)) {
                return false;
            }
        }
        addr = next;
    }
    return true;
}

bool pgtable_map(pgtable_t *pt, uint64_t addr, uint64_t pa, uint64_t size, uint64_t attr) {
    pass_t p = { pt, addr + size, MAP, pa - addr, attr, 0 };
    return pass(&p, pt->root, pt->root_entries, addr, 1);
}

bool pgtable_unmap(pgtable_t *pt, uint64_t addr, uint64_t size) {
    pass_t p = { pt, addr + size, UNMAP, 0, 0, 0 };
    return pass(&p, pt->root, pt->root_entries, addr, 1);
}

bool pgtable_protect(pgtable_t *pt, uint64_t addr, uint64_t size, uint64_t clear, uint64_t set) {
    pass_t p = { pt, addr + size, PROTECT, 0, set, clear };
    return pass(&p, pt->root, pt->root_entries, addr, 1);
}

pgwalk_t pgtable_walk(const pgtable_t *pt, uint64_t addr) {
    const uint64_t *table = pt->root;
    pgwalk_t w = { 0, 1, BIT(30) };
    if ((addr >> 30) >= pt->root_entries) {
        return w;
    }
    w.entry = table[addr >> 30];
    while (is_table(w.entry, w.level)) {
        w.level++;
        w.size = BIT(level_shift(w.level));
        w.entry = table_of(w.entry)[(addr >> level_shift(w.level)) & (ENTRIES - 1)];
    }
    return w;
}

void pgtable_clear(pgtable_t *pt) {
    for (unsigned i = 0; i < pt->root_entries; i++) {
        uint64_t old = pt->root[i];
        if (old != 0) {
            set_entry(&pt->root[i], 0);
            free_tables(pt, old, 1);
        }
    }
}
