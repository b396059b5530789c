// SPDX-License-Identifier: MIT
// Cadence UART of Zynq and ZynqMP (UG1085, chapter 21; registers in UG1087): a row of uart.h.

#include "hv_native/core/arch.h"
#include "uart.h"

enum {
    CONTROL = 0x00, INTRPT_EN = 0x08, INTRPT_DIS = 0x0C, CHNL_INT_STS = 0x14, RCVR_TIMEOUT = 0x1C, RCVR_FIFO_TRIGGER = 0x20,
    CHANNEL_STS = 0x2C, TX_RX_FIFO = 0x30,
};
#define CONTROL_ON (1u << 2 | 1u << 4)  // RXEN, TXEN
#define INT_RX (1u << 0 | 1u << 8)      // FIFO level reached, and a pause
#define STS_RXEMPTY (1u << 1)
#define STS_TXEMPTY (1u << 3)
#define STS_TACTIVE (1u << 11)

static void cadence_init(const platform_uart_t *u) {
    write32(u->base + INTRPT_DIS, 0x1FFF);
    write32(u->base + RCVR_FIFO_TRIGGER, 1);
    write32(u->base + RCVR_TIMEOUT, 10);
    write32(u->base + CONTROL, CONTROL_ON);
}

static int cadence_get(const platform_uart_t *u) {
    return read32(u->base + CHANNEL_STS) & STS_RXEMPTY ? -1 : (int)(read32(u->base + TX_RX_FIFO) & 0xFF);
}

static void cadence_irq(const platform_uart_t *u, bool on) {
    write32(u->base + (on ? INTRPT_EN : INTRPT_DIS), INT_RX);
}

static void cadence_clear(const platform_uart_t *u) {
    write32(u->base + CHNL_INT_STS, INT_RX);
}

static bool cadence_idle(const platform_uart_t *u) {
    return (read32(u->base + CHANNEL_STS) & (STS_TXEMPTY | STS_TACTIVE)) == STS_TXEMPTY;
}

const uart_driver_t uart_cadence = {
    .init = cadence_init, .get = cadence_get, .irq = cadence_irq, .clear = cadence_clear, .idle = cadence_idle,
};
