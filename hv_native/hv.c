// SPDX-License-Identifier: MIT
// Start, idle and the end of a session: see hv.h.

#include "py/mpstate.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "hv.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "vcpu/debug.h"
#include "vcpu/sched.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/stage2.h"
#include "vm/vm.h"

extern char __stack_top[], __fault_stack_top[];


void hv_init(void) {
    pcpu_t *p = &pcpus[0];
    p->stack_top = (uint64_t)__stack_top;
    p->fault_stack = (uint64_t)__fault_stack_top;
    p->mpidr = READ_SYSREG(mpidr_el1) & UINT64_C(0xFF00FFFFFF);
    p->online = p->python = true;
    WRITE_SYSREG(tpidr_el2, (uint64_t)p);
    WRITE_SYSREG(cnthctl_el2, CNTHCTL_HOST);
    event_clear();
    irq_init();
    timer_init_core();
    sched_init();
    if (platform.boot_el != 1) {
        stage2_init_core();
        vgic_init_core();
        vtimer_init_core();
        debug_init_core();
    }
    irq_enable();
    __asm__ volatile ("msr daifclr, #4"); // SErrors show when they happen
}

void hv_soft_reset(void) {
    while (vms != NULL) {
        hv_vm_stop_and_wait(vms);
        hv_vm_destroy(vms->object);
    }
    MP_STATE_VM(hv_running) = MP_OBJ_NULL;
    event_clear();
    boot_core_reset();
}

void hv_idle(bool stay) {
    boot_core_step(stay);
}
