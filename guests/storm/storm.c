// SPDX-License-Identifier: MIT
// All CPUs there are: each round, take a lock they share, interrupt the next CPU, and sleep until the
// one before has interrupted this one, a few rounds later; or sleep until a timer has. An interrupt
// that is lost is waited for in vain, one too many is counted. The last line is the verdict:
// "storm: 4 cpus, 65536 rounds, 0 wrong".

#include "irq.h"
#include "smp.h"

// Round after round, by turns. A CPU waits for what was sent SGIS / cpus rounds ago, so it is at most
// that many rounds ahead of the one before, and less than SGIS ahead of the next: what it sends
// again has been taken.
#define SGIS 16u

static volatile unsigned cpus = SMP_MAX;
static uint64_t rounds, timer_rounds;
static lock_t shared;
static volatile uint64_t total, ready, finished, wrong;
static volatile struct {
    uint64_t got[SGIS];
    uint64_t timers[2];
    uint64_t pad[6];
} per_cpu[SMP_MAX];

static void error(const char *what, uint64_t value) {
    lock(&shared);
    wrong++;
    print("storm: cpu ");
    print_dec(cpu_number());
    print(what);
    print_hex(value);
    print("\n");
    unlock(&shared);
}

static void timer_expired(unsigned which, unsigned me) {
    if (which == 0) {
        WRITE_SYSREG(cntv_ctl_el0, 0);
    } else {
        WRITE_SYSREG(cntp_ctl_el0, 0);
    }
    per_cpu[me].timers[which]++;
}

void guest_exception(uint64_t kind, frame_t *frame) {
    unsigned me = cpu_number();
    if (kind != 5) {
        error(" took an exception at ", frame->elr);
        power_off();
    }
    uint32_t iar = gic_ack(), intid = iar & 0x3FF;
    if (intid < SGIS) {
        per_cpu[me].got[intid]++;
        if (gic_version == 2 && iar >> 10 != (me + cpus - 1) % cpus) {
            error(" got an SGI from another cpu than the one before: ", iar);
        }
    } else if (intid == PPI_VIRTUAL_TIMER || intid == PPI_PHYSICAL_TIMER) {
        timer_expired(intid == PPI_PHYSICAL_TIMER, me);
    } else {
        if (intid < 1020) {
            error(" got an interrupt nobody sent: ", iar);
        }
        return;
    }
    gic_eoi(iar);
}

static void sleep_until(const volatile uint64_t *what, uint64_t value) {
    while (*what < value) { // interrupts are off: one that comes now ends the WFI
        wfi();
        irq_on();
        irq_off();
    }
}

static void sgi_wait(unsigned me, uint64_t round) {
    sleep_until(&per_cpu[me].got[round % SGIS], round / SGIS + 1);
}

static void one_round(unsigned me, uint64_t round) {
    lock(&shared);
    uint64_t before = total;
    total = before + 1;
    unlock(&shared);
    gic_send_sgi(round % SGIS, 1u << (me + 1) % cpus);
    if (round + 1 >= SGIS / cpus) {
        sgi_wait(me, round + 1 - SGIS / cpus);
    }
}

static void one_timer(unsigned me, uint64_t round, uint32_t *random) {
    *random = *random * 1103515245 + 12345;
    uint64_t ticks = (*random >> 8) % (READ_SYSREG(cntfrq_el0) / 1000); // up to 1 ms
    unsigned which = round & 1;
    if (which == 0) {
        WRITE_SYSREG(cntv_cval_el0, count() + ticks);
        WRITE_SYSREG(cntv_ctl_el0, 1);
    } else {
        WRITE_SYSREG(cntp_cval_el0, physical_count() + ticks);
        WRITE_SYSREG(cntp_ctl_el0, 1);
    }
    sleep_until(&per_cpu[me].timers[which], round / 2 + 1);
}

static void storm(unsigned me) {
    gic_init_cpu();
    gic_set(GICD_ISENABLER, PPI_VIRTUAL_TIMER);
    gic_set(GICD_ISENABLER, PPI_PHYSICAL_TIMER);
    irq_off();
    lock(&shared);
    ready++;
    unlock(&shared);
    while (ready < cpus) { // in GICv3, an SGI is not for a CPU that has it in another group
    }
    uint32_t random = me;
    uint64_t most = rounds > timer_rounds ? rounds : timer_rounds;
    for (uint64_t round = 0; round < most; round++) {
        if (round < rounds) {
            one_round(me, round);
        }
        if (round < timer_rounds) {
            one_timer(me, round, &random);
        }
    }
    for (uint64_t round = rounds < SGIS ? 0 : rounds - SGIS; round < rounds; round++) {
        sgi_wait(me, round);
    }
    lock(&shared);
    finished++;
    unlock(&shared);
}

void guest_secondary(void) {
    mmu_on();
    storm(cpu_number());
}

static void verdict(void) {
    for (unsigned i = 0; i < cpus; i++) {
        uint64_t n = 0;
        for (unsigned k = 0; k < SGIS; k++) {
            n += per_cpu[i].got[k];
        }
        wrong += n != rounds;
        wrong += per_cpu[i].timers[0] + per_cpu[i].timers[1] != timer_rounds;
    }
    wrong += total != rounds * cpus;
    print("storm: ");
    print_dec(cpus);
    print(" cpus, ");
    print_dec(rounds + timer_rounds);
    print(" rounds, ");
    print_dec(wrong);
    print(" wrong\n");
    power_off();
}

// x0: how many rounds with SGIs (31:0) and with timers (63:32).
void guest_main(uint64_t x0) {
    rounds = (uint32_t)x0;
    timer_rounds = x0 >> 32;
    mmu_on();
    gic_init();
    cpus = cpus_start();
    storm(0);
    while (finished < cpus) {
    }
    for (uint64_t until = count() + READ_SYSREG(cntfrq_el0) / 100; count() < until;) {
        irq_on(); // one too many would come now
    }
    verdict();
}
