// SPDX-License-Identifier: MIT
// What RAM was: see pages.h.

#include <string.h>
#include "core/arch.h"
#include "hold/pages.h"
#include "memory/entry.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "memory/window.h"
#include "trap/el1trap.h"
#include "memory/pgtable.h"
#include "trap/insight.h"
#include "trap/trap.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/shared.h"
#include "vm/stage2.h"
#include "vm/vm.h"

#define CHUNK_PAGES 512u
#define CHUNK_WORDS (CHUNK_PAGES / 64)
#define TABLE_BYTES (CHUNK_PAGES * sizeof(uint8_t *))

// ---- Memory -------------------------------------------------------------------------------------

#define AT_ONCE 16u         // so many are had from the allocator at a time

static void put_spare(hold_t *h, uint8_t *page) {
    *(uint8_t **)page = h->spare;
    h->spare = page;
}

static NOINLINE void more_pages(hold_t *h) {
    uint8_t *pages = page_alloc_spare(AT_ONCE * PAGE_SIZE);
    for (unsigned i = 0; pages != NULL && i < AT_ONCE; i++) {
        put_spare(h, pages + i * PAGE_SIZE);
    }
}

// The oldest snapshot of a history, which nobody else stands on, goes. With the VM's lock. False: there is none.
static NOINLINE bool give_up_history(hold_t *h) {
    snapshot_t *oldest = NULL;
    for (snapshot_t *s = h->all; s != NULL; s = s->next) {
        oldest = s->history && !s->lost && s->behind == 0 && s->forks == 0 && s != h->at ? s : oldest;
    }
    if (oldest == NULL) {
        return false;
    }
    oldest->lost = true;
    for (unsigned chunk = 0; chunk < h->chunks; chunk++) {
        uint8_t **page = oldest->chunk[chunk].page;
        for (unsigned i = 0; page != NULL && i < CHUNK_PAGES; i++) {
            if (page[i] != NULL) {
                put_spare(h, page[i]);
                h->pages--;
            }
        }
        page_free(page, TABLE_BYTES);
        memset(&oldest->chunk[chunk], 0, sizeof(chunk_t));
    }
    if (oldest->to != NULL) {
        oldest->to->behind--;
    }
    return true;
}

static uint8_t *take_page(hold_t *h) {
    if (h->spare == NULL && h->pages < h->quota) {
        more_pages(h);
    }
    while (UNLIKELY(h->spare == NULL || h->pages >= h->quota)) {
        if (!give_up_history(h)) {
            return NULL;
        }
    }
    uint8_t *page = h->spare;
    h->spare = *(uint8_t **)page;
    h->pages++;
    return page;
}

static void give_page(hold_t *h, uint8_t *page) {
    if (page != NULL) {
        page_free(page, PAGE_SIZE);
        h->pages--;
    }
}

static void give_spares(hold_t *h) {
    for (uint8_t *page; (page = h->spare) != NULL;) {
        h->spare = *(uint8_t **)page;
        page_free(page, PAGE_SIZE);
    }
}

// Without the vector registers, which are a guest's, a line at a time. The guest may have its caches off, so that memory is
// what it writes and reads: the one drops what our caches have of a line before it is read, and the other one leaves there
// nothing of what it has written. A DC by address is in order with loads and stores of that line (DDI 0487 D4.4.8), and it is
// CIVAC: see core/cache.c.
#define MOVE(at) "ldp %2, %3, [%1, #" #at "]\n stp %2, %3, [%0, #" #at "]\n"
#define LAST(to) "ldp %2, %3, [%1], #64\n stp %2, %3, [%0]" to "\n"
#define COPY(line) \
    const void *end = (const char *)from + PAGE_SIZE; \
    uint64_t a, b; \
    __asm__ volatile ("1:" line line line line "cmp %1, %4\n b.ne 1b" : "+r" (to), "+r" (from), "=&r" (a), "=&r" (b) : "r" (end) : "memory", "cc")

static bool lines_of_64(void) {
    return FIELD(READ_SYSREG(ctr_el0), 19, 16) == 4;
}

