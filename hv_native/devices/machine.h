// SPDX-License-Identifier: MIT
// Virtual machine creation and destruction: RAM, virtual GIC, timers and one row a device.
#ifndef HV_MACHINE_H
#define HV_MACHINE_H

#include "vm/vm.h"

// NULL when there is no memory or no VMID left. cpus: 1..VM_MAX_CPUS.
vm_t *vm_create(const char *name, unsigned cpus);
void vm_destroy(vm_t *vm);              // no vCPU of it may be running
// The same in two steps: all but its memory, and what that needs; and that.
void vm_retire(vm_t *vm);
void vm_free(vm_t *vm);

void vm_ram_zero(vm_t *vm);             // all of it, as before it was touched; no vCPU runs

bool devices_add(vm_t *vm);
void devices_remove(vm_t *vm);
void devices_reset(vm_t *vm);
// In this order, which the lines that they drive do not change: the interrupt controller first.
struct device_stream;
void devices_save(vm_t *vm, struct device_stream *s);
void devices_load(vm_t *vm, struct device_stream *s);

#endif
