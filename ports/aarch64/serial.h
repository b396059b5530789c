// SPDX-License-Identifier: MIT
// Serial lines besides the console, which is uart.h's: what a kind of line does, and its row in serial.c.
#ifndef PORT_SERIAL_H
#define PORT_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "py/obj.h"
#include "hv_native/core/platform.h"

#define SERIAL_MAX 8

typedef struct serial serial_t;

// Nothing waits: what has not come is not read, and for what there is no room is not written.
typedef struct {
    const char *what;                               // "virtio console"
    bool (*find)(unsigned n, serial_t *s);          // the n-th; its regs, irq and uart
    int (*open)(serial_t *s);                       // memory, interrupt: 0, or an errno
    size_t (*waiting)(serial_t *s);                 // bytes that have come
    size_t (*read)(serial_t *s, uint8_t *buf, size_t size);
    size_t (*room)(serial_t *s);                    // bytes that can be written
    size_t (*write)(serial_t *s, const uint8_t *buf, size_t size);
} serial_kind_t;

struct serial {
    mp_obj_base_t base;
    const serial_kind_t *kind;
    uint64_t regs;
    unsigned irq;
    const platform_uart_t *uart; // if it is one
    void *data;                 // the kind's; NULL until it is opened
};

extern const serial_kind_t serial_uart, serial_virtio;

// From the interrupt: something has come, or there is room again.
void serial_event(serial_t *s);

extern const mp_obj_type_t machine_serial_type;

#endif
