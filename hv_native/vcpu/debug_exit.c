// SPDX-License-Identifier: MIT
// Debug exceptions at EL2: what of the hypervisor's own was hit, and what is the guest's: see debug.h.

#include "core/arch.h"
#include "core/syndrome.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/step.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define ISS_STEP_ISV BIT(24)
#define NEAR 64u    // a watchpoint's FAR may be this far below what is watched: LDP, DC ZVA (D2.10.5)

bool (*debug_hit[2])(vcpu_t *v, int index, exit_t *why);
bool (*debug_brk)(vcpu_t *v, exit_t *why);

// ---- The guest's own, while EL2 has them --------------------------------------------------------

// DDI 0487 D2.4: whether EL1 would have taken it.
static bool enabled(const vcpu_t *v) {
    bool own = (v->debug.mdscr & MDSCR_KDE) && !(v->regs->pstate & PSTATE_D);
    return !debug_is_locked(v) && (insn_at_el0(v) || own);
}

// Its breakpoint or watchpoint, where only EL2 would take it. Within a step of the hypervisor's, that ends it too.
static void step_blind(vcpu_t *v) {
    v->debug.blind = v->debug.changed = true;
    v->regs->pstate |= PSTATE_SS;
    debug_changed(v);
}

static void blind_stepped(vcpu_t *v) {
    v->regs->pstate &= ~PSTATE_SS;
    v->debug.blind = false;
    v->debug.changed = true;
    debug_changed(v);
}

// The guest has set MDSCR_EL1.SS. Where that does not count, and for EL2 it would, each instruction ends here; behind the
// ERET that leaves it, PSTATE.SS is what SPSR_EL1 says (D2.12.2). True: it goes on.
static bool guest_step(vcpu_t *v) {
    debug_t *d = &v->debug;
    guest_regs_t *r = v->regs;
    if (!(d->mdscr & MDSCR_SS) || debug_is_locked(v)) {
        r->pstate &= ~PSTATE_SS;
        debug_changed(v);
        return true;
    }
    if (!enabled(v)) {
        d->inactive = true;
        r->pstate |= PSTATE_SS;
        return true;
    }
    bool returned = d->inactive && r->pc == vcpu_el1_get(v, EL1_ELR_EL1);
    d->inactive = false;
    if (returned && (vcpu_el1_get(v, EL1_SPSR_EL1) & PSTATE_SS)) {
        r->pstate |= PSTATE_SS;
        return true;
    }
    v->exit.esr |= d->done ? ISS_STEP_ISV : 0;
    d->done = false;
    return false;
}

// ---- Whose it is --------------------------------------------------------------------------------

static int break_hit(const vcpu_t *v) {
    uint32_t on = debug_host_on(v), el = insn_at_el0(v) ? 4 : 2; // of PMC
    for (unsigned i = 0; i < DEBUG_BREAKS; i++) {
        const debug_pair_t *p = &v->vm->taken[i];
        if ((on >> i & 1) && p->value == (v->exit.pc & ~UINT64_C(3)) && (p->control & el)) {
            return (int)i;
        }
    }
    return -1;
}

// How far far is below what is watched: 0 within.
static uint64_t distance(const debug_pair_t *p, uint64_t far) {
    unsigned mask = FIELD(p->control, 28, 24), bas = FIELD(p->control, 12, 5);
    uint64_t begin = p->value, size = UINT64_C(1) << mask;
    if (mask == 0) {
        begin += bas == 0 ? 0 : (unsigned)__builtin_ctz(bas);
        size = bas == 0 ? 0 : 32u - (unsigned)__builtin_clz(bas) - (unsigned)__builtin_ctz(bas);
    }
    return far - begin < size ? 0 : begin - far;
}

static int watch_hit(const vcpu_t *v) {
    uint64_t best = NEAR;
    uint32_t on = debug_host_on(v) >> DEBUG_BREAKS;
    int found = -1;
    for (unsigned i = 0; i < DEBUG_WATCHES; i++) {
        uint64_t at = distance(&v->vm->taken[DEBUG_BREAKS + i], v->exit.far);
        if ((on >> i & 1) && at < best) {
            best = at;
            found = (int)i;
        }
    }
    for (unsigned i = DEBUG_BREAKS; i < DEBUG_PAIRS && found >= 0; i++) {
        const debug_pair_t *p = &v->debug.pair[i];
        found = (p->control & 1) && distance(p, v->exit.far) < best ? -1 : found;
    }
    return found;
}

// Whether the guest's own can have done it: else it was the hypervisor's, given back while v ran.
static bool guest_has_it(const vcpu_t *v, unsigned kind) {
    for (unsigned i = 0; i < DEBUG_PAIRS && debug_guest_on(v); i++) {
        const debug_pair_t *p = &v->debug.pair[i];
        bool is_break = i < DEBUG_BREAKS, at = is_break ? p->value == (v->exit.pc & ~UINT64_C(3)) : distance(p, v->exit.far) < NEAR;
        if (is_break == (kind == DEBUG_BREAK) && (p->control & 1) && (at || (is_break && FIELD(p->control, 23, 20) != 0))) {
            return true;
        }
    }
    return v->vm->el2[EL2_MDCR] & MDCR_TDE;
}

static bool hit(vcpu_t *v, unsigned kind, exit_t *why) {
    int index = kind == DEBUG_BREAK ? break_hit(v) : watch_hit(v);
    v->debug.hit = index >= 0;
    if (index >= 0) {
        return debug_hit[kind] != NULL && debug_hit[kind](v, index, why);
    }
    if (!guest_has_it(v, kind)) {
        v->debug.changed = true;
        debug_changed(v);
        *why = EXIT_RESUME;
        return true;
    }
    if (debug_is_ours(v) && !enabled(v)) {
        step_blind(v);
        *why = EXIT_RESUME;
        return true;
    }
    return false;
}

void debug_pass(vcpu_t *v, unsigned kind) {
    uint64_t word = 0;
    v->regs->pc = v->exit.pc;
    insn_fetch(v, v->exit.pc, 4, &word); // not to be had: then it is not run either
    v->debug.passing = true;
    step_begin(v, (uint32_t)word, kind == DEBUG_BREAK ? DEBUG_BREAK_MASK : DEBUG_WATCH_MASK);
}

// What insight and el1trap.c have begun they end themselves.
static bool step_exit(vcpu_t *v) {
    v->debug.hit = v->stepping && !v->debug.passing;
    if (v->debug.passing && v->regs->pc == v->step.pc && (v->step.word & ~IMM16) == HVC(0)) {
        v->regs->pstate |= PSTATE_SS; // its handler has raised, or wants it again, and the exception was the step's end
        return true;
    }
    if (v->debug.passing) {
        step_end(v);
        return true;
    }
    if (v->debug.blind) {
        blind_stepped(v);
        return true;
    }
    return debug_is_ours(v) && guest_step(v);
}

bool debug_exit(vcpu_t *v, exit_t *why) {
    v->debug.hit = false;
    *why = EXIT_RESUME;
    switch (ESR_EC(v->exit.esr)) {
        case EC_STEP_LOWER:
            return step_exit(v);
        case EC_BREAKPOINT_LOWER:
            return hit(v, DEBUG_BREAK, why);
        case EC_WATCHPOINT_LOWER:
            return hit(v, DEBUG_WATCH, why);
        case EC_BRK64:
            return debug_brk != NULL && debug_brk(v, why);
        default:
            return false;
    }
}
