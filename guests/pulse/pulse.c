// SPDX-License-Identifier: MIT
// The guest that `elapid look` launches: some of each kind of exit, for ever, on all of its CPUs. CPU 0 prints a line,
// asks Python for a sum and a device that is a Python function for a reading; the others sleep by the timer and wake.

#include "irq.h"
#include "smp.h"

#define HVC_ADD 0xC6000001
#define SENSOR UINT64_C(0x0B000000)
#define PSCI_VERSION 0x84000000
#define PERIOD 4 // a quarter of a second

static volatile uint64_t sink;

__attribute__((noinline)) static void compute(unsigned rounds) {
    uint64_t x = 1;
    for (unsigned i = 0; i < rounds; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
    }
    sink = x;
}

// By WFI with interrupts masked: the timer's line wakes it, and nothing has to be taken.
__attribute__((noinline)) static void sleep_a_period(void) {
    WRITE_SYSREG(cntv_tval_el0, READ_SYSREG(cntfrq_el0) / PERIOD);
    WRITE_SYSREG(cntv_ctl_el0, (uint64_t)1);
    while (!(READ_SYSREG(cntv_ctl_el0) & 4)) {
        wfi();
    }
    WRITE_SYSREG(cntv_ctl_el0, (uint64_t)2);
    gic_eoi(gic_ack());
}

__attribute__((noinline)) static uint64_t ask_python(uint64_t n) {
    return hvc(HVC_ADD, n, 1, 0);
}

__attribute__((noinline)) static uint32_t read_sensor(void) {
    return read32(SENSOR);
}

__attribute__((noinline)) static void ask_firmware(void) {
    for (unsigned i = 0; i < 20; i++) {
        sink = hvc(PSCI_VERSION, 0, 0, 0);
    }
}

__attribute__((noinline)) static void report(uint64_t beat, uint32_t sensor) {
    print("beat ");
    print_dec(beat);
    print(", sensor says ");
    print_dec(sensor);
    print("\n");
}

static void wake_by_timer(void) {
    gic_init_cpu();
    gic_set(GICD_ISENABLER, PPI_VIRTUAL_TIMER);
}

void guest_secondary(void) {
    mmu_on();
    wake_by_timer();
    for (;;) {
        ask_firmware();
        compute(20000);
        sleep_a_period();
    }
}

void guest_main(uint64_t x0) {
    (void)x0;
    mmu_on();
    gic_init();
    wake_by_timer();
    cpus_start();
    print("pulse: a guest that goes on for ever\n");
    for (uint64_t beat = 0;;) {
        beat = ask_python(beat);
        report(beat, read_sensor());
        ask_firmware();
        compute(50000);
        sleep_a_period();
    }
}
