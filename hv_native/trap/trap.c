// SPDX-License-Identifier: MIT
// Exit dispatch.
// Exit dispatch: an array of functions by exception class (DDI 0487 D13.2.37), for what has not been
// finished in trap_fast.c.
//
// What an exit does is looked for from the particular to the general: a hook for this function id,
// register or address; the machine's own (PSCI, emulated registers, devices, RAM); a hook for the
// exception class; the default hook. Nothing found: an EL0 program gets the exception that a machine
// without a hypervisor has for it. What EL1 does on purpose (an HVC, a load from nowhere) and what a script has
// made trap goes out to the caller of run, with the guest stopped at the instruction, to be run again or
// skipped as the caller likes.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "trap/ask.h"
#include "trap/callback.h"
#include "trap/el1trap.h"
#include "trap/insight.h"
#include "trap/trap.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/policy.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// WFI: nothing to do until an interrupt comes. WFE traps only when a script asks for it; WFIT and WFET (ISS.TI 2, 3)
// may end early.
static exit_t wfx_slow(vcpu_t *v) {
    exit_t why;
    bool waits = insn_condition_holds(v);
    if (waits && trap_ask_class(v, v->vm->classes[EC_WFX], &why)) {
        return why;
    }
    insn_complete(v);
    return waits && (v->exit.esr & 3) == 0 ? vcpu_wait(v) : EXIT_RESUME;
}

// Traps of FP, of what the guest was not told of (idregs.c), of classes that later architectures define.
static exit_t other_slow(vcpu_t *v) {
    unsigned ec = ESR_EC(v->exit.esr);
    return trap_nobody(v, (ec == EC_FP || ec == EC_SVE || ec == EC_SME) && policy_changed(v->vm, EL2_CPTR, ~UINT64_C(0)));
}

// Debug exceptions are EL2's while a script says so (MDCR_EL2.TDE), or while the hypervisor uses them (vcpu/debug.h): then
// those that are the guest's go on to it. A breakpoint or watchpoint is before its instruction: skipped, it is run.
static exit_t debug_slow(vcpu_t *v) {
    exit_t why;
    unsigned ec = ESR_EC(v->exit.esr);
    if (debug_exit(v, &why)) {
        return why;
    }
    bool scripts = v->debug.hit || (v->vm->el2[EL2_MDCR] & MDCR_TDE), asked = scripts && trap_script(v, &why);
    bool hit = ec == EC_BREAKPOINT_LOWER || ec == EC_WATCHPOINT_LOWER;
    if (asked && !(hit && why == EXIT_RESUME && v->skip)) {
        return why;
    }
    if (asked || v->debug.hit) {
        debug_pass(v, ec == EC_WATCHPOINT_LOWER ? DEBUG_WATCH : DEBUG_BREAK);
        return EXIT_RESUME;
    }
    if (v->vm->el2[EL2_MDCR] & MDCR_TDE) {
        return EXIT_TRAP;
    }
    vcpu_inject_same(v);
    return EXIT_RESUME;
}

static exit_t step_slow(vcpu_t *v) {
    exit_t why = EXIT_RESUME;
    if (el1_step(v) || (trap_insight != NULL && trap_insight->stepped(v, &why))) {
        return why;
    }
    return v->vm->replay != NULL && !v->debug.passing && !v->debug.blind ? EXIT_RESUME : debug_slow(v);
}

// Those that EL1 has itself, unless a script sends them here.
static exit_t el1s_slow(vcpu_t *v) {
    exit_t why;
    if (!trap_script(v, &why)) {
        vcpu_inject_same(v);
        why = EXIT_RESUME;
    }
    return why;
}

// A guest's store to a hole of a device that was passed through, late. What is wrong with the machine itself is
// not more wrong for the guest's knowing.
static exit_t serror_slow(vcpu_t *v) {
    exit_t why;
    if (!trap_script(v, &why)) {
        vcpu_inject_serror(v);
        why = EXIT_RESUME;
    }
    return why;
}

static exit_t(*const slow[64])(vcpu_t * v) = {
    [0 ... 63] = other_slow,
    [EC_WFX] = wfx_slow,
    [EC_CP15] = coproc_slow,
    [EC_CP15_64] = coproc_slow,
    [EC_CP14] = coproc_slow,
    [EC_LDC] = coproc_slow,
    [EC_VMRS] = coproc_slow,
    [EC_CP14_64] = coproc_slow,
    [EC_ILLEGAL] = el1s_slow,
    [EC_HVC64] = call_slow,
    [EC_SMC64] = call_slow,
    [EC_SYSREG] = sysreg_slow,
    [EC_IABT_LOWER] = abort_slow,
    [EC_PC_ALIGN] = el1s_slow,
    [EC_DABT_LOWER] = abort_slow,
    [EC_SP_ALIGN] = el1s_slow,
    [EC_FP_A32] = el1s_slow,
    [EC_FP_A64] = el1s_slow,
    [EC_SERROR] = serror_slow,
    [EC_BREAKPOINT_LOWER] = debug_slow,
    [EC_STEP_LOWER] = step_slow,
    [EC_WATCHPOINT_LOWER] = debug_slow,
    [EC_BKPT32] = debug_slow,
    [EC_VECTOR32] = debug_slow,
    [EC_BRK64] = debug_slow,
};

static NOINLINE exit_t after_debugged(vcpu_t *v, exit_t why) {
    if (v->stepping && why != EXIT_RESUME && trap_insight != NULL) {
        trap_insight->left(v);
    }
    return v->vm->replay != NULL ? replay_calls(v->vm)->after(v, why) : why;
}

static exit_t after_exit(vcpu_t *v, exit_t why) {
    if (why == EXIT_RESUME) {
        if (v->kicked) {
            why = EXIT_KICK;
        } else if (this_pcpu()->python && callback_events_pending()) {
            why = EXIT_EVENT;
        }
    }
    return UNLIKELY(v->debugged) ? after_debugged(v, why) : why;
}

// By what has trapped in it the step is over; it is not to be taken for done when the exit has not moved the PC.
static exit_t dispatch(vcpu_t *v) {
    unsigned ec = ESR_EC(v->exit.esr);
    if (LIKELY(!v->stepping) || ec == EC_STEP_LOWER || trap_insight == NULL) {
        return slow[ec](v);
    }
    trap_insight->left(v);
    return trap_finish(v);
}

uint64_t trap_slow(guest_regs_t *r, uint64_t why) {
    vcpu_t *v = r->vcpu;
    v->exit.pc = r->pc;
    v->sp_el2 = (uint64_t)r;
    if (why == EXIT_SERROR) {
        v->exit.esr = READ_SYSREG(esr_el2);
        v->counts[EC_SERROR]++;
        why = serror_slow(v);
    } else if (why == EXIT_TRAP) {
        v->exit.esr = READ_SYSREG(esr_el2);
        v->exit.far = READ_SYSREG(far_el2);
        v->exit.hpfar = READ_SYSREG(hpfar_el2);
        if (ESR_EC(v->exit.esr) == EC_HVC64) {
            v->exit.pc -= 4; // alone among traps, HVC leaves the PC behind the instruction
        }
        why = dispatch(v);
    } else if (why == EXIT_IRQ) {
        why = EXIT_RESUME;
    }
    return after_exit(v, why);
}

exit_t trap_finish(vcpu_t *v) {
    exit_t why = slow[ESR_EC(v->exit.esr)](v);
    v->brk.seen &= v->regs->pc == v->brk.pc;
    return why;
}
