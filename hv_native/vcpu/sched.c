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

static uint64_t slice_length;   // in counts

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// Nobody waits: another slice.
static void slice_over(uint64_t now) {
    vcpu_t *v = this_pcpu()->running;
    if (!runq_empty() || now >= v->run_end) {
        v->kicked = true;
    } else {
        timer_slice_begin(sooner(now + slice_length, v->run_end));
    }
}

void sched_init(void) {
    slice_length = timer_freq() / SLICE_HZ;
    timer_slice_over = slice_over;
}

// The boot core, in a turn of the guests' while MicroPython computes.
static bool in_share(void) {
    return this_pcpu()->id == 0 && !this_pcpu()->python;
}

// READY: at the end, unless it has only made way.
static inline void stays(vcpu_t *v, exit_t why) {
    if ((why == EXIT_EVENT || (why == EXIT_KICK && in_share())) && timer_now() < v->slice_end) {
        runq_add_first(v);
    } else {
        runq_add(v);
    }
}

// Where a vCPU goes when it has left the guest on this core.
void sched_settle(vcpu_t *v, exit_t why) {
    bool again = why == EXIT_RESUME || why == EXIT_KICK || why == EXIT_EVENT || why == EXIT_IRQ;
    spin_lock(&runq.lock);
    v->kicked = false;
    if (LIKELY(again && !v->vm->stopping && !v->off)) {
        stays(v, why);
        spin_unlock(&runq.lock);
        return;
    }
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
    spin_unlock(&runq.lock);
}

// Only one core: nobody else will want its registers, so they stay loaded.
void sched_leave_core(vcpu_t *v) {
    if (cpus_online > 1) {
        vcpu_put(v);
    }
}

void sched_run_until(vcpu_t *v, uint64_t end) {
    uint64_t now = timer_glance();
    if (v->slice_end <= now) {
        v->slice_end = now + slice_length;
    }
    v->run_end = end;
    timer_slice_begin(sooner(v->slice_end, end));
    exit_t why = vcpu_run(v);
    timer_slice_end();
    sched_leave_core(v);
    sched_settle(v, why);
}

exit_t sched_run_slice(vcpu_t *v) {
    v->run_end = timer_glance() + slice_length;
    timer_slice_begin(v->run_end);
    exit_t why = vcpu_run(v);
    timer_slice_end();
    return why;
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
