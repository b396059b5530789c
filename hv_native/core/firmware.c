// SPDX-License-Identifier: MIT
// Calls to the firmware below us: see firmware.h.

#include "core/arch.h"
#include "core/firmware.h"
#include "core/platform.h"
#include "core/psci_ids.h"

extern char secondary_core[], park[];
extern volatile uint64_t core_release;

int64_t firmware_call(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3) {
    register uint64_t x0 __asm__ ("x0") = function;
    register uint64_t x1 __asm__ ("x1") = a1;
    register uint64_t x2 __asm__ ("x2") = a2;
    register uint64_t x3 __asm__ ("x3") = a3;
    if (platform.conduit == CONDUIT_NONE) {
        return -1;
    }
    // SMCCC (DEN0028): x0-x17 may be changed.
    #define CLOBBERS "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory"
    if (platform.conduit == CONDUIT_SMC) {
        __asm__ volatile ("smc #0" : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3) : : CLOBBERS);
    } else {
        __asm__ volatile ("hvc #0" : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3) : : CLOBBERS);
    }
    return (int64_t)x0;
}

// The Raspberry Pi's watchdog ends in a reset, and a reset with this partition number in a halt: Linux' and the
// firmware's convention.
enum { PM_RSTC = 0x1C, PM_RSTS = 0x20, PM_WDOG = 0x24 };
#define PM_PASSWORD 0x5A000000u
#define PM_HALT 0x555u
#define PM_FULL_RESET 0x20u
#define PM_SOON 10u         // of some 16 us

static void watchdog(uint32_t status) {
    uint64_t pm = platform.pm_base;
    if (pm == 0) {
        return;
    }
    write32(pm + PM_RSTS, PM_PASSWORD | (read32(pm + PM_RSTS) & ~PM_HALT) | status);
    write32(pm + PM_WDOG, PM_PASSWORD | PM_SOON);
    write32(pm + PM_RSTC, PM_PASSWORD | (read32(pm + PM_RSTC) & ~0x30u) | PM_FULL_RESET);
    for (;;) {
        wfi();
    }
}

void firmware_system_off(void) {
    firmware_call(PSCI_SYSTEM_OFF, 0, 0, 0);
    watchdog(PM_HALT);
}

void firmware_system_reset(void) {
    firmware_call(PSCI_SYSTEM_RESET, 0, 0, 0);
    watchdog(0);
}

// DeviceTree Specification, 3.8.1: each looks at its own word, which may be in memory that is no one's.
void firmware_gather_cores(void) {
    for (unsigned id = 1; id < platform.ncpus; id++) {
        if (platform.release[id] != 0) {
            write64(platform.release[id], (uint64_t)park);
        }
    }
    dsb_sy();
    sev();
}

static bool spins(uint64_t mpidr) {
    unsigned id = 1;
    while (id < platform.ncpus && platform.mpidr[id] != mpidr) {
        id++;
    }
    return id < platform.ncpus && platform.release[id] != 0;
}

int64_t firmware_cpu_on(uint64_t mpidr, void *pcpu) {
    if (platform.conduit != CONDUIT_NONE && !spins(mpidr)) {
        return firmware_call(PSCI_CPU_ON_64, mpidr, (uint64_t)secondary_core, (uint64_t)pcpu);
    }
    // The core waits in boot/start.S with its caches off.
    core_release = (uint64_t)pcpu;
    cache_clean_poc((const void *)&core_release, sizeof(core_release));
    sev();
    return 0;
}
