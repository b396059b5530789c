// SPDX-License-Identifier: MIT
// Guest RAM: see ram.h.

#include <string.h>
#include "core/arch.h"
#include "irq/timer.h"
#include "memory/lent.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "memory/pgtable.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/shared.h"
#include "vm/stage2.h"
#include "vm/vm.h"

// ---- Guest RAM ----------------------------------------------------------------------------------

bool vm_add_ram(vm_t *vm, uint64_t ipa, uint64_t size) {
    ram_t *r = &vm->ram[vm->nram];
    r->ipa = ipa;
    r->size = size;
    r->present_bytes = ALIGN_UP(size / RAM_GRANULE, 32) / 8;
    r->present = native_alloc(r->present_bytes);
    r->lent = vm->forked ? lent_window(size) : lent_alloc(size);
    bool may_run = !vm->exec_xor_write || rights_take(vm, RIGHTS_EL1TRAP, ipa, size, S2_EXEC);
    if (r->present == NULL || r->lent == NULL || !may_run || (vm->forked && !shared_alloc(r))) {
        native_free(r->present, r->present_bytes);
        lent_free(r->lent);
        r->lent = NULL;
        return false;
    }
    r->host = r->lent->at;
    vm->nram++;
    return true;
}

static bool map_granule(vm_t *vm, ram_t *r, uint64_t granule) {
    uint64_t offset = granule * RAM_GRANULE, left = r->size - offset;
    unsigned rights = S2_READ | S2_EXEC;
    rights |= r->flash == NULL ? S2_WRITE : 0;
    return stage2_fill(vm, r->ipa + offset, (uint64_t)r->host + offset, left < RAM_GRANULE ? left : RAM_GRANULE, rights);
}

// Zero a granule, clean it to memory (the guest may look with its caches off) and map it; when that
// completes 2 MB, a block entry takes the place of the pages.
static bool make_present(vm_t *vm, ram_t *r, uint64_t granule) {
    uint64_t offset = granule * RAM_GRANULE;
    uint64_t left = r->size - offset, bytes = left < RAM_GRANULE ? left : RAM_GRANULE;
    // To memory: with its caches off a guest would find there what an earlier owner has left.
    if (r->flash != NULL) {
        memset(r->host + offset, 0xFF, bytes);
        cache_clean_poc(r->host + offset, bytes);
    } else {
        page_zero_clean(r->host + offset, bytes);
    }
    icache_invalidate(); // that one may have executed them
    if (!r->hidden && !map_granule(vm, r, granule)) {
        return false;
    }
    r->present[granule / 32] |= 1u << granule % 32;
    if (r->present[granule / 32] == ~0u) {
        pgtable_fold(&vm->stage2, r->ipa + offset);
    }
    return true;
}

// With the lock for one granule at a time: zeroing takes its time.
static bool present(vm_t *vm, ram_t *r, uint64_t granule) {
    uint64_t daif = spin_lock_irq(&vm->lock);
    bool ok = vm_ram_present(r, granule) || make_present(vm, r, granule);
    spin_unlock_irq(&vm->lock, daif);
    return ok;
}

bool vm_ram_fault(vm_t *vm, uint64_t ipa, bool write) {
    ram_t *r = vm_ram_at(vm, ipa);
    if (r != NULL && r->shared != NULL) {
        return shared_fault(vm, r, ipa - r->ipa, write);
    }
    if (r == NULL) {
        return false;
    }
    uint64_t granule = (ipa - r->ipa) / RAM_GRANULE, daif = spin_lock_irq(&vm->lock);
    bool there = vm_ram_present(r, granule);
    if (there && r->flash != NULL && !r->hidden) {
        map_granule(vm, r, granule); // a device has answered for it
    }
    // It may have been there all the time: unmapped by a script, or changed at this moment on another core.
    bool mapped = (there || make_present(vm, r, granule)) && (pgtable_walk(&vm->stage2, ipa).entry & PTE_VALID);
    spin_unlock_irq(&vm->lock, daif);
    return mapped;
}

bool vm_ram_missing(vm_t *vm, uint64_t ipa) {
    ram_t *r = vm_ram_at(vm, ipa);
    return r != NULL && !(r->shared != NULL ? shared_here(r, ipa - r->ipa) : vm_ram_present(r, (ipa - r->ipa) / RAM_GRANULE));
}

bool vm_ram_is_shared_slow(vm_t *vm, uint64_t ipa) {
    const ram_t *r = vm_ram_at(vm, ipa);
    return r != NULL && r->shared != NULL && r->flash == NULL && !shared_here(r, ipa - r->ipa);
}

void *vm_ram_place(vm_t *vm, uint64_t ipa, uint64_t size) {
    ram_t *r = vm_ram_at(vm, ipa);
    return r == NULL || size > r->size - (ipa - r->ipa) ? NULL : r->host + (ipa - r->ipa);
}

