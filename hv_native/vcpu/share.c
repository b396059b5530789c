// SPDX-License-Identifier: MIT
// Guests' slices while MicroPython computes: see share.h.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "irq/timer.h"
#include "vcpu/debug.h"
#include "vcpu/sched.h"
#include "vcpu/share.h"
#include "vcpu/vcpu.h"
#include "vm/fp.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define ALONE_HZ 1000       // MicroPython has the core for a thousandth of a second, then guests have theirs,
#define SHORTEST_HZ 10000   // but not shorter than that: then it is MicroPython's part that grows

bool share_on;
timer_t share_timer;
static unsigned part = SHARE_DEFAULT;
static uint64_t alone, guests;  // of each turn, in counts
static uint64_t asked;          // when the guests' turn came
static bool any_ran;            // there was one that could

// On a stack of its own: what was interrupted may have little left.
void call_on_stack(void (*fn)(void), char *top); // enter.S
extern char __slice_stack_top[];

// ---- The core as it was found -------------------------------------------------------------------

typedef struct {
    vcpu_t *loaded, *running, *fp_owner;
    bool fp_used;       // the FP registers are MicroPython's, and alive
    uint64_t slice;     // of what it ran
    uint64_t cptr, hcr, mdcr, hstr, cnthctl, esr, far, hpfar, par;
    fp_state_t fp;
} found_t;

static found_t found;

static void leave(found_t *c) {
    pcpu_t *p = this_pcpu();
    c->loaded = p->loaded;
    c->running = p->running;
    c->fp_owner = p->fp_owner;
    c->cptr = READ_SYSREG(cptr_el2);
    c->hcr = READ_SYSREG(hcr_el2);
    c->mdcr = READ_SYSREG(mdcr_el2);
    c->hstr = READ_SYSREG(hstr_el2);
    c->cnthctl = READ_SYSREG(cnthctl_el2);
    c->esr = READ_SYSREG(esr_el2);
    c->far = READ_SYSREG(far_el2);
    c->hpfar = READ_SYSREG(hpfar_el2);
    c->par = READ_SYSREG(par_el1);
    c->fp_used = c->fp_owner == NULL && !(c->cptr & CPTR_TFP);
    if (c->fp_used) {
        fp_keep(&c->fp);
    }
    if (c->running != NULL && c->running->debugged) {
        debug_leave(c->running);
    }
    p->running = NULL;
    c->slice = p->timer_slice;
    timer_slice_end();
}

// What MicroPython may be looking at, or is to go back to: no vCPU that runs in the background, of which it sees nothing
// (hv_vcpu_get_stopped). With other cores one of those is left loaded nowhere, for any of them.
static void load_as_found(const found_t *c) {
    vcpu_t *v = c->loaded;
    bool looked_at = v != NULL && v->state != VCPU_READY && v->state != VCPU_IDLE;
    if (looked_at && (v->on == NULL || v->on == this_pcpu()) && (v == c->running || v->state != VCPU_RUNNING)) {
        vcpu_load(v);
    } else if (cpus_online > 1 && this_pcpu()->loaded != NULL) {
        vcpu_put(this_pcpu()->loaded);
    }
}

// Who has the FP registers, and what traps an access to them.
static uint64_t fp_as_found(const found_t *c) {
    pcpu_t *p = this_pcpu();
    if (c->fp_used) {
        if (p->fp_owner != NULL) {
            fp_save(p->fp_owner);
        }
        fp_bring_back(&c->fp);
    } else if (c->fp_owner != NULL && c->fp_owner == p->loaded) {
        if (p->fp_owner == NULL) {
            fp_take_for_guest(c->fp_owner);
        }
    } else if (c->running == NULL) {
        return CPTR_HOST | (p->fp_owner == NULL ? 0 : CPTR_TFP);
    }
    return c->cptr;
}

static void go_back(const found_t *c) {
    vcpu_t *v = c->running;
    load_as_found(c);
    uint64_t cptr = fp_as_found(c), hcr = c->hcr, mdcr = c->mdcr;
    this_pcpu()->running = v;
    if (v != NULL) {
        hcr = (hcr & ~(HCR_VI | HCR_VF)) | v->vgic.lines;
        mdcr = UNLIKELY(v->debugged) ? v->vm->el2[EL2_MDCR] | debug_enter(v) : mdcr;
    }
    WRITE_SYSREG(cptr_el2, cptr);
    WRITE_SYSREG(hcr_el2, hcr);
    WRITE_SYSREG(mdcr_el2, mdcr);
    WRITE_SYSREG(hstr_el2, c->hstr);
    WRITE_SYSREG(cnthctl_el2, c->cnthctl);
    WRITE_SYSREG(esr_el2, c->esr);
    WRITE_SYSREG(far_el2, c->far);
    WRITE_SYSREG(hpfar_el2, c->hpfar);
    WRITE_SYSREG(par_el1, c->par);
    timer_slice_begin(c->slice);
    isb();
}

// ---- Turns --------------------------------------------------------------------------------------

static void run_guests(void) {
    pcpu_t *p = this_pcpu();
    uint64_t end = timer_now() + guests;
    vcpu_t *v = runq_take_background();
    if (v == NULL) {
        return;
    }
    any_ran = true;
    p->python = false;
    leave(&found);
    do {
        sched_run_until(v, end);
    } while (timer_now() < end && (v = runq_take_background()) != NULL);
    go_back(&found);
    p->python = true;
}

static bool any_in_background(void) {
    for (const vm_t *vm = vms; vm != NULL; vm = vm->next) {
        if (vm->running && !vm->foreground) {
            return true;
        }
    }
    return false;
}

// The interrupt has been ended, and what it has interrupted was EL2's own code, with interrupts enabled: no lock is held.
static void turn(void) {
    pcpu_t *p = this_pcpu();
    if (!p->python || !share_on) {
        return;
    }
    // Asked for while a guest ran natively: MicroPython has only just begun.
    if (timer_now() - asked < timer_freq() / SHORTEST_HZ) {
        if (!runq_empty()) {
            call_on_stack(run_guests, __slice_stack_top);
        }
        timer_cancel(&share_timer);
    }
    if (!any_in_background()) {
        share_on = false;
    }
    share_python_begins();
}

bool share_while_waiting(void) {
    any_ran = false;
    if (share_on && this_pcpu()->python && !runq_empty()) {
        call_on_stack(run_guests, __slice_stack_top);
    }
    return any_ran;
}

static void turn_due(timer_t *t) {
    (void)t;
    asked = timer_now();
    this_pcpu()->after_irq = turn;
}

void share_await(void) {
    timer_arm(&share_timer, timer_now() + alone, turn_due);
}

void share_set(unsigned to) {
    uint64_t shortest = timer_freq() / SHORTEST_HZ;
    part = to;
    alone = timer_freq() / ALONE_HZ;
    guests = alone * part / (1000 - part);
    if (part != 0 && guests < shortest) {
        guests = shortest;
        alone = guests * (1000 - part) / part;
    }
    share_on = share_on && part != 0;
    share_python_ends();
}

unsigned share_get(void) {
    return part;
}

void share_start(void) {
    if (alone == 0) {
        share_set(part);
    }
    share_on = part != 0;
    share_python_begins();
}

void share_stop(void) {
    share_on = false;
    share_python_ends();
}

bool share_may_run(const vcpu_t *v) {
    return share_on && !v->vm->foreground && (v->state == VCPU_READY || v->state == VCPU_IDLE);
}
