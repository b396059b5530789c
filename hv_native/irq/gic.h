// SPDX-License-Identifier: MIT
// The host's interrupt controller, GICv2 (IHI 0048B) or GICv3 (IHI 0069), as this hypervisor uses
// it: one group, one priority, EOI split into priority drop and deactivation so that a guest can do
// the second half itself.
#ifndef HV_GIC_H
#define HV_GIC_H

#include <stdint.h>
#include "core/arch.h"
#include "core/platform.h"

#define GIC_SPURIOUS 1020u  // this INTID and above: nothing to do
#define GIC_SGI_KICK 1u     // "look again": leave the guest if you have been asked to
#define GIC_SGI_VGIC 2u     // vgic.c's own: bring the list registers up to date
#define GIC_PRIORITY 0xA0u

// Distributor registers, the same in both versions.
enum {
    GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IGROUPR = 0x080, GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180, GICD_ISPENDR = 0x200, GICD_ICPENDR = 0x280, GICD_ISACTIVER = 0x300,
    GICD_ICACTIVER = 0x380, GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xC00,
    GICD_SGIR = 0xF00, GICD_IROUTER = 0x6000,
};
enum {
    GICC_CTLR = 0x0, GICC_PMR = 0x4, GICC_IAR = 0xC, GICC_EOIR = 0x10, GICC_DIR = 0x1000,
};

void gic_init_distributor(void);
void gic_init_core(void);
void gic_enable(unsigned intid);    // at GIC_PRIORITY, SPIs to this core
void gic_disable(unsigned intid);
void gic_set_active(unsigned intid, bool active);
void gic_send_sgi(unsigned sgi, uint64_t mpidr);
uint64_t gic_redistributor(void);   // GICv3: this core's RD_base

// An acknowledged interrupt: the whole IAR (GICv2 has the source core of an SGI in it).
static inline uint32_t gic_ack(void) {
    if (platform.gic_version == 3) {
        uint64_t iar;
        __asm__ volatile ("mrs %0, S3_0_C12_C12_0" : "=r" (iar)); // ICC_IAR1_EL1
        dsb_sy(); // IHI 0069 12.2.14: until then the state change need not have happened
        return iar;
    }
    return read32(platform.gicc.base + GICC_IAR);
}

static inline uint32_t gic_intid(uint32_t iar) {
    return platform.gic_version == 3 ? iar : iar & 0x3FF;
}

// Lower the running priority; the interrupt stays active.
static inline void gic_drop(uint32_t iar) {
    if (platform.gic_version == 3) {
        __asm__ volatile ("msr S3_0_C12_C12_1, %0" : : "r" ((uint64_t)iar)); // ICC_EOIR1_EL1
    } else {
        write32(platform.gicc.base + GICC_EOIR, iar);
    }
}

static inline void gic_deactivate(uint32_t iar) {
    if (platform.gic_version == 3) {
        __asm__ volatile ("msr S3_0_C12_C11_1, %0" : : "r" ((uint64_t)iar)); // ICC_DIR_EL1
    } else {
        write32(platform.gicc.base + GICC_DIR, iar);
    }
}

#endif
