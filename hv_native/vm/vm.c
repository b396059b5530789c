// SPDX-License-Identifier: MIT
// Virtual machines: creation, guest RAM, the end.

#include <string.h>
#include "arch.h"
#include "cpu.h"
#include "device.h"
#include "el1trap.h"
#include "idregs.h"
#include "lent.h"
#include "mem.h"
#include "policy.h"
#include "sched.h"
#include "vm.h"
#include "vtimer.h"

vm_t *vms;

static uint8_t vmid_used[256 / 8];  // 8-bit VMIDs on ARMv8.0; 0 stays unused

static unsigned vmid_take(void) {
    for (unsigned id = 1; id < 256; id++) {
        if (!(vmid_used[id / 8] & 1u << id % 8)) {
            vmid_used[id / 8] |= 1u << id % 8;
            return id;
        }
    }
    return 0;
}

static vcpu_t *new_vcpu(vm_t *vm, unsigned id) {
    vcpu_t *v = page_alloc(sizeof(vcpu_t));
    if (v == NULL) {
        return NULL;
    }
    page_zero(v, ALIGN_UP(sizeof(vcpu_t), PAGE_SIZE));
    v->vm = vm;
    v->id = id;
    v->vmid = vm->vmid;
    v->pin = -1;
    // Aff1 above 15, as GICv3's SGI target lists want; U (bit 30) says "alone" only for one vCPU.
    v->vmpidr = BIT(31) | (vm->nvcpus == 1 ? BIT(30) : 0) | (id & 15) | (uint64_t)(id >> 4) << 8;
    v->home = -1;
    v->state = id == 0 ? VCPU_STOPPED : VCPU_OFF;
    vcpu_reset(v, 0, 0);
    vgic_reset_vcpu(v);
    return v;
}

vm_t *vm_create(const char *name, unsigned cpus) {
    vm_t *vm = page_alloc(sizeof(vm_t));
    if (vm == NULL) {
        return NULL;
    }
    page_zero(vm, ALIGN_UP(sizeof(vm_t), PAGE_SIZE));
    strncpy(vm->name, name, sizeof(vm->name) - 1);
    vm->nvcpus = cpus;
    for (unsigned i = 0; i < EL2_COUNT; i++) {
        vm->el2[i] = el2_policy[i].initial;
    }
    if (id_registers_hide()) {
        vm->el2[EL2_HCR] |= HCR_TID3;
    }
    vm->next = vms;
    vms = vm;
    vtimer_add(vm);
    vm->vmid = vmid_take();
    bool ok = vm->vmid != 0 && stage2_init(vm) && devices_add(vm);
    for (unsigned i = 0; ok && i < cpus; i++) {
        vm->vcpu[i] = new_vcpu(vm, i);
        ok = vm->vcpu[i] != NULL;
    }
    if (!ok) {
        vm_destroy(vm);
        return NULL;
    }
    return vm;
}

static void release_hook(hook_t *h) {
    while (h != NULL) {
        hook_t *below = h->below;
        native_free(h, sizeof(hook_t));
        h = below;
    }
}

static void forget_vcpu(vcpu_t *v) {
    pcpu_t *p = this_pcpu();
    vcpu_put(v); // leaves the list registers and the timer quiet
    vtimer_remove(v);
    if (p->fp_owner == v) {
        p->fp_owner = NULL;
        WRITE_SYSREG(cptr_el2, CPTR_HOST);
        isb();
    }
    page_free(v, sizeof(vcpu_t));
}

static void release_ram(ram_t *r) {
    lent_free(r->lent);
    native_free(r->present, r->present_bytes);
}

void vm_destroy(vm_t *vm) {
    for (vm_t **at = &vms; *at != NULL; at = &(*at)->next) {
        if (*at == vm) {
            *at = vm->next;
            break;
        }
    }
    for (unsigned i = 0; i < vm->nvcpus && vm->vcpu[i] != NULL; i++) {
        vcpu_put(vm->vcpu[i]); // this core walks its tables no more
    }
    devices_remove(vm);
    stage2_free(vm);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        if (vm->vcpu[i] != NULL) {
            forget_vcpu(vm->vcpu[i]);
        }
    }
    for (unsigned i = 0; i < vm->nram; i++) {
        release_ram(&vm->ram[i]);
    }
    hook_table_t *tables[] = { &vm->hvc, &vm->smc, &vm->imm, &vm->sysreg };
    for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
        hook_clear(tables[i], release_hook);
    }
    hook_ranges_clear(&vm->mmio, release_hook);
    hook_ranges_clear(&vm->rules, release_hook);
    el1_free(vm);
    for (unsigned i = 0; i < ARRAY_LEN(vm->classes); i++) {
        release_hook(vm->classes[i]);
    }
    release_hook(vm->otherwise);
    vmid_used[vm->vmid / 8] &= ~(1u << vm->vmid % 8);
    page_free(vm, sizeof(vm_t));
}

// ---- Guest RAM ----------------------------------------------------------------------------------

bool vm_add_ram(vm_t *vm, uint64_t ipa, uint64_t size) {
    ram_t *r = &vm->ram[vm->nram];
    r->ipa = ipa;
    r->size = size;
    r->present_bytes = ALIGN_UP(size / RAM_GRANULE, 32) / 8;
    r->present = native_alloc(r->present_bytes);
    r->lent = lent_alloc(size);
    if (r->present == NULL || r->lent == NULL) {
        native_free(r->present, r->present_bytes);
        lent_free(r->lent);
        return false;
    }
    r->host = r->lent->at;
    vm->nram++;
    return true;
}

