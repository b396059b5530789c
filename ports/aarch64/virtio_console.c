// SPDX-License-Identifier: MIT
// A virtio console of the machine's (virtio 1.1, 5.3), without VIRTIO_CONSOLE_F_MULTIPORT: a line of serial.h's.
// What has come stays in the buffers it came in until it is read: then the host, too, keeps what comes after.

#include <string.h>
#include "py/mperrno.h"
#include "hv_native/core/platform.h"
#include "hv_native/irq/irq.h"
#include "hv_native/memory/mem.h"
#include "serial.h"
#include "virtio_driver.h"

enum { RECEIVE, TRANSMIT };
#define BUFFERS 4 // of each queue's slots
#define BUFFER 2048

typedef struct {
    virtq_t queue[2];
    uint8_t buf[2][BUFFERS][BUFFER] __attribute__((aligned(CACHE_LINE)));
    uint16_t seen;      // receive buffers that have been read to the end
    uint32_t offset;    // what has been read of the next one
} data_t;

static bool console_find(unsigned n, serial_t *s) {
    int at = virtio_find(VIRTIO_ID_CONSOLE, n);
    if (at >= 0) {
        s->regs = platform.virtio[at].base;
        s->irq = platform.virtio[at].irq;
    }
    return at >= 0;
}

static void console_irq(void *arg) {
    serial_t *s = arg;
    virtio_ack(s->regs);
    serial_event(s);
}

static int console_open(serial_t *s) {
    data_t *d = page_alloc(sizeof(data_t));
    if (d == NULL) {
        return MP_ENOMEM;
    }
    memset(d, 0, sizeof(data_t));
    virtio_begin(s->regs, 0);
    for (unsigned which = RECEIVE; which <= TRANSMIT; which++) {
        virtio_buffers(s->regs, which, &d->queue[which], d->buf[which], BUFFERS, BUFFER, which == RECEIVE);
    }
    s->data = d;
    irq_attach(s->irq, console_irq, s);
    if (!virtio_go(s->regs)) {
        virtio_stop(s->regs);
        irq_detach(s->irq);
        page_free(d, sizeof(data_t));
        s->data = NULL;
        return MP_EIO;
    }
    virtio_notify(s->regs, RECEIVE);
    return 0;
}

// What the i-th buffer that came has in it. The device is the machine's, yet a length of its is but a number.
static size_t length(data_t *d, uint16_t i) {
    uint32_t len = d->queue[RECEIVE].used.ring[i % VIRTQ_SIZE].len;
    return len < BUFFER ? len : BUFFER;
}

static size_t console_waiting(serial_t *s) {
    data_t *d = s->data;
    uint16_t end = virtq_done(&d->queue[RECEIVE]);
    size_t n = 0;
    for (uint16_t i = d->seen; i != end; i++) {
        n += length(d, i);
    }
    return n - d->offset;
}

static size_t console_read(serial_t *s, uint8_t *buf, size_t size) {
    data_t *d = s->data;
    uint16_t end = virtq_done(&d->queue[RECEIVE]), first = d->seen;
    size_t n = 0;
    while (n < size && d->seen != end) {
        unsigned slot = d->queue[RECEIVE].used.ring[d->seen % VIRTQ_SIZE].id % BUFFERS;
        size_t left = length(d, d->seen) - d->offset;
        size_t some = left < size - n ? left : size - n;
        if (d->offset == 0) {
            cache_clean_poc(d->buf[RECEIVE][slot], BUFFER);
        }
        memcpy(buf + n, d->buf[RECEIVE][slot] + d->offset, some);
        n += some;
        d->offset += some;
        if (some == left) {
            d->offset = 0;
            d->seen++;
            virtq_give(&d->queue[RECEIVE], slot);
        }
    }
    if (d->seen != first) {
        virtio_notify(s->regs, RECEIVE);
    }
    return n;
}

// Buffers come back in the order they were given: it is one line.
static unsigned free_buffers(data_t *d) {
    return BUFFERS - (uint16_t)(d->queue[TRANSMIT].avail.idx - virtq_done(&d->queue[TRANSMIT]));
}

static size_t console_room(serial_t *s) {
    return (size_t)free_buffers(s->data) * BUFFER;
}

static size_t console_write(serial_t *s, const uint8_t *buf, size_t size) {
    data_t *d = s->data;
    virtq_t *q = &d->queue[TRANSMIT];
    size_t n = 0;
    while (n < size && free_buffers(d) != 0) {
        unsigned slot = q->avail.idx % BUFFERS;
        size_t some = size - n < BUFFER ? size - n : BUFFER;
        memcpy(d->buf[TRANSMIT][slot], buf + n, some);
        q->desc[slot].len = some;
        virtq_give(q, slot);
        virtio_notify(s->regs, TRANSMIT);
        n += some;
    }
    return n;
}

const serial_kind_t serial_virtio = {
    "virtio console", console_find, console_open, console_waiting, console_read, console_room, console_write,
};
