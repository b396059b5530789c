// SPDX-License-Identifier: MIT
// What the machine's own firmware does for us: PSCI (DEN0022) by the conduit the device tree names.
#ifndef HV_FIRMWARE_H
#define HV_FIRMWARE_H

#include <stdint.h>

// PSCI's return value, or -1 (NOT_SUPPORTED) where there is no firmware.
int64_t firmware_call(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);

// These return only when there is no firmware to do it.
void firmware_system_off(void);
void firmware_system_reset(void);

// Cores that firmware left in a spin table come to wait in boot/start.S, before that memory is used: with the MMU off.
void firmware_gather_cores(void);
// Start a core at secondary_core in boot/start.S. Affinity bits only in mpidr: QEMU refuses others.
int64_t firmware_cpu_on(uint64_t mpidr, void *pcpu);

#endif