static ram_t *ram_at(vm_t *vm, uint64_t ipa) {
    for (unsigned i = 0; i < vm->nram; i++) {
        if (ipa - vm->ram[i].ipa < vm->ram[i].size) {
            return &vm->ram[i];
        }
    }
    return NULL;
}

static bool is_present(const ram_t *r, uint64_t granule) {
    return r->present[granule / 32] >> (granule % 32) & 1;
}

static bool map_granule(vm_t *vm, ram_t *r, uint64_t granule) {
    uint64_t offset = granule * RAM_GRANULE, left = r->size - offset;
    unsigned rights = S2_READ;
    rights |= r->flash == NULL ? S2_WRITE : 0;
    rights |= vm->el1 != NULL && vm->el1->on ? 0 : S2_EXEC;
    return stage2_fill(vm, r->ipa + offset, (uint64_t)r->host + offset, left < RAM_GRANULE ? left : RAM_GRANULE, rights);
}

// Zero a granule, clean it to memory (the guest may look with its caches off) and map it; when that
// completes 2 MB, a block entry takes the place of the pages.
static bool make_present(vm_t *vm, ram_t *r, uint64_t granule) {
    uint64_t offset = granule * RAM_GRANULE;
    uint64_t left = r->size - offset, bytes = left < RAM_GRANULE ? left : RAM_GRANULE;
    if (r->flash != NULL) {
        memset(r->host + offset, 0xFF, bytes);
    } else {
        page_zero(r->host + offset, bytes);
    }
    cache_written(r->host + offset, bytes); // an earlier owner of these pages may have executed them
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
    uint64_t daif = irq_save();
    spin_lock(&vm->lock);
    bool ok = is_present(r, granule) || make_present(vm, r, granule);
    spin_unlock(&vm->lock);
    irq_restore(daif);
    return ok;
}

bool vm_ram_fault(vm_t *vm, uint64_t ipa) {
    ram_t *r = ram_at(vm, ipa);
    uint64_t granule = r == NULL ? 0 : (ipa - r->ipa) / RAM_GRANULE;
    if (r == NULL || !present(vm, r, granule)) {
        return false;
    }
    // It may have been there all the time: unmapped by a script, or changed at this moment on another core.
    uint64_t daif = irq_save();
    spin_lock(&vm->lock);
    if (r->flash != NULL && !r->hidden) {
        map_granule(vm, r, granule); // a device has answered for it
    }
    bool mapped = pgtable_walk(&vm->stage2, ipa).entry & PTE_VALID;
    spin_unlock(&vm->lock);
    irq_restore(daif);
    return mapped;
}

bool vm_ram_missing(vm_t *vm, uint64_t ipa) {
    ram_t *r = ram_at(vm, ipa);
    return r != NULL && !is_present(r, (ipa - r->ipa) / RAM_GRANULE);
}

void *vm_ram_place(vm_t *vm, uint64_t ipa, uint64_t size) {
    ram_t *r = ram_at(vm, ipa);
    return r == NULL || size > r->size - (ipa - r->ipa) ? NULL : r->host + (ipa - r->ipa);
}

bool vm_ram_touch(vm_t *vm, const void *place, uint64_t size) {
    for (unsigned i = 0; i < vm->nram; i++) {
        uint64_t offset = (uint64_t)place - (uint64_t)vm->ram[i].host;
        if (offset < vm->ram[i].size) {
            return vm_ram(vm, vm->ram[i].ipa + offset, size) != NULL;
        }
    }
    return false;
}

void *vm_ram(vm_t *vm, uint64_t ipa, uint64_t size) {
    ram_t *r = ram_at(vm, ipa);
    uint64_t offset = r == NULL ? 0 : ipa - r->ipa;
    if (r == NULL || size > r->size - offset) {
        return NULL;
    }
    uint64_t last = size == 0 ? offset : offset + size - 1;
    for (uint64_t g = offset / RAM_GRANULE; g <= last / RAM_GRANULE; g++) {
        if (!is_present(r, g) && !present(vm, r, g)) {
            return NULL;
        }
    }
    return r->host + offset;
}

void vm_show_ram(vm_t *vm, uint64_t ipa) {
    ram_t *r = ram_at(vm, ipa);
    if (r != NULL) {
        r->lent->shown = true;
    }
}

static void zero_granule(ram_t *r, uint64_t granule) {
    uint64_t offset = granule * RAM_GRANULE, left = r->size - offset, bytes = left < RAM_GRANULE ? left : RAM_GRANULE;
    page_zero(r->host + offset, bytes);
    cache_written(r->host + offset, bytes);
}

bool vm_ram_zero_some(vm_t *vm) {
    uint64_t first = 0;
    for (unsigned i = 0; i < vm->nram; i++) {
        ram_t *r = &vm->ram[i];
        uint64_t count = r->flash != NULL ? 0 : (r->size + RAM_GRANULE - 1) / RAM_GRANULE;
        while (vm->zeroed - first < count) {
            uint64_t granule = vm->zeroed++ - first;
            if (is_present(r, granule)) {
                zero_granule(r, granule);
                if (sched_turn_over()) {
                    return false;
                }
            }
        }
        first += count;
    }
    return true;
}

void vm_ram_zero(vm_t *vm) {
    while (!vm_ram_zero_some(vm)) {
    }
    vm->zeroed = 0;
    el1_rearm(vm);
}
