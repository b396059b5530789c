// SPDX-License-Identifier: MIT
// Entry at EL3: the interrupt controller given to the non-secure side.
// Entered at EL3 there is no firmware below us: before boot/start.S leaves for EL2, give the
// non-secure side what only the secure side can give, which is the interrupt controller.

#include "core/arch.h"
#include "core/platform.h"
#include "irq/gic.h"

void el3_init(const void *fdt);

static void gicv2_to_group1(void) {
    uint64_t d = platform.gicd.base;
    unsigned lines = 32 * ((read32(d + GICD_TYPER) & 0x1F) + 1);
    for (unsigned i = 0; i < lines; i += 32) {
        write32(d + GICD_IGROUPR + i / 8, ~0u);
    }
    write32(d + GICD_CTLR, 3);
    write32(platform.gicc.base + GICC_PMR, 0xFF); // else non-secure writes only reach the lower half
    write32(platform.gicc.base + GICC_CTLR, 3);
}

static void gicv3_to_group1(void) {
    uint64_t d = platform.gicd.base;
    unsigned lines = 32 * ((read32(d + GICD_TYPER) & 0x1F) + 1);
    write32(d + GICD_CTLR, 1u << 5 | 1u << 4 | 7); // ARE_NS, ARE_S, and the three groups
    for (unsigned i = 32; i < lines; i += 32) {
        write32(d + GICD_IGROUPR + i / 8, ~0u);
    }
    for (uint64_t rd = platform.gicr.base; rd < platform.gicr.base + platform.gicr.size; rd += 0x20000) {
        write32(rd + 0x10000 + GICD_IGROUPR, ~0u);
        if (read64(rd + 8) & BIT(4)) { // GICR_TYPER.Last
            break;
        }
    }
    __asm__ volatile ("msr S3_6_C12_C12_5, %0\n isb" : : "r" (UINT64_C(0xF))); // ICC_SRE_EL3
    __asm__ volatile ("msr S3_4_C12_C9_5, %0\n isb" : : "r" (UINT64_C(0xF)));  // ICC_SRE_EL2
}

// What firmware does before it switches on any cache: with SMPEN clear a core takes no part in coherency (Cortex-A53 TRM
// 4.3.76, CPUECTLR_EL1; the same bit of the A35, A57 and A72).
static void join_coherency(void) {
    switch (FIELD(READ_SYSREG(midr_el1), 15, 4)) {
        case 0xD03:
        case 0xD04:
        case 0xD07:
        case 0xD08:
            WRITE_SYSREG(S3_1_C15_C2_1, READ_SYSREG(S3_1_C15_C2_1) | BIT(6));
            isb();
            break;
        default:
            break;
    }
}

// CNTFRQ_EL0 is for the highest level to write; QEMU and every loader we know have done so.
void el3_init(const void *fdt) {
    join_coherency();
    platform_init(fdt, 3);
    if (platform.gic_version == 3) {
        gicv3_to_group1();
    } else if (platform.gic_version == 2) {
        gicv2_to_group1();
    }
}
