// SPDX-License-Identifier: MIT
// PL011 driver (ARM DDI 0183).

#include <stdbool.h>

#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/irq/irq.h"
#include "hv_native/trap/callback.h"
#include "uart.h"

enum {
    UART_DR = 0x00,
    UART_FR = 0x18,
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
#define FR_TXFF (1u << 5)
#define LCR_FEN (1u << 4)
#define CR_ENABLE (1u << 0 | 1u << 8 | 1u << 9) // UARTEN, TXE, RXE
#define INT_RX (1u << 4 | 1u << 6) // FIFO level reached, and data waiting for 32 bit times

ringbuf_t stdin_ringbuf;
static uint64_t base;
static bool rx_held;

void uart_init(void) {
    base = platform.uart_base;
    // Line speed and format are the loader's, or QEMU's, who has none. The receive FIFO must be on:
    // without it QEMU hands over one byte per turn of its main loop.
    write32(base + UART_IMSC, 0);
    write32(base + UART_ICR, 0x7FF);
    write32(base + UART_LCR_H, 3 << 5 | LCR_FEN);
    write32(base + UART_IFLS, 0);
    write32(base + UART_CR, CR_ENABLE);
}

// Clear, then drain: a byte that comes after the clear raises the interrupt anew. The other way round
// it is lost, and with it every byte after, because only the first one in an empty FIFO raises it.
static void uart_rx(void *arg) {
    write32(base + UART_ICR, INT_RX);
    while (!(read32(base + UART_FR) & FR_RXFE)) {
        if (ringbuf_free(&stdin_ringbuf) == 0) {
            // Leave the rest in the FIFO: the sender stops when that is full too.
            rx_held = true;
            write32(base + UART_IMSC, 0);
            break;
        }
        int c = read32(base + UART_DR) & 0xFF;
        if (c == CHAR_CTRL_C) {
            callback_interrupt();
        }
        if (c == mp_interrupt_char) {
            mp_sched_keyboard_interrupt();
            continue;
        }
        ringbuf_put(&stdin_ringbuf, c);
    }
    mp_hal_wake();
}

void uart_irq_on(void *rx_buffer, size_t size) {
    stdin_ringbuf = (ringbuf_t) { rx_buffer, size, 0, 0 };
    irq_attach(platform.uart_irq, uart_rx, NULL);
    write32(base + UART_IMSC, INT_RX);
    mp_uint_t state = mp_hal_irq_save();
    uart_rx(NULL); // what was typed before now
    mp_hal_irq_restore(state);
}

void uart_rx_resume(void) {
    if (rx_held) {
        mp_uint_t state = mp_hal_irq_save();
        rx_held = false;
        write32(base + UART_IMSC, INT_RX);
        uart_rx(NULL);
        mp_hal_irq_restore(state);
    }
}

void uart_rx_poll(void) {
    mp_uint_t state = mp_hal_irq_save();
    if (!rx_held) {
        uart_rx(NULL);
    }
    mp_hal_irq_restore(state);
}

void uart_tx_char(char c) {
    while (read32(base + UART_FR) & FR_TXFF) {
    }
    write32(base + UART_DR, (uint8_t)c);
}

void uart_tx_strn(const char *str, size_t len) {
    for (; len; --len) {
        uart_tx_char(*str++);
    }
}

bool uart_tx_idle(void) {
    return !(read32(base + UART_FR) & FR_BUSY);
}

void uart_tx_flush(void) {
    while (!uart_tx_idle()) {
    }
}

void uart_set_format(uint32_t baudrate, unsigned bits, unsigned parity, unsigned stop) {
    uart_tx_flush();
    write32(base + UART_CR, 0);
    // The divisor in 64ths; the two registers take effect with the write of LCR_H that follows.
    uint32_t divisor = (BOARD_UART_CLOCK_HZ * UINT64_C(4) + baudrate / 2) / baudrate;
    write32(base + UART_IBRD, divisor >> 6);
    write32(base + UART_FBRD, divisor & 0x3F);
    write32(base + UART_LCR_H, (bits - 5) << 5 | LCR_FEN | (stop == 2) << 3 | (parity == 2) << 2 | (parity != 0) << 1);
    write32(base + UART_CR, CR_ENABLE);
}
