// SPDX-License-Identifier: MIT
// The console: one UART, sent to by polling, received from by interrupt into stdin_ringbuf.
#ifndef PORT_UART_H
#define PORT_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "hv_native/core/platform.h"

// A kind of UART: its file, and its row in uart.c. Usable from reset on, MMU or not.
typedef struct {
    void (*init)(const platform_uart_t *u);             // no interrupts; line speed and format as they are
    int (*get)(const platform_uart_t *u);               // -1: nothing has come
    void (*irq)(const platform_uart_t *u, bool on);     // interrupt, or not, when something comes
    void (*clear)(const platform_uart_t *u);            // what has interrupted; before it is looked what has come
    bool (*idle)(const platform_uart_t *u);             // the last bit has left
    // While idle. NULL: the clock that the divisor counts is not known, so speed and format stay the loader's.
    void (*format)(const platform_uart_t *u, uint32_t baudrate, unsigned bits, unsigned parity, unsigned stop);
} uart_driver_t;

extern const uart_driver_t uart_pl011, uart_8250, uart_bcm2835_aux, uart_cadence, uart_imx;
const uart_driver_t *uart_driver(uart_kind_t kind);

// Usable from reset on, MMU or not, before any interrupt.
void uart_init(void);
// From here on received bytes arrive in stdin_ringbuf, and the interrupt character interrupts.
void uart_irq_on(void *rx_buffer, size_t size);

void uart_tx_strn(const char *str, size_t len);
void uart_tx_char(char c);
// Bytes were taken from stdin_ringbuf: go on receiving if it had been full.
void uart_rx_resume(void);
// The interrupt characters that are in stdin_ringbuf, typed when they did not interrupt yet, do it now.
void uart_rx_take_interrupts(void);
// Receive without an interrupt: where interrupts are masked, or there is no GIC.
void uart_rx_poll(void);
// A byte taken from stdin_ringbuf goes back, to its front. There is always room for this many.
#define UART_RX_UNREAD 4096u
void uart_rx_unread(uint8_t c);
// Wait until the last bit has left.
void uart_tx_flush(void);
bool uart_tx_idle(void);

// 5 to 8 data bits; parity 0 none, 1 odd, 2 even; 1 or 2 stop bits. False: this UART stays as it was.
bool uart_set_format(uint32_t baudrate, unsigned bits, unsigned parity, unsigned stop);

#endif
