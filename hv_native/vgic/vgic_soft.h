// SPDX-License-Identifier: MIT
// Virtual CPU interface in software.
// For machines whose interrupt controller has no virtualisation extensions. vgic_lr.c fills list registers as
// elsewhere, but they are words of memory, one set a core, laid out as GICH's; the guest's CPU interface traps and
// does here what GICV would do with them (IHI 0048B 5.5), and HCR_EL2.VI and VF say what it would signal.
#ifndef HV_VGIC_SOFT_H
#define HV_VGIC_SOFT_H

#include "vgic/vgic_lr.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"

// The machine needs it. After vgic_init_core.
bool vgic_is_soft(void);
void vgic_soft_init_core(void);
// v's list registers, or what its CPU interface lets through, may have changed. This core.
void vgic_soft_update(vcpu_t *v);
uint32_t vgic_soft_elrsr(void); // the list registers that are empty

// ---- For vgic_soft_cpu.c: of this core's set ----------------------------------------------------

#define VGIC_SOFT_LRS 4u
#define VGIC_SOFT_NONE VGIC_SOFT_LRS
#define VGIC_SOFT_IDLE 0x100u   // the running priority of who handles nothing

uint32_t *vgic_soft_reg(unsigned offset);   // GICH_*
uint32_t vgic_soft_running(void);           // priority
unsigned vgic_soft_highest(void);           // the list register that is next, or VGIC_SOFT_NONE
uint32_t vgic_soft_level(uint32_t lr);      // the part of a priority that counts for preemption
bool vgic_soft_signals(unsigned n);

static inline uint32_t soft_lr_state(uint32_t lr) {
    return lr & GICH_LR_STATE;
}

static inline bool soft_lr_group1(uint32_t lr) {
    return lr & BIT(30);
}

// The frame's accesses.
bool vgic_soft_cpu_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value);

#endif
