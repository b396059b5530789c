// SPDX-License-Identifier: MIT
// The guest of `make bench`: each ROW here, and each in irq.S, is a function that is picked by its
// address in x0. The instructions it took and for how many times are x1 and x2 of the SYSTEM_OFF that ends
// the guest. A row counts by CNTVCT: with QEMU's -icount shift=0, 16 to a tick.

#include "irq.h"

#define CPU_ON 0xC4000003
#define SYSTEM_OFF 0x84000008
#define TIMES 1000
#define TRIES 3 // the least of them: an interrupt that EL2 takes in between is not the row's

typedef struct {
    uint64_t instructions, times;
} result_t;

void guest_main(uint64_t row) {
    result_t result = ((result_t (*)(void))row)();
    hvc(SYSTEM_OFF, result.instructions, result.times, 0);
}

// What only comes once - memory touched for the first time - is over after the first of the tries.
// *FORMAT-OFF*
#define LOOP(text) ({ \
    uint64_t start_, end_; \
    __asm__ volatile ( \
    "   mov     x19, #1000\n" \
    "   isb\n" \
    "   mrs     %0, cntvct_el0\n" \
    "1: " text "\n" \
    "   subs    x19, x19, #1\n" \
    "   b.ne    1b\n" \
    "   isb\n" \
    "   mrs     %1, cntvct_el0\n" \
    : "=&r" (start_), "=r" (end_) \
    : : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", \
    "x17", "x19", "x20", "memory", "cc"); \
    (end_ - start_) * 16; \
})
// *FORMAT-ON*

static inline uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// `prepare` is done in the loop that is subtracted too.
#define ROW(name, prepare, trap) \
    result_t name(void) { \
        uint64_t full = UINT64_MAX, empty = UINT64_MAX; \
        for (int i = 0; i < TRIES; i++) { \
            full = least(full, LOOP(prepare "\n" trap)); \
            empty = least(empty, LOOP(prepare)); \
        } \
        return (result_t) { full - empty, TIMES }; \
    }

#define HVC_ADD "mov w0, #0xC6000000\n movk w0, #1\n mov x1, #40\n mov x2, #2\n mov x3, #-1"
#define DEVICE "mov x2, #0x0B000000"
#define DISTRIBUTOR "mov x2, #0x08000000"
#define UART "mov x2, #0x09000000\n mov w3, #'.'"

ROW(hvc_psci_version, "mov w0, #0x84000000", "hvc #0")
ROW(smc_psci_version, "mov w0, #0x84000000", "smc #0")
ROW(hvc_add, HVC_ADD, "hvc #0")
ROW(hvc_psci_features, "mov w0, #0x84000000\n movk w0, #10\n mov w1, #0x84000000", "hvc #0")
ROW(hvc_affinity_info, "mov w0, #0xC4000000\n movk w0, #4\n mov x1, #0\n mov x2, #0", "hvc #0")
ROW(hvc_imm, "mov x1, #1", "hvc #7")
ROW(mmio_load, DEVICE, "ldr w1, [x2, #8]")
ROW(mmio_load_late, DEVICE, "ldr w20, [x2, #8]")
ROW(mmio_load_by_turns, DEVICE "\n add x3, x2, #0x1000", "ldr w1, [x2, #8]\n ldr w1, [x3, #8]")
ROW(mmio_store, DEVICE "\n mov w1, #5", "str w1, [x2, #8]")
ROW(mmio_load_post, DEVICE, "ldr w1, [x2], #8")
ROW(sysreg_write, "mov x1, #5", "msr actlr_el1, x1")
ROW(sysreg_read, "nop", "mrs x1, actlr_el1")
ROW(gicd_typer_read, DISTRIBUTOR, "ldr w1, [x2, #4]")
ROW(gicd_isenabler_read, DISTRIBUTOR, "ldr w1, [x2, #0x104]")
ROW(gicd_isenabler_write, DISTRIBUTOR "\n mov w1, #2", "str w1, [x2, #0x104]")
ROW(pl011_out, UART, "str w3, [x2]")
ROW(pl011_flags, UART, "ldr w1, [x2, #0x18]")

// In RAM beside the guest: a script watches 0x40201008.
#define WATCHED "mov x2, #0x1000\n movk x2, #0x4020, lsl #16\n mov w1, #5"
ROW(watch_neighbour, WATCHED, "str w1, [x2, #64]")
ROW(watch_hit, WATCHED, "str w1, [x2, #8]")

// The first instruction behind the marker is where a script plants a breakpoint, or begins to step.
#define MARKED "mov x2, #0x1000\n movk x2, #0x4020, lsl #16\n mov x16, #0xBEEF"
ROW(break_nop, MARKED, "nop")
ROW(break_store, MARKED, "stp x3, x4, [x2]")
ROW(break_system, MARKED, "mrs x1, midr_el1")

// Nothing but instructions: what one costs tells whether the counter counts them.
ROW(hundred_nops, "nop", ".rept 100\n nop\n .endr")

// ---- Two CPUs -----------------------------------------------------------------------------------

static volatile uint32_t ready, taken; // a GICv3 forgets an SGI of group 1 as long as the receiver has it in group 0

// Interrupts stay masked: EL2's part, which is counted from outside, is the same.
static __attribute__((used)) void receive(void) {
    gic_init_cpu();
    ready = 1;
    for (;;) {
        uint32_t iar = gic_ack();
        if (iar % 1024 != SPURIOUS) {
            gic_eoi(iar);
            taken++;
        } else {
            __asm__ volatile ("yield"); // under -icount, the other core's turn
        }
    }
}

extern char second_cpu[];
__asm__ (
    "second_cpu:\n"
    "   adr x9, second_stack\n"
    "   add sp, x9, #4096\n"
    "   b receive\n"
    "   .bss\n"
    "   .balign 16\n"
    "second_stack:\n"
    "   .skip 4096\n"
    "   .text");

static result_t to_second_cpu(uint32_t times) {
    gic_init();
    gic_init_cpu();
    hvc(CPU_ON, 1, (uint64_t)second_cpu, 0);
    while (!ready) {
        __asm__ volatile ("yield");
    }
    for (uint32_t i = 0; i < times + 10; i++) {
        gic_send_sgi(1, 2);
        while (taken == i) {
            __asm__ volatile ("yield");
        }
    }
    return (result_t) { 0, times };
}

result_t sgi_to_second_cpu(void) {
    return to_second_cpu(TIMES);
}

result_t sgi_to_second_cpu_empty(void) {
    return to_second_cpu(0);
}
