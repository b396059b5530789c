// SPDX-License-Identifier: MIT
// Accesses to device registers, for the checked image: those of hv_native/core/io.h, and a look at each first (checked.c).
#ifndef CHECKED_IO_H
#define CHECKED_IO_H

#define read8 plain_read8
#define read32 plain_read32
#define read64 plain_read64
#define write8 plain_write8
#define write32 plain_write32
#define write64 plain_write64
#include "hv_native/core/io.h"
#undef read8
#undef read32
#undef read64
#undef write8
#undef write32
#undef write64

void checked_access(uint64_t addr, unsigned size);
void checked_dma(uint64_t addr, uint64_t value);

static inline uint32_t read8(uint64_t addr) {
    checked_access(addr, 1);
    return plain_read8(addr);
}

static inline uint32_t read32(uint64_t addr) {
    checked_access(addr, 4);
    return plain_read32(addr);
}

static inline uint64_t read64(uint64_t addr) {
    checked_access(addr, 8);
    return plain_read64(addr);
}

static inline void write8(uint64_t addr, uint8_t v) {
    checked_access(addr, 1);
    plain_write8(addr, v);
}

static inline void write32(uint64_t addr, uint32_t v) {
    checked_access(addr, 4);
    plain_write32(addr, v);
}

static inline void write64(uint64_t addr, uint64_t v) {
    checked_access(addr, 8);
    checked_dma(addr, v);
    plain_write64(addr, v);
}

#endif
