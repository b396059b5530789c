// SPDX-License-Identifier: MIT
// The console: which UART it is, and what is typed at it. See uart.h.

#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/core/uart_out.h"
#include "hv_native/irq/irq.h"
#include "hv_native/trap/callback.h"
#include "hv_native/trap/el2_fault.h"
#include "uart.h"
#include "uart_pl011.h"

static const uart_driver_t *const drivers[UART_KINDS] = {
    [UART_PL011] = &uart_pl011, [UART_8250] = &uart_8250, [UART_BCM2835_AUX] = &uart_bcm2835_aux, [UART_CADENCE] = &uart_cadence,
    [UART_IMX] = &uart_imx,
};

ringbuf_t stdin_ringbuf;
static const uart_driver_t *driver;
static const platform_uart_t *line;
static uint64_t pl011_base; // its base, if a PL011 is what it is; or 0
static bool rx_held;

const uart_driver_t *uart_driver(uart_kind_t kind) {
    return drivers[kind];
}

void uart_init(void) {
    line = platform.console;
    driver = drivers[line->kind];
    pl011_base = line->kind == UART_PL011 ? line->base : 0;
    driver->init(line);
}

// Clear, then drain: a byte that comes after the clear raises the interrupt anew. The other way round
// it is lost, and with it every byte after, because only the first one in an empty FIFO raises it.
static void uart_rx(void *arg) {
    (void)arg;
    driver->clear(line);
    for (;;) {
        if (ringbuf_free(&stdin_ringbuf) <= UART_RX_UNREAD) {
            // Leave the rest in the FIFO: the sender stops when that is full too.
            rx_held = true;
            driver->irq(line, false);
            break;
        }
        int c = driver->get(line);
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
    irq_attach(line->irq, uart_rx, NULL);
    driver->irq(line, true);
    mp_uint_t state = mp_hal_irq_save();
    uart_rx(NULL); // what was typed before now
    mp_hal_irq_restore(state);
}

// Each goes as it does in uart_rx when it comes while something runs; what was typed around them stays, in its order.
void uart_rx_take_interrupts(void) {
    mp_uint_t state = mp_hal_irq_save();
    bool found = false;
    for (size_t n = ringbuf_avail(&stdin_ringbuf); n; --n) {
        int c = ringbuf_get(&stdin_ringbuf);
        if (c == mp_interrupt_char) {
            found = true;
        } else {
            ringbuf_put(&stdin_ringbuf, c);
        }
    }
    if (found) {
        mp_sched_keyboard_interrupt();
    }
    mp_hal_irq_restore(state);
}

void uart_rx_resume(void) {
    if (rx_held) {
        mp_uint_t state = mp_hal_irq_save();
        rx_held = false;
        driver->irq(line, true);
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
    while (!uart_out(line, (uint8_t)c)) {
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

static bool try_char(char c) {
    return LIKELY(pl011_base != 0) ? pl011_put(pl011_base, (uint8_t)c) : uart_out(line, (uint8_t)c);
}

// Between the look at the FIFO and the store nobody else may fill it: a guest's console, in a slice of an interrupt's.
void uart_tx_strn(const char *str, size_t len) {
    for (; len; --len, ++str) {
        bool sent = false;
        while (!sent) {
            mp_uint_t state = mp_hal_irq_save();
            sent = try_char(*str);
            mp_hal_irq_restore(state);
        }
    }
}

bool uart_tx_idle(void) {
    return driver->idle(line);
}

void uart_tx_flush(void) {
    while (!uart_tx_idle()) {
    }
}

bool uart_set_format(uint32_t baudrate, unsigned bits, unsigned parity, unsigned stop) {
    if (driver->format == NULL) {
        return false;
    }
    uart_tx_flush();
    driver->format(line, baudrate, bits, parity, stop);
    return true;
}
