// SPDX-License-Identifier: MIT
// The PL011's way out, inline for the console (uart.c).
#ifndef PORT_UART_PL011_H
#define PORT_UART_PL011_H

#include <stdbool.h>
#include "hv_native/core/arch.h"

#define UART_DR 0x00
#define UART_FR 0x18
#define FR_TXFF (1u << 5)

static inline bool pl011_put(uint64_t base, uint8_t c) {
    if (read32(base + UART_FR) & FR_TXFF) {
        return false;
    }
    write32(base + UART_DR, c);
    return true;
}

#endif
