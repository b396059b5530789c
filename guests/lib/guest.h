// SPDX-License-Identifier: MIT
// What the guests here share: a console, calls to the hypervisor, and the exception hook.
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_SYSREG(name) ({ uint64_t v_; __asm__ volatile ("mrs %0, " #name : "=r" (v_)); v_; })
#define WRITE_SYSREG(name, value) __asm__ volatile ("msr " #name ", %x0\n isb" : : "rZ" ((uint64_t)(value)))

typedef struct {
    uint64_t x[31], elr, spsr;
} frame_t;

void guest_main(uint64_t x0);
// Weak: prints the exception and powers off.
void guest_exception(uint64_t kind, frame_t *frame);

uint64_t hvc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);
uint64_t smc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);
void power_off(void) __attribute__((noreturn));

void print(const char *text);
void print_hex(uint64_t value);
void print_dec(uint64_t value);

static inline uint32_t read32(uint64_t address) {
    uint32_t v;
    __asm__ volatile ("ldr %w0, [%1]" : "=r" (v) : "r" (address) : "memory");
    return v;
}

static inline void write32(uint64_t address, uint32_t value) {
    __asm__ volatile ("str %w0, [%1]" : : "rZ" (value), "r" (address) : "memory");
}

#endif
