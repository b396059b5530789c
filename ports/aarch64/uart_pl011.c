// SPDX-License-Identifier: MIT
// PL011 driver (ARM DDI 0183): a row of uart.h.

#include "hv_native/core/arch.h"
#include "mpconfigboard.h"
#include "uart.h"
#include "uart_pl011.h"

enum {
    UART_IBRD = 0x24,
    UART_FBRD = 0x28,
    UART_LCR_H = 0x2C,
    UART_CR = 0x30,
    UART_IFLS = 0x34,
    UART_IMSC = 0x38,
    UART_ICR = 0x44,
};

#define FR_BUSY (1u << 3)
#define FR_RXFE (1u << 4)
#define LCR_FEN (1u << 4)
#define CR_ENABLE (1u << 0 | 1u << 8 | 1u << 9) // UARTEN, TXE, RXE
#define INT_RX (1u << 4 | 1u << 6) // FIFO level reached, and data waiting for 32 bit times

static void pl011_init(const platform_uart_t *u) {
    // Line speed and format are the loader's, or QEMU's, who has none. The receive FIFO must be on:
    // without it QEMU hands over one byte per turn of its main loop.
    write32(u->base + UART_IMSC, 0);
    write32(u->base + UART_ICR, 0x7FF);
    write32(u->base + UART_LCR_H, 3 << 5 | LCR_FEN);
    write32(u->base + UART_IFLS, 0);
    write32(u->base + UART_CR, CR_ENABLE);
}

static int pl011_get(const platform_uart_t *u) {
    return read32(u->base + UART_FR) & FR_RXFE ? -1 : (int)(read32(u->base + UART_DR) & 0xFF);
}

static void pl011_irq(const platform_uart_t *u, bool on) {
    write32(u->base + UART_IMSC, on ? INT_RX : 0);
}

static void pl011_clear(const platform_uart_t *u) {
    write32(u->base + UART_ICR, INT_RX);
}

static bool pl011_idle(const platform_uart_t *u) {
    return !(read32(u->base + UART_FR) & FR_BUSY);
}

static void pl011_format(const platform_uart_t *u, uint32_t baudrate, unsigned bits, unsigned parity, unsigned stop) {
    write32(u->base + UART_CR, 0);
    // The divisor in 64ths; the two registers take effect with the write of LCR_H that follows.
    uint32_t divisor = (BOARD_UART_CLOCK_HZ * UINT64_C(4) + baudrate / 2) / baudrate;
    write32(u->base + UART_IBRD, divisor >> 6);
    write32(u->base + UART_FBRD, divisor & 0x3F);
    write32(u->base + UART_LCR_H, (bits - 5) << 5 | LCR_FEN | (stop == 2) << 3 | (parity == 2) << 2 | (parity != 0) << 1);
    write32(u->base + UART_CR, CR_ENABLE);
}

const uart_driver_t uart_pl011 = {
    .init = pl011_init, .get = pl011_get, .irq = pl011_irq, .clear = pl011_clear, .idle = pl011_idle, .format = pl011_format,
};
