// SPDX-License-Identifier: MIT
// Several CPUs: started by PSCI, with memory cached so that exclusive accesses work, and a lock.
#ifndef SMP_H
#define SMP_H

#include "guest.h"

#define SMP_MAX 8u

void guest_secondary(void);     // where the other CPUs go, their memory still uncached
void mmu_on(void);              // this CPU: 1:1, RAM cached, the first GB devices

// PSCI CPU_ON of this one at secondary_start, with a stack of its own. What PSCI says.
int64_t cpu_start(unsigned cpu);
unsigned cpus_start(void);      // all there are; how many CPUs that makes

typedef struct {
    uint32_t held;
} lock_t;

static inline void lock(lock_t *l) {
    uint32_t seen, failed;
    __asm__ volatile (
        "1: ldaxr %w0, [%2]\n"
        "   cbnz %w0, 1b\n"
        "   stxr %w1, %w3, [%2]\n"
        "   cbnz %w1, 1b\n"
        : "=&r" (seen), "=&r" (failed) : "r" (&l->held), "r" (1) : "memory");
}

static inline void unlock(lock_t *l) {
    __asm__ volatile ("stlr wzr, [%0]" : : "r" (&l->held) : "memory");
}

#endif
