// SPDX-License-Identifier: MIT
// HVC and SMC handling.
// HVC and SMC from a guest (SMC Calling Convention, DEN0028): x0 is a function id, or the immediate
// of an HVC is not 0. To a guest, PSCI answers by either.

#include "core/syndrome.h"
#include "trap/ask.h"
#include "trap/callback.h"
#include "trap/el1trap.h"
#include "trap/insight.h"
#include "trap/rule.h"
#include "trap/trap.h"
#include "vcpu/insn.h"
#include "vcpu/psci.h"
#include "vcpu/vcpu.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// False: the handler wants what is below it to decide.
static bool call_ask_python(vcpu_t *v, hook_t *h, exit_t *why) {
    outcome_t out;
    bool done;
    *why = trap_ask(v, h, 7, &v->regs->x[1], false, true, &out, &done);
    if (!done && out.action == ACTION_PASS) {
        return false;
    }
    for (unsigned i = 0; !done && i < out.n; i++) {
        v->regs->x[i] = out.x[i];
    }
    return true;
}

static exit_t answer_call(vcpu_t *v) {
    guest_regs_t *r = v->regs;
    bool hvc = ESR_EC(v->exit.esr) == EC_HVC64;
    exit_t why;
    uint64_t imm = hvc ? v->exit.esr & 0xFFFF : 0; // of what stood there, if it was planted
    const hook_table_t *t = imm != 0 ? &v->vm->imm : hvc ? &v->vm->hvc : &v->vm->smc;
    hook_t *h = hook_find(t, imm != 0 ? imm : (uint32_t)r->x[0]);
    uint64_t value = r->x[1];
    v->exit.value = value;
    v->exit.write = true;
    r->pc = v->exit.pc;
    if (imm >= EL1_IMM && el1_hvc(v, imm, &why)) {
        return why;
    }
    verdict_t verdict;
    for (bool passed = false; (verdict = rule_run(v, &h, passed, true, &value)) == RULE_PYTHON; passed = true) {
        if (call_ask_python(v, h, &why)) {
            return why;
        }
    }
    switch (verdict) {
        case RULE_LATER:
            return EXIT_PYTHON;
        case RULE_ANSWERED:
            r->x[0] = value;
            insn_complete(v);
            return EXIT_RESUME;
        case RULE_DENIED:
            vcpu_inject_undefined(v);
            return EXIT_RESUME;
        default:
            break;
    }
    if (imm == 0 && psci_slow(v, &why)) {
        insn_complete(v);
        return why;
    }
    if (trap_script(v, &why)) {
        return why;
    }
    if (imm != 0) {
        return EXIT_TRAP;
    }
    r->x[0] = ~UINT64_C(0); // SMCCC 5.2: an unknown function is NOT_SUPPORTED, not an error
    insn_complete(v);
    return EXIT_RESUME;
}

exit_t call_slow(vcpu_t *v) {
    exit_t why;
    if (v->vm->breaks == NULL || ESR_EC(v->exit.esr) != EC_HVC64 || (v->exit.esr & 0xFFFF) != BREAK_IMM) {
        return answer_call(v);
    }
    if (!trap_insight->hit(v, &why)) {
        why = answer_call(v);
        v->brk.seen &= v->regs->pc == v->brk.pc; // the boot core is to finish it, or it is to be done again
    }
    return why;
}
