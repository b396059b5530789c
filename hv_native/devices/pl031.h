// SPDX-License-Identifier: MIT
// The guest's real-time clock: see pl031.c.
#ifndef HV_PL031_H
#define HV_PL031_H

#include "vm/vm.h"

#define PL031_IPA UINT64_C(0x09010000)
#define PL031_SIZE 0x1000u

bool pl031_add(vm_t *vm);   // false: out of memory
void pl031_remove(vm_t *vm);
void pl031_reset(vm_t *vm);
// A VM whose time goes by its instructions (vm->replay): its clock is at so many seconds of the machine's now, and goes by its
// virtual count. Settled, it has rung if it is time; counts that are left until it rings, or 0.
uint32_t pl031_seconds(const vm_t *vm);
void pl031_by_count(vm_t *vm, uint32_t seconds);
uint64_t pl031_settle(vm_t *vm);
void pl031_by_clock(vm_t *vm);  // the machine's again
struct device_stream;
void pl031_save(vm_t *vm, struct device_stream *s);
void pl031_load(vm_t *vm, struct device_stream *s);

#endif
