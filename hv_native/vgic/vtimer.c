// SPDX-License-Identifier: MIT
// Guest timers: see vtimer.h.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "irq/intc.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "vgic/vgic.h"
#include "vgic/vgic_irq.h"
#include "vgic/vtimer.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

// CNTPCT, or where a VM's own time stands.
static inline uint64_t now_of(const vm_t *vm) {
    return UNLIKELY(vm->replay != NULL) ? vm->stopped_at : timer_now();
}

static vcpu_t *owner(timer_t *t, size_t offset) {
    return (vcpu_t *)((char *)t - offset);
}

// Fire fn when `count` reaches cval; never, if that is beyond the counter's end.
static void arm(timer_t *t, uint64_t ctl, uint64_t cval, uint64_t count, void (*fn)(timer_t *t)) {
    uint64_t now = timer_now();
    if (vtimer_armed(ctl) && (cval <= count || now + (cval - count) > now)) {
        timer_arm(t, cval <= count ? now : now + (cval - count), fn);
    } else {
        timer_cancel(t);
    }
}

// ---- The virtual count --------------------------------------------------------------------------

// QEMU 7.2 takes CVAL + CNTVOFF in 64 bits for the time at which CNTV fires next. When that wraps, its timer
// is due in the past for ever, and nothing else in QEMU runs: a guest that parks its timer at the largest
// CVAL would stop the machine. CNTV cannot be trapped before ARMv8.6. It never wraps while the virtual count
// is not behind the physical one, that is, while CNTVOFF as a signed number is not above 0. So a VM begins
// ahead, by what it may be stopped in all (19 hours at 62.5 MHz, and up to twice that) and its time not go on.
//
// QEMU 10 takes a sum that wraps for the end of time: there, CNTV never fires while the virtual count is ahead. So
// it must not be, and a VM's begins at 0. Which of the two it is shows when the first VM is made.
#define AHEAD BIT(42)

typedef enum { UNKNOWN, MAY_BE_AHEAD, MUST_BE_BEHIND } count_t;
static count_t count;

static bool reached(uint64_t ctl) {
    return ctl & CTL_ISTATUS;
}

// A deadline of CNTV, ahead, and one of CNTP right behind it: when the second is reached, the first has been, or never is.
// Neither may have been so from the beginning.
static count_t try_ahead(void) {
    uint64_t daif = irq_save();
    WRITE_SYSREG(cntvoff_el2, -AHEAD);
    bool early = true, came = false;
    for (uint64_t ticks = 64; early; ticks *= 2) {
        uint64_t soon = timer_now() + ticks;
        WRITE_SYSREG(cntv_cval_el0, soon + AHEAD);
        WRITE_SYSREG(cntv_ctl_el0, CTL_ENABLE | CTL_IMASK);
        WRITE_SYSREG(cntp_cval_el0, soon + 1);
        WRITE_SYSREG(cntp_ctl_el0, CTL_ENABLE | CTL_IMASK);
        isb();
        early = reached(READ_SYSREG(cntv_ctl_el0)) || reached(READ_SYSREG(cntp_ctl_el0));
        while (!early && !reached(READ_SYSREG(cntp_ctl_el0))) {
        }
        came = reached(READ_SYSREG(cntv_ctl_el0));
        WRITE_SYSREG(cntp_ctl_el0, 0);
        WRITE_SYSREG(cntv_ctl_el0, 0);
        isb();
    }
    irq_restore(daif);
    return came ? MAY_BE_AHEAD : MUST_BE_BEHIND;
}

static void begin_count(vm_t *vm, uint64_t now) {
    vm->cntvoff = count == MAY_BE_AHEAD ? now - ALIGN_UP(now + AHEAD, 2 * AHEAD) : now;
}

// It has stood still for so long. What is above the limit passes for the guest as well.
static void hold_count(vm_t *vm, uint64_t ticks) {
    uint64_t most = count == MAY_BE_AHEAD ? -vm->cntvoff : ticks;
    vm->cntvoff += ticks < most ? ticks : most;
}

