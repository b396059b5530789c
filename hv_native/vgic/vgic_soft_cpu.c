// SPDX-License-Identifier: MIT
// The CPU interface's frame over list registers in memory: see vgic_soft.h. Registers are GICC's (IHI 0048B 4.4).

#include "core/arch.h"
#include "core/cpu.h"
#include "irq/gic.h"
#include "vgic/vgic.h"
#include "vgic/vgic_dist.h"
#include "vgic/vgic_lr.h"
#include "vgic/vgic_soft.h"

#define SPURIOUS 1023u
#define SPURIOUS_GROUP1 1022u

enum {
    V_CTLR = 0x00, V_PMR = 0x04, V_BPR = 0x08, V_IAR = 0x0C, V_EOIR = 0x10, V_RPR = 0x14, V_HPPIR = 0x18, V_ABPR = 0x1C, V_AIAR = 0x20,
    V_AEOIR = 0x24, V_AHPPIR = 0x28, V_APR = 0xD0, V_IIDR = 0xFC,
};
#define IIDR 0x0202143Bu        // GIC-400's, of GICV
// GICH_VMCR: enables and modes lie as in GICC_CTLR.
#define CTLR_BITS 0x21Fu
#define CTLR_ACKCTL BIT(2)
#define BPR_MIN 2u

// ---- Maintenance --------------------------------------------------------------------------------

// GICH_MISR (5.3.3), as far as vgic_lr.c asks for it.
static bool wants_attention(void) {
    uint32_t hcr = *vgic_soft_reg(GICH_HCR), vmcr = *vgic_soft_reg(GICH_VMCR);
    unsigned valid = 0, pending = 0;
    bool ended = false;
    for (unsigned n = 0; n < VGIC_SOFT_LRS; n++) {
        uint32_t lr = gich_lr_read(n);
        valid += soft_lr_state(lr) != 0;
        pending += soft_lr_state(lr) == GICH_LR_PENDING;
        ended |= soft_lr_state(lr) == 0 && (lr & GICH_LR_EOI);
    }
    bool group0 = vmcr & VMCR_GROUP0, group1 = vmcr & VMCR_GROUP1;
    return ended || ((hcr & HCR_UIE) && valid <= 1) || ((hcr & HCR_LRENPIE) && HCR_EOI_COUNT(hcr) != 0) || ((hcr & HCR_NPIE) && pending == 0)
           || ((hcr & HCR_GROUP0_ON) && group0) || ((hcr & HCR_GROUP0_OFF) && !group0) || ((hcr & HCR_GROUP1_ON) && group1)
           || ((hcr & HCR_GROUP1_OFF) && !group1);
}

static void cpu_interface_changed(vcpu_t *v) {
    if ((*vgic_soft_reg(GICH_HCR) & HCR_EN) && wants_attention()) {
        vgic_serve(); // ends with vgic_soft_update
    } else {
        vgic_soft_update(v);
    }
}

// ---- Acknowledge and end ------------------------------------------------------------------------

static uint32_t lr_name(uint32_t lr) {
    uint32_t intid = lr & 0x3FF;
    return intid < 16 ? intid | FIELD(lr, 12, 10) << 10 : intid;
}

// What GICV_HPPIR says, or GICV_AHPPIR (group1). An interrupt of group 1 is not for the first, unless AckCtl is set.
static uint32_t pending_name(unsigned n, bool group1) {
    if (n == VGIC_SOFT_NONE) {
        return SPURIOUS;
    }
    uint32_t lr = gich_lr_read(n);
    if (group1) {
        return soft_lr_group1(lr) ? lr_name(lr) : SPURIOUS;
    }
    return soft_lr_group1(lr) && !(*vgic_soft_reg(GICH_VMCR) & CTLR_ACKCTL) ? SPURIOUS_GROUP1 : lr_name(lr);
}

