// SPDX-License-Identifier: MIT
// What a native device is: its file, and its row in `devices` (device.c), which is walked whenever a VM is
// made, reset or closed.
#ifndef HV_DEVICE_H
#define HV_DEVICE_H

#include "vgic.h"
#include "vm.h"

struct device_stream;

typedef struct {
    const char *name;
    bool (*add)(vm_t *vm);      // out of memory: false, and nothing is left of it. NULL: it is added later
    void (*remove)(vm_t *vm);   // also where it was never added
    void (*reset)(vm_t *vm);    // as a reset of the machine does; no vCPU runs
    bool (*save)(vm_t *vm, struct device_stream *to);
    bool (*load)(vm_t *vm, struct device_stream *from);
} device_t;

bool devices_add(vm_t *vm);
void devices_remove(vm_t *vm);
void devices_reset(vm_t *vm);

// The one way for a device to get its accesses: a copy of `hook` answers for its range until the VM is
// closed. NULL: out of memory.
hook_t *device_register(vm_t *vm, const hook_t *hook);
void device_unregister(vm_t *vm, hook_t *hook);

// A device's state and the interrupt line that tells of it change in one step: whoever changes the state has
// the wire's lock, and gives it back with the level that the state stands for. Between the two nobody else
// sees the one without the other, so that no edge is lost when several cores raise and lower it at once.
typedef struct {
    spinlock_t lock;
    bool high;                  // what the vGIC was told last
    uint16_t intid;
    vm_t *vm;
} wire_t;

void wire_set(wire_t *w, bool level);   // with the lock held

static inline uint64_t wire_lock(wire_t *w) {
    uint64_t daif = irq_save();
    vgic_outer_lock(&w->lock);
    return daif;
}

// Nothing that the level depends on has changed.
static inline void wire_unlock_same(wire_t *w, uint64_t daif) {
    spin_unlock(&w->lock);
    irq_restore(daif);
}

static inline void wire_unlock(wire_t *w, uint64_t daif, bool level) {
    if (level != w->high) {
        wire_set(w, level);
    }
    wire_unlock_same(w, daif);
}

#endif
