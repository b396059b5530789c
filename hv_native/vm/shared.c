// SPDX-License-Identifier: MIT
// RAM of a fork: see shared.h.

#include <string.h>
#include "core/arch.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "memory/pgtable.h"
#include "memory/window.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/shared.h"
#include "vm/stage2.h"

seen_t (*shared_seen)(const source_t *source, uint64_t ipa);

bool shared_alloc(ram_t *r) {
    shared_t *s = native_alloc(sizeof(shared_t));
    if (s == NULL) {
        return false;
    }
    s->bytes = ALIGN_UP(r->size / PAGE_SIZE, 64) / 8;
    s->here = native_alloc(2 * s->bytes);
    if (s->here == NULL) {
        native_free(s, sizeof(shared_t));
        return false;
    }
    s->own = s->here + s->bytes / sizeof(uint64_t);
    r->shared = s;
    return true;
}

void shared_free(ram_t *r) {
    if (r->shared != NULL) {
        native_free(r->shared->here, 2 * r->shared->bytes);
        native_free(r->shared, sizeof(shared_t));
        r->shared = NULL;
    }
}

void shared_lock(vm_t *vm) {
    if (vm->source != NULL) {
        shared_lock(vm->source->from);
    }
    spin_lock(&vm->lock);
}

void shared_unlock(vm_t *vm) {
    spin_unlock(&vm->lock);
    if (vm->source != NULL) {
        shared_unlock(vm->source->from);
    }
}

static bool bit(const uint64_t *bits, uint64_t i) {
    return *(const volatile uint64_t *)&bits[i / 64] >> i % 64 & 1;
}

bool shared_here(const ram_t *r, uint64_t offset) {
    return bit(r->shared->here, offset / PAGE_SIZE);
}

bool shared_own(const ram_t *r, uint64_t offset) {
    return bit(r->shared->own, offset / PAGE_SIZE);
}

// ---- A page of its own --------------------------------------------------------------------------

seen_t shared_see(const vm_t *vm, const ram_t *r, uint64_t offset) {
    return vm->source == NULL || shared_own(r, offset) ? (seen_t) { NULL, NULL, false } : shared_seen(vm->source, r->ipa + offset);
}

// To memory, as all that a guest may look at with its caches off; and that one may have executed them (ram.c).
static void fill(const vm_t *vm, const ram_t *r, uint64_t offset, uint8_t *page) {
    seen_t seen = shared_see(vm, r, offset);
    if (seen.at != NULL) {
        cache_clean_poc(seen.at, PAGE_SIZE);
        memcpy(page, seen.at, PAGE_SIZE);
        if (seen.ram != NULL) {
            rights_load(seen.ram, r->ipa + offset, PAGE_SIZE, page); // without what is planted there
        }
        cache_clean_poc(page, PAGE_SIZE);
    } else if (r->flash != NULL) {
        memset(page, 0xFF, PAGE_SIZE);
        cache_clean_poc(page, PAGE_SIZE);
    } else {
        page_zero_clean(page, PAGE_SIZE);
    }
    icache_invalidate();
}

// What is mapped there is not the script's doing, but a page of the snapshot's.
static void unmap_shared(vm_t *vm, uint64_t ipa) {
    uint64_t entry = pgtable_walk(&vm->stage2, ipa).entry;
    if ((entry & PTE_VALID) && !(entry & S2_PTE_SCRIPT)) {
        stage2_unmap(vm, ipa, PAGE_SIZE, false);
    }
}

static bool map_own(vm_t *vm, const ram_t *r, uint64_t offset) {
    unsigned rights = S2_READ | S2_EXEC | (r->flash == NULL ? S2_WRITE : 0);
    return r->hidden || stage2_fill(vm, r->ipa + offset, window_pa(r->host + offset), PAGE_SIZE, rights);
}

static void note_here(ram_t *r, uint64_t offset) {
    uint64_t i = offset / PAGE_SIZE, granule = offset / RAM_GRANULE;
    const uint16_t *sixteen = (const uint16_t *)r->shared->here;
    _Static_assert(RAM_GRANULE / PAGE_SIZE == 16, "note_here");
    dmb_ish(); // who finds it here finds it mapped
    r->shared->here[i / 64] |= BIT(i % 64);
    r->shared->own[i / 64] |= BIT(i % 64);
    if (sixteen[granule] == 0xFFFF) {
        r->present[granule / 32] |= 1u << granule % 32;
    }
}

