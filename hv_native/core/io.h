// SPDX-License-Identifier: MIT
// Accesses to device registers. The checked image has its own of them (ports/aarch64/checked/core/io.h).
#ifndef HV_IO_H
#define HV_IO_H

#include <stdint.h>

// The compiler must neither split, merge nor reorder these, and must not use a form that leaves a guest access without
// a syndrome when we are ourselves virtualised.
static inline uint32_t read32(uint64_t addr) {
    uint32_t v;
    __asm__ volatile ("ldr %w0, [%1]" : "=r" (v) : "r" (addr) : "memory");
    return v;
}

static inline void write32(uint64_t addr, uint32_t v) {
    __asm__ volatile ("str %w0, [%1]" : : "rZ" (v), "r" (addr) : "memory");
}

static inline uint64_t read64(uint64_t addr) {
    uint64_t v;
    __asm__ volatile ("ldr %0, [%1]" : "=r" (v) : "r" (addr) : "memory");
    return v;
}

static inline void write64(uint64_t addr, uint64_t v) {
    __asm__ volatile ("str %x0, [%1]" : : "rZ" (v), "r" (addr) : "memory");
}

static inline uint32_t read8(uint64_t addr) {
    uint32_t v;
    __asm__ volatile ("ldrb %w0, [%1]" : "=r" (v) : "r" (addr) : "memory");
    return v;
}

static inline void write8(uint64_t addr, uint8_t v) {
    __asm__ volatile ("strb %w0, [%1]" : : "rZ" (v), "r" (addr) : "memory");
}

#endif
