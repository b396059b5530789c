// SPDX-License-Identifier: MIT
// Secondary core start-up.
// Bringing up the other cores: see smp.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/firmware.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "irq/intc.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "memory/mem.h"
#include "memory/mmu.h"
#include "vcpu/debug.h"
#include "vcpu/sched.h"
#include "vcpu/smp.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/stage2.h"

#define FAULT_STACK_SIZE 0x2000u

extern char __rodata_end[], __data_rw_end[];

void secondary_main(pcpu_t *p);

static bool started;
static irq_handler_t kicked;    // what a kick does, on whichever core it comes to

// From boot/start.S, on its own stack, MMU on.
void secondary_main(pcpu_t *p) {
    WRITE_SYSREG(tpidr_el2, (uint64_t)p);
    WRITE_SYSREG(cnthctl_el2, CNTHCTL_HOST);
    irq_init_core();
    timer_init_core();
    stage2_init_core();
    vgic_init_core();
    vtimer_init_core();
    debug_init_core();
    irq_attach(INTC_SGI_KICK, kicked, NULL);
    __asm__ volatile ("msr daifclr, #4");
    p->online = true;
    dsb_ish();
    sched_secondary();
}

// The stack is the upper half of a piece aligned to its size, which sets STACK_BIT (cpu.h); of
// the lower half the page below the stack is unmapped and the rest not used.
static bool give_stacks(pcpu_t *p) {
    char *piece = page_alloc(2 * STACK_SIZE), *fault = page_alloc(FAULT_STACK_SIZE);
    if (piece == NULL || fault == NULL) {
        return false;
    }
    mmu_unmap((uint64_t)piece + STACK_SIZE - PAGE_SIZE, PAGE_SIZE);
    p->stack_top = (uint64_t)piece + 2 * STACK_SIZE;
    p->fault_stack = (uint64_t)fault + FAULT_STACK_SIZE;
    return true;
}

static void start_core(unsigned id) {
    pcpu_t *p = &pcpus[id];
    p->id = id;
    p->mpidr = platform.mpidr[id];
    if (!give_stacks(p)) {
        return;
    }
    // The core comes up with its caches off and reads all of this from memory.
    cache_clean_poc(__rodata_end, __data_rw_end - __rodata_end);
    if (firmware_cpu_on(p->mpidr, p) != 0) {
        return;
    }
    uint64_t deadline = timer_now() + timer_freq();
    while (!*(volatile bool *)&p->online && timer_now() < deadline) {
    }
    cpus_online += p->online;
}

void smp_start(irq_handler_t when_kicked) {
    if (started) {
        return;
    }
    started = true;
    kicked = when_kicked;
    irq_attach(INTC_SGI_KICK, kicked, NULL);
    for (unsigned id = 1; id < platform.ncpus; id++) {
        start_core(id);
    }
}
