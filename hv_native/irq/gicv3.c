// SPDX-License-Identifier: MIT
// GICv3 (IHI 0069) as the machine's interrupt controller: see intc.h. A core's own interrupts are in its
// redistributor, and its CPU interface is system registers.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "irq/gic.h"
#include "irq/intc.h"

enum {
    GICR_TYPER = 0x008, GICR_WAKER = 0x014, GICR_SGI_BASE = 0x10000, GICR_SIZE = 0x20000,
};

static uint64_t redistributors[PLATFORM_MAX_CPUS]; // RD_base by pcpu id

static uint64_t redistributor(void) {
    return redistributors[this_pcpu()->id];
}

// The frame that holds an INTID's enable, pending, active and priority registers.
static uint64_t frame_of(unsigned intid) {
    return intid < 32 ? redistributor() + GICR_SGI_BASE : platform.gicd.base;
}

static void gicv3_set_bit(unsigned intid, unsigned reg) {
    write32(frame_of(intid) + reg + intid / 32 * 4, 1u << (intid % 32));
}

// GICD_CTLR.RWP / GICR_CTLR.RWP, bit 31 / 3: a disable has taken effect when it reads 0.
static void wait_for_writes(unsigned intid) {
    bool local = intid < 32;
    uint64_t ctlr = local ? redistributor() : platform.gicd.base + GICD_CTLR;
    while (read32(ctlr) & (local ? 1u << 3 : 1u << 31)) {
    }
}

static void gicv3_enable(unsigned intid) {
    write8(frame_of(intid) + GICD_IPRIORITYR + intid, GIC_PRIORITY);
    if (intid >= 32) {
        write64(platform.gicd.base + GICD_IROUTER + intid * 8, this_pcpu()->mpidr);
    }
    gicv3_set_bit(intid, GICD_ISENABLER);
}

static void gicv3_disable(unsigned intid) {
    gicv3_set_bit(intid, GICD_ICENABLER);
    wait_for_writes(intid);
}

static void gicv3_set_active(unsigned intid, bool active) {
    gicv3_set_bit(intid, active ? GICD_ISACTIVER : GICD_ICACTIVER);
}

static void gicv3_send(unsigned sgi, uint64_t mpidr) {
    dsb_ish();
    gicv3_call(gicv3_sgi(sgi, mpidr));
}

static void gicv3_init(void) {
    uint64_t d = platform.gicd.base;
    unsigned lines = 32 * ((read32(d + GICD_TYPER) & 0x1F) + 1);
    write32(d + GICD_CTLR, 0);
    wait_for_writes(32);
    for (unsigned i = 32; i < lines; i += 32) {
        write32(d + GICD_IGROUPR + i / 8, ~0u);
    }
    write32(d + GICD_CTLR, 1u << 4);        // ARE (ARE_NS as the non-secure side sees it)
    write32(d + GICD_CTLR, 1u << 4 | 3);    // group 1, under both names it has
}

// Redistributors lie in a row, each saying whose it is (GICR_TYPER bits 63:32) and whether it is
// the last (bit 4).
static void find_redistributor(void) {
    uint64_t mpidr = this_pcpu()->mpidr;
    uint64_t affinity = FIELD(mpidr, 39, 32) << 24 | FIELD(mpidr, 23, 0);
    uint64_t end = platform.gicr.base + platform.gicr.size;
    for (uint64_t rd = platform.gicr.base; rd < end; rd += GICR_SIZE) {
        uint64_t typer = read64(rd + GICR_TYPER);
        if (typer >> 32 == affinity) {
            redistributors[this_pcpu()->id] = rd;
            return;
        }
        if (typer & BIT(4)) {
            return;
        }
    }
}

static void gicv3_init_core(void) {
    find_redistributor();
    uint64_t rd = redistributor();
    write32(rd + GICR_WAKER, read32(rd + GICR_WAKER) & ~2u);    // ProcessorSleep
    while (read32(rd + GICR_WAKER) & 4) {                       // ChildrenAsleep
    }
    write32(rd + GICR_SGI_BASE + GICD_IGROUPR, ~0u);
    __asm__ volatile ("msr S3_4_C12_C9_5, %0\n isb" : : "r" (UINT64_C(0xF)));    // ICC_SRE_EL2
    __asm__ volatile ("msr S3_0_C4_C6_0, %0" : : "r" (UINT64_C(0xFF)));          // ICC_PMR_EL1
    __asm__ volatile ("msr S3_0_C12_C12_4, %0" : : "r" (UINT64_C(2)));           // ICC_CTLR_EL1.EOImode
    __asm__ volatile ("msr S3_0_C12_C12_7, %0\n isb" : : "r" (UINT64_C(1)));     // ICC_IGRPEN1_EL1
}

const intc_t gicv3 = {
    .init = gicv3_init, .init_core = gicv3_init_core, .ack = gicv3_ack, .end = gicv3_end, .deactivate = gicv3_deactivate,
    .enable = gicv3_enable, .disable = gicv3_disable, .set_active = gicv3_set_active, .send = gicv3_send,
};
