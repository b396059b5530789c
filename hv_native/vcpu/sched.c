// SPDX-License-Identifier: MIT
// Scheduling on one core.
// The scheduler: see sched.h.

#include "core/arch.h"
#include "core/cpu.h"
#include "irq/intc.h"
#include "irq/timer.h"
#include "vcpu/sched.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

typedef struct {
    timer_t timer;  // first: its function finds the vCPU behind it
    vcpu_t *vcpu;
    uint64_t end;
} slice_t;

static uint64_t slice_length(void) {
    return timer_freq() / SLICE_HZ;
}

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// Nobody waits: another slice.
static void slice_over(timer_t *t) {
    slice_t *slice = (slice_t *)t;
    uint64_t now = timer_now();
    if (!runq_empty() || now >= slice->end) {
        slice->vcpu->kicked = true;
    } else {
        timer_arm(t, sooner(now + slice_length(), slice->end), slice_over);
    }
}

// The boot core, in a turn of the guests' while MicroPython computes.
static bool in_share(void) {
    return this_pcpu()->id == 0 && !this_pcpu()->python;
}

// Where a vCPU goes when it has left the guest on this core.
void sched_settle(vcpu_t *v, exit_t why) {
    bool again = why == EXIT_RESUME || why == EXIT_KICK || why == EXIT_EVENT || why == EXIT_IRQ;
    uint64_t daif = runq_lock();
    v->kicked = false;
    if (!again && why != EXIT_IDLE && why != EXIT_PYTHON && why != EXIT_CPU_OFF) {
        runq_end(v, why);
    } else if (why == EXIT_CPU_OFF && runq_last_on(v)) {
        runq_end(v, EXIT_OFF);
    } else if (why == EXIT_CPU_OFF) {
        v->state = VCPU_OFF;
    } else if (why == EXIT_PYTHON) {
        runq_ask_python(v);
    } else if (v->vm->stopping) {
        v->state = VCPU_STOPPED;
    } else if (why == EXIT_IDLE && !vgic_pending(v)) {
        v->state = VCPU_IDLE;
    } else if ((why == EXIT_EVENT || (why == EXIT_KICK && in_share())) && timer_now() < v->slice_end) {
        runq_add_first(v);
    } else if (UNLIKELY(v->off)) {
        v->off = false;
        v->state = VCPU_OFF;
    } else {
        runq_add(v);
    }
    // It may be the last one of its VM: the boot core is to look again. Whoever waits for a VM in the foreground does;
    // one in the background ends in the scheduler of MicroPython, which may have had its turn while v's handler ran here.
    if (v->vm->stopping && (this_pcpu()->id != 0 || !v->vm->foreground)) {
        intc->send(INTC_SGI_KICK, pcpus[0].mpidr);
    }
    runq_unlock(daif);
}

// Only one core: nobody else will want its registers, so they stay loaded.
void sched_leave_core(vcpu_t *v) {
    if (cpus_online > 1) {
        vcpu_put(v);
    }
}

void sched_run_until(vcpu_t *v, uint64_t end) {
    slice_t slice = { .vcpu = v, .end = end };
    uint64_t now = timer_now();
    if (v->slice_end <= now) {
        v->slice_end = now + slice_length();
    }
    timer_arm(&slice.timer, sooner(v->slice_end, end), slice_over);
    exit_t why = vcpu_run(v);
    timer_cancel(&slice.timer);
    sched_leave_core(v);
    sched_settle(v, why);
}

// ---- The other cores ----------------------------------------------------------------------

void sched_secondary(void) {
    for (;;) {
        irq_disable();
        vcpu_t *v = runq_take();
        if (v != NULL) {
            sched_run_until(v, UINT64_MAX);
        } else {
            wfi(); // a masked interrupt ends it, and is taken below
        }
        irq_enable();
        isb();
    }
}
