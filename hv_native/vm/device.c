// SPDX-License-Identifier: MIT
// Native device registration.
// How a native device gets its accesses: see device.h.

#include "memory/native.h"
#include "vm/device.h"
#include "vm/hook.h"
#include "vm/vm.h"

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
