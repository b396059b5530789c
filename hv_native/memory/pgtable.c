// SPDX-License-Identifier: MIT
// Translation-table operations.
// Map, unmap and protect as one recursive pass over the tables: at each entry the range either
// covers it whole and aligned (a leaf can be written), or it is split and the pass goes down.
// Break-before-make (DDI 0487 D5.10.1): a valid entry is cleared and flushed before another takes
// its place, also when a block becomes a table of the same mappings. It is not needed, and not done,
// where an entry becomes invalid or only its permissions change: then one flush at the end will do.

#include "core/arch.h"
#include "memory/entry.h"
#include "memory/pgtable.h"

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

// Eight entries at once, by pairs: most of a table is 0, and each VM that ends has a few of them looked through.
static bool eight_unused(const uint64_t *t) {
    uint64_t a, b, c, d, e, f, g, h;
    __asm__ ("ldp %0, %1, [%8]; ldp %2, %3, [%8, #16]; ldp %4, %5, [%8, #32]; ldp %6, %7, [%8, #48]"
        : "=&r" (a), "=&r" (b), "=&r" (c), "=&r" (d), "=&r" (e), "=&r" (f), "=&r" (g), "=&r" (h) : "r" (t), "m" (*(const uint64_t(*)[8])t));
    return (a | b | c | d | e | f | g | h) == 0;
}

// The first entry from i on, of n, that is not 0. n: there is none.
static unsigned next_used(const uint64_t *t, unsigned i, unsigned n) {
    while (i < n && t[i] == 0) {
        i++;
        while (i % 8 == 0 && i + 8 <= n && eight_unused(t + i)) {
            i += 8;
        }
    }
    return i;
}

static void free_tables(pgtable_t *pt, uint64_t entry, unsigned level) {
    if (!is_table(entry, level)) {
        return;
    }
    uint64_t *t = table_of(entry);
    if (level + 1 < LAST_LEVEL) {
        for (unsigned i = next_used(t, 0, ENTRIES); i < ENTRIES; i = next_used(t, i + 1, ENTRIES)) {
            if (is_table(t[i], level + 1)) {
                free_tables(pt, t[i], level + 1);
            }
        }
    }
    pt->free_table(t);
}

// Replace an entry by anything, with break-before-make.
static void entry_replace(pgtable_t *pt, uint64_t *entry, uint64_t addr, unsigned level, uint64_t value) {
    uint64_t old = *entry;
    if (old & PTE_VALID) {
        entry_set(pt, entry, 0);
        entry_flush(pt, addr, BIT(level_shift(level)));
        free_tables(pt, old, level);
    }
    if (value != 0) {
        entry_set(pt, entry, value);
    }
}

// Make the entry point to a table, filled with what a block (or a mark) there stood for.
static uint64_t *descend(pgtable_t *pt, uint64_t *entry, uint64_t addr, unsigned level) {
    if (is_table(*entry, level)) {
        return table_of(*entry);
    }
    uint64_t *t = pt->new_table();
    if (t == NULL) {
        return NULL;
    }
    uint64_t block = *entry, step = 0;
    if (block & PTE_VALID) {
        step = BIT(level_shift(level + 1));
        block |= level + 1 == LAST_LEVEL ? PTE_TABLE : 0;
    }
    for (unsigned i = 0; block != 0 && i < ENTRIES; i++) {
        t[i] = block + i * step;
    }
    entry_replace(pt, entry, addr, level, (uint64_t)t | PTE_VALID | PTE_TABLE);
    return t;
}

typedef struct {
    pgtable_t *pt;
    enum { MAP, FILL, UNMAP, CHANGE } op;
    uint64_t offset;        // MAP, FILL: pa - addr, modulo 2^64
    uint64_t attr;          // MAP, FILL: attributes; UNMAP: the mark; CHANGE: for `made`
    pgtable_made_t made;    // CHANGE
    bool *stale;            // set when TLBs may hold what is no longer there
} pass_t;

static bool stays(const pass_t *p, uint64_t entry) {
    return !(entry & PTE_VALID) || p->made(entry, p->attr) == entry;
}

