// SPDX-License-Identifier: MIT
// 8250 driver, with its descendants 16550A, Synopsys DW_apb_uart and TI's: a row of uart.h. Registers are 1 << shift
// bytes apart and take accesses of 1 or 4 bytes.

#include "hv_native/core/uart_out.h"
#include "uart.h"

enum { RBR = 0, IER = 1, IIR = 2, FCR = 2, MCR = 4, LSR = 5, DW_USR = 31 };
#define IER_RX 1u           // data, and data that has been waiting
#define IIR_BUSY 7u         // DW_apb_uart: the line control was written while it was busy
#define FCR_ENABLE 1u
#define MCR_LINES 0xBu      // DTR, RTS, and OUT2, which lets the interrupt through on a PC's
#define LSR_DR 1u
#define LSR_TEMT (1u << 6)

static void ns_init(const platform_uart_t *u) {
    uart_reg_write(u, IER, 0);
    uart_reg_write(u, FCR, FCR_ENABLE);
    uart_reg_write(u, MCR, MCR_LINES);
}

static int ns_get(const platform_uart_t *u) {
    return uart_reg_read(u, LSR) & LSR_DR ? (int)(uart_reg_read(u, RBR) & 0xFF) : -1;
}

static void ns_irq(const platform_uart_t *u, bool on) {
    uart_reg_write(u, IER, on ? IER_RX : 0);
}

// Reading what has come ends the interrupt; the one that only DW_apb_uart has ends by its status register.
static void ns_clear(const platform_uart_t *u) {
    if ((uart_reg_read(u, IIR) & 0xF) == IIR_BUSY) {
        uart_reg_read(u, DW_USR);
    }
}

static bool ns_idle(const platform_uart_t *u) {
    return uart_reg_read(u, LSR) & LSR_TEMT;
}

const uart_driver_t uart_8250 = { .init = ns_init, .get = ns_get, .irq = ns_irq, .clear = ns_clear, .idle = ns_idle };
