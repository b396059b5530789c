// SPDX-License-Identifier: MIT
// Virtual CPU interface in software: see vgic_soft.h. Registers as the guest sees them are GICC's (IHI 0048B 4.4) with
// 32 priorities, 8 apart; a preemption level is a bit of APR.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "irq/gic.h"
#include "vgic/vgic.h"
#include "vgic/vgic_dist.h"
#include "vgic/vgic_lr.h"
#include "vgic/vgic_soft.h"

#define LRS 4u
#define NONE LRS
#define SPURIOUS 1023u
#define SPURIOUS_GROUP1 1022u
#define IDLE 0x100u             // the running priority of who handles nothing

// A core's GICH: what vgic_lr.h reads and writes, and nothing else of the frame.
typedef struct {
    uint32_t word[(GICH_LR + 4 * LRS) / 4];
} soft_gich_t;

static soft_gich_t gich[PLATFORM_MAX_CPUS];

enum {
    V_CTLR = 0x00, V_PMR = 0x04, V_BPR = 0x08, V_IAR = 0x0C, V_EOIR = 0x10, V_RPR = 0x14, V_HPPIR = 0x18, V_ABPR = 0x1C, V_AIAR = 0x20,
    V_AEOIR = 0x24, V_AHPPIR = 0x28, V_APR = 0xD0, V_IIDR = 0xFC,
};
#define IIDR 0x0202143Bu        // GIC-400's, of GICV
// GICH_VMCR: enables and modes lie as in GICC_CTLR; ABPR 20:18, BPR 23:21, PMR 31:27.
#define CTLR_BITS 0x21Fu
#define CTLR_ACKCTL BIT(2)
#define CTLR_CBPR BIT(4)
#define BPR_MIN 2u

bool vgic_is_soft(void) {
    return platform_has_intc() && platform.gic_version != 3 && platform.gich.size == 0;
}

void vgic_soft_init_core(void) {
    pcpu_t *p = this_pcpu();
    gich[p->id].word[GICH_VTR / 4] = 4u << 29 | 4u << 26 | (LRS - 1); // 5 bits of priority and of preemption
    p->gich = (uint64_t)&gich[p->id];
}

static uint32_t *soft_reg(unsigned offset) {
    return &gich[this_pcpu()->id].word[offset / 4];
}

static uint32_t lr_state(uint32_t lr) {
    return lr & GICH_LR_STATE;
}

uint32_t vgic_soft_elrsr(void) {
    uint32_t empty = 0;
    for (unsigned n = 0; n < LRS; n++) {
        empty |= lr_state(gich_lr_read(n)) == 0 ? 1u << n : 0;
    }
    return empty;
}

// ---- Priorities ---------------------------------------------------------------------------------

static uint32_t lr_priority(uint32_t lr) {
    return FIELD(lr, 27, 23) << 3;
}

static bool lr_group1(uint32_t lr) {
    return lr & BIT(30);
}

static uint32_t running_priority(void) {
    uint32_t levels = *soft_reg(GICH_APR);
    return levels == 0 ? IDLE : (uint32_t)__builtin_ctz(levels) << 3;
}

// The pending one of highest priority whose group is enabled, or NONE.
static unsigned highest_pending(void) {
    uint32_t vmcr = *soft_reg(GICH_VMCR), best = ~0u;
    unsigned found = NONE;
    for (unsigned n = 0; n < LRS; n++) {
        uint32_t lr = gich_lr_read(n), key = lr_priority(lr) << 10 | (lr & 0x3FF);
        if (lr_state(lr) == GICH_LR_PENDING && (vmcr & (lr_group1(lr) ? VMCR_GROUP1 : VMCR_GROUP0)) && key < best) {
            best = key;
            found = n;
        }
    }
    return found;
}

// The part of a priority that counts for preemption (4.4.3, table 3-2).
static uint32_t preemption_level(uint32_t lr) {
    uint32_t vmcr = *soft_reg(GICH_VMCR);
    bool own = lr_group1(lr) && !(vmcr & CTLR_CBPR);
    unsigned bits = own ? FIELD(vmcr, 20, 18) : FIELD(vmcr, 23, 21) + 1;
    return lr_priority(lr) & ~((1u << bits) - 1);
}

static bool signals(unsigned n) {
    if (n == NONE || !(*soft_reg(GICH_HCR) & HCR_EN)) {
        return false;
    }
    uint32_t lr = gich_lr_read(n), mask = FIELD(*soft_reg(GICH_VMCR), 31, 27) << 3;
    return lr_priority(lr) < mask && preemption_level(lr) < running_priority();
}