static void copy_page_from_guest(void *to, const void *from) {
    if (!lines_of_64()) {
        cache_clean_poc(from, PAGE_SIZE);
    }
    COPY("dc civac, %1\n" MOVE(16) MOVE(32) MOVE(48) LAST(", #64"));
}

static void copy_page_to_guest(void *to, const void *from) {
    const void *page = to;
    COPY(MOVE(16) MOVE(32) MOVE(48) LAST("") "dc civac, %0\n add %0, %0, #64\n");
    if (!lines_of_64()) {
        cache_clean_poc(page, PAGE_SIZE);
    }
    dsb_sy();
}

static void swap_page(void *one, void *other) {
    uint64_t *a = one, *b = other;
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++) {
        uint64_t t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

// ---- Where a page is ----------------------------------------------------------------------------

static bool find_page(const vm_t *vm, uint64_t ipa, unsigned *chunk, unsigned *i, uint8_t **host) {
    const hold_t *h = vm->hold;
    for (unsigned k = 0; k < h->nram; k++) {
        uint64_t offset = ipa - vm->ram[k].ipa;
        if (offset < vm->ram[k].size) {
            *chunk = h->first[k] + (unsigned)(offset / BLOCK_2M);
            *i = offset / PAGE_SIZE % CHUNK_PAGES;
            *host = vm->ram[k].host + ALIGN_DOWN(offset, PAGE_SIZE);
            return true;
        }
    }
    return false;
}

static const ram_t *ram_of_chunk(const vm_t *vm, unsigned chunk, uint64_t *offset) {
    unsigned k = vm->hold->nram - 1;
    while (vm->hold->first[k] > chunk) {
        k--;
    }
    *offset = (uint64_t)(chunk - vm->hold->first[k]) * BLOCK_2M;
    return &vm->ram[k];
}

bool pages_ipa(const vm_t *vm, unsigned chunk, unsigned i, uint64_t *ipa) {
    uint64_t offset;
    const ram_t *r = ram_of_chunk(vm, chunk, &offset);
    offset += (uint64_t)i * PAGE_SIZE;
    *ipa = r->ipa + offset;
    return offset < r->size;
}

// ---- Before a page is written -------------------------------------------------------------------

static bool keep_in(vm_t *vm, chunk_t *c, unsigned i, uint64_t ipa, const uint8_t *host) {
    hold_t *h = vm->hold;
    if (c->page == NULL) {
        c->page = page_alloc(TABLE_BYTES);
        if (c->page == NULL) {
            return false;
        }
        page_zero(c->page, TABLE_BYTES);
    }
    if (c->page[i] == NULL) {
        uint8_t *page = take_page(h);
        if (page == NULL) {
            return false;
        }
        copy_page_from_guest(page, host);
        rights_load(vm, ipa, PAGE_SIZE, page); // without what is planted there
        c->page[i] = page;
    }
    c->written[i / 64] |= BIT(i % 64);
    return true;
}

// With the VM's lock. False: no memory.
static bool keep_page(vm_t *vm, uint64_t ipa) {
    unsigned chunk, i;
    uint8_t *host;
    if (!find_page(vm, ipa, &chunk, &i, &host)) {
        return true;
    }
    chunk_t *c = &vm->hold->at->chunk[chunk];
    if (!(c->written[i / 64] >> i % 64 & 1) && !keep_in(vm, c, i, ipa, host)) {
        return false;
    }
    if (UNLIKELY(vm->forks != NULL)) {
        shared_revoke(vm, ipa);
    }
    return rights_page(vm, RIGHTS_DIRTY, ipa, 0, true);
}

// From trap_fast: a permission fault of a store, with nobody else's doing. EXIT_TRAP: nothing has been done.
static uint64_t dirty_fast(vcpu_t *v) {
    vm_t *vm = v->vm;
    uint64_t far = READ_SYSREG(far_el2), before = READ_SYSREG(par_el1), why = EXIT_TRAP;
    __asm__ volatile ("at s1e1r, %0\n isb" : : "r" (far));
    uint64_t par = READ_SYSREG(par_el1), ipa = par & UINT64_C(0xFFFFFFFFF000);
    WRITE_SYSREG(par_el1, before);
    if (par & 1) {
        return EXIT_TRAP;
    }
    spin_lock(&vm->lock);
    const uint64_t *entry = pgtable_page(&vm->stage2, ipa);
    if (entry != NULL && vm->hold != NULL && rights_only(vm, RIGHTS_DIRTY, ipa, S2_WRITE) && (rights_base(*entry) & S2_WRITE) && keep_page(vm, ipa)) {
        why = EXIT_RESUME;
    }
    spin_unlock(&vm->lock);
    return why;
}

static bool dirty_fault(vcpu_t *v, uint64_t ipa, unsigned needed, exit_t *why) {
    vm_t *vm = v->vm;
    (void)needed;
    uint64_t daif = spin_lock_irq(&vm->lock);
    bool kept = vm->hold == NULL || keep_page(vm, ALIGN_DOWN(ipa, PAGE_SIZE));
    spin_unlock_irq(&vm->lock, daif);
    if (!kept) {
        *why = EXIT_MEMORY; // the same again, once a script has made room
    }
    return true;
}

static void dirty_store(vm_t *vm, uint64_t ipa, uint64_t size, bool after) {
    for (uint64_t page = ALIGN_DOWN(ipa, PAGE_SIZE); !after && vm->hold != NULL && page < ipa + size; page += PAGE_SIZE) {
        if (vm_ram(vm, page, 1) == NULL) {
            continue; // nor will it be written
        }
        uint64_t daif = spin_lock_irq(&vm->lock);
        bool kept = keep_page(vm, page);
        if (!kept) {
            vm->hold->full = true;
            rights_page(vm, RIGHTS_DIRTY, page, 0, true);
        }
        spin_unlock_irq(&vm->lock, daif);
    }
}

// ---- Snapshots ----------------------------------------------------------------------------------

#define EACH_PAGE(c, w, m, i) \
    for (unsigned w = 0; w < CHUNK_WORDS; w++) \
    for (uint64_t m = (c)->written[w], i; m != 0 && (i = w * 64 + (unsigned)__builtin_ctzll(m), true); m &= m - 1)

static size_t chunks_bytes(const hold_t *h) {
    return h->chunks * sizeof(chunk_t);
}

static seen_t seen_from(const source_t *source, uint64_t ipa);

bool pages_begin(vm_t *vm) {
    hold_t *h = native_alloc(sizeof(hold_t));
    if (h == NULL) {
        return false;
    }
    h->nram = vm->nram;
    h->quota = UINT64_MAX;
    for (unsigned k = 0; k < vm->nram; k++) {
        h->first[k] = h->chunks;
        h->chunks += (unsigned)(ALIGN_UP(vm->ram[k].size, BLOCK_2M) / BLOCK_2M);
    }
    trap_dirty = dirty_fast;
    shared_seen = seen_from;
    rights_hooks[RIGHTS_DIRTY].fault = dirty_fault;
    rights_hooks[RIGHTS_DIRTY].store = dirty_store;
    vm->hold = h;
    for (unsigned k = 0; k < vm->nram; k++) {
        if (!rights_take(vm, RIGHTS_DIRTY, vm->ram[k].ipa, vm->ram[k].size, S2_WRITE)) {
            pages_end(vm);
            return false;
        }
    }
    return true;
}

bool pages_new(hold_t *h, snapshot_t *s) {
    s->chunk = page_alloc(chunks_bytes(h));
    if (s->chunk != NULL) {
        page_zero(s->chunk, ALIGN_UP(chunks_bytes(h), PAGE_SIZE));
    }
    return s->chunk != NULL;
}

void pages_end(vm_t *vm) {
    for (unsigned k = 0; k < vm->hold->nram; k++) {
        rights_give(vm, RIGHTS_DIRTY, vm->ram[k].ipa, vm->ram[k].size);
    }
    give_spares(vm->hold);
    native_free(vm->hold, sizeof(hold_t));
    vm->hold = NULL;
}

// Those that RAM has as well.
static void free_same(hold_t *h, chunk_t *c) {
    for (unsigned i = 0; i < CHUNK_PAGES; i++) {
        if (c->page[i] != NULL && !(c->written[i / 64] >> i % 64 & 1)) {
            give_page(h, c->page[i]);
            c->page[i] = NULL;
        }
    }
}

void pages_at(vm_t *vm, snapshot_t *s) {
    hold_t *h = vm->hold;
    snapshot_t *before = h->at;
    for (unsigned chunk = 0; before != NULL && chunk < h->chunks; chunk++) {
        chunk_t *c = &before->chunk[chunk];
        if (c->page == NULL) {
            continue;
        }
        free_same(h, c);
        uint64_t ipa, daif = spin_lock_irq(&vm->lock);
        pages_ipa(vm, chunk, 0, &ipa);
        rights_pages(vm, RIGHTS_DIRTY, ipa, c->written, S2_WRITE);
        spin_unlock_irq(&vm->lock, daif);
    }
    h->at = s;
}

// RAM is about to be, and has been, written as a device would: below what is planted there.
static void put_page(vm_t *vm, uint64_t ipa, uint8_t *host, const uint8_t *page) {
    copy_page_to_guest(host, page);
    if (UNLIKELY(vm->breaks != NULL) && rights_taken(vm, RIGHTS_BREAK, ipa) != 0) {
        trap_insight->written(vm, ipa, PAGE_SIZE);
    }
}

static void put_chunk(vm_t *vm, const chunk_t *c, const ram_t *r, uint64_t offset) {
    EACH_PAGE(c, w, m, i) {
        put_page(vm, r->ipa + offset + i * PAGE_SIZE, r->host + offset + i * PAGE_SIZE, c->page[i]);
    }
}

static void undo(vm_t *vm, bool note_anew) {
    hold_t *h = vm->hold;
    for (unsigned chunk = 0; chunk < h->chunks; chunk++) {
        chunk_t *c = &h->at->chunk[chunk];
        if (c->page == NULL) {
            continue;
        }
        uint64_t daif = spin_lock_irq(&vm->lock), offset;
        const ram_t *r = ram_of_chunk(vm, chunk, &offset);
        put_chunk(vm, c, r, offset);
        if (note_anew) {
            rights_pages(vm, RIGHTS_DIRTY, r->ipa + offset, c->written, S2_WRITE);
            memset(c->written, 0, sizeof(c->written));
        }
        spin_unlock_irq(&vm->lock, daif);
    }
}

void pages_undo(vm_t *vm) {
    undo(vm, true);
}

void pages_again(vm_t *vm) {
    undo(vm, false);
}

void pages_move(vm_t *vm, snapshot_t *s) {
    hold_t *h = vm->hold;
    snapshot_t *from = h->at;
    for (unsigned chunk = 0; chunk < h->chunks; chunk++) {
        chunk_t *c = &s->chunk[chunk], *old = &from->chunk[chunk];
        if (old->page != NULL) {
            free_same(h, old);
        }
        uint64_t daif = spin_lock_irq(&vm->lock), ipa, offset;
        const ram_t *r = ram_of_chunk(vm, chunk, &offset);
        EACH_PAGE(c, w, m, i) {
            uint8_t *host = r->host + offset + i * PAGE_SIZE;
            ipa = r->ipa + offset + i * PAGE_SIZE;
            if (vm->breaks != NULL) {
                rights_load(vm, ipa, PAGE_SIZE, host);
            }
            swap_page(host, c->page[i]);
            put_page(vm, ipa, host, host);
        }
        spin_unlock_irq(&vm->lock, daif);
        chunk_t t = *c;
        *c = *old;
        *old = t;
    }
    from->to = s;
    from->behind--;
    s->to = NULL;
    s->behind++;
    h->at = s;
}

void pages_settle(vm_t *vm) {
    entry_flush(&vm->stage2, 0, BLOCK_1G);
    icache_invalidate();
    el1_rearm(vm);
}

void pages_free(hold_t *h, snapshot_t *s) {
    for (unsigned chunk = 0; chunk < h->chunks; chunk++) {
        uint8_t **page = s->chunk[chunk].page;
        for (unsigned i = 0; page != NULL && i < CHUNK_PAGES; i++) {
            give_page(h, page[i]);
        }
        page_free(page, TABLE_BYTES);
    }
    page_free(s->chunk, chunks_bytes(h));
    s->chunk = NULL;
}

// What is behind it differs from what is before it where either differs from it.
void pages_merge(hold_t *h, snapshot_t *s, snapshot_t *behind) {
    for (unsigned chunk = 0; chunk < h->chunks; chunk++) {
        chunk_t *c = &s->chunk[chunk], *to = &behind->chunk[chunk];
        if (c->page != NULL && to->page == NULL) {
            chunk_t t = *c;
            *c = *to;
            *to = t;
            continue;
        }
        EACH_PAGE(c, w, m, i) {
            if (!(to->written[w] >> i % 64 & 1)) {
                give_page(h, to->page[i]);
                to->page[i] = c->page[i];
                to->written[w] |= BIT(i % 64);
                c->page[i] = NULL;
            }
        }
    }
}

// ---- What it was --------------------------------------------------------------------------------

static seen_t seen_now(vm_t *vm, uint64_t ipa) {
    ram_t *r = vm_ram_at(vm, ipa);
    seen_t none = { NULL, NULL, false };
    if (r == NULL) {
        return none;
    }
    uint64_t offset = ipa - r->ipa;
    seen_t here = { r->host + offset, vm, vm->exec_xor_write || rights_taken(vm, RIGHTS_BREAK, ipa) != 0 };
    if (r->shared == NULL) {
        return vm_ram_present(r, offset / RAM_GRANULE) ? here : none;
    }
    if (shared_here(r, offset)) {
        here.at = (const uint8_t *)window_pa(here.at); // its own, for all that look for it, also at stage 2
        return here;
    }
    return shared_see(vm, r, offset);
}

// As s has it; with s NULL, as it is. With the locks.
static seen_t seen_at(vm_t *vm, const snapshot_t *s, uint64_t ipa) {
    unsigned chunk, i;
    uint8_t *host;
    if (s != NULL && !find_page(vm, ipa, &chunk, &i, &host)) { // it has got that memory since
        return (seen_t) { NULL, NULL, false };
    }
    for (; s != NULL; s = s->to) {
        const chunk_t *c = &s->chunk[chunk];
        if (c->written[i / 64] >> i % 64 & 1) {
            return (seen_t) { c->page[i], NULL, false };
        }
    }
    return seen_now(vm, ipa);
}

static seen_t seen_from(const source_t *source, uint64_t ipa) {
    return seen_at(source->from, source->s, ipa);
}

static bool read_page(vm_t *vm, const snapshot_t *s, uint64_t ipa, uint8_t *to) {
    uint64_t daif = irq_save();
    shared_lock(vm);
    seen_t seen = seen_at(vm, s, ipa);
    if (seen.at == NULL) {
        page_zero(to, PAGE_SIZE);
    } else {
        copy_page_from_guest(to, seen.at);
    }
    if (seen.ram != NULL) {
        rights_load(seen.ram, ipa, PAGE_SIZE, to); // without what is planted there
    }
    shared_unlock(vm);
    irq_restore(daif);
    return seen.at != NULL;
}

static bool is_zero(const uint8_t *at, size_t size) {
    const uint64_t *word = (const uint64_t *)at;
    for (size_t i = 0; i < size / 8; i += 4) {
        if ((word[i] | word[i + 1] | word[i + 2] | word[i + 3]) != 0) {
            return false;
        }
    }
    return true;
}

bool pages_read(vm_t *vm, const snapshot_t *s, uint64_t ipa, uint8_t *to, size_t size) {
    bool any = false;
    for (size_t at = 0; at < size; at += PAGE_SIZE) {
        any |= read_page(vm, s, ipa + at, to + at);
    }
    const ram_t *r = vm_ram_at(vm, ipa);
    return any && ((r != NULL && r->flash != NULL) || !is_zero(to, size));
}
