// SPDX-License-Identifier: MIT
// Calls of exits' handlers and their outcomes.
// Asking a script about an exit, and what its answer does: see ask.h.

#include "core/cpu.h"
#include "core/syndrome.h"
#include "trap/ask.h"
#include "trap/callback.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

static void complete_if(vcpu_t *v, bool complete) {
    if (complete) {
        insn_complete(v);
    }
}

static exit_t carry_out(vcpu_t *v, action_t action, bool complete) {
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
            complete_if(v, complete);
            vcpu_inject_serror(v);
            return EXIT_RESUME;
        case ACTION_STOP:
            complete_if(v, complete);
            return EXIT_STOP;
        default:
            v->skip = true;
            complete_if(v, complete);
            return EXIT_RESUME;
    }
}

exit_t trap_ask(vcpu_t *v, hook_t *h, unsigned n, const uint64_t *raw, bool load, bool complete, outcome_t *out, bool *done) {
    *done = true;
    v->regs->pc = v->exit.pc;
    if (!this_pcpu()->python) {
        return EXIT_PYTHON;
    }
    v->moved = v->skip = false;
    if (!callback(v, h->handler, n, raw, load, out)) {
        callback_raised(v, out->exception);
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
        return carry_out(v, out->action, complete);
    }
    complete_if(v, complete);
    *done = false;
    return EXIT_RESUME;
}

// What hv.SKIP skips: an instruction that has trapped. These are exceptions between two instructions, or of one that
// has not been fetched.
static bool completes(unsigned ec) {
    switch (ec) {
        case EC_ILLEGAL:
        case EC_IABT_LOWER:
        case EC_PC_ALIGN:
        case EC_SERROR:
        case EC_BREAKPOINT_LOWER ... EC_WATCHPOINT_LOWER + 1:
        case EC_VECTOR32:
            return false;
        default:
            return true;
    }
}

bool trap_ask_class(vcpu_t *v, hook_t *h, exit_t *why) {
    outcome_t out;
    bool done;
    if (h == NULL) {
        return false;
    }
    *why = trap_ask(v, h, 1, &v->exit.esr, false, completes(ESR_EC(v->exit.esr)), &out, &done);
    v->skip |= !done && out.action == ACTION_NONE;
    return done || out.action != ACTION_PASS;
}

bool trap_script(vcpu_t *v, exit_t *why) {
    v->regs->pc = v->exit.pc;
    return trap_ask_class(v, v->vm->classes[ESR_EC(v->exit.esr)], why) || trap_ask_class(v, v->vm->fallback, why);
}

exit_t trap_nobody(vcpu_t *v, bool asked) {
    exit_t why;
    if (trap_script(v, &why)) {
        return why;
    }
    if (asked) {
        return EXIT_TRAP;
    }
    vcpu_inject_undefined(v);
    return EXIT_RESUME;
}
