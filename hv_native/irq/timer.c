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
void (*timer_slice_over)(uint64_t now);

static void set_hardware(pcpu_t *me) {
    uint64_t at = me->timer_first < me->timer_slice ? me->timer_first : me->timer_slice;
    me->timer_set = at;
    WRITE_SYSREG(cnthp_cval_el2, at);
    WRITE_SYSREG(cnthp_ctl_el2, at != TIMER_NEVER ? CTL_ENABLE : 0);
    isb();
}

static void timer_program(void) {
    pcpu_t *me = this_pcpu();
    me->timer_first = me->timers != NULL ? me->timers->deadline : TIMER_NEVER;
    set_hardware(me);
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
    timer_program();
    spin_unlock(&lock);
}

// Those of the queue whose time has come.
static NOINLINE void fire(pcpu_t *me) {
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

void timer_expired(void *arg) {
    pcpu_t *me = this_pcpu();
    uint64_t now = timer_glance(); // the exception was a synchronisation
    (void)arg;
    if (me->timer_slice <= now) {
        me->timer_slice = TIMER_NEVER;
        timer_slice_over(now);
    }
    if (me->timer_first <= now) {
        fire(me);
    } else {
        set_hardware(me);
    }
}

void timer_init_core(void) {
    this_pcpu()->timer_slice = TIMER_NEVER;
    timer_program();
    irq_attach(platform.hyp_timer_irq, timer_expired, NULL);
}
