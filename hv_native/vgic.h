// SPDX-License-Identifier: MIT
// The interrupt controller a guest sees. Everything else injects through this header only, so that
// a machine without a GIC can put another implementation behind it.
#ifndef HV_VGIC_H
#define HV_VGIC_H

#include "vm.h"

void vgic_init_core(void);  // what this core needs before a guest runs on it
void vgic_reset_vcpu(vcpu_t *v);
void vgic_load(vcpu_t *v);
void vgic_put(vcpu_t *v);
// An interrupt would be taken if the vCPU ran with PSTATE.I clear.
bool vgic_pending(vcpu_t *v);
// The level of an interrupt line (INTID 32 and up) of a device.
void vgic_set_line(vm_t *vm, unsigned intid, bool level);
// ICC_SGI1R_EL1 and the like: false when key is none of them.
bool vgic_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value);

#endif
