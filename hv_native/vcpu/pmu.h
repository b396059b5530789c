// SPDX-License-Identifier: MIT
// A guest's performance monitors (PMUv3, DDI 0487 D7): the hardware's counters, while its vCPU runs.
//
// A guest's accesses always trap (MDCR_EL2.TPM). What it wrote is in memory (pmu_t) and goes with the vCPU; the core's
// counters have it between pmu_enter and pmu_leave, when anything of it counts, and never count EL2 (NSH). Counters that
// EL2 itself has enabled stay its own meanwhile: the guest's of that number stand still.
#ifndef HV_PMU_H
#define HV_PMU_H

#include "vm/vcpu_state.h"

#define PMU_INTID 23u   // the guest's, as QEMU's virt has it

void pmu_init_core(void);
void pmu_reset(vcpu_t *v);
bool pmu_in_use(const vcpu_t *v);
void pmu_enter(vcpu_t *v);      // v is about to run here; again is no harm
void pmu_leave(vcpu_t *v);

// EL2 counts what is executed at EL1 and EL0 on this core, in a counter that nobody has: which, or -1 where there is none or
// the core does not count instructions. What it has come to; and it is given back.
int pmu_count_guests(void);
uint32_t pmu_counted(int n);
void pmu_count_end(int n);

// Of a VM whose time goes by its instructions (vm->replay), whose counters are never the core's: so many turns have passed, and
// each is a cycle and an instruction, at EL1 and at EL0. Turns that are left until it interrupts; 0: it does not.
uint64_t pmu_turns(vcpu_t *v, uint64_t turns);

// The guest's access to one of these registers. False: it is none of them. On a write v has been left (pmu_leave).
bool pmu_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value);
// What PMUSERENR_EL0 lets EL0 do.
bool pmu_el0_may(const vcpu_t *v, uint64_t key, bool write);

#endif
