// SPDX-License-Identifier: MIT
// Exit dispatch: an array of functions by exception class (DDI 0487 D13.2.37), for what has not been
// finished in trap_fast.c.
//
// What an exit does is looked for from the particular to the general: a hook for this function id,
// register or address; the machine's own (PSCI, emulated registers, devices, RAM); a hook for the
// exception class; the default hook. Nothing found: the run loop returns to its caller with the
// guest stopped at the instruction, to be run again or skipped as the caller likes.

#include "arch.h"
#include "cpu.h"
#include "el1trap.h"
#include "trap.h"
#include "vgic.h"
#include "vtimer.h"

static exit_t act(vcpu_t *v, action_t action, unsigned advance) {
    guest_regs_t *r = v->regs;
    switch (action) {
        case ACTION_RETRY:
            return EXIT_RESUME;
        case ACTION_UNDEFINED:
            vcpu_inject_undefined(v);
            return EXIT_RESUME;
        case ACTION_ABORT:
            vcpu_inject_abort(v, ESR_EC(v->exit.esr) == EC_IABT_LOWER, v->exit.far);
            return EXIT_RESUME;
        case ACTION_SERROR:
            r->pc += advance;
            vcpu_inject_serror(v);
            return EXIT_RESUME;
        case ACTION_STOP:
            r->pc += advance;
            return EXIT_STOP;
        default:
            v->skip = true;
            r->pc += advance;
            return EXIT_RESUME;
    }
}

exit_t trap_ask(vcpu_t *v, hook_t *h, unsigned n, const uint64_t *raw, bool load, unsigned advance, outcome_t *out, bool *done) {
    guest_regs_t *r = v->regs;
    *done = true;
    r->pc = v->exit.pc;
    if (this_pcpu()->id != 0) {
        return EXIT_PYTHON;
    }
    v->moved = v->skip = false;
    if (!callback(v, h->handler, n, raw, load, out)) {
        v->exception = out->exception;
        return EXIT_RAISED;
    }
    if (v->moved) {
        return EXIT_RESUME;
    }
    if (out->action == ACTION_PASS) {
        *done = false;
        return EXIT_RESUME;
    }
    if (out->action != ACTION_NONE) {
        return act(v, out->action, advance);
    }
    r->pc += advance;
    *done = false;
    return EXIT_RESUME;
}

exit_t trap_unhandled(vcpu_t *v, unsigned advance) {
    hook_t *h = v->vm->classes[ESR_EC(v->exit.esr)];
    if (h == NULL) {
        h = v->vm->otherwise;
    }
    v->regs->pc = v->exit.pc;
    if (h == NULL) {
        return EXIT_TRAP;
    }
    outcome_t out;
    bool done;
    exit_t why = trap_ask(v, h, 1, &v->exit.esr, false, advance, &out, &done);
    return !done && out.action == ACTION_PASS ? EXIT_TRAP : why;
}

exit_t trap_wait(vcpu_t *v) {
    vtimer_poll(v);
    return vgic_pending(v) ? EXIT_RESUME : EXIT_IDLE;
}

// WFI: nothing to do until an interrupt comes. WFE traps only when a script asks for it.
static exit_t wfx_slow(vcpu_t *v) {
    if (v->vm->classes[EC_WFX] != NULL) {
        exit_t why = trap_unhandled(v, 4);
        if (why != EXIT_TRAP) {
            return why; // EXIT_TRAP: it returned hv.PASS
        }
    }
    v->regs->pc += 4;
    return v->exit.esr & 1 ? EXIT_RESUME : trap_wait(v);
}

static exit_t other_slow(vcpu_t *v) {
    // What a guest's own debugger or a script single-stepping it caused completes nothing.
    return trap_unhandled(v, 0);
}

// An instruction of an extension that the guest was not told of (idregs.c), unless a script answers.
static exit_t hidden_slow(vcpu_t *v) {
    exit_t why = trap_unhandled(v, 0);
    if (why != EXIT_TRAP) {
        return why;
    }
    vcpu_inject_undefined(v);
    return EXIT_RESUME;
}

static exit_t step_slow(vcpu_t *v) {
    return el1_step(v) ? EXIT_RESUME : other_slow(v);
}

static exit_t(*const slow[64])(vcpu_t * v) = {
    [0 ... 63] = other_slow,
    [EC_WFX] = wfx_slow,
    [EC_PAC] = hidden_slow,
    [EC_SVE] = hidden_slow,
    [EC_SME] = hidden_slow,
    [EC_HVC64] = call_slow,
    [EC_SMC64] = call_slow,
    [EC_SYSREG] = sysreg_slow,
    [EC_IABT_LOWER] = abort_slow,
    [EC_DABT_LOWER] = abort_slow,
    [EC_STEP_LOWER] = step_slow,
};

static exit_t after_exit(vcpu_t *v, exit_t why) {
    if (why == EXIT_RESUME) {
        if (v->kicked) {
            return EXIT_KICK;
        }
        if (this_pcpu()->id == 0 && callback_events_pending()) {
            return EXIT_EVENT;
        }
    }
    return why;
}

uint64_t trap_slow(guest_regs_t *r, uint64_t why) {
    vcpu_t *v = r->vcpu;
    v->exit.pc = r->pc;
    v->sp_el2 = (uint64_t)r;
    if (why == EXIT_TRAP) {
        v->exit.esr = READ_SYSREG(esr_el2);
        v->exit.far = READ_SYSREG(far_el2);
        v->exit.hpfar = READ_SYSREG(hpfar_el2);
        if (ESR_EC(v->exit.esr) == EC_HVC64) {
            v->exit.pc -= 4; // alone among traps, HVC leaves the PC behind the instruction
        }
        why = slow[ESR_EC(v->exit.esr)](v);
    } else if (why == EXIT_IRQ) {
        why = EXIT_RESUME;
    }
    return after_exit(v, why);
}

exit_t trap_finish(vcpu_t *v) {
    return slow[ESR_EC(v->exit.esr)](v);
}
