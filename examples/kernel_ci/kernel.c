// SPDX-License-Identifier: MIT
// A kernel to be tested: it prints, does sums that are typed at it, and switches itself off.

#include <stdint.h>

#define UARTDR (*(volatile uint32_t *)0x09000000) // the PL011 of QEMU's virt
#define UARTFR (*(volatile uint32_t *)0x09000018)
#define UARTFR_RXFE (1 << 4)

static void put(const char *text) {
    while (*text) {
        UARTDR = *text++;
    }
}

static void put_number(unsigned long n) {
    char digits[24], *at = digits + sizeof digits;
    *--at = 0;
    do {
        *--at = '0' + n % 10;
    } while (n /= 10);
    put(at);
}

static char get(void) {
    while (UARTFR & UARTFR_RXFE) {
    }
    return UARTDR;
}

static void power_off(void) {
    register uint64_t x0 __asm__("x0") = 0x84000008; // PSCI SYSTEM_OFF
    __asm__ volatile ("hvc #0" : "+r" (x0) : : "memory");
}

unsigned long requests; // answered so far

__attribute__((noinline)) unsigned long answer(unsigned long a, unsigned long b) {
    requests++;
    return a + b;
}

void kernel_exception(void) {
    uint64_t esr, elr;
    __asm__ volatile ("mrs %0, esr_el1\n mrs %1, elr_el1" : "=r" (esr), "=r" (elr));
    put("kernel: exception of class ");
    put_number(esr >> 26);
    put(" at ");
    put_number(elr);
    put("\r\n");
    power_off();
}

void kernel_main(void) {
    unsigned long sum = 0, n = 0;
    put("kernel: up\r\n> ");
    for (;;) {
        char c = get();
        if (c >= '0' && c <= '9') {
            n = n * 10 + c - '0';
        } else if (c == '+') {
            sum = n;
            n = 0;
        } else if (c == '\r') {
            put_number(answer(sum, n));
            put("\r\n> ");
            sum = n = 0;
        } else if (c == 'q') {
            put("kernel: off\r\n");
            power_off();
        }
    }
}
