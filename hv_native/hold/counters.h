// SPDX-License-Identifier: MIT
// What rules and devices count, and what rules of the kind "shadow" hold, goes back with a VM.
#ifndef HV_COUNTERS_H
#define HV_COUNTERS_H

#include "vm/state.h"
#include "vm/vm.h"

void counters_save(vm_t *vm, device_stream_t *s);
void counters_load(vm_t *vm, device_stream_t *s);   // of those that are still there

#endif
