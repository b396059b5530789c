// SPDX-License-Identifier: MIT
// EL2's own exceptions.
// Exceptions EL2 takes itself. An access made through peek, poke or the patched system-register
// page may fault and says so; any other fault prints what is known and stops the machine.
#ifndef HV_EL2_FAULT_H
#define HV_EL2_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include "py/obj.h"

// What an exception taken at EL2 itself saves (vectors.S).
typedef struct {
    uint64_t x[31], sp, elr, spsr, esr, far;
} el2_frame_t;

// Raise hv.Fault, an OSError: "cannot read 4 bytes at 0x0: translation fault, level 1".
MP_NORETURN void fault_raise(uint64_t addr, unsigned size, uint64_t esr, bool write);
extern const mp_obj_type_t mp_type_Fault;

// In the ARM ARM's words: "translation fault, level 1" (DDI 0487 D13.2.37, DFSC).
const char *fault_status_name(uint64_t esr);

// Python's stack overflow is an exception (el2_fault.c), but not in the middle of what has to come to its end:
// what began at a higher address of the stack than this, if it is not 0, is not left.
extern uintptr_t unwind_floor;
// Ctrl-C was typed, and Python is to look at it. Where it does not within half a second, it is in C that does not end.
void el2_interrupt_late(void);
// machine.disable_irq(): else interrupts are masked where a lock is held.
extern bool irqs_masked_by_python;

#endif
