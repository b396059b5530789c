// SPDX-License-Identifier: MIT
// A guest's timers: the virtual one (CNTV) is the hardware's with an offset, and its interrupt the
// core's own, forwarded; the physical one (CNTP) is emulated on EL2's timer.
//
// A VM's virtual count begins at 2^43 (a multiple of it, when the machine has been up for long), on some QEMU at 0 (see
// vtimer.c), and, with vm->stop_time, stands still while the VM is stopped.
#ifndef HV_VTIMER_H
#define HV_VTIMER_H

#include "irq/timer.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// The guest's INTIDs (DEN0029 3.6), whatever the host's are.
#define VTIMER_INTID 27u
#define PTIMER_INTID 30u

void vtimer_init_core(void);            // each core, after its virtual GIC
void vtimer_add(vm_t *vm);              // a new VM: stopped, at its first count
void vtimer_restart(vm_t *vm);          // the same, after a reset; all of its vCPUs are put
void vtimer_reset(vcpu_t *v);
void vtimer_remove(vcpu_t *v);          // before its memory goes

// CNTV_* are v's from here to there. Interrupts masked.
void vtimer_load(vcpu_t *v);
void vtimer_put(vcpu_t *v);
// Before v enters the guest, loaded, if its VM's time stood still or is another by now: vtimer_enter.
void vtimer_go_on(vcpu_t *v);

// All of the VM's vCPUs have left the guest, and the REPL has the machine: its time stops. Entering
// any of them resumes it.
void vtimer_stopped(vm_t *vm);
void vtimer_resumed(vm_t *vm);

// Before v, which is loaded here, goes to sleep: its virtual timer may have fired just now.
void vtimer_poll(vcpu_t *v);

// CNTP_*: false when key is none of them.
bool vtimer_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value);

// The guest's CNTPCT; and both counts go on from these. Then, of each of its vCPUs, none of which is loaded: its timers are
// others.
uint64_t vtimer_physical(const vm_t *vm);
bool vtimer_can_be(uint64_t count);     // of another boot, whose counter may have been further
void vtimer_go_back(vm_t *vm, uint64_t count, uint64_t physical);
void vtimer_changed(vcpu_t *v);
// Its counters go on from so many ticks further on, or back, as far as that can be; how many it was. None of its vCPUs runs.
int64_t vtimer_skew(vm_t *vm, int64_t ticks);

// Of a VM with vm->replay: CNTPCT stands still at vm->stopped_at, which who has it moves on. Both timers' lines are what they
// are to be now; and how many counts there are to the next deadline, 0: none.
uint64_t vtimer_settle(vcpu_t *v);
// CNTV_TVAL, CTL, CVAL by op2, as vtimer_sysreg has CNTP's.
bool vtimer_virtual(vcpu_t *v, unsigned op2, bool write, uint64_t *value);

static inline bool vtimer_armed(uint64_t ctl) {
    return (ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
}

// Each time before v enters the guest, loaded.
static inline void vtimer_enter(vcpu_t *v) {
    if (UNLIKELY(v->vm->stopped || READ_SYSREG(cntvoff_el2) != v->vm->cntvoff)) {
        vtimer_go_on(v);
    }
}

// The virtual timer's interrupt line. v is loaded on this core or on none.
bool vtimer_level(const vcpu_t *v);     // by its registers, live or not, and the VM's time
static inline bool vtimer_asserted(const vcpu_t *v) {
    if (v->vtimer.live && !v->vm->stopped) {
        return READ_SYSREG(cntv_ctl_el0) == (CTL_ENABLE | CTL_ISTATUS);
    }
    return vtimer_level(v);
}

// CNTVCT_EL0 as the guest reads it; it stands still while the VM is stopped, if it is to.
static inline uint64_t vtimer_count(const vm_t *vm) {
    return (vm->stopped && vm->stop_time ? vm->stopped_at : timer_now()) - vm->cntvoff;
}

#endif
