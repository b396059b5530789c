// SPDX-License-Identifier: MIT
// The interrupt controller of a virt-compatible machine, GICv2 or GICv3, and the EL1 timers.
#ifndef IRQ_H
#define IRQ_H

#include "guest.h"

#define GICD UINT64_C(0x08000000)
#define GICC UINT64_C(0x08010000)
#define GICR(cpu) (UINT64_C(0x080A0000) + (cpu) * 0x20000)
#define GICR_SGI(cpu) (GICR(cpu) + 0x10000)

enum {
    GICD_CTLR = 0x0, GICD_TYPER = 0x4, GICD_IIDR = 0x8, GICD_IGROUPR = 0x80, GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180, GICD_ISPENDR = 0x200, GICD_ICPENDR = 0x280, GICD_ISACTIVER = 0x300,
    GICD_ICACTIVER = 0x380, GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800, GICD_ICFGR = 0xC00,
    GICD_SGIR = 0xF00, GICD_CPENDSGIR = 0xF10, GICD_SPENDSGIR = 0xF20, GICD_IROUTER = 0x6000,
};
enum {
    GICC_CTLR = 0x0, GICC_PMR = 0x4, GICC_BPR = 0x8, GICC_IAR = 0xC, GICC_EOIR = 0x10, GICC_RPR = 0x14,
    GICC_HPPIR = 0x18, GICC_DIR = 0x1000,
};

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR0_EL1 S3_0_C12_C8_0
#define ICC_EOIR0_EL1 S3_0_C12_C8_1
#define ICC_DIR_EL1 S3_0_C12_C11_1
#define ICC_RPR_EL1 S3_0_C12_C11_3
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
#define ICC_ASGI1R_EL1 S3_0_C12_C11_6
#define ICC_SGI0R_EL1 S3_0_C12_C11_7
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_HPPIR1_EL1 S3_0_C12_C12_2
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN0_EL1 S3_0_C12_C12_6
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7

#define SPURIOUS 1023u
#define PPI_VIRTUAL_TIMER 27u
#define PPI_PHYSICAL_TIMER 30u
#define SPI_UART 33u

extern unsigned gic_version;    // 2 or 3
unsigned cpu_number(void);      // of MPIDR_EL1, for up to 16 CPUs

void gic_init(void);            // once: version, distributor on, all SPIs to this CPU
void gic_init_cpu(void);        // each CPU: its interface on, nothing masked
uint32_t gic_ack(void);         // GICC_IAR or ICC_IAR1_EL1
void gic_eoi(uint32_t iar);
void gic_dir(uint32_t iar);     // with EOImode set
void gic_eoimode(bool split);
uint32_t gic_hppir(void);
uint32_t gic_rpr(void);
void gic_pmr(uint32_t priority);
void gic_send_sgi(unsigned sgi, unsigned targets); // a bit a CPU
uint64_t gic_frame(unsigned intid); // where the bit registers of this INTID are

// One of the bit registers of an INTID.
bool gic_get(unsigned reg, unsigned intid);
void gic_set(unsigned reg, unsigned intid);
void gic_priority(unsigned intid, uint8_t priority);
void gic_edge(unsigned intid, bool edge);

static inline void irq_on(void) {
    __asm__ volatile ("msr daifclr, #3\n isb" : : : "memory");
}

static inline void irq_off(void) {
    __asm__ volatile ("msr daifset, #3\n isb" : : : "memory");
}

static inline void wfi(void) {
    __asm__ volatile ("dsb sy\n wfi" : : : "memory");
}

static inline uint64_t count(void) {
    uint64_t v;
    __asm__ volatile ("isb\n mrs %0, cntvct_el0" : "=r" (v) : : "memory");
    return v;
}

static inline uint64_t physical_count(void) {
    uint64_t v;
    __asm__ volatile ("isb\n mrs %0, cntpct_el0" : "=r" (v) : : "memory");
    return v;
}

#endif