bool vm_ram_ipa(const vm_t *vm, const volatile void *place, uint64_t *ipa) {
    for (unsigned i = 0; i < vm->nram; i++) {
        uint64_t offset = (uint64_t)place - (uint64_t)vm->ram[i].host;
        if (offset < vm->ram[i].size) {
            *ipa = vm->ram[i].ipa + offset;
            return true;
        }
    }
    return false;
}

void vm_ram_written_slow(vm_t *vm, const volatile void *place, uint64_t size, bool after) {
    uint64_t ipa;
    if (vm_ram_ipa(vm, place, &ipa)) {
        rights_store_slow(vm, ipa, size, after, BY_DEVICE);
    }
}

bool vm_ram_read_slow(vm_t *vm, const volatile void *place, uint64_t size) {
    uint64_t ipa;
    return vm_ram_ipa(vm, place, &ipa) && rights_read_slow(vm, ipa, size);
}

void vm_ram_show(vm_t *vm, const volatile void *place, uint64_t size, void *copy) {
    uint64_t ipa;
    if (vm_ram_ipa(vm, place, &ipa)) {
        rights_load(vm, ipa, size, copy);
    }
}

bool vm_ram_touch(vm_t *vm, const void *place, uint64_t size) {
    uint64_t ipa;
    return vm_ram_ipa(vm, place, &ipa) && vm_ram(vm, ipa, size) != NULL;
}

static __attribute__((noinline)) void *touch(vm_t *vm, ram_t *r, uint64_t offset, uint64_t size) {
    if (r->shared != NULL) {
        return shared_touch(vm, r, offset, size) ? r->host + offset : NULL;
    }
    uint64_t last = (size == 0 ? offset : offset + size - 1) / RAM_GRANULE;
    for (uint64_t g = offset / RAM_GRANULE; g <= last; g++) {
        if (!vm_ram_present(r, g) && !present(vm, r, g)) {
            return NULL;
        }
    }
    return r->host + offset;
}

// Nearly always it is all there.
void *vm_ram(vm_t *vm, uint64_t ipa, uint64_t size) {
    ram_t *r = vm_ram_at(vm, ipa);
    uint64_t offset = r == NULL ? 0 : ipa - r->ipa;
    if (r == NULL || size > r->size - offset) {
        return NULL;
    }
    uint64_t last = (size == 0 ? offset : offset + size - 1) / RAM_GRANULE;
    for (uint64_t g = offset / RAM_GRANULE; g <= last; g++) {
        if (UNLIKELY(!vm_ram_present(r, g))) {
            return touch(vm, r, offset, size);
        }
    }
    return r->host + offset;
}

void vm_show_ram(vm_t *vm, uint64_t ipa) {
    ram_t *r = vm_ram_at(vm, ipa);
    if (r != NULL) {
        r->lent->shown = true;
    }
}

static void zero(vm_t *vm, ram_t *r, uint64_t offset, uint64_t bytes) {
    if (vm->hold != NULL) {
        rights_store(vm, r->ipa + offset, bytes, false, BY_SCRIPT);
    }
    page_zero_clean(r->host + offset, bytes);
    icache_invalidate();
}

static bool zero_granule(vm_t *vm, ram_t *r, uint64_t granule) {
    uint64_t offset = granule * RAM_GRANULE, left = r->size - offset, bytes = left < RAM_GRANULE ? left : RAM_GRANULE;
    if (vm_ram_present(r, granule)) {
        zero(vm, r, offset, bytes);
        return true;
    }
    for (uint64_t end = offset + bytes; r->shared != NULL && offset < end; offset += PAGE_SIZE) {
        // What its snapshots have of it is to be kept.
        if (shared_here(r, offset) || (vm->hold != NULL && !shared_own(r, offset) && shared_touch(vm, r, offset, PAGE_SIZE))) {
            zero(vm, r, offset, PAGE_SIZE);
        }
    }
    return r->shared != NULL;
}

bool vm_ram_zero_some(vm_t *vm, uint64_t until) {
    uint64_t first = 0;
    if (vm->forked && vm->zeroed == 0 && vm->hold == NULL) {
        shared_cut(vm);
    }
    for (unsigned i = 0; i < vm->nram; i++) {
        ram_t *r = &vm->ram[i];
        uint64_t count = r->flash != NULL ? 0 : (r->size + RAM_GRANULE - 1) / RAM_GRANULE;
        while (vm->zeroed - first < count) {
            uint64_t granule = vm->zeroed++ - first;
            if (zero_granule(vm, r, granule) && timer_now() >= until) {
                return false;
            }
        }
        first += count;
    }
    return true;
}
