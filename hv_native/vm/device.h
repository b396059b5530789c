// SPDX-License-Identifier: MIT
// Native devices.
// What a native device is: its file, and its row in `devices` (devices/machine.c), which is walked whenever a VM is
// made, reset or closed.
#ifndef HV_DEVICE_H
#define HV_DEVICE_H

#include "vm/hook.h"
#include "vm/vm.h"

struct device_stream;    // vm/state.h

typedef struct {
    const char *name;
    bool (*add)(vm_t *vm);      // out of memory: false, and nothing is left of it. NULL: it is added later
    void (*remove)(vm_t *vm);   // also where it was never added
    void (*reset)(vm_t *vm);    // as a reset of the machine does; no vCPU runs
    // All that a guest can tell of it, and back again; no vCPU of it is on a core, and interrupts are on.
    void (*save)(vm_t *vm, struct device_stream *to);
    void (*load)(vm_t *vm, struct device_stream *from);
} device_t;

// The one way for a device to get its accesses: a copy of `hook` answers for its range until the VM is
// closed. NULL: out of memory.
hook_t *device_register(vm_t *vm, const hook_t *hook);
void device_unregister(vm_t *vm, hook_t *hook);

#endif