void vgic_soft_update(vcpu_t *v) {
    unsigned n = highest_pending();
    uint64_t lines = 0;
    if (signals(n)) {
        bool fiq = !lr_group1(gich_lr_read(n)) && (*soft_reg(GICH_VMCR) & VMCR_FIQEN);
        lines = fiq ? HCR_VF : HCR_VI;
    }
    v->vgic.lines = lines;
    uint64_t hcr = READ_SYSREG(hcr_el2);
    if (this_pcpu()->loaded == v && (hcr & HCR_TSC)) { // a guest's, and not EL2's own
        WRITE_SYSREG(hcr_el2, (hcr & ~(HCR_VI | HCR_VF)) | lines);
    }
}

// ---- Maintenance --------------------------------------------------------------------------------

// GICH_MISR (5.3.3), as far as vgic.c asks for it.
static bool wants_attention(void) {
    uint32_t hcr = *soft_reg(GICH_HCR), vmcr = *soft_reg(GICH_VMCR);
    unsigned valid = 0, pending = 0;
    bool ended = false;
    for (unsigned n = 0; n < LRS; n++) {
        uint32_t lr = gich_lr_read(n);
        valid += lr_state(lr) != 0;
        pending += lr_state(lr) == GICH_LR_PENDING;
        ended |= lr_state(lr) == 0 && (lr & GICH_LR_EOI);
    }
    bool group0 = vmcr & VMCR_GROUP0, group1 = vmcr & VMCR_GROUP1;
    return ended || ((hcr & HCR_UIE) && valid <= 1) || ((hcr & HCR_LRENPIE) && HCR_EOI_COUNT(hcr) != 0) || ((hcr & HCR_NPIE) && pending == 0)
           || ((hcr & HCR_GROUP0_ON) && group0) || ((hcr & HCR_GROUP0_OFF) && !group0) || ((hcr & HCR_GROUP1_ON) && group1)
           || ((hcr & HCR_GROUP1_OFF) && !group1);
}

static void cpu_interface_changed(vcpu_t *v) {
    if ((*soft_reg(GICH_HCR) & HCR_EN) && wants_attention()) {
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
    if (n == NONE) {
        return SPURIOUS;
    }
    uint32_t lr = gich_lr_read(n);
    if (group1) {
        return lr_group1(lr) ? lr_name(lr) : SPURIOUS;
    }
    return lr_group1(lr) && !(*soft_reg(GICH_VMCR) & CTLR_ACKCTL) ? SPURIOUS_GROUP1 : lr_name(lr);
}

static uint32_t acknowledge(bool group1) {
    unsigned n = highest_pending();
    if (!signals(n)) {
        return SPURIOUS;
    }
    uint32_t name = pending_name(n, group1), lr = gich_lr_read(n);
    if ((name & 0x3FF) < SPURIOUS_GROUP1) { // above these, an SGI has its source
        gich_lr_write(n, (lr & ~GICH_LR_STATE) | GICH_LR_ACTIVE);
        *soft_reg(GICH_APR) |= 1u << preemption_level(lr) / 8;
    }
    return name;
}

static void end_priority(uint32_t name) {
    uint32_t *levels = soft_reg(GICH_APR);
    if (*levels == 0) {
        return;
    }
    *levels &= *levels - 1;
    if (*soft_reg(GICH_VMCR) & VMCR_EOIMODE) {
        return; // GICC_DIR deactivates
    }
    for (unsigned n = 0; n < LRS; n++) {
        uint32_t lr = gich_lr_read(n);
        if ((lr & GICH_LR_ACTIVE) && lr_name(lr) == (name & 0x1FFF)) {
            gich_lr_write(n, lr & ~GICH_LR_ACTIVE);
            return;
        }
    }
    *soft_reg(GICH_HCR) += 1u << 27; // EOICount
}

// ---- The frame ----------------------------------------------------------------------------------

static uint32_t soft_read(uint64_t offset) {
    uint32_t vmcr = *soft_reg(GICH_VMCR), running = running_priority();
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
            return running == IDLE ? 0xFF : running;
        case V_HPPIR:
            return pending_name(highest_pending(), false);
        case V_AHPPIR:
            return pending_name(highest_pending(), true);
        case V_APR:
            return *soft_reg(GICH_APR);
        case V_IIDR:
            return IIDR;
        default:
            return 0;
    }
}

static void set_vmcr(unsigned high, unsigned low, uint32_t value) {
    uint32_t mask = (uint32_t)((UINT64_C(2) << high) - (UINT64_C(1) << low));
    *soft_reg(GICH_VMCR) = (*soft_reg(GICH_VMCR) & ~mask) | ((value << low) & mask);
}

static uint32_t at_least(uint32_t value, uint32_t least) {
    return (value & 7) < least ? least : value & 7;
}

static void soft_write(uint64_t offset, uint32_t value) {
    switch (offset) {
        case V_CTLR:
            *soft_reg(GICH_VMCR) = (*soft_reg(GICH_VMCR) & ~CTLR_BITS) | (value & CTLR_BITS);
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
            *soft_reg(GICH_APR) = value;
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
