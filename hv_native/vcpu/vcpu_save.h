// SPDX-License-Identifier: MIT
// vCPUs' state, to keep and to go back to.
#ifndef HV_VCPU_SAVE_H
#define HV_VCPU_SAVE_H

#include "vm/state.h"
#include "vm/vm.h"

// No vCPU of it is in the guest, and none is loaded on any core.
void vcpus_save(vm_t *vm, device_stream_t *s);
// Behind the state of the virtual GIC. here: the one whose handler this is called in, or NULL.
void vcpus_load(vm_t *vm, device_stream_t *s, vcpu_t *here);

#endif
