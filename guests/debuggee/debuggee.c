// SPDX-License-Identifier: MIT
// Something to look at with a debugger: CPUs that count, each in calls three deep. It goes on until somebody
// writes to `enough`, and says what it has come to.

#include "irq.h"
#include "smp.h"

typedef struct {
    unsigned cpu;
    uint64_t rounds, sum;
} worker_t;

worker_t workers[SMP_MAX];
volatile uint64_t enough;   // for the debugger to write
volatile uint64_t total;    // rounds of CPU 0 in tens
static volatile unsigned running;

__attribute__((noinline)) uint64_t mix(uint64_t sum, uint64_t n) {
    __asm__ volatile ("" : "+r" (sum));
    return sum * 3 + n;
}

__attribute__((noinline)) uint64_t work(worker_t *w) {
    uint64_t sum = mix(w->sum, w->rounds);
    w->sum = sum;
    w->rounds++;
    if (w->cpu == 0 && w->rounds % 10 == 0) {
        total = w->rounds / 10;
    }
    return w->rounds;
}

__attribute__((noinline)) uint64_t loop(worker_t *w) {
    uint64_t rounds = 0;
    while (enough == 0) {
        rounds = work(w);
    }
    return rounds;
}

void guest_secondary(void) {
    mmu_on();
    unsigned me = cpu_number();
    workers[me].cpu = me;
    running++;
    loop(&workers[me]);
    for (;;) {
        __asm__ volatile ("wfi");
    }
}

void guest_main(uint64_t x0) {
    (void)x0;
    mmu_on();
    unsigned cpus = cpus_start();
    while (running + 1 < cpus) {
    }
    uint64_t rounds = loop(&workers[0]);
    print("debuggee: ");
    print_dec(cpus);
    print(" cpus, enough is ");
    print_dec(enough);
    print(rounds == workers[0].rounds ? ", rounds right\n" : ", rounds wrong\n");
    power_off();
}
