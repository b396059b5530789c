// SPDX-License-Identifier: MIT
// The native devices of a VM: see device.h.

#include "device.h"
#include "flash.h"
#include "pl011.h"
#include "pl031.h"
#include "virtio.h"

// In this order they are added; removed and reset in the other, the interrupt controller last: their lines
// have fallen then.
static const device_t devices[] = {
    { .name = "gic", .add = vgic_add, .remove = vgic_remove, .reset = vgic_reset_vm },
    { .name = "pl011", .add = pl011_add, .remove = pl011_remove, .reset = pl011_reset },
    { .name = "pl031", .add = pl031_add, .remove = pl031_remove, .reset = pl031_reset },
    { .name = "virtio", .add = virtio_add, .remove = virtio_remove, .reset = virtio_reset_vm },
    { .name = "flash", .remove = flash_remove, .reset = flash_reset },
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

hook_t *device_register(vm_t *vm, const hook_t *hook) {
    hook_t *h = native_alloc(sizeof(hook_t));
    if (h == NULL) {
        return NULL;
    }
    *h = *hook;
    h->kind = HOOK_NATIVE;
    hook_short_way(h, h->load, h->store);
    if (!hook_range_add(&vm->mmio, h)) {
        native_free(h, sizeof(hook_t));
        return NULL;
    }
    return h;
}

void device_unregister(vm_t *vm, hook_t *hook) {
    hook_range_remove(&vm->mmio, hook);
    native_free(hook, sizeof(hook_t));
}

void wire_set(wire_t *w, bool level) {
    w->high = level;
    vgic_set_line(w->vm, w->intid, level);
}