// ---- The virtual timer --------------------------------------------------------------------------

// While v is not loaded, EL2's timer watches its deadline.
static void watch_expired(timer_t *t) {
    vcpu_t *v = owner(t, offsetof(vcpu_t, vtimer.watch));
    if (!v->vtimer.live) {
        vgic_set_ppi(v, VTIMER_INTID, true);
    }
}

static void watch(vcpu_t *v) {
    vm_t *vm = v->vm;
    if (!vtimer_armed(v->vtimer.ctl) || (vm->stopped && vm->stop_time)) {
        timer_cancel(&v->vtimer.watch);
    } else {
        arm(&v->vtimer.watch, v->vtimer.ctl, v->vtimer.cval, vtimer_count(vm), watch_expired);
    }
}

// The physical interrupt of this core's virtual timer. It stays active until the guest ends its own,
// by way of a list register that knows both.
static void fired(void *arg) {
    (void)arg;
    vcpu_t *v = this_pcpu()->loaded;
    if (LIKELY(v != NULL && vgic_timer_again(v))) {
        if (v->state == VCPU_IDLE) {
            vcpu_wake(v); // it sleeps, loaded
        }
    } else if (v != NULL) {
        vgic_fired(v, VTIMER_INTID);
    } else {
        WRITE_SYSREG(cntv_ctl_el0, 0);
        intc->set_active(platform.virt_timer_irq, false);
    }
}

// QEMU 7.2's GICv2 forgets a level that is still high when the guest ends its interrupt, until some
// other interrupt changes. A guest that sleeps meanwhile must not depend on that.
void vtimer_poll(vcpu_t *v) {
    if (vtimer_asserted(v) && v->vm->replay == NULL && vgic_over(v, VTIMER_INTID)) {
        intc->set_active(platform.virt_timer_irq, true);
        vgic_fired(v, VTIMER_INTID);
    }
}

void vtimer_load(vcpu_t *v) {
    timer_cancel(&v->vtimer.watch);
    WRITE_SYSREG(cntvoff_el2, v->vm->cntvoff);
    WRITE_SYSREG(cntv_cval_el0, v->vtimer.cval);
    WRITE_SYSREG(cntv_ctl_el0, v->vtimer.ctl);
    isb();
    v->vtimer.live = true;
}

void vtimer_put(vcpu_t *v) {
    v->vtimer.ctl = READ_SYSREG(cntv_ctl_el0) & (CTL_ENABLE | CTL_IMASK);
    v->vtimer.cval = READ_SYSREG(cntv_cval_el0);
    WRITE_SYSREG(cntv_ctl_el0, 0);
    isb();
    v->vtimer.live = false;
    watch(v);
}

void vtimer_go_on(vcpu_t *v) {
    vm_t *vm = v->vm;
    if (vm->stopped) {
        vtimer_resumed(vm);
    }
    if (READ_SYSREG(cntvoff_el2) != vm->cntvoff) {
        WRITE_SYSREG(cntvoff_el2, vm->cntvoff);
        isb();
        vgic_refresh(v);
    }
}

void vtimer_stopped(vm_t *vm) {
    uint64_t daif = irq_save();
    if (!vm->stopped) {
        vm->stopped_at = timer_now();
        vm->stopped = true;
        for (unsigned i = 0; vm->stop_time && i < vm->nvcpus; i++) {
            timer_cancel(&vm->vcpu[i]->vtimer.watch);
        }
    }
    irq_restore(daif);
}

void vtimer_resumed(vm_t *vm) {
    uint64_t daif = irq_save();
    vgic_lock(vm); // only one of the vCPUs that enter resumes it
    bool was = vm->stopped && vm->replay == NULL;
    if (was) {
        if (vm->stop_time) {
            hold_count(vm, timer_now() - vm->stopped_at);
        }
        vm->stopped = false;
    }
    vgic_unlock(vm);
    for (unsigned i = 0; was && vm->stop_time && i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[i];
        if (!v->vtimer.live) {
            watch(v);
        }
    }
    irq_restore(daif);
}