static uint32_t acknowledge(bool group1) {
    unsigned n = vgic_soft_highest();
    if (!vgic_soft_signals(n)) {
        return SPURIOUS;
    }
    uint32_t name = pending_name(n, group1), lr = gich_lr_read(n);
    if ((name & 0x3FF) < SPURIOUS_GROUP1) { // above these, an SGI has its source
        gich_lr_write(n, (lr & ~GICH_LR_STATE) | GICH_LR_ACTIVE);
        *vgic_soft_reg(GICH_APR) |= 1u << vgic_soft_level(lr) / 8;
    }
    return name;
}

static void end_priority(uint32_t name) {
    uint32_t *levels = vgic_soft_reg(GICH_APR);
    if (*levels == 0) {
        return;
    }
    *levels &= *levels - 1;
    if (*vgic_soft_reg(GICH_VMCR) & VMCR_EOIMODE) {
        return; // GICC_DIR deactivates
    }
    for (unsigned n = 0; n < VGIC_SOFT_LRS; n++) {
        uint32_t lr = gich_lr_read(n);
        if ((lr & GICH_LR_ACTIVE) && lr_name(lr) == (name & 0x1FFF)) {
            gich_lr_write(n, lr & ~GICH_LR_ACTIVE);
            return;
        }
    }
    *vgic_soft_reg(GICH_HCR) += 1u << 27; // EOICount
}

// ---- The frame ----------------------------------------------------------------------------------

static uint32_t soft_read(uint64_t offset) {
    uint32_t vmcr = *vgic_soft_reg(GICH_VMCR), running = vgic_soft_running();
    switch (offset) {
        case V_CTLR:
            return vmcr & CTLR_BITS;
        case V_PMR:
            return FIELD(vmcr, 31, 27) << 3;
        case V_BPR:
            return FIELD(vmcr, 23, 21);
        case V_ABPR:
            return FIELD(vmcr, 20, 18);
        case V_IAR:
            return acknowledge(false);
        case V_AIAR:
            return acknowledge(true);
        case V_RPR:
            return running == VGIC_SOFT_IDLE ? 0xFF : running;
        case V_HPPIR:
            return pending_name(vgic_soft_highest(), false);
        case V_AHPPIR:
            return pending_name(vgic_soft_highest(), true);
        case V_APR:
            return *vgic_soft_reg(GICH_APR);
        case V_IIDR:
            return IIDR;
        default:
            return 0;
    }
}

static void set_vmcr(unsigned high, unsigned low, uint32_t value) {
    uint32_t mask = (uint32_t)((UINT64_C(2) << high) - (UINT64_C(1) << low));
    *vgic_soft_reg(GICH_VMCR) = (*vgic_soft_reg(GICH_VMCR) & ~mask) | ((value << low) & mask);
}

static uint32_t at_least(uint32_t value, uint32_t least) {
    return (value & 7) < least ? least : value & 7;
}

static void soft_write(uint64_t offset, uint32_t value) {
    switch (offset) {
        case V_CTLR:
            *vgic_soft_reg(GICH_VMCR) = (*vgic_soft_reg(GICH_VMCR) & ~CTLR_BITS) | (value & CTLR_BITS);
            break;
        case V_PMR:
            set_vmcr(31, 27, (value & 0xFF) >> 3);
            break;
        case V_BPR:
            set_vmcr(23, 21, at_least(value, BPR_MIN));
            break;
        case V_ABPR:
            set_vmcr(20, 18, at_least(value, BPR_MIN + 1));
            break;
        case V_EOIR:
        case V_AEOIR:
            end_priority(value);
            break;
        case V_APR:
            *vgic_soft_reg(GICH_APR) = value;
            break;
    }
}

bool vgic_soft_cpu_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    if (offset >= GICC_DIR) {
        return vgic_cpu_access(v, h, offset, size, write, value);
    }
    if (!write) {
        *value = size == 4 ? soft_read(offset) : 0;
    } else if (size == 4) {
        soft_write(offset, (uint32_t)*value);
    }
    cpu_interface_changed(v);
    return true;
}
