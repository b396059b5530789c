// SPDX-License-Identifier: MIT
// Snapshots of a VM: all that its guest can tell, to go back to.
#ifndef HV_SNAPSHOT_H
#define HV_SNAPSHOT_H

#include "hold/pages.h"
#include "vm/vm.h"

// Boot core, VM held or not running; v: the vCPU whose handler this is called in, or NULL.
snapshot_t *snapshot_take(vm_t *vm, vcpu_t *v);     // NULL: no memory
// False: it cannot be gone back to: see h->full, or the VM has got more memory since.
bool snapshot_back(vm_t *vm, snapshot_t *s, vcpu_t *v, bool guest_clock);
// As above, where the VM is at s and its vCPUs do not run: the pages that it has written it may go on to write.
void snapshot_again(vm_t *vm, snapshot_t *s);
void snapshot_drop(vm_t *vm, snapshot_t *s);
// Of a VM that is closed (vm_retire): all of them go, and its memory; as long as there are forks, what these need of it stays.
// All VMs are held, if it is a fork or has any.
void snapshots_end(vm_t *vm);

// to: a VM of the same RAM, vCPUs and devices, made to be a fork, which has not run. False: no memory.
bool snapshot_fork(vm_t *vm, snapshot_t *s, vm_t *to);

// What new_snapshot has kept of the devices and vCPUs, from a file, into a VM that does not run.
typedef enum { FITS, MISFIT, AHEAD_OF_COUNTER } fit_t;
fit_t snapshot_load(vm_t *vm, uint8_t *state, size_t size);

snapshot_t *snapshot_by_id(const vm_t *vm, uint32_t id);

#endif