static void entry_change(const pass_t *p, uint64_t *entry, uint64_t addr, unsigned level) {
    uint64_t old = *entry;
    if (stays(p, old)) {
        return;
    }
    uint64_t value = p->made(old, p->attr);
    if (value != 0 && ((value ^ old) & ~p->pt->permissions)) {
        entry_replace(p->pt, entry, addr, level, value);
    } else {
        entry_set(p->pt, entry, value);
        *p->stale = true;
    }
}

static void entry_unmap(const pass_t *p, uint64_t *entry, uint64_t addr, unsigned level) {
    if (is_table(*entry, level)) {
        entry_replace(p->pt, entry, addr, level, p->attr);
    } else {
        *p->stale |= *entry & PTE_VALID;
        entry_set(p->pt, entry, p->attr);
    }
}

static void entry_apply(const pass_t *p, uint64_t *entry, uint64_t addr, unsigned level) {
    if (p->op == CHANGE) {
        entry_change(p, entry, addr, level);
    } else if (p->op == UNMAP) {
        entry_unmap(p, entry, addr, level);
    } else if (p->op == MAP || *entry == 0) {
        entry_replace(p->pt, entry, addr, level, leaf(addr + p->offset, p->attr, level));
    }
}

// Whether one leaf of this level can stand for the whole entry.
static bool leaf_fits(const pass_t *p, uint64_t entry, uint64_t addr, uint64_t end, unsigned level) {
    uint64_t size = BIT(level_shift(level));
    if ((addr & (size - 1)) != 0 || end - addr < size) {
        return false;
    }
    if (p->op == UNMAP) {
        return true;
    }
    bool aligned = p->op == CHANGE || ((addr + p->offset) & (size - 1)) == 0;
    return aligned && (p->op == MAP || !is_table(entry, level));
}

// An entry the pass has nothing to do in or below.
static bool nothing_in(const pass_t *p, uint64_t entry, unsigned level) {
    switch (p->op) {
        case FILL:
            return entry != 0 && !is_table(entry, level);
        case UNMAP:
            return entry == p->attr;
        case CHANGE:
            return !is_table(entry, level) && stays(p, entry);
        default:
            return false;
    }
}

// Pages where nothing is, up to the first where something is: there is nothing to take away.
static uint64_t fill_pages(const pass_t *p, uint64_t *entry, uint64_t addr, uint64_t end) {
    uint64_t value = leaf(addr + p->offset, p->attr, LAST_LEVEL);
    for (; addr < end && *entry == 0; addr += BIT(12), value += BIT(12)) {
        entry_make(p->pt, entry++, value);
    }
    entries_made();
    return addr;
}

static bool table_pass(const pass_t *p, uint64_t *table, unsigned entries, uint64_t addr, uint64_t end, unsigned level) {
    unsigned shift = level_shift(level);
    while (addr < end) {
        uint64_t index = (addr >> shift) & (entries - 1);
        uint64_t *entry = &table[index];
        uint64_t next = (addr | (BIT(shift) - 1)) + 1;
        if (level == LAST_LEVEL && *entry == 0 && (p->op == MAP || p->op == FILL)) {
            addr = fill_pages(p, entry, addr, end); // most of what a reset maps
            continue;
        }
        if (level == LAST_LEVEL || leaf_fits(p, *entry, addr, end, level)) {
            entry_apply(p, entry, addr, level);
        } else if (!nothing_in(p, *entry, level)) {
            uint64_t *t = descend(p->pt, entry, ALIGN_DOWN(addr, BIT(shift)), level);
            if (t == NULL || !table_pass(p, t, ENTRIES, addr, next < end ? next : end, level + 1)) {
                return false;
            }
        }
        addr = next;
    }
    return true;
}

static bool pgtable_pass(pass_t p, uint64_t addr, uint64_t size) {
    bool stale = false;
    p.stale = &stale;
    p.pt->changes++;
    bool ok = table_pass(&p, p.pt->root, p.pt->root_entries, addr, addr + size, 1);
    if (stale) {
        entry_flush(p.pt, addr, size);
    }
    return ok;
}

bool pgtable_map(pgtable_t *pt, uint64_t addr, uint64_t pa, uint64_t size, uint64_t attr) {
    return pgtable_pass((pass_t) { .pt = pt, .op = MAP, .offset = pa - addr, .attr = attr }, addr, size);
}

