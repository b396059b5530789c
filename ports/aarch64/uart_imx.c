// SPDX-License-Identifier: MIT
// i.MX UART (IMX8MPRM, chapter 16.2): a row of uart.h. The loader has set the line; frame and speed stay.

#include "hv_native/core/arch.h"
#include "uart.h"

enum { URXD = 0x00, UCR1 = 0x80, UCR2 = 0x84, UFCR = 0x90, USR1 = 0x94, USR2 = 0x98 };
#define URXD_CHARRDY (1u << 15)
#define UCR1_UARTEN (1u << 0)
#define UCR1_RRDYEN (1u << 9)
#define UCR2_ON (1u << 1 | 1u << 2)     // RXEN, TXEN
#define UFCR_RXTL 0x3Fu                 // interrupt when so many have come
#define USR1_AGTIM (1u << 8)
#define USR2_TXDC (1u << 3)

static void imx_change(const platform_uart_t *u, unsigned reg, uint32_t clear, uint32_t set) {
    write32(u->base + reg, (read32(u->base + reg) & ~clear) | set);
}

static void imx_init(const platform_uart_t *u) {
    imx_change(u, UCR1, UCR1_RRDYEN, UCR1_UARTEN);
    imx_change(u, UCR2, 0, UCR2_ON);
    imx_change(u, UFCR, UFCR_RXTL, 1);
}

static int imx_get(const platform_uart_t *u) {
    uint32_t word = read32(u->base + URXD);
    return word & URXD_CHARRDY ? (int)(word & 0xFF) : -1;
}

static void imx_irq(const platform_uart_t *u, bool on) {
    imx_change(u, UCR1, UCR1_RRDYEN, on ? UCR1_RRDYEN : 0);
}

static void imx_clear(const platform_uart_t *u) {
    write32(u->base + USR1, USR1_AGTIM);
}

static bool imx_idle(const platform_uart_t *u) {
    return read32(u->base + USR2) & USR2_TXDC;
}

const uart_driver_t uart_imx = { .init = imx_init, .get = imx_get, .irq = imx_irq, .clear = imx_clear, .idle = imx_idle };
