// SPDX-License-Identifier: MIT
// A physical core (pCPU) and what it is doing. TPIDR_EL2 points at its own pcpu_t.
#ifndef HV_CPU_H
#define HV_CPU_H

#include "core/platform.h"

struct vcpu;
struct timer;

typedef struct pcpu {
    uint64_t stack_top;     // start.S and vectors.S use these four
    uint64_t mpidr;         // affinity bits only
    uint64_t fault_stack;
    uint64_t scratch[3];    // of vectors.S, when there is no stack
    unsigned id;            // 0 is the boot core, the only one that ever runs Python
    bool online;
    bool python;            // MicroPython may be called: the boot core, but for the slices that its timer runs (share.c)
    void (*after_irq)(void);    // once, when the interrupt that is handled here in EL2's own code has been ended
    struct vcpu *loaded;    // whose EL1 system registers are live on this core
    struct vcpu *running;   // loaded, and between guest_enter and guest_leave
    struct vcpu *fp_owner;  // whose FP registers are live on this core; NULL: EL2's own
    struct timer *timers;   // armed on this core, soonest first
    uint64_t timer_first;   // the deadline of the first, or sooner: another core may have taken it away (irq/timer.h)
    uint64_t timer_slice;   // when what is run here has been run for long enough
    uint64_t timer_set;     // which of them the hardware's is set to
    uint64_t vgic_call;     // what the GIC is told for this core to get INTC_SGI_VGIC; 0: ask intc
    uint64_t gich;          // this core's GICH (vgic_lr.h)
    uint64_t no_stage2;     // VTTBR_EL2 of nobody (stage2.c)
    uint64_t debug_version; // of the breakpoints and watchpoints in this core's registers (vcpu/debug.c)
} pcpu_t;

// A stack is STACK_SIZE bytes, aligned so that this bit of an address in it is set and the bit of an address in
// the guard below it is clear: one test finds an overflow without a free register (vectors.S).
#define STACK_BIT 18
#define STACK_SIZE (1 << STACK_BIT)
// The end of the boot core\'s guard that lies below its stack: unmapped like the rest, but opened, page
// by page, for what must not be interrupted by an overflow (el2_fault.c).
#define STACK_RESERVE 0x8000

extern pcpu_t pcpus[PLATFORM_MAX_CPUS];
extern unsigned cpus_online;     // how many cores run, the boot core included

static inline pcpu_t *this_pcpu(void) {
    pcpu_t *p;
    __asm__ ("mrs %0, tpidr_el2" : "=r" (p));
    return p;
}

#endif
