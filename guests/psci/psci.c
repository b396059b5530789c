// SPDX-License-Identifier: MIT
// Starts and stops CPUs by PSCI, one at a time and many at once. The last line is the verdict:
// "psci: 5 cpus, 40 rounds, 0 wrong".

#include "irq.h"
#include "smp.h"

enum { CPU_OFF = 0x84000002, CPU_ON = 0xC4000003, AFFINITY_INFO = 0xC4000004 };
enum { ALREADY_ON = -4 };

extern char secondary_start[];

static uint8_t stack[0x1000] __attribute__((aligned(16)));  // the victim's
static volatile unsigned cpus = SMP_MAX, victim = SMP_MAX;
static volatile uint64_t started, wrong, arrived, round_now;
static volatile int64_t said[SMP_MAX];
static lock_t mutex;

static void check(bool ok, const char *what, uint64_t value) {
    if (!ok) {
        lock(&mutex);
        wrong++;
        print("psci: cpu ");
        print_dec(cpu_number());
        print(what);
        print_hex(value);
        print("\n");
        unlock(&mutex);
    }
}

static void wait_off(unsigned cpu) {
    while (hvc(AFFINITY_INFO, cpu, 0, 0) != 1) {
    }
}

// All but the victim wait for each other.
static void barrier(void) {
    lock(&mutex);
    uint64_t turn = round_now;
    if (++arrived == cpus - 1) {
        arrived = 0;
        round_now = turn + 1;
    }
    unlock(&mutex);
    while (round_now == turn) {
    }
}

// Everybody starts the victim: one does, the others hear that it is on, or about to be. It switches
// itself off at once, so it may even be started twice.
static void race(uint64_t rounds) {
    unsigned me = cpu_number();
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t before = started;
        barrier();
        said[me] = (int64_t)hvc(CPU_ON, victim, (uint64_t)secondary_start, (uint64_t)stack + sizeof(stack));
        barrier();
        if (me == 0) {
            unsigned won = 0;
            for (unsigned i = 0; i < cpus - 1; i++) {
                won += said[i] == 0;
                check(said[i] == 0 || said[i] == ALREADY_ON, " was told ", (uint64_t)said[i]);
            }
            wait_off(victim);
            check(won >= 1, ": how many started it: ", won);
            check(started - before == won, ": how often it began: ", started - before);
        }
        barrier();
    }
}

static uint64_t race_rounds;

// First with the context given, then in the race.
void guest_secondary(void) {
    mmu_on();
    if (cpu_number() == victim) {
        started++;
    } else if (race_rounds != 0) {
        race(race_rounds);
    }
    hvc(CPU_OFF, 0, 0, 0);
    check(false, ": CPU_OFF came back", 0);
}

// x0: rounds.
void guest_main(uint64_t x0) {
    mmu_on();
    gic_init();
    cpus = cpus_start(); // each ends at once
    for (uint64_t round = 0; round < x0; round++) {
        for (unsigned i = 1; i < cpus; i++) {
            wait_off(i);
            check(cpu_start(i) == 0, " cannot start cpu ", i);
        }
    }
    for (unsigned i = 1; i < cpus; i++) {
        wait_off(i);
    }
    race_rounds = x0;
    victim = cpus - 1;
    for (unsigned i = 1; i < victim; i++) {
        cpu_start(i);
    }
    race(x0);
    for (unsigned i = 1; i < cpus; i++) {
        wait_off(i);
    }
    print("psci: ");
    print_dec(cpus);
    print(" cpus, ");
    print_dec(x0);
    print(" rounds, ");
    print_dec(wrong);
    print(" wrong\n");
    power_off();
}
