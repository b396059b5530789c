// SPDX-License-Identifier: MIT
// The console: one PL011, sent to by polling, received from by interrupt into stdin_ringbuf.
#ifndef PORT_UART_H
#define PORT_UART_H

#include <stddef.h>
#include <stdint.h>

// Usable from reset on, MMU or not, before any interrupt.
void uart_init(void);
// From here on received bytes arrive in stdin_ringbuf, and the interrupt character interrupts.
void uart_irq_on(void *rx_buffer, size_t size);

void uart_tx_strn(const char *str, size_t len);
void uart_tx_char(char c);
// Bytes were taken from stdin_ringbuf: go on receiving if it had been full.
void uart_rx_resume(void);
// Receive without an interrupt: where interrupts are masked, or there is no GIC.
void uart_rx_poll(void);
// Wait until the last bit has left.
void uart_tx_flush(void);
bool uart_tx_idle(void);

// 5 to 8 data bits; parity 0 none, 1 odd, 2 even; 1 or 2 stop bits.
void uart_set_format(uint32_t baudrate, unsigned bits, unsigned parity, unsigned stop);

#endif
