// SPDX-License-Identifier: MIT
// GICv2 (IHI 0048B) as the machine's interrupt controller: see intc.h. A core's own interrupts are in registers
// of the distributor that each core has for itself.

#include "core/arch.h"
#include "core/platform.h"
#include "irq/gic.h"
#include "irq/intc.h"

static void gicv2_set_bit(unsigned intid, unsigned reg) {
    write32(platform.gicd.base + reg + intid / 32 * 4, 1u << (intid % 32));
}

static void gicv2_enable(unsigned intid) {
    uint64_t d = platform.gicd.base;
    write8(d + GICD_IPRIORITYR + intid, GIC_PRIORITY);
    if (intid >= 32) {
        // ITARGETSR0 reads as this core's own bit (IHI 0048B 4.3.12).
        write8(d + GICD_ITARGETSR + intid, read32(d + GICD_ITARGETSR) & 0xFF);
    }
    gicv2_set_bit(intid, GICD_ISENABLER);
}

static void gicv2_disable(unsigned intid) {
    gicv2_set_bit(intid, GICD_ICENABLER);
}

static void gicv2_set_active(unsigned intid, bool active) {
    gicv2_set_bit(intid, active ? GICD_ISACTIVER : GICD_ICACTIVER);
}

static void gicv2_send(unsigned sgi, uint64_t mpidr) {
    dsb_ish();
    gicv2_call(gicv2_sgi(sgi, mpidr));
}

static void gicv2_init(void) {
    write32(platform.gicd.base + GICD_CTLR, 1);
}

static void gicv2_init_core(void) {
    write32(platform.gicc.base + GICC_PMR, 0xFF);
    // Bit 9 is EOImode for the view we have: non-secure, or the only one.
    write32(platform.gicc.base + GICC_CTLR, 1u << 9 | 1);
}

const intc_t gicv2 = {
    .init = gicv2_init, .init_core = gicv2_init_core, .ack = gicv2_ack, .end = gicv2_end, .deactivate = gicv2_deactivate,
    .enable = gicv2_enable, .disable = gicv2_disable, .set_active = gicv2_set_active, .send = gicv2_send,
};
