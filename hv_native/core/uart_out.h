// SPDX-License-Identifier: MIT
// Polled output to any UART that is known of, without memory, interrupts or Python: for what is said before there is
// a driver, and in a report on a fault.
#ifndef HV_UART_OUT_H
#define HV_UART_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include "core/arch.h"
#include "core/platform.h"

// Register n of a UART whose registers are spaced as the tree says.
static inline uint32_t uart_reg_read(const platform_uart_t *u, unsigned n) {
    uint64_t at = u->base + ((uint64_t)n << u->shift);
    return u->width == 1 ? read8(at) : read32(at);
}

static inline void uart_reg_write(const platform_uart_t *u, unsigned n, uint32_t value) {
    uint64_t at = u->base + ((uint64_t)n << u->shift);
    if (u->width == 1) {
        write8(at, (uint8_t)value);
    } else {
        write32(at, value);
    }
}

bool uart_out_room(const platform_uart_t *u);              // there is room for a byte
bool uart_out(const platform_uart_t *u, uint8_t c);     // false: no room now

#endif
