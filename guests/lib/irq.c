// SPDX-License-Identifier: MIT
// See irq.h.

#include "irq.h"

unsigned gic_version;

unsigned cpu_number(void) {
    return READ_SYSREG(mpidr_el1) & 0xF;
}

uint64_t gic_frame(unsigned intid) {
    return gic_version == 3 && intid < 32 ? GICR_SGI(cpu_number()) : GICD;
}

bool gic_get(unsigned reg, unsigned intid) {
    return read32(gic_frame(intid) + reg + intid / 32 * 4) >> intid % 32 & 1;
}

void gic_set(unsigned reg, unsigned intid) {
    write32(gic_frame(intid) + reg + intid / 32 * 4, 1u << intid % 32);
}

void gic_priority(unsigned intid, uint8_t priority) {
    write8(gic_frame(intid) + GICD_IPRIORITYR + intid, priority);
}

void gic_edge(unsigned intid, bool edge) {
    uint64_t at = gic_frame(intid) + GICD_ICFGR + intid / 16 * 4;
    uint32_t bit = 2u << intid % 16 * 2;
    write32(at, edge ? read32(at) | bit : read32(at) & ~bit);
}

void gic_init(void) {
    gic_version = (READ_SYSREG(id_aa64pfr0_el1) >> 24 & 15) != 0 ? 3 : 2;
    unsigned lines = 32 * ((read32(GICD + GICD_TYPER) & 0x1F) + 1);
    write32(GICD + GICD_CTLR, 0);
    for (unsigned i = 32; i < lines; i++) {
        if (gic_version == 2) {
            write8(GICD + GICD_ITARGETSR + i, (uint8_t)(1u << cpu_number()));
        } else {
            write64(GICD + GICD_IROUTER + i * 8, cpu_number());
            if (i % 32 == 0) {
                write32(GICD + GICD_IGROUPR + i / 8, ~0u);
            }
        }
    }
    write32(GICD + GICD_CTLR, gic_version == 2 ? 1 : 0x12);
}

void gic_init_cpu(void) {
    if (gic_version == 2) {
        write32(GICC + GICC_PMR, 0xFF);
        write32(GICC + GICC_CTLR, 1);
        return;
    }
    write32(GICR(cpu_number()) + 0x14, 0); // GICR_WAKER: awake
    while (read32(GICR(cpu_number()) + 0x14) & 4) {
    }
    write32(GICR_SGI(cpu_number()) + GICD_IGROUPR, ~0u);
    write32(GICR_SGI(cpu_number()) + GICD_ISENABLER, 0xFFFF);
    WRITE_SYSREG(ICC_SRE_EL1, 7);
    WRITE_SYSREG(ICC_PMR_EL1, 0xFF);
    WRITE_SYSREG(ICC_CTLR_EL1, 0);
    WRITE_SYSREG(ICC_IGRPEN1_EL1, 1);
}

uint32_t gic_ack(void) {
    return gic_version == 2 ? read32(GICC + GICC_IAR) : (uint32_t)READ_SYSREG(ICC_IAR1_EL1);
}

void gic_eoi(uint32_t iar) {
    if (gic_version == 2) {
        write32(GICC + GICC_EOIR, iar);
    } else {
        WRITE_SYSREG(ICC_EOIR1_EL1, iar);
    }
}

void gic_dir(uint32_t iar) {
    if (gic_version == 2) {
        write32(GICC + GICC_DIR, iar);
    } else {
        WRITE_SYSREG(ICC_DIR_EL1, iar);
    }
}

void gic_eoimode(bool split) {
    if (gic_version == 2) {
        write32(GICC + GICC_CTLR, split ? 0x201 : 1);
    } else {
        WRITE_SYSREG(ICC_CTLR_EL1, split ? 2 : 0);
    }
}

uint32_t gic_hppir(void) {
    return gic_version == 2 ? read32(GICC + GICC_HPPIR) : (uint32_t)READ_SYSREG(ICC_HPPIR1_EL1);
}

uint32_t gic_rpr(void) {
    return gic_version == 2 ? read32(GICC + GICC_RPR) : (uint32_t)READ_SYSREG(ICC_RPR_EL1);
}

void gic_pmr(uint32_t priority) {
    if (gic_version == 2) {
        write32(GICC + GICC_PMR, priority);
    } else {
        WRITE_SYSREG(ICC_PMR_EL1, priority);
    }
}

void gic_send_sgi(unsigned sgi, unsigned targets) {
    __asm__ volatile ("dsb ishst" : : : "memory");
    if (gic_version == 2) {
        write32(GICD + GICD_SGIR, targets << 16 | sgi);
    } else {
        WRITE_SYSREG(ICC_SGI1R_EL1, (uint64_t)sgi << 24 | targets);
    }
}
