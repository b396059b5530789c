// SPDX-License-Identifier: MIT
// The GIC's registers, of version 2 (IHI 0048B) and 3 (IHI 0069), and the three accesses that every interrupt
// needs. The rest of what EL2 does with the machine's GIC is behind intc.h.
#ifndef HV_GIC_H
#define HV_GIC_H

#include <stdint.h>
#include "core/arch.h"
#include "core/platform.h"

#define GIC_PRIORITY 0xA0u  // of all that EL2 enables

// Distributor registers, the same in both versions.
enum {
    GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IGROUPR = 0x080, GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180, GICD_ISPENDR = 0x200, GICD_ICPENDR = 0x280, GICD_ISACTIVER = 0x300,
    GICD_ICACTIVER = 0x380, GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xC00,
    GICD_SGIR = 0xF00, GICD_IROUTER = 0x6000,
};
enum {
    GICC_CTLR = 0x0, GICC_PMR = 0x4, GICC_IAR = 0xC, GICC_EOIR = 0x10, GICC_HPPIR = 0x18, GICC_DIR = 0x1000,
};

static inline uint32_t gicv2_ack(void) {
    return read32(platform.gicc.base + GICC_IAR);
}

// What an acknowledge would say, which this is not.
static inline uint32_t gicv2_pending(void) {
    return read32(platform.gicc.base + GICC_HPPIR) & 0x3FF;
}

static inline void gicv2_end(uint32_t iar) {
    write32(platform.gicc.base + GICC_EOIR, iar);
}

static inline void gicv2_deactivate(uint32_t iar) {
    write32(platform.gicc.base + GICC_DIR, iar);
}

// An SGI to one core: what to write, and where. What that core is told to look at is visible first: a barrier before it
// is the caller's.
static inline uint64_t gicv2_sgi(unsigned sgi, uint64_t mpidr) {
    return 0x10000u << (mpidr & 7) | sgi;
}

static inline void gicv2_call(uint64_t value) {
    write32(platform.gicd.base + GICD_SGIR, (uint32_t)value);
}

// ICC_SGI1R_EL1: Aff3[55:48] Aff2[39:32] INTID[27:24] Aff1[23:16] TargetList[15:0].
static inline uint64_t gicv3_sgi(unsigned sgi, uint64_t mpidr) {
    return FIELD(mpidr, 39, 32) << 48 | FIELD(mpidr, 23, 16) << 32 | (uint64_t)sgi << 24 | FIELD(mpidr, 15, 8) << 16
           | BIT(mpidr & 0xF);
}

static inline void gicv3_call(uint64_t value) {
    __asm__ volatile ("msr S3_0_C12_C11_5, %0\n isb" : : "r" (value));
}

static inline uint32_t gicv3_ack(void) {
    uint64_t iar;
    __asm__ volatile ("mrs %0, S3_0_C12_C12_0" : "=r" (iar)); // ICC_IAR1_EL1
    dsb_sy(); // IHI 0069 12.2.14: until then the state change need not have happened
    return (uint32_t)iar;
}

static inline uint32_t gicv3_pending(void) {
    uint64_t intid;
    __asm__ volatile ("mrs %0, S3_0_C12_C12_2" : "=r" (intid)); // ICC_HPPIR1_EL1
    return (uint32_t)intid;
}

static inline void gicv3_end(uint32_t iar) {
    __asm__ volatile ("msr S3_0_C12_C12_1, %0" : : "r" ((uint64_t)iar)); // ICC_EOIR1_EL1
}

static inline void gicv3_deactivate(uint32_t iar) {
    __asm__ volatile ("msr S3_0_C12_C11_1, %0" : : "r" ((uint64_t)iar)); // ICC_DIR_EL1
}

#endif
