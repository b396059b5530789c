// SPDX-License-Identifier: MIT
// Virtual machine creation and destruction: see machine.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "devices/flash.h"
#include "devices/machine.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/virtio.h"
#include "memory/lent.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "trap/el1trap.h"
#include "trap/insight.h"
#include "trap/trace.h"
#include "trap/watch.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/device.h"
#include "vm/hook.h"
#include "vm/idregs.h"
#include "vm/policy.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/shared.h"
#include "vm/stage2.h"
#include "vm/state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

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
    v->mmio_hit = &hook_none;
    // Aff1 above 15, as GICv3's SGI target lists want; U (bit 30) says "alone" only for one vCPU.
    v->vmpidr = BIT(31) | (vm->nvcpus == 1 ? BIT(30) : 0) | (id & 15) | (uint64_t)(id >> 4) << 8;
    v->affinity = -1;
    v->state = id == 0 ? VCPU_STOPPED : VCPU_OFF;
    vcpu_reset(v, 0, 0);
    vgic_reset_vcpu(v);
    return v;
}

// In this order they are added; removed and reset in the other, the interrupt controller last: their lines
// have fallen then.
static const device_t devices[] = {
    { .name = "gic", .add = vgic_add, .remove = vgic_remove, .reset = vgic_reset_vm, .save = vgic_save, .load = vgic_load_state },
    { .name = "pl011", .add = pl011_add, .remove = pl011_remove, .reset = pl011_reset, .save = pl011_save_state, .load = pl011_load_state },
    { .name = "pl031", .add = pl031_add, .remove = pl031_remove, .reset = pl031_reset, .save = pl031_save, .load = pl031_load },
    { .name = "virtio", .add = virtio_add, .remove = virtio_remove, .reset = virtio_reset_vm, .save = virtio_save, .load = virtio_load },
    { .name = "flash", .remove = flash_remove, .reset = flash_reset, .save = flash_save, .load = flash_load },
};

bool devices_add(vm_t *vm) {
    for (unsigned i = 0; i < ARRAY_LEN(devices); i++) {
        if (devices[i].add != NULL && !devices[i].add(vm)) {
            return false;
        }
    }
    return true;
}

void devices_remove(vm_t *vm) {
    for (unsigned i = ARRAY_LEN(devices); i-- > 0;) {
        devices[i].remove(vm);
    }
}

void devices_reset(vm_t *vm) {
    for (unsigned i = ARRAY_LEN(devices); i-- > 0;) {
        devices[i].reset(vm);
    }
}

#define DEVICE_VERSION 1

void devices_save(vm_t *vm, device_stream_t *s) {
    for (unsigned i = 0; i < ARRAY_LEN(devices); i++) {
        size_t begun = stream_begin(s, devices[i].name, DEVICE_VERSION);
        devices[i].save(vm, s);
        stream_close(s, begun);
    }
}

void devices_load(vm_t *vm, device_stream_t *s) {
    for (unsigned i = 0; i < ARRAY_LEN(devices); i++) {
        if (stream_open(s, devices[i].name) == DEVICE_VERSION) {
            devices[i].load(vm, s);
            stream_leave(s);
        } else {
            s->bad = true;
        }
    }
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
    shared_free(r);
    native_free(r->present, r->present_bytes);
}

void vm_retire(vm_t *vm) {
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
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        if (vm->vcpu[i] != NULL) {
            forget_vcpu(vm->vcpu[i]);
        }
    }
    vm->nvcpus = 0;
    hook_table_t *tables[] = { &vm->hvc, &vm->smc, &vm->imm, &vm->sysreg };
    for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
        hook_clear(tables[i], release_hook);
    }
    hook_ranges_clear(&vm->mmio, release_hook);
    hook_ranges_clear(&vm->rules, release_hook);
    watch_free(vm);
    trace_free(vm);
    for (unsigned i = 0; i < ARRAY_LEN(vm->classes); i++) {
        release_hook(vm->classes[i]);
    }
    release_hook(vm->fallback);
}

void vm_free(vm_t *vm) {
    stage2_free(vm);
    rights_free(vm);
    for (unsigned i = 0; i < vm->nram; i++) {
        release_ram(&vm->ram[i]);
    }
    el1_free(vm);
    if (vm->breaks != NULL) {
        trap_insight->free(vm);
    }
    vmid_used[vm->vmid / 8] &= ~(1u << vm->vmid % 8);
    page_free(vm, sizeof(vm_t));
}

void vm_destroy(vm_t *vm) {
    vm_retire(vm);
    vm_free(vm);
}

void vm_ram_zero(vm_t *vm) {
    while (!vm_ram_zero_some(vm, UINT64_MAX)) {
    }
    vm->zeroed = 0;
    el1_rearm(vm);
    if (vm->breaks != NULL) {
        trap_insight->rearm(vm);
    }
}
