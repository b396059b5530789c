// SPDX-License-Identifier: MIT
// What RAM was: see pages.h.

#include <string.h>
#include "core/arch.h"
#include "hold/pages.h"
#include "memory/entry.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "trap/el1trap.h"
#include "trap/insight.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/stage2.h"
#include "vm/vm.h"

#define CHUNK_PAGES 512u
#define CHUNK_WORDS (CHUNK_PAGES / 64)
#define TABLE_BYTES (CHUNK_PAGES * sizeof(uint8_t *))
#define LEFT_TO_OTHERS 16   // of the machine's memory, one part in so many stays free

// ---- Memory -------------------------------------------------------------------------------------

static uint8_t *take_page(hold_t *h) {
    if (h->pages >= h->quota || page_free_bytes() < page_total_bytes() / LEFT_TO_OTHERS) {
        return NULL;
    }
    uint8_t *page = page_alloc(PAGE_SIZE);
    h->pages += page != NULL;
    return page;
}

static void give_page(hold_t *h, uint8_t *page) {
    if (page != NULL) {
        page_free(page, PAGE_SIZE);
        h->pages--;
    }
}

// 128 bytes at a time, without the vector registers, which are a guest's.
static void copy_page(void *to, const void *from) {
    const void *end = (const char *)from + PAGE_SIZE;
    uint64_t a, b, c, d;
    #define MOVE(at) "ldp %2, %3, [%1, #" #at "]\n ldp %4, %5, [%1, #" #at " + 16]\n stp %2, %3, [%0, #" #at "]\n stp %4, %5, [%0, #" #at " + 16]\n"
    __asm__ volatile ("1:" MOVE(0) MOVE(32) MOVE(64) MOVE(96) "add %0, %0, #128\n add %1, %1, #128\n cmp %1, %6\n b.ne 1b"
        : "+r" (to), "+r" (from), "=&r" (a), "=&r" (b), "=&r" (c), "=&r" (d) : "r" (end) : "memory", "cc");
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

static bool place_of(const vm_t *vm, uint64_t ipa, unsigned *chunk, unsigned *i, uint8_t **host) {
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
        cache_clean_poc(host, PAGE_SIZE); // the guest may have written it past our caches
        copy_page(page, host);
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
    if (!place_of(vm, ipa, &chunk, &i, &host)) {
        return true;
    }
    chunk_t *c = &vm->hold->at->chunk[chunk];
    if (!(c->written[i / 64] >> i % 64 & 1) && !keep_in(vm, c, i, ipa, host)) {
        return false;
    }
    return rights_page(vm, RIGHTS_DIRTY, ipa, 0, true);
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
    rights_hooks[RIGHTS_DIRTY].fault = dirty_fault;
    rights_hooks[RIGHTS_DIRTY].store = dirty_store;
    vm->hold = h;
    for (unsigned k = 0; k < vm->nram; k++) {
        if (!rights_take(vm, RIGHTS_DIRTY, vm->ram[k].ipa, vm->ram[k].size, 2)) {
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
        uint64_t daif = spin_lock_irq(&vm->lock), ipa;
        EACH_PAGE(c, w, m, i) {
            pages_ipa(vm, chunk, (unsigned)i, &ipa);
            rights_page(vm, RIGHTS_DIRTY, ipa, 2, false);
        }
        spin_unlock_irq(&vm->lock, daif);
    }
    h->at = s;
}

// RAM is about to be, and has been, written as a device would: below what is planted there.
static void put_page(vm_t *vm, uint64_t ipa, uint8_t *host, const uint8_t *page) {
    copy_page(host, page);
    cache_clean_poc(host, PAGE_SIZE);
    if (UNLIKELY(vm->breaks != NULL)) {
        trap_insight->written(vm, ipa, PAGE_SIZE);
    }
}

void pages_undo(vm_t *vm) {
    hold_t *h = vm->hold;
    for (unsigned chunk = 0; chunk < h->chunks; chunk++) {
        chunk_t *c = &h->at->chunk[chunk];
        if (c->page == NULL) {
            continue;
        }
        uint64_t daif = spin_lock_irq(&vm->lock), ipa, offset;
        const ram_t *r = ram_of_chunk(vm, chunk, &offset);
        EACH_PAGE(c, w, m, i) {
            ipa = r->ipa + offset + i * PAGE_SIZE;
            put_page(vm, ipa, r->host + offset + i * PAGE_SIZE, c->page[i]);
            rights_page(vm, RIGHTS_DIRTY, ipa, 2, false);
        }
        spin_unlock_irq(&vm->lock, daif);
        memset(c->written, 0, sizeof(c->written));
    }
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

const uint8_t *pages_seen(vm_t *vm, const snapshot_t *s, unsigned chunk, unsigned i) {
    uint64_t ipa, offset;
    for (; s != NULL; s = s->to) {
        const chunk_t *c = &s->chunk[chunk];
        if (c->written[i / 64] >> i % 64 & 1) {
            return c->page[i];
        }
    }
    const ram_t *r = ram_of_chunk(vm, chunk, &offset);
    offset += (uint64_t)i * PAGE_SIZE;
    if (!vm_ram_present(r, offset / RAM_GRANULE)) {
        return NULL;
    }
    (void)ipa;
    return r->host + offset;
}