// Most of what a guest touches first are pages of a table that is there, with nothing in them.
bool pgtable_fill(pgtable_t *pt, uint64_t addr, uint64_t pa, uint64_t size, uint64_t attr) {
    pass_t p = { .pt = pt, .op = FILL, .offset = pa - addr, .attr = attr };
    uint64_t *entry = pgtable_page(pt, addr), end = addr + size;
    if (entry != NULL && (addr ^ (end - 1)) < BIT(21) && fill_pages(&p, entry, addr, end) == end) {
        pt->changes++;
        return true;
    }
    return pgtable_pass(p, addr, size);
}

bool pgtable_unmap(pgtable_t *pt, uint64_t addr, uint64_t size, uint64_t mark) {
    return pgtable_pass((pass_t) { .pt = pt, .op = UNMAP, .attr = mark }, addr, size);
}

bool pgtable_change(pgtable_t *pt, uint64_t addr, uint64_t size, pgtable_made_t made, uint64_t how) {
    return pgtable_pass((pass_t) { .pt = pt, .op = CHANGE, .attr = how, .made = made }, addr, size);
}

void pgtable_fold(pgtable_t *pt, uint64_t addr) {
    uint64_t *entry = &pt->root[addr >> 30];
    if (!is_table(*entry, 1)) {
        return;
    }
    entry = &table_of(*entry)[addr >> 21 & (ENTRIES - 1)];
    if (!is_table(*entry, 2)) {
        return;
    }
    const uint64_t *t = table_of(*entry);
    uint64_t differs = ~t[0] & PTE_VALID, value = t[0];
    for (unsigned i = 0; i < ENTRIES; i += 2, value += 2 * BIT(12)) {
        differs |= (t[i] ^ value) | (t[i + 1] ^ (value + BIT(12)));
    }
    if (differs == 0 && (t[0] & PTE_ADDR_MASK & (BIT(21) - 1)) == 0) {
        pt->changes++;
        entry_replace(pt, entry, ALIGN_DOWN(addr, BIT(21)), 2, t[0] & ~PTE_TABLE);
    }
}

uint64_t *pgtable_page(const pgtable_t *pt, uint64_t addr) {
    uint64_t *t = pt->root, entry = (addr >> 30) < pt->root_entries ? t[addr >> 30] : 0;
    for (unsigned level = 1; level < LAST_LEVEL; level++) {
        if (!is_table(entry, level)) {
            return NULL;
        }
        t = table_of(entry);
        entry = t[addr >> level_shift(level + 1) & (ENTRIES - 1)];
    }
    return &t[addr >> 12 & (ENTRIES - 1)];
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

uint64_t pgtable_run(const pgtable_t *pt, uint64_t *addr, pgwalk_t *walk) {
    uint64_t end = (uint64_t)pt->root_entries << 30, at = *addr, size = 0;
    for (; at < end; at += walk->size) {
        pgwalk_t w = pgtable_walk(pt, at);
        if (size == 0) {
            at = ALIGN_DOWN(at, w.size);
            *addr = at;
            *walk = w;
        } else if (w.level != walk->level || w.entry != walk->entry + size) {
            break;
        }
        size += w.entry & PTE_VALID ? w.size : 0;
    }
    return size;
}

// The tables that these entries stood for: nobody walks them after the flush.
static unsigned free_all(pgtable_t *pt, const uint64_t *entry, unsigned count) {
    entry_flush(pt, 0, BIT(30));
    for (unsigned k = 0; k < count; k++) {
        free_tables(pt, entry[k], 1);
    }
    return 0;
}

void pgtable_clear(pgtable_t *pt) {
    uint64_t taken[16], *root = pt->root;
    unsigned n = pt->root_entries, count = 0;
    for (unsigned i = next_used(root, 0, n); i < n; i = next_used(root, i + 1, n)) {
        if (root[i] & PTE_VALID) {
            taken[count++] = root[i];
        }
        entry_set(pt, &root[i], 0); // also a mark
        if (count == ARRAY_LEN(taken)) {
            count = free_all(pt, taken, count);
        }
    }
    if (count != 0) {
        free_all(pt, taken, count);
    }
}
