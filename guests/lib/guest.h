// SPDX-License-Identifier: MIT
// What the guests here share: a console, calls to the hypervisor, and the exception hook.
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define READ_SYSREG(name) ({ uint64_t v_; __asm__ volatile ("mrs %0, " STRING(name) : "=r" (v_)); v_; })
#define WRITE_SYSREG(name, value) __asm__ volatile ("msr " STRING(name) ", %x0\n isb" : : "rZ" ((uint64_t)(value)) : "memory")

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

static inline uint64_t read64(uint64_t address) {
    uint64_t v;
    __asm__ volatile ("ldr %x0, [%1]" : "=r" (v) : "r" (address) : "memory");
    return v;
}

static inline void write64(uint64_t address, uint64_t value) {
    __asm__ volatile ("str %x0, [%1]" : : "rZ" (value), "r" (address) : "memory");
}

static inline uint16_t read16(uint64_t address) {
    uint32_t v;
    __asm__ volatile ("ldrh %w0, [%1]" : "=r" (v) : "r" (address) : "memory");
    return (uint16_t)v;
}

static inline uint8_t read8(uint64_t address) {
    uint32_t v;
    __asm__ volatile ("ldrb %w0, [%1]" : "=r" (v) : "r" (address) : "memory");
    return (uint8_t)v;
}

static inline void write8(uint64_t address, uint8_t value) {
    __asm__ volatile ("strb %w0, [%1]" : : "rZ" (value), "r" (address) : "memory");
}

#endif
