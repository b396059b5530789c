// SPDX-License-Identifier: MIT
// Rights of a VM's pages: see rights.h.
//
// What has been taken is a tree by address: 256 entries of 4 GB, below them 512 of 8 MB, below them one for each page.
// An entry is the number that all below it have in common, or the page where the next level is: so gigabytes cost
// nothing as long as they are alike, and each level is a page.

#include "memory/entry.h"
#include "memory/mem.h"
#include "memory/pgtable.h"
#include "vm/rights.h"
#include "vm/vm.h"

#define IPA_BITS 40
#define ROOT_SHIFT 32
#define NODE_SHIFT 23
#define LEAF_SHIFT 12
#define PER_OWNER 3 // bits

rights_hooks_t rights_hooks[RIGHTS_OWNERS];

typedef uint16_t taken_t;
_Static_assert(PER_OWNER * (RIGHTS_TURNS + 1) <= 16, "taken_t");

// ---- The tree -----------------------------------------------------------------------------------

static unsigned shift_below(unsigned shift) {
    return shift == ROOT_SHIFT ? NODE_SHIFT : LEAF_SHIFT;
}

static bool is_common(uint64_t entry) {
    return entry < BIT(16);
}

// A page with `common` in all of its entries.
static uint64_t *new_level(unsigned shift, taken_t common) {
    uint64_t *page = page_alloc(PAGE_SIZE);
    uint64_t fill = shift == LEAF_SHIFT ? common * UINT64_C(0x0001000100010001) : common;
    for (unsigned i = 0; page != NULL && i < PAGE_SIZE / 8; i++) {
        page[i] = fill;
    }
    return page;
}

static void leaf_set(taken_t *leaf, uint64_t from, uint64_t end, taken_t clear, taken_t set) {
    for (uint64_t at = from; at < end; at += PAGE_SIZE) {
        taken_t *t = &leaf[at >> LEAF_SHIFT & (BIT(NODE_SHIFT - LEAF_SHIFT) - 1)];
        *t = (*t & ~clear) | set;
    }
}

// Where it has come back to what is alike everywhere, the page is not needed.
static void leaf_fold(uint64_t *entry) {
    const taken_t *leaf = (const taken_t *)*entry;
    for (unsigned i = 1; i < PAGE_SIZE / sizeof(taken_t); i++) {
        if (leaf[i] != leaf[0]) {
            return;
        }
    }
    taken_t common = leaf[0];
    page_free((void *)*entry, PAGE_SIZE);
    *entry = common;
}

// [from, end) of a table whose entries are of 1 << shift bytes. False: no page for a level below.
static bool tree_set(uint64_t *table, unsigned shift, uint64_t from, uint64_t end, taken_t clear, taken_t set) {
    uint64_t mask = (shift == ROOT_SHIFT ? BIT(IPA_BITS) : BIT(ROOT_SHIFT)) - 1;
    while (from < end) {
        uint64_t *entry = &table[(from & mask) >> shift];
        uint64_t next = ((from >> shift) + 1) << shift, to = next < end ? next : end;
        bool whole = to - from == BIT(shift);
        taken_t value = is_common(*entry) ? (taken_t)((*entry & ~clear) | set) : 0;
        if (is_common(*entry) && (whole || value == *entry)) {
            *entry = value;
            from = to;
            continue;
        }
        if (is_common(*entry)) {
            uint64_t *level = new_level(shift_below(shift), (taken_t)*entry);
            if (level == NULL) {
                return false;
            }
            *entry = (uint64_t)level;
        }
        if (shift == NODE_SHIFT) {
            leaf_set((taken_t *)*entry, from, to, clear, set);
            if (set == 0) {
                leaf_fold(entry);
            }
        } else if (!tree_set((uint64_t *)*entry, NODE_SHIFT, from, to, clear, set)) {
            return false;
        }
        from = to;
    }
    return true;
}

// What a page's number is, and the end of the entry it is in.
static taken_t tree_get(const vm_t *vm, uint64_t ipa, uint64_t *end) {
    const uint64_t *table = vm->rights;
    uint64_t entry = table == NULL ? 0 : table[ipa >> ROOT_SHIFT & 0xFF];
    *end = table == NULL ? BIT(IPA_BITS) : ((ipa >> ROOT_SHIFT) + 1) << ROOT_SHIFT;
    if (!is_common(entry)) {
        entry = ((const uint64_t *)entry)[ipa >> NODE_SHIFT & 0x1FF];
        *end = ((ipa >> NODE_SHIFT) + 1) << NODE_SHIFT;
    }
    if (!is_common(entry)) {
        entry = ((const taken_t *)entry)[ipa >> LEAF_SHIFT & 0x7FF];
        *end = ALIGN_DOWN(ipa, PAGE_SIZE) + PAGE_SIZE;
    }
    return (taken_t)entry;
}

