// SPDX-License-Identifier: MIT
// List registers in memory, and what they signal: see vgic_soft.h. 32 priorities, 8 apart; a preemption level is a bit
// of APR.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "vgic/vgic_lr.h"
#include "vgic/vgic_soft.h"

// A core's GICH: what vgic_lr.h reads and writes, and nothing else of the frame.
typedef struct {
    uint32_t word[(GICH_LR + 4 * VGIC_SOFT_LRS) / 4];
} soft_gich_t;

static soft_gich_t gich[PLATFORM_MAX_CPUS];

// GICH_VMCR: enables and modes lie as in GICC_CTLR; ABPR 20:18, BPR 23:21, PMR 31:27.
#define CTLR_CBPR BIT(4)

bool vgic_is_soft(void) {
    return platform_has_intc() && platform.gic_version != 3 && platform.gich.size == 0;
}

void vgic_soft_init_core(void) {
    pcpu_t *p = this_pcpu();
    gich[p->id].word[GICH_VTR / 4] = 4u << 29 | 4u << 26 | (VGIC_SOFT_LRS - 1); // 5 bits of priority and of preemption
    p->gich = (uint64_t)&gich[p->id];
}

uint32_t *vgic_soft_reg(unsigned offset) {
    return &gich[this_pcpu()->id].word[offset / 4];
}

uint32_t vgic_soft_elrsr(void) {
    uint32_t empty = 0;
    for (unsigned n = 0; n < VGIC_SOFT_LRS; n++) {
        empty |= soft_lr_state(gich_lr_read(n)) == 0 ? 1u << n : 0;
    }
    return empty;
}

// ---- Priorities ---------------------------------------------------------------------------------

static uint32_t lr_priority(uint32_t lr) {
    return FIELD(lr, 27, 23) << 3;
}

uint32_t vgic_soft_running(void) {
    uint32_t levels = *vgic_soft_reg(GICH_APR);
    return levels == 0 ? VGIC_SOFT_IDLE : (uint32_t)__builtin_ctz(levels) << 3;
}

// The pending one of highest priority whose group is enabled, or VGIC_SOFT_NONE.
unsigned vgic_soft_highest(void) {
    uint32_t vmcr = *vgic_soft_reg(GICH_VMCR), best = ~0u;
    unsigned found = VGIC_SOFT_NONE;
    for (unsigned n = 0; n < VGIC_SOFT_LRS; n++) {
        uint32_t lr = gich_lr_read(n), key = lr_priority(lr) << 10 | (lr & 0x3FF);
        if (soft_lr_state(lr) == GICH_LR_PENDING && (vmcr & (soft_lr_group1(lr) ? VMCR_GROUP1 : VMCR_GROUP0)) && key < best) {
            best = key;
            found = n;
        }
    }
    return found;
}

// The part of a priority that counts for preemption (4.4.3, table 3-2).
uint32_t vgic_soft_level(uint32_t lr) {
    uint32_t vmcr = *vgic_soft_reg(GICH_VMCR);
    bool own = soft_lr_group1(lr) && !(vmcr & CTLR_CBPR);
    unsigned bits = own ? FIELD(vmcr, 20, 18) : FIELD(vmcr, 23, 21) + 1;
    return lr_priority(lr) & ~((1u << bits) - 1);
}

bool vgic_soft_signals(unsigned n) {
    if (n == VGIC_SOFT_NONE || !(*vgic_soft_reg(GICH_HCR) & HCR_EN)) {
        return false;
    }
    uint32_t lr = gich_lr_read(n), mask = FIELD(*vgic_soft_reg(GICH_VMCR), 31, 27) << 3;
    return lr_priority(lr) < mask && vgic_soft_level(lr) < vgic_soft_running();
}

void vgic_soft_update(vcpu_t *v) {
    unsigned n = vgic_soft_highest();
    uint64_t lines = 0;
    if (vgic_soft_signals(n)) {
        bool fiq = !soft_lr_group1(gich_lr_read(n)) && (*vgic_soft_reg(GICH_VMCR) & VMCR_FIQEN);
        lines = fiq ? HCR_VF : HCR_VI;
    }
    v->vgic.lines = lines;
    uint64_t hcr = READ_SYSREG(hcr_el2);
    if (this_pcpu()->loaded == v && (hcr & HCR_TSC)) { // a guest's, and not EL2's own
        WRITE_SYSREG(hcr_el2, (hcr & ~(HCR_VI | HCR_VF)) | lines);
    }
}