// With the locks.
static bool own_page(vm_t *vm, ram_t *r, uint64_t offset) {
    if (shared_here(r, offset)) {
        return true;
    }
    uint8_t *page = page_alloc_spare(PAGE_SIZE);
    if (page == NULL) {
        return false;
    }
    fill(vm, r, offset, page);
    if (!window_put(r->host + offset, page)) {
        page_free(page, PAGE_SIZE);
        return false;
    }
    unmap_shared(vm, r->ipa + offset);
    note_here(r, offset);
    return map_own(vm, r, offset);
}

bool shared_touch(vm_t *vm, ram_t *r, uint64_t offset, uint64_t size) {
    uint64_t end = size == 0 ? offset + 1 : offset + size;
    bool ok = true;
    for (uint64_t at = ALIGN_DOWN(offset, PAGE_SIZE); ok && at < end; at += PAGE_SIZE) {
        if (!shared_here(r, at)) { // without the lock, which may be held by who has touched it before
            uint64_t daif = irq_save();
            shared_lock(vm);
            ok = own_page(vm, r, at);
            shared_unlock(vm);
            irq_restore(daif);
        }
    }
    return ok;
}

// ---- Where the snapshot has it ------------------------------------------------------------------

static bool map_shared(vm_t *vm, const ram_t *r, uint64_t offset) {
    seen_t seen = shared_see(vm, r, offset);
    if (seen.at == NULL || seen.planted) {
        return false;
    }
    cache_clean_poc(seen.at, PAGE_SIZE);
    icache_invalidate();
    return stage2_fill(vm, r->ipa + offset, (uint64_t)seen.at, PAGE_SIZE, S2_READ | S2_EXEC);
}

bool shared_fault(vm_t *vm, ram_t *r, uint64_t offset, bool write) {
    offset = ALIGN_DOWN(offset, PAGE_SIZE);
    uint64_t daif = irq_save();
    shared_lock(vm);
    if (shared_here(r, offset)) {
        map_own(vm, r, offset); // it was mapped on another core meanwhile, or a device has answered for it
    } else if (write || r->hidden || !map_shared(vm, r, offset)) {
        own_page(vm, r, offset);
    }
    bool mapped = pgtable_walk(&vm->stage2, r->ipa + offset).entry & PTE_VALID;
    shared_unlock(vm);
    irq_restore(daif);
    return mapped;
}

void shared_revoke(vm_t *vm, uint64_t ipa) {
    for (source_t *f = vm->forks; f != NULL; f = f->next) {
        spin_lock(&f->vm->lock);
        const ram_t *r = vm_ram_at(f->vm, ipa);
        if (r != NULL && r->shared != NULL && !shared_here(r, ipa - r->ipa)) {
            unmap_shared(f->vm, ipa);
        }
        shared_revoke(f->vm, ipa);
        spin_unlock(&f->vm->lock);
    }
}

// Pages that the guest may not write are not its own, or a flash's, which will be mapped again.
static uint64_t without_shared(uint64_t entry, uint64_t how) {
    (void)how;
    return (entry & S2_PTE_SCRIPT) || (rights_base(entry) & S2_WRITE) ? entry : 0;
}

// With interrupts masked for a table at a time.
static void unmap_all_shared(vm_t *vm) {
    for (unsigned k = 0; k < vm->nram; k++) {
        const ram_t *r = &vm->ram[k];
        for (uint64_t at = 0, n; r->shared != NULL && at < r->size; at += n) {
            n = BLOCK_2M - (r->ipa + at) % BLOCK_2M;
            n = n < r->size - at ? n : r->size - at;
            uint64_t daif = spin_lock_irq(&vm->lock);
            pgtable_change(&vm->stage2, r->ipa + at, n, without_shared, 0);
            spin_unlock_irq(&vm->lock, daif);
        }
    }
}

void shared_revoke_all(vm_t *vm) {
    for (source_t *f = vm->forks; f != NULL; f = f->next) {
        unmap_all_shared(f->vm);
        shared_revoke_all(f->vm);
    }
}

void shared_cut(vm_t *vm) {
    for (unsigned k = 0; k < vm->nram; k++) {
        if (vm->ram[k].flash == NULL) {
            memset(vm->ram[k].shared->own, 0xFF, vm->ram[k].shared->bytes);
        }
    }
    unmap_all_shared(vm);
}
