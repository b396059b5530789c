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
    const uart_driver_t *driver;
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
    s->uart = line;
    return true;
}

// As the console's (uart.c): clear, then drain.
static void uart_rx(void *arg) {
    serial_t *s = arg;
    data_t *d = s->data;
    int c;
    d->driver->clear(s->uart);
    while (!(d->held = ringbuf_free(&d->in) == 0) && (c = d->driver->get(s->uart)) >= 0) {
        ringbuf_put(&d->in, c);
    }
    if (d->held) {
        d->driver->irq(s->uart, false);
    }
    serial_event(s);
}

static int uart_open(serial_t *s) {
    data_t *d = page_alloc(sizeof(data_t));
    if (d == NULL || !mmu_map_device(s->regs, 0x1000)) {
        return MP_ENOMEM;
    }
    d->driver = uart_driver(s->uart->kind);
    d->in = (ringbuf_t) { d->buf, BUFFER, 0, 0 };
    d->held = false;
    s->data = d;
    d->driver->init(s->uart);
    irq_attach(s->irq, uart_rx, s);
    d->driver->irq(s->uart, true);
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
        d->driver->irq(s->uart, true);
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
    size_t n = 0;
    while (n < size && uart_out(s->uart, buf[n])) {
        n++;
    }
    return n;
}

const serial_kind_t serial_uart = { "UART", uart_find, uart_open, uart_waiting, uart_read, uart_room, uart_write };