// ---- The physical timer -------------------------------------------------------------------------

#define CRM_2 SYSREG_KEY(0, 0, 0, 2, 0)

static inline uint64_t p_now(const vcpu_t *v) {
    return now_of(v->vm) - v->vm->cntpoff;
}

static bool p_reached(const vcpu_t *v) {
    return (v->vtimer.p_ctl & CTL_ENABLE) && p_now(v) >= v->vtimer.p_cval;
}

static void p_expired(timer_t *t) {
    vcpu_t *v = owner(t, offsetof(vcpu_t, vtimer.physical));
    vgic_set_ppi(v, PTIMER_INTID, vtimer_armed(v->vtimer.p_ctl) && p_reached(v));
}

// The registers changed: the line follows, now or at the deadline. Not while p_expired is at work on another core:
// it may have looked at them before, and would set the line after us.
static void p_update(vcpu_t *v) {
    timer_cancel(&v->vtimer.physical);
    bool high = vtimer_armed(v->vtimer.p_ctl) && p_reached(v);
    vgic_set_ppi(v, PTIMER_INTID, high);
    uint64_t ctl = high || v->vm->replay != NULL ? 0 : v->vtimer.p_ctl;
    arm(&v->vtimer.physical, ctl, v->vtimer.p_cval, p_now(v), p_expired);
}

// CNTPCT_EL0 and CNTPCTSS_EL0. They trap when a script says so, and QEMU before 8.2 traps EL0's by CNTHCTL_EL2.EL1PCEN,
// where DDI 0487 D13.8.2 asks EL1PCTEN.
static bool physical_count(const vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    unsigned op2 = FIELD(key, 19, 17);
    if (write || (op2 != 1 && op2 != 5)) {
        return false;
    }
    *value = p_now(v);
    return true;
}

// CNTP_TVAL_EL0, _CTL_EL0, _CVAL_EL0: op0 3, op1 3, CRn 14, CRm 2; the counter has CRm 0.
bool vtimer_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    if ((key & ~(SYSREG_OP2 | CRM_2)) != SYSREG_KEY(3, 3, 14, 0, 0)) {
        return false;
    }
    if (UNLIKELY(!(key & CRM_2))) {
        return physical_count(v, key, write, value);
    }
    vtimer_t *t = &v->vtimer;
    switch (FIELD(key, 19, 17)) {
        case 0:
            if (write) {
                t->p_cval = p_now(v) + (uint64_t)(int64_t)(int32_t)*value;
            } else {
                *value = (uint32_t)(t->p_cval - p_now(v));
            }
            break;
        case 1:
            if (write) {
                t->p_ctl = *value & (CTL_ENABLE | CTL_IMASK);
            } else {
                *value = t->p_ctl | (p_reached(v) ? CTL_ISTATUS : 0);
            }
            break;
        case 2:
            if (write) {
                t->p_cval = *value;
            } else {
                *value = t->p_cval;
            }
            break;
        default:
            return false;
    }
    // Who reads that the time has come finds the interrupt pending, though EL2's own may still be on its way.
    if (write || (vtimer_armed(t->p_ctl) && p_reached(v))) {
        p_update(v);
    }
    return true;
}

// ---- Beginning and end --------------------------------------------------------------------------

void vtimer_reset(vcpu_t *v) {
    timer_cancel(&v->vtimer.watch);
    timer_cancel(&v->vtimer.physical);
    v->vtimer.ctl = v->vtimer.cval = v->vtimer.p_ctl = v->vtimer.p_cval = v->vtimer.r_ctl = v->vtimer.r_cval = 0;
    vgic_set_ppi(v, VTIMER_INTID, false);
    vgic_set_ppi(v, PTIMER_INTID, false);
}