void rights_free(vm_t *vm) {
    for (unsigned i = 0; vm->rights != NULL && i < 256; i++) {
        const uint64_t *node = is_common(vm->rights[i]) ? NULL : (const uint64_t *)vm->rights[i];
        for (unsigned k = 0; node != NULL && k < 512; k++) {
            if (!is_common(node[k])) {
                page_free((void *)node[k], PAGE_SIZE);
            }
        }
        if (node != NULL) {
            page_free((void *)vm->rights[i], PAGE_SIZE);
        }
    }
    if (vm->rights != NULL) {
        page_free(vm->rights, PAGE_SIZE);
        vm->rights = NULL;
    }
}

// ---- What it amounts to -------------------------------------------------------------------------

static unsigned by_all(taken_t t) {
    return (t | t >> PER_OWNER | t >> 2 * PER_OWNER | t >> 3 * PER_OWNER) & 7;
}
_Static_assert(RIGHTS_OWNERS == 4, "by_all");

unsigned rights_taken(const vm_t *vm, rights_owner_t owner, uint64_t ipa) {
    uint64_t end;
    return tree_get(vm, ipa, &end) >> PER_OWNER * owner & 7;
}

unsigned rights_takers(const vm_t *vm, uint64_t ipa, unsigned needed) {
    uint64_t end;
    unsigned owners = 0, taken = tree_get(vm, ipa, &end);
    for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++, taken >>= PER_OWNER) {
        owners |= (taken & needed) != 0 ? 1u << owner : 0;
    }
    return owners;
}

bool rights_only(const vm_t *vm, rights_owner_t owner, uint64_t ipa, unsigned needed) {
    const unsigned all = 1 | 1 << PER_OWNER | 1 << 2 * PER_OWNER | 1 << 3 * PER_OWNER;
    uint64_t end;
    return vm->rights != NULL && (tree_get(vm, ipa, &end) & (all * needed)) == needed << PER_OWNER * owner;
}

unsigned rights_run(const vm_t *vm, uint64_t ipa, uint64_t *end) {
    uint64_t at, last = *end;
    unsigned taken = by_all(tree_get(vm, ipa, &at));
    for (uint64_t next; at < last && by_all(tree_get(vm, at, &next)) == taken; at = next) {
    }
    *end = at < last ? at : last;
    return taken;
}

uint64_t rights_entry(uint64_t entry, uint64_t taken) {
    uint64_t base = rights_base(entry), left = base & ~taken;
    return (entry & ~(S2_PERMISSIONS | S2_PTE_WITHHELD)) | (left & (S2_READ | S2_WRITE)) << 6 | (left & S2_EXEC ? 0 : S2_XN)
           | (base & taken) << S2_PTE_WITHHELD_SHIFT;
}

bool rights_begin(vm_t *vm) {
    vm->rights = vm->rights == NULL ? new_level(ROOT_SHIFT, 0) : vm->rights;
    return vm->rights != NULL;
}

static bool rights_change(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size, unsigned clear, unsigned set) {
    unsigned shift = PER_OWNER * owner;
    if (vm->rights == NULL && (set == 0 || !rights_begin(vm))) {
        return set == 0;
    }
    if (!tree_set(vm->rights, ROOT_SHIFT, ipa, ipa + size, (taken_t)(clear << shift), (taken_t)(set << shift))) {
        return false;
    }
    bool ok = true;
    for (uint64_t end = ipa + size, at = ipa, to; at < end && owner != RIGHTS_TURNS; at = to) {
        to = end;
        unsigned taken = rights_run(vm, at, &to);
        ok &= pgtable_change(&vm->stage2, at, to - at, rights_entry, taken);
    }
    return ok;
}

bool rights_set(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size, unsigned taken) {
    return rights_change(vm, owner, ipa, size, 7, taken);
}

// Both, of a page: what is taken, and its entry. NULL: it has none of its own.
static uint64_t *page_entries(const vm_t *vm, uint64_t ipa, taken_t **t) {
    uint64_t node = vm->rights == NULL ? 0 : vm->rights[ipa >> ROOT_SHIFT & 0xFF];
    uint64_t leaf = is_common(node) ? 0 : ((const uint64_t *)node)[ipa >> NODE_SHIFT & 0x1FF];
    *t = &((taken_t *)leaf)[ipa >> LEAF_SHIFT & (BIT(NODE_SHIFT - LEAF_SHIFT) - 1)];
    return is_common(leaf) ? NULL : pgtable_page(&vm->stage2, ipa);
}

