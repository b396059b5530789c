// SPDX-License-Identifier: MIT
// See smp.h.

#include "smp.h"

#define PSCI_CPU_ON 0xC4000003
#define STACK 0x2000

extern char secondary_start[];

static uint8_t stacks[SMP_MAX][STACK] __attribute__((aligned(16)));

// Level 1 of a 39-bit space: blocks of 1 GB. AF, inner shareable; AttrIndx 0 is device (never
// executed), 1 write-back.
static const uint64_t table[512] __attribute__((aligned(4096))) = {
    [0] = UINT64_C(0x0060000000000401), [1] = UINT64_C(0x40000000) | 0x705, [2] = UINT64_C(0x80000000) | 0x705,
};

void mmu_on(void) {
    WRITE_SYSREG(mair_el1, 0xFF00);
    WRITE_SYSREG(tcr_el1, UINT64_C(0x200803519)); // T0SZ 25, WBWA, inner shareable, EPD1, IPS 40 bits
    WRITE_SYSREG(ttbr0_el1, (uint64_t)table);
    __asm__ volatile ("tlbi vmalle1\n dsb nsh\n isb" : : : "memory");
    WRITE_SYSREG(sctlr_el1, 0x30D01805);  // M, C, I
}

int64_t cpu_start(unsigned cpu) {
    return (int64_t)hvc(PSCI_CPU_ON, cpu, (uint64_t)secondary_start, (uint64_t)stacks[cpu] + STACK);
}

unsigned cpus_start(void) {
    unsigned n = 1;
    while (n < SMP_MAX && cpu_start(n) == 0) {
        n++;
    }
    return n;
}