void vtimer_remove(vcpu_t *v) {
    timer_cancel(&v->vtimer.watch);
    timer_cancel(&v->vtimer.physical);
}

void vtimer_restart(vm_t *vm) {
    vm->stopped_at = timer_now();
    begin_count(vm, vm->stopped_at);
    vm->stopped = true;
}

void vtimer_add(vm_t *vm) {
    if (count == UNKNOWN) {
        count = try_ahead();
    }
    vm->stop_time = true;
    vtimer_restart(vm);
}

// ---- Going back in time -------------------------------------------------------------------------

uint64_t vtimer_physical(const vm_t *vm) {
    return now_of(vm) - vm->cntpoff;
}

bool vtimer_can_be(uint64_t value) {
    return count == MAY_BE_AHEAD || value <= timer_now();
}

// The offsets take up the time that has passed since, but for what is above their limit (hold_count).
void vtimer_go_back(vm_t *vm, uint64_t count, uint64_t physical) {
    uint64_t now = now_of(vm), ahead = count - (vm->stopped && vm->stop_time ? vm->stopped_at : now);
    vm->cntvoff = (int64_t)ahead < 0 && vm->replay == NULL ? 0 : -ahead;
    vm->cntpoff = now - physical;
    vm->el2[EL2_CNTHCTL] &= ~UINT64_C(1); // EL1PCTEN: CNTPCT traps from now on
}

// CNTVOFF stays on the side of zero where this machine's has to be (hold_count), and the count above zero.
int64_t vtimer_skew(vm_t *vm, int64_t ticks) {
    int64_t was = (int64_t)vm->cntvoff, to = was - ticks;
    int64_t least = count == MAY_BE_AHEAD ? INT64_MIN : 0, most = count == MAY_BE_AHEAD ? 0 : (int64_t)timer_now();
    to = to < least ? least : to > most ? most : to;
    vm->cntvoff = (uint64_t)to;
    return was - to;
}

void vtimer_changed(vcpu_t *v) {
    watch(v);
    p_update(v);
}

// ---- Time by instructions -----------------------------------------------------------------------

// Counts until `now` is cval; 0: it is, or never will be.
static uint64_t left(uint64_t ctl, uint64_t cval, uint64_t now) {
    return vtimer_armed(ctl) && cval > now ? cval - now : 0;
}

uint64_t vtimer_settle(vcpu_t *v) {
    vgic_set_ppi(v, VTIMER_INTID, vtimer_asserted(v));
    p_update(v);
    uint64_t one = left(v->vtimer.r_ctl, v->vtimer.r_cval, vtimer_count(v->vm));
    uint64_t other = left(v->vtimer.p_ctl, v->vtimer.p_cval, p_now(v));
    return one == 0 || (other != 0 && other < one) ? other : one;
}

bool vtimer_virtual(vcpu_t *v, unsigned op2, bool write, uint64_t *value) {
    vtimer_t *t = &v->vtimer;
    uint64_t now = vtimer_count(v->vm);
    switch (op2) {
        case 0:
            t->r_cval = write ? now + (uint64_t)(int64_t)(int32_t)*value : t->r_cval;
            *value = (uint32_t)(t->r_cval - now);
            break;
        case 1:
            t->r_ctl = write ? *value & (CTL_ENABLE | CTL_IMASK) : t->r_ctl;
            *value = t->r_ctl | ((t->r_ctl & CTL_ENABLE) && now >= t->r_cval ? CTL_ISTATUS : 0);
            break;
        case 2:
            t->r_cval = write ? *value : t->r_cval;
            *value = t->r_cval;
            break;
        default:
            return false;
    }
    return true;
}

void vtimer_init_core(void) {
    WRITE_SYSREG(cntv_ctl_el0, 0);
    irq_attach_forwarded(platform.virt_timer_irq, fired, NULL);
}
