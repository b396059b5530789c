// SPDX-License-Identifier: MIT
// See guest.h.

#include "guest.h"

#define UART_DR UINT64_C(0x09000000)
#define PSCI_SYSTEM_OFF 0x84000008

// SMCCC: x0 to x17 may change.
#define CALL(instruction) \
    register uint64_t r0 __asm__ ("x0") = function; \
    register uint64_t r1 __asm__ ("x1") = x1; \
    register uint64_t r2 __asm__ ("x2") = x2; \
    register uint64_t r3 __asm__ ("x3") = x3; \
    __asm__ volatile (instruction " #0" : "+r" (r0), "+r" (r1), "+r" (r2), "+r" (r3) \
    : : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory"); \
    return r0

uint64_t hvc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3) {
    CALL("hvc");
}

uint64_t smc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3) {
    CALL("smc");
}

void power_off(void) {
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;) {
        __asm__ volatile ("wfi");
    }
}

static void put(char c) {
    if (c == '\n') {
        write32(UART_DR, '\r');
    }
    write32(UART_DR, (uint8_t)c);
}

void print(const char *text) {
    while (*text != 0) {
        put(*text++);
    }
}

void print_hex(uint64_t value) {
    print("0x");
    int shift = 60;
    while (shift > 0 && (value >> shift) == 0) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[(value >> shift) & 15]);
    }
}

void print_dec(uint64_t value) {
    if (value >= 10) {
        print_dec(value / 10);
    }
    put((char)('0' + value % 10));
}

__attribute__((weak)) void guest_exception(uint64_t kind, frame_t *frame) {
    print("guest: unexpected exception ");
    print_dec(kind);
    print(", ESR_EL1 ");
    print_hex(READ_SYSREG(esr_el1));
    print(" at ");
    print_hex(frame->elr);
    print("\n");
    power_off();
}
