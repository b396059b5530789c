// SPDX-License-Identifier: MIT
// A sorted list of deadlines a core; the hardware timer is set to the first.

#include "cpu.h"
#include "irq.h"
#include "timer.h"

#define CTL_ENABLE 1

static void program(void) {
    timer_t *first = this_pcpu()->timers;
    if (first != NULL) {
        WRITE_SYSREG(cnthp_cval_el2, first->deadline);
        WRITE_SYSREG(cnthp_ctl_el2, CTL_ENABLE);
    } else {
        WRITE_SYSREG(cnthp_ctl_el2, 0);
    }
    isb();
}

static void unlink(timer_t *t) {
    timer_t **at = &this_pcpu()->timers;
    while (*at != NULL && *at != t) {
        at = &(*at)->next;
    }
    if (*at == t) {
        *at = t->next;
    }
    t->armed = false;
}

void timer_arm(timer_t *t, uint64_t deadline, void (*fn)(timer_t *t)) {
    uint64_t daif = irq_save();
    if (t->armed) {
        unlink(t);
    }
    t->deadline = deadline;
    t->fn = fn;
    t->core = this_pcpu()->id;
    t->armed = true;
    timer_t **at = &this_pcpu()->timers;
    while (*at != NULL && (*at)->deadline <= deadline) {
        at = &(*at)->next;
    }
    t->next = *at;
    *at = t;
    if (this_pcpu()->timers == t) {
        program();
    }
    irq_restore(daif);
}

void timer_cancel(timer_t *t) {
    uint64_t daif = irq_save();
    if (t->armed) {
        unlink(t);
        program();
    }
    irq_restore(daif);
}

static void expired(void *arg) {
    (void)arg;
    uint64_t now = timer_now();
    timer_t *t;
    while ((t = this_pcpu()->timers) != NULL && t->deadline <= now) {
        unlink(t);
        t->fn(t);
    }
    program();
}

void timer_init_core(void) {
    WRITE_SYSREG(cnthp_ctl_el2, 0);
    irq_attach(platform.hyp_timer_irq, expired, NULL);
}
