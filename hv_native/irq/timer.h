// SPDX-License-Identifier: MIT
// Deadlines on CNTPCT, served by this core's EL2 physical timer (CNTHP, DDI 0487 D11).
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include <stdint.h>
#include "core/arch.h"

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

// As timer_cancel, of one that this core has armed, interrupts masked, where another is armed at once: the hardware's is left,
// which may find nothing to do.
void timer_forget(timer_t *t);

void timer_init_core(void);

// CNTV_CTL_EL0, CNTP_CTL_EL0, CNTHP_CTL_EL2 (DDI 0487 D13.8).
enum { CTL_ENABLE = 1, CTL_IMASK = 2, CTL_ISTATUS = 4 };

#endif
