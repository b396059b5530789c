// SPDX-License-Identifier: MIT
// Software step of a vCPU: see step.h.

#include "core/arch.h"
#include "core/syndrome.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/step.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

void step_begin(vcpu_t *v, uint32_t word, uint32_t over) {
    guest_regs_t *r = v->regs;
    v->step.pc = r->pc;
    v->step.pstate = v->stepping ? (r->pstate & ~PSTATE_AIF) | (v->step.pstate & PSTATE_AIF) : r->pstate;
    v->step.word = word;
    v->step.over = over;
    v->debug.changed |= (over & v->vm->taken_mask) != 0;
    v->stepping = true;
    // PSTATE.SS lets one instruction go, MDSCR_EL1.SS stops the next. An interrupt in between would have the step end at its
    // vector: it is masked, which the guest is not to see.
    r->pstate |= PSTATE_SS | PSTATE_AIF;
    debug_changed(v);
}

// What was stepped has ended in an exception that EL1 has taken. Interrupts were masked, so it was the instruction's own:
// EL1 is at a vector for synchronous ones, and what it will go back to is in SPSR_EL1.
static bool has_trapped(vcpu_t *v) {
    if ((v->regs->pc & 0x1FF) != 0) {
        return false;
    }
    uint64_t offset = v->regs->pc - vcpu_el1_get(v, EL1_VBAR_EL1), from = vcpu_el1_get(v, EL1_ELR_EL1) - v->step.pc;
    return (v->regs->pstate & 0x1F) == PSTATE_EL1H && offset < 0x800 && (offset & 0x1FF) == 0 && from <= 4;
}

#define INSN_ERET 0xD69F03E0u
#define INSN_MRS_DAIF 0xD53B4220u       // | Rt
#define INSN_MSR_DAIF 0xD51B4220u
#define INSN_MSR_DAIFSET 0xD50340DFu    // | immediate << 8: D, A, I, F from bit 3 down
#define INSN_MSR_DAIFCLR 0xD50340FFu

// PSTATE.A, I and F as if they had not been masked.
static void unmask(vcpu_t *v) {
    guest_regs_t *r = v->regs;
    uint32_t word = v->step.word;
    uint64_t aif = v->step.pstate & PSTATE_AIF, imm = FIELD(word, 11, 8) << 6 & PSTATE_AIF;
    if (word == INSN_ERET || (word & ~0x1Fu) == INSN_MSR_DAIF) {
        return;
    }
    if ((word & ~0x1Fu) == INSN_MRS_DAIF) {
        unsigned rt = word & 31;
        reg_set(r, rt, (reg_get(r, rt) & ~PSTATE_AIF) | aif);
    } else if ((word & ~0xF00u) == INSN_MSR_DAIFSET) {
        aif |= imm;
    } else if ((word & ~0xF00u) == INSN_MSR_DAIFCLR) {
        aif &= ~imm;
    }
    r->pstate = (r->pstate & ~PSTATE_AIF) | aif;
}

void step_pause(vcpu_t *v) {
    uint64_t aif = v->step.pstate & PSTATE_AIF;
    v->regs->pstate &= ~PSTATE_SS;
    if (aif == PSTATE_AIF) {
        // the guest had masked them itself
    } else if (v->regs->pc == v->step.pc) {
        v->regs->pstate = (v->regs->pstate & ~PSTATE_AIF) | aif;
    } else if (has_trapped(v)) {
        uint64_t ss = v->step.pstate & PSTATE_SS ? 0 : PSTATE_SS; // unless the guest stepped itself
        vcpu_el1_set(v, EL1_SPSR_EL1, (vcpu_el1_get(v, EL1_SPSR_EL1) & ~(PSTATE_AIF | ss)) | aif);
    } else {
        unmask(v);
    }
    v->step.pc = v->regs->pc;
    v->step.word = 0;
    v->step.pstate = (v->regs->pstate & ~PSTATE_SS) | (v->step.pstate & PSTATE_SS);
}

void step_again(vcpu_t *v, uint32_t word) {
    guest_regs_t *r = v->regs;
    v->step.pc = r->pc;
    v->step.pstate = r->pstate;
    v->step.word = word;
    r->pstate |= PSTATE_SS | PSTATE_AIF;
}

void step_end(vcpu_t *v) {
    step_pause(v);
    v->stepping = false;
    v->debug.done = v->step.pstate & PSTATE_SS;
    v->debug.changed |= (v->step.over & v->vm->taken_mask) != 0 || v->debug.blind;
    v->debug.blind = v->debug.passing = false;
    debug_changed(v);
}
