// SPDX-License-Identifier: MIT
// Deadlines on CNTPCT, served by this core's EL2 physical timer (CNTHP, DDI 0487 D11).
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include <stdint.h>
#include "core/arch.h"
#include "core/cpu.h"

typedef struct timer {
    struct timer *next;
    uint64_t deadline;              // in counts of CNTPCT_EL0
    void (*fn)(struct timer *t);    // interrupt context, on the core that armed it
    uint32_t core;                  // id of that core, while armed
    bool armed;
} timer_t;

static inline uint64_t timer_now(void) {
    uint64_t v;
    __asm__ volatile ("isb\n mrs %0, cntpct_el0" : "=r" (v) : : "memory");
    return v;
}

// The same where a little early does no harm: the core may have read it as soon as it was last synchronised.
static inline uint64_t timer_glance(void) {
    return READ_SYSREG(cntpct_el0);
}

static inline uint64_t timer_freq(void) {
    return READ_SYSREG(cntfrq_el0);
}

// On the core that calls; armed already, on any core: it moves.
void timer_arm(timer_t *t, uint64_t deadline, void (*fn)(timer_t *t));
// From any core. When it returns fn is not running and will not, unless this is fn itself.
void timer_cancel_armed(timer_t *t);
extern uint32_t timer_cores_firing;
static inline void timer_cancel(timer_t *t) {
    // A core counts itself before it takes a timer off its list: so this one is on none, and not firing.
    if (__atomic_load_n(&t->armed, __ATOMIC_ACQUIRE) || __atomic_load_n(&timer_cores_firing, __ATOMIC_RELAXED) != 0) {
        timer_cancel_armed(t);
    }
}

// As timer_cancel, of one that this core has armed, interrupts masked.
void timer_forget(timer_t *t);

void timer_init_core(void);
void timer_expired(void *unused);    // the interrupt of this core's timer

// CNTV_CTL_EL0, CNTP_CTL_EL0, CNTHP_CTL_EL2 (DDI 0487 D13.8).
enum { CTL_ENABLE = 1, CTL_IMASK = 2, CTL_ISTATUS = 4 };

#define TIMER_NEVER UINT64_MAX

// Beside the queue, one deadline of this core: until when it goes on with what it runs. It comes and goes with each entry
// into a guest, interrupts masked, and concerns no other core, so it takes no lock. The entry is a synchronisation.
static inline void timer_slice_begin(uint64_t deadline) {
    pcpu_t *me = this_pcpu();
    me->timer_slice = deadline;
    if (deadline < me->timer_set) {
        me->timer_set = deadline;
        WRITE_SYSREG(cnthp_cval_el2, deadline);
        WRITE_SYSREG(cnthp_ctl_el2, CTL_ENABLE);
    }
}

// The hardware's is left as it is, which may find nothing to do.
static inline void timer_slice_end(void) {
    this_pcpu()->timer_slice = TIMER_NEVER;
}

// Called when it has come, in the interrupt: the scheduler's. It may begin another one.
extern void (*timer_slice_over)(uint64_t now);

#endif
