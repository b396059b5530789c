// SPDX-License-Identifier: MIT
// A UART that is not the console: a line of serial.h's.

#include "py/mperrno.h"
#include "py/mphal.h"
#include "hv_native/core/platform.h"
#include "hv_native/core/uart_out.h"
#include "hv_native/irq/irq.h"
#include "hv_native/memory/mem.h"
#include "hv_native/memory/mmu.h"
#include "serial.h"
#include "uart.h"

#define BUFFER 4096

typedef struct {
    const uart_driver_t *uart;
    const platform_uart_t *line;
    ringbuf_t in;
    bool held;      // it is full: the rest stays in the UART
    uint8_t buf[BUFFER];
} data_t;

static bool uart_find(unsigned n, serial_t *s) {
    const platform_uart_t *line = platform_uart(n);
    if (line == NULL) {
        return false;
    }
    s->regs = line->base;
    s->irq = line->irq;
    s->compatible = uart_driver(line->kind)->compatible;
    return true;
}

// As the console's (uart.c): clear, then drain.
static void uart_rx(void *arg) {
    serial_t *s = arg;
    data_t *d = s->data;
    int c;
    d->uart->clear(d->line);
    while (!(d->held = ringbuf_free(&d->in) == 0) && (c = d->uart->get(d->line)) >= 0) {
        ringbuf_put(&d->in, c);
    }
    if (d->held) {
        d->uart->irq(d->line, false);
    }
    serial_event(s);
}

static int uart_open(serial_t *s) {
    data_t *d = page_alloc(sizeof(data_t));
    if (d == NULL || !mmu_map_device(s->regs, 0x1000)) {
        return MP_ENOMEM;
    }
    unsigned n = 0;
    do {
        d->line = platform_uart(n++);
    } while (d->line->base != s->regs);
    d->uart = uart_driver(d->line->kind);
    d->in = (ringbuf_t) { d->buf, BUFFER, 0, 0 };
    d->held = false;
    s->data = d;
    d->uart->init(d->line);
    irq_attach(s->irq, uart_rx, s);
    d->uart->irq(d->line, true);
    mp_uint_t state = mp_hal_irq_save();
    uart_rx(s); // what came before now
    mp_hal_irq_restore(state);
    return 0;
}

static size_t uart_waiting(serial_t *s) {
    data_t *d = s->data;
    return ringbuf_avail(&d->in);
}

static size_t uart_read(serial_t *s, uint8_t *buf, size_t size) {
    data_t *d = s->data;
    size_t n = 0;
    while (n < size && ringbuf_avail(&d->in) != 0) {
        buf[n++] = (uint8_t)ringbuf_get(&d->in);
    }
    mp_uint_t state = mp_hal_irq_save();
    if (d->held && n != 0) {
        d->uart->irq(d->line, true);
        uart_rx(s);
    }
    mp_hal_irq_restore(state);
    return n;
}

// At its own speed: who has to wait for a FIFO sees so by the first byte.
static size_t uart_room(serial_t *s) {
    return 1;
}

static size_t uart_write(serial_t *s, const uint8_t *buf, size_t size) {
    data_t *d = s->data;
    size_t n = 0;
    while (n < size && uart_out(d->line, buf[n])) {
        n++;
    }
    return n;
}

const serial_kind_t serial_uart = { "UART", uart_find, uart_open, uart_waiting, uart_read, uart_room, uart_write };
