// SPDX-License-Identifier: MIT
// Polled UART output: see uart_out.h.

#include "core/arch.h"
#include "core/uart_out.h"

// There is room for a byte when the bits `mask` of register `status` read as `room`.
static const struct {
    uint8_t data, status, mask, room;
} kinds[UART_KINDS] = {
    [UART_PL011] = { 0x00, 0x18, 1 << 5, 0 },           // UARTFR.TXFF (DDI 0183)
    [UART_8250] = { 0, 5, 1 << 5, 1 << 5 },             // LSR.THRE, of registers that are `shift` apart
    [UART_BCM2835_AUX] = { 0x00, 0x14, 1 << 5, 1 << 5 }, // AUX_MU_IO and AUX_MU_LSR (BCM2835 ARM Peripherals, 2.2)
    [UART_CADENCE] = { 0x30, 0x2C, 1 << 4, 0 },         // Channel_sts.TXFULL (UG1087)
    [UART_IMX] = { 0x40, 0xB4, 1 << 4, 0 },             // UTS.TXFULL (IMX8MPRM 16.2)
};

bool uart_out_room(const platform_uart_t *u) {
    return (uart_reg_read(u, kinds[u->kind].status) & kinds[u->kind].mask) == kinds[u->kind].room;
}

bool uart_out(const platform_uart_t *u, uint8_t c) {
    if (!uart_out_room(u)) {
        return false;
    }
    uart_reg_write(u, kinds[u->kind].data, c);
    return true;
}
