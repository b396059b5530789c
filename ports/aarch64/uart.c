// SPDX-License-Identifier: MIT
// The console: which UART it is, and what is typed at it. See uart.h.

#include <string.h>

#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/irq/irq.h"
#include "hv_native/trap/callback.h"
#include "hv_native/trap/el2_fault.h"
#include "uart.h"
#include "uart_pl011.h"

static const uart_driver_t *const drivers[] = { &uart_pl011 };

ringbuf_t stdin_ringbuf;
static const uart_driver_t *uart = &uart_pl011;
static uint64_t base;
static uint64_t pl011_base; // the same, if that is what it is; or 0
static bool rx_held;

const uart_driver_t *uart_driver(const char *compatible) {
    for (unsigned i = 0; i < ARRAY_LEN(drivers); i++) {
        if (strcmp(drivers[i]->compatible, compatible) == 0) {
            return drivers[i];
        }
    }
    return drivers[0];
}

void uart_init(void) {
    base = platform.uart_base;
    uart = uart_driver(platform.uart_compatible);
    pl011_base = uart == &uart_pl011 ? base : 0;
    uart->init(base);
}

// Clear, then drain: a byte that comes after the clear raises the interrupt anew. The other way round
// it is lost, and with it every byte after, because only the first one in an empty FIFO raises it.
static void uart_rx(void *arg) {
    (void)arg;
    uart->clear(base);
    for (;;) {
        if (ringbuf_free(&stdin_ringbuf) <= UART_RX_UNREAD) {
            // Leave the rest in the FIFO: the sender stops when that is full too.
            rx_held = true;
            uart->irq(base, false);
            break;
        }
        int c = uart->get(base);
        if (c < 0) {
            break;
        }
        if (c == CHAR_CTRL_C) {
            callback_interrupt();
        }
        if (c == mp_interrupt_char) {
            mp_sched_keyboard_interrupt();
            el2_interrupt_late();
            continue;
        }
        ringbuf_put(&stdin_ringbuf, c);
    }
    mp_hal_wake();
}

void uart_irq_on(void *rx_buffer, size_t size) {
    stdin_ringbuf = (ringbuf_t) { rx_buffer, size, 0, 0 };
    irq_attach(platform.uart_irq, uart_rx, NULL);
    uart->irq(base, true);
    mp_uint_t state = mp_hal_irq_save();
    uart_rx(NULL); // what was typed before now
    mp_hal_irq_restore(state);
}

void uart_rx_resume(void) {
    if (rx_held) {
        mp_uint_t state = mp_hal_irq_save();
        rx_held = false;
        uart->irq(base, true);
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

// Interrupts may come: they add at the other end, and leave these places free.
void uart_rx_unread(uint8_t c) {
    uint16_t at = (stdin_ringbuf.iget == 0 ? stdin_ringbuf.size : stdin_ringbuf.iget) - 1;
    stdin_ringbuf.buf[at] = c;
    __asm__ volatile ("" ::: "memory"); // the byte first
    stdin_ringbuf.iget = at;
}

static __attribute__((noinline)) void put_by_driver(char c) {
    while (!uart->put(base, (uint8_t)c)) {
    }
}

// A guest's console sends each character here: the PL011 is spared the call.
void uart_tx_char(char c) {
    uint64_t pl011 = pl011_base;
    if (UNLIKELY(pl011 == 0)) {
        put_by_driver(c);
        return;
    }
    while (!pl011_put(pl011, (uint8_t)c)) {
    }
}

void uart_tx_strn(const char *str, size_t len) {
    for (; len; --len) {
        uart_tx_char(*str++);
    }
}

bool uart_tx_idle(void) {
    return uart->idle(base);
}

void uart_tx_flush(void) {
    while (!uart_tx_idle()) {
    }
}

void uart_set_format(uint32_t baudrate, unsigned bits, unsigned parity, unsigned stop) {
    uart_tx_flush();
    uart->format(base, baudrate, bits, parity, stop);
}