static inline void set_entries(uint64_t *entry, taken_t *t, unsigned shift, unsigned taken) {
    *t = (taken_t)((*t & ~(7u << shift)) | taken << shift);
    if (*entry & PTE_VALID) {
        *(volatile uint64_t *)entry = rights_entry(*entry, by_all(*t));
    }
}

bool rights_page(vm_t *vm, rights_owner_t owner, uint64_t ipa, unsigned taken, bool flush) {
    taken_t *t;
    uint64_t *entry = page_entries(vm, ipa, &t);
    if (entry == NULL) {
        return rights_set(vm, owner, ipa, PAGE_SIZE, taken);
    }
    set_entries(entry, t, PER_OWNER * owner, taken);
    vm->stage2.changes++;
    if (flush) {
        entry_flush(&vm->stage2, ipa, PAGE_SIZE);
    }
    return true;
}

bool rights_pages(vm_t *vm, rights_owner_t owner, uint64_t ipa, const uint64_t *pages, unsigned taken) {
    taken_t *t;
    uint64_t *entry = ipa % BLOCK_2M != 0 ? NULL : page_entries(vm, ipa, &t);
    bool ok = true;
    for (unsigned w = 0; w < 8; w++) {
        for (uint64_t m = pages[w]; m != 0; m &= m - 1) {
            unsigned i = w * 64 + (unsigned)__builtin_ctzll(m);
            if (entry != NULL) {
                set_entries(entry + i, t + i, PER_OWNER * owner, taken);
            } else {
                ok &= rights_page(vm, owner, ipa + i * PAGE_SIZE, taken, false);
            }
        }
    }
    vm->stage2.changes++;
    return ok;
}

// So much at once, with interrupts masked: four tables of pages.
static bool by_tables(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size, unsigned clear, unsigned set) {
    bool ok = true;
    for (uint64_t n; size != 0; ipa += n, size -= n) {
        uint64_t daif = spin_lock_irq(&vm->lock);
        uint64_t end = ALIGN_DOWN(ipa, BIT(NODE_SHIFT)) + BIT(NODE_SHIFT);
        n = end - ipa < size ? end - ipa : size;
        ok &= rights_change(vm, owner, ipa, n, clear, set);
        for (uint64_t at = ipa; set == 0 && at < ipa + n; at = ALIGN_DOWN(at, BLOCK_2M) + BLOCK_2M) {
            pgtable_fold(&vm->stage2, at);
        }
        spin_unlock_irq(&vm->lock, daif);
    }
    return ok;
}

bool rights_take(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size, unsigned taken) {
    return by_tables(vm, owner, ipa, size, 0, taken);
}

void rights_give(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size) {
    by_tables(vm, owner, ipa, size, 7, 0);
}

// ---- Who writes in C ----------------------------------------------------------------------------

// Those that are to be told of an access: what they have taken of the page, or a watch that has taken nothing.
static bool is_told(const vm_t *vm, unsigned owner, taken_t taken, unsigned right) {
    return (taken & right) || (owner == RIGHTS_WATCH && vm->hard_watches != 0);
}

// What they have taken at `at`, and up to where, not beyond `end`, that is so.
static taken_t taken_run(vm_t *vm, uint64_t at, uint64_t end, uint64_t *to) {
    uint64_t daif = spin_lock_irq(&vm->lock);
    taken_t taken = tree_get(vm, at, to);
    spin_unlock_irq(&vm->lock, daif);
    *to = *to < end ? *to : end;
    return taken;
}

void rights_store_slow(vm_t *vm, uint64_t ipa, uint64_t size, bool after, unsigned but) {
    for (uint64_t end = ipa + size, at = ipa, to; at < end; at = to) {
        taken_t taken = taken_run(vm, at, end, &to);
        for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++, taken >>= PER_OWNER) {
            if (is_told(vm, owner, taken, S2_WRITE) && !(but >> owner & 1) && rights_hooks[owner].store != NULL) {
                rights_hooks[owner].store(vm, at, to - at, after);
            }
        }
    }
}

bool rights_read_slow(vm_t *vm, uint64_t ipa, uint64_t size) {
    bool changed = false;
    for (uint64_t end = ipa + size, at = ipa, to; at < end; at = to) {
        taken_t taken = taken_run(vm, at, end, &to);
        for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++, taken >>= PER_OWNER) {
            if (is_told(vm, owner, taken, S2_READ) && rights_hooks[owner].read != NULL) {
                rights_hooks[owner].read(vm, at, to - at);
            }
            changed |= (taken & S2_READ) && rights_hooks[owner].load != NULL;
        }
    }
    return changed;
}

bool rights_load_slow(vm_t *vm, uint64_t ipa, size_t size, void *data) {
    for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++) {
        if (rights_hooks[owner].load != NULL) {
            rights_hooks[owner].load(vm, ipa, (unsigned)size, data);
        }
    }
    return true;
}
