// SPDX-License-Identifier: MIT
// The Raspberry Pi's mini UART (BCM2835 ARM Peripherals, 2.2): a row of uart.h. Its registers look like an 8250's; the
// bits of the interrupt enable register are not (the errata to 2.2.2: bit 0 is receive, and bits 3:2 go with it).

#include "hv_native/core/arch.h"
#include "uart.h"

enum { AUX_MU_IO = 0x00, AUX_MU_IER = 0x04, AUX_MU_IIR = 0x08, AUX_MU_LCR = 0x0C, AUX_MU_LSR = 0x14, AUX_MU_CNTL = 0x20 };
#define AUXENB(u) ((u)->base - 0x3C)    // of the block that the mini UART is a part of

static void aux_init(const platform_uart_t *u) {
    write32(AUXENB(u), read32(AUXENB(u)) | 1);
    write32(u->base + AUX_MU_IER, 0);
    write32(u->base + AUX_MU_LCR, 3);   // 8 bits; the manual's 1 is an erratum
    write32(u->base + AUX_MU_CNTL, 3);  // receive and send
}

static int aux_get(const platform_uart_t *u) {
    return read32(u->base + AUX_MU_LSR) & 1 ? (int)(read32(u->base + AUX_MU_IO) & 0xFF) : -1;
}

static void aux_irq(const platform_uart_t *u, bool on) {
    write32(u->base + AUX_MU_IER, on ? 0xD : 0);
}

// Reading what has come ends it.
static void aux_clear(const platform_uart_t *u) {
    (void)u;
}

static bool aux_idle(const platform_uart_t *u) {
    return read32(u->base + AUX_MU_LSR) & 1u << 6;
}

const uart_driver_t uart_bcm2835_aux = { .init = aux_init, .get = aux_get, .irq = aux_irq, .clear = aux_clear, .idle = aux_idle };
