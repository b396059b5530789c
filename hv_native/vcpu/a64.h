// SPDX-License-Identifier: MIT
// A64 instructions done for the guest.
// The instruction where a breakpoint has been planted is not there to be executed: what most code is made of is done
// here instead, so that the breakpoint stays where it is and no other vCPU slips past.
#ifndef HV_A64_H
#define HV_A64_H

#include "vm/vcpu_state.h"

// Do the instruction `word` at v->regs->pc, which then is where it leads. False, with nothing changed: not one of
// these, or it needs the core itself (a fault, memory that is not plain RAM, a system register).
// v's exit is being handled here, with all registers in v->regs; it is loaded here or on no core.
bool a64_run(vcpu_t *v, uint32_t word);

// Of A64: load- and store-exclusive, which go together (DDI 0487 B2.9), of one register or a pair.
static inline bool a64_is_load_exclusive(uint32_t word) {
    return (word & 0x3FC00000) == 0x08400000 && (!(word & BIT(21)) || (word & BIT(31))); // else CASP
}
bool a64_is_store_exclusive(uint32_t word);

#endif
