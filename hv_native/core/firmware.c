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

void firmware_system_off(void) {
    firmware_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void firmware_system_reset(void) {
    firmware_call(PSCI_SYSTEM_RESET, 0, 0, 0);
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
