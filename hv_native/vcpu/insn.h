// SPDX-License-Identifier: MIT
// What completing an instruction for the guest means: how long it is, whether its condition holds, in which order
// its bytes are, and the state that moves with the PC.
#ifndef HV_INSN_H
#define HV_INSN_H

#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "vm/el1_state.h"
#include "vm/vcpu_state.h"

#define HVC(imm) (0xD4000002u | (imm) << 5)
#define IMM16 (0xFFFFu << 5)     // the immediate of HVC and BRK

// In the fast path, which leaves AArch32 alone (trap_fast.c): A64 instructions are 4 bytes.
static inline void skip_instruction(void) {
    WRITE_SYSREG(elr_el2, READ_SYSREG(elr_el2) + 4);
}

// The same for the instruction at pc whose exception has the syndrome esr: the only place where the PC goes on otherwise.
// PSTATE is that of the instruction. It has been stepped over (SS, DDI 0487 D2.12.4), and is no branch (BTYPE).
void insn_skip_a32(vcpu_t *v, uint64_t pc, uint64_t esr);
inline __attribute__((always_inline)) void insn_skip(vcpu_t *v, uint64_t pc, uint64_t esr) {
    guest_regs_t *r = v->regs;
    if (UNLIKELY(r->pstate & PSTATE_A32)) {
        insn_skip_a32(v, pc, esr);
        return;
    }
    r->pc = pc + 4;
    r->pstate &= ~(PSTATE_SS | PSTATE_BTYPE);
}

// Of the exit in v->exit.
inline void insn_complete(vcpu_t *v) {
    insn_skip(v, v->exit.pc, v->exit.esr);
}

// False: an AArch32 instruction whose condition fails. It has trapped all the same (DDI 0487 G1.12.3: that is
// IMPLEMENTATION DEFINED) and is a NOP. For the classes whose ISS has CV and COND.
bool insn_condition_holds(const vcpu_t *v);

static inline bool insn_at_el0(const vcpu_t *v) {
    return (v->regs->pstate & PSTATE_A32) || (v->regs->pstate & 0xF) == 0;
}

// Its data accesses. v is loaded here or on no core.
static inline bool insn_big_endian(const vcpu_t *v) {
    if (v->regs->pstate & PSTATE_A32) {
        return v->regs->pstate & PSTATE_E;
    }
    uint64_t sctlr = this_pcpu()->loaded == v ? READ_SYSREG(sctlr_el1) : v->el1[EL1_SCTLR_EL1];
    return UNLIKELY(sctlr & (SCTLR_EE | SCTLR_E0E)) && (sctlr & (insn_at_el0(v) ? SCTLR_E0E : SCTLR_EE));
}

uint64_t insn_swap(uint64_t value, unsigned size);

// What the guest fetches at pc: 2 or 4 bytes. False: not readable.
bool insn_fetch(vcpu_t *v, uint64_t pc, unsigned size, uint64_t *value);

#endif
