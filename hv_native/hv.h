// SPDX-License-Identifier: MIT
// The MicroPython port's interface to hv_native.
// What the MicroPython port calls.
#ifndef HV_HV_H
#define HV_HV_H

#include <stdbool.h>

// After platform_init, mmu_init and mem_init: this core's identity, interrupts and timers.
void hv_init(void);

// End of a MicroPython session: stop every guest on every core and give back its memory.
void hv_soft_reset(void);

// The HAL has nothing to do: run guests that run in the background, or sleep until an interrupt.
void hv_idle(bool stay);

#endif
