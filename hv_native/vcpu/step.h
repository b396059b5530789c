// SPDX-License-Identifier: MIT
// One instruction of a vCPU (software step, DDI 0487 D2.12), for the hypervisor. MDSCR_EL1.SS is debug.c's.
#ifndef HV_STEP_H
#define HV_STEP_H

#include "vm/vcpu_state.h"

// From its next entry v executes one instruction, with interrupts held back, and leaves by EC_STEP_LOWER. v's exit is
// being handled on this core, or it is on none. word: the instruction. over: of what debug_take
// has set (vm->taken_mask), this is off for it.
void step_begin(vcpu_t *v, uint32_t word, uint32_t over);
// It has, or it has left in another way before that: as it was.
void step_end(vcpu_t *v);

// Between two steps: the registers as they are without; and the next one.
void step_pause(vcpu_t *v);
void step_again(vcpu_t *v, uint32_t word);

#endif
