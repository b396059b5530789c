// SPDX-License-Identifier: MIT
// EL2 timer queue.
// A sorted list of deadlines a core; the hardware timer is set to the first.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "irq/irq.h"
#include "irq/timer.h"

static spinlock_t lock;                             // the lists of all cores
static timer_t *volatile firing[PLATFORM_MAX_CPUS]; // whose function a core runs, without the lock
uint32_t timer_cores_firing;

static void timer_program(void) {
    timer_t *first = this_pcpu()->timers;
    if (first != NULL) {
        WRITE_SYSREG(cnthp_cval_el2, first->deadline);
        WRITE_SYSREG(cnthp_ctl_el2, CTL_ENABLE);
    } else {
        WRITE_SYSREG(cnthp_ctl_el2, 0);
    }
    isb();
}

// Another core's hardware timer is left as it is: it finds nothing to do when it fires.
static void unlink(timer_t *t) {
    timer_t **at = &pcpus[t->core].timers;
    while (*at != NULL && *at != t) {
        at = &(*at)->next;
    }
    if (*at == t) {
        *at = t->next;
    }
    __atomic_store_n(&t->armed, false, __ATOMIC_RELEASE);
}

void timer_arm(timer_t *t, uint64_t deadline, void (*fn)(timer_t *t)) {
    uint64_t daif = spin_lock_irq(&lock);
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
        timer_program();
    }
    spin_unlock_irq(&lock, daif);
}

void timer_cancel_armed(timer_t *t) {
    pcpu_t *me = this_pcpu();
    uint64_t daif = spin_lock_irq(&lock);
    if (t->armed) {
        bool first = me->timers == t;
        unlink(t);
        if (first) {
            timer_program();
        }
    }
    bool wait = timer_cores_firing != 0;
    spin_unlock(&lock);
    for (unsigned i = 0; wait && i < PLATFORM_MAX_CPUS; i++) {
        while (i != me->id && firing[i] == t) {
            irq_while_waiting(); // what t does may wait for a core that waits for this one
        }
    }
    irq_restore(daif);
}

void timer_forget(timer_t *t) {
    pcpu_t *me = this_pcpu();
    if (me->timers != t) {
        timer_cancel(t);
        return;
    }
    spin_lock(&lock);
    me->timers = t->next;
    t->armed = false;
    spin_unlock(&lock);
}

static void expired(void *arg) {
    pcpu_t *me = this_pcpu();
    (void)arg;
    spin_lock(&lock);
    timer_cores_firing++;
    timer_t *t;
    while ((t = me->timers) != NULL && t->deadline <= timer_now()) {
        me->timers = t->next;
        __atomic_store_n(&t->armed, false, __ATOMIC_RELEASE);
        firing[me->id] = t;
        spin_unlock(&lock);
        t->fn(t);
        spin_lock(&lock);
        firing[me->id] = NULL;
    }
    timer_cores_firing--;
    timer_program();
    spin_unlock(&lock);
}

void timer_init_core(void) {
    WRITE_SYSREG(cnthp_ctl_el2, 0);
    irq_attach(platform.hyp_timer_irq, expired, NULL);
}
