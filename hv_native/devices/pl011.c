// SPDX-License-Identifier: MIT
// The guest's PL011: see pl011.h. Its FIFOs are longer than the real 16 bytes, which a driver cannot
// see but a fast typist can; the interrupt levels are those of a real one.

#include <string.h>
#include "devices/pl011.h"
#include "devices/wire.h"
#include "memory/native.h"
#include "vm/device.h"
#include "vm/hook.h"
#include "vm/state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"
#include "ports/aarch64/uart.h"

enum {
    DR = 0x00, RSR = 0x04, FR = 0x18, ILPR = 0x20, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2C, CR = 0x30,
    IFLS = 0x34, IMSC = 0x38, RIS = 0x3C, MIS = 0x40, ICR = 0x44, DMACR = 0x48, PERIPHID0 = 0xFE0,
};
enum { FR_RXFE = 1 << 4, FR_TXFF = 1 << 5, FR_RXFF = 1 << 6, FR_TXFE = 1 << 7 };
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6 };

#define RX_SIZE UART_RX_UNREAD // powers of two
#define TX_SIZE 16384u
#define DRAIN_AT_ONCE 64u

// Scripts and vCPUs on several cores come here at once: a byte typed as the guest reads the one before
// must not be left without its interrupt. Reading FR, which polling guests do all the time, needs no lock.
typedef struct pl011 {
    wire_t wire;
    uint32_t ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
    bool attached;
    volatile uint32_t rx_in, rx_out, tx_in, tx_out;
    uint8_t rx[RX_SIZE], tx[TX_SIZE];
    uint8_t typed[RX_SIZE / 8]; // a bit for each byte of rx: by a person, since it was attached
} pl011_t;

static pl011_t *of(const vm_t *vm) {
    return vm->console;
}

static void pl011_unlock(pl011_t *p, uint64_t daif) {
    wire_unlock(&p->wire, daif, (p->ris & p->imsc) != 0);
}

static bool rx_empty(const pl011_t *p) {
    return p->rx_in == p->rx_out;
}

// 0x04 and 0x18 mean something to mpremote at the other end of the UART.
static void send_to_uart(uint8_t c) {
    if (c == 0x04 || c == 0x18) {
        uart_tx_char('^');
        c += 0x40;
    }
    uart_tx_char((char)c);
}

static inline __attribute__((always_inline)) void transmit(pl011_t *p, uint8_t c) {
    uint32_t in = p->tx_in;
    p->tx[in++ % TX_SIZE] = c;
    p->tx_in = in;
    if (p->attached) {
        p->tx_out = in; // for pl011_printed() it is still there
        send_to_uart(c);
    } else if (in - p->tx_out > TX_SIZE) {
        p->tx_out = in - TX_SIZE; // nobody reads: the oldest goes
    }
}

static uint32_t pl011_read_data(pl011_t *p) {
    uint32_t c = 0;
    uint64_t daif = wire_lock(&p->wire);
    if (!rx_empty(p)) {
        c = p->rx[p->rx_out % RX_SIZE];
        p->rx_out++;
    }
    if (rx_empty(p)) {
        p->ris &= ~(INT_RX | INT_RT);
    }
    pl011_unlock(p, daif);
    return c;
}

static uint32_t pl011_read(pl011_t *p, uint64_t offset) {
    static const uint8_t id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1 };
    switch (offset) {
        case DR:
            return pl011_read_data(p);
        case RSR:
            return 0;
        case FR:
            return FR_TXFE | (rx_empty(p) ? FR_RXFE : 0) | (p->rx_in - p->rx_out == RX_SIZE ? FR_RXFF : 0);
        case ILPR:
            return p->ilpr;
        case IBRD:
            return p->ibrd;
        case FBRD:
            return p->fbrd;
        case LCR_H:
            return p->lcr_h;
        case CR:
            return p->cr;
        case IFLS:
            return p->ifls;
        case IMSC:
            return p->imsc;
        case RIS:
            return p->ris;
        case MIS:
            return p->ris & p->imsc;
        case DMACR:
            return p->dmacr;
        default: // anything else is a hole, which reads as zero in the real one too
            return offset >= PERIPHID0 ? id[(offset - PERIPHID0) / 4] : 0;
    }
}

static void pl011_write(pl011_t *p, uint64_t offset, uint32_t value) {
    switch (offset) {
        case DR:
            transmit(p, (uint8_t)value);
            p->ris |= INT_TX; // always room for the next one
            break;
        case ILPR:
            p->ilpr = value;
            break;
        case IBRD:
            p->ibrd = value;
            break;
        case FBRD:
            p->fbrd = value;
            break;
        case LCR_H:
            p->lcr_h = value;
            break;
        case CR:
            p->cr = value;
            break;
        case IFLS:
            p->ifls = value;
            break;
        case DMACR:
            p->dmacr = value;
            break;
        case IMSC:
            p->imsc = value & 0x7FF;
            break;
        case ICR:
            p->ris &= ~value;
            if (!rx_empty(p)) {
                p->ris |= INT_RT; // what is still there times out again
            }
            break;
    }
}

static uint32_t pl011_load(vcpu_t *v, hook_t *h, uint64_t offset) {
    (void)v;
    return pl011_read(h->context, offset);
}

static uint64_t pl011_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value) {
    pl011_t *p = h->context;
    (void)v;
    uint64_t daif = wire_lock(&p->wire);
    if (offset == DR && (p->ris & INT_TX)) {
        transmit(p, (uint8_t)value); // the common case: nothing changes but the character
        wire_unlock_same(&p->wire, daif);
    } else {
        pl011_write(p, offset, value);
        pl011_unlock(p, daif);
    }
    return 0;
}

// Bytes and halfwords at a register's address are that register, a doubleword is two.
static bool pl011_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    unsigned at = offset & ~UINT64_C(3);
    for (unsigned k = 0; k < (size == 8 ? 2u : 1u); k++) {
        if (write) {
            pl011_store(v, h, at + 4 * k, (uint32_t)(*value >> 32 * k));
        } else {
            *value = (k == 0 ? 0 : *value) | (uint64_t)pl011_load(v, h, at + 4 * k) << 32 * k;
        }
    }
    return true;
}

// What the guest has printed and nobody has read yet is out on the line, and stays; what it has not read is lost.
void pl011_reset(vm_t *vm) {
    pl011_t *p = of(vm);
    uint64_t daif = wire_lock(&p->wire);
    p->ilpr = p->ibrd = p->fbrd = p->lcr_h = p->imsc = p->ris = p->dmacr = 0;
    p->cr = 0x300;      // TXE, RXE
    p->ifls = 0x12;
    p->rx_out = p->rx_in;
    pl011_unlock(p, daif);
}

bool pl011_add(vm_t *vm) {
    pl011_t *p = native_alloc(sizeof(pl011_t));
    if (p == NULL) {
        return false;
    }
    p->wire = (wire_t) { .vm = vm, .intid = PL011_IRQ };
    vm->console = p;
    pl011_reset(vm);
    return device_register(vm, &(hook_t) {
        .key = PL011_IPA, .size = PL011_SIZE, .native = pl011_access, .load = pl011_load, .store = pl011_store, .context = p,
    }) != NULL;
}

void pl011_remove(vm_t *vm) {
    native_free(vm->console, sizeof(pl011_t));
    vm->console = NULL;
}

void pl011_attach(vm_t *vm, bool attached) {
    pl011_t *p = of(vm);
    if (attached) {
        memset(p->typed, 0, sizeof(p->typed));
    }
    bool all = !attached;
    while (!all) { // the lock, and interrupts masked, for a few at a time
        uint64_t daif = wire_lock(&p->wire);
        for (unsigned i = 0; i < DRAIN_AT_ONCE && p->tx_out != p->tx_in; i++) {
            send_to_uart(p->tx[p->tx_out % TX_SIZE]);
            p->tx_out++;
        }
        all = p->tx_out == p->tx_in;
        p->attached = all;
        wire_unlock_same(&p->wire, daif);
    }
    p->attached = attached;
}

bool pl011_attached(const vm_t *vm) {
    return of(vm)->attached;
}

size_t pl011_room(const vm_t *vm) {
    const pl011_t *p = of(vm);
    return RX_SIZE - (p->rx_in - p->rx_out);
}

static void put_rx(pl011_t *p, uint32_t at, uint8_t c, bool typed) {
    uint8_t bit = (uint8_t)(1u << at % 8), *bits = &p->typed[at % RX_SIZE / 8];
    p->rx[at % RX_SIZE] = c;
    *bits = typed ? *bits | bit : *bits & ~bit;
}

static size_t send(vm_t *vm, const uint8_t *data, size_t len, bool typed) {
    pl011_t *p = of(vm);
    size_t n = 0;
    uint64_t daif = wire_lock(&p->wire);
    while (n < len && pl011_room(vm) > 0) {
        put_rx(p, p->rx_in, data[n++], typed);
        p->rx_in++;
    }
    if (n > 0) {
        p->ris |= INT_RX | INT_RT;
    }
    pl011_unlock(p, daif);
    return n;
}

size_t pl011_send(vm_t *vm, const uint8_t *data, size_t len) {
    return send(vm, data, len, false);
}

void pl011_type(vm_t *vm, uint8_t c) {
    send(vm, &c, 1, true);
}

// The lock is for the end alone: no vCPU is there to read, and a script is what called. What scripts have sent
// stays, and moves to the end.
void pl011_untype(vm_t *vm) {
    pl011_t *p = of(vm);
    uint32_t out = p->rx_in;
    for (uint32_t at = p->rx_in; at-- != p->rx_out;) {
        uint8_t c = p->rx[at % RX_SIZE];
        if (p->typed[at % RX_SIZE / 8] & 1u << at % 8) {
            uart_rx_unread(c);
        } else {
            put_rx(p, --out, c, false);
        }
    }
    uint64_t daif = wire_lock(&p->wire);
    p->rx_out = out;
    if (rx_empty(p)) {
        p->ris &= ~(INT_RX | INT_RT);
    }
    pl011_unlock(p, daif);
}

size_t pl011_waiting(const vm_t *vm) {
    return of(vm)->tx_in - of(vm)->tx_out;
}

size_t pl011_receive(vm_t *vm, uint8_t *data, size_t len) {
    pl011_t *p = of(vm);
    size_t n = 0;
    uint64_t daif = wire_lock(&p->wire);
    while (n < len && p->tx_out != p->tx_in) {
        data[n++] = p->tx[p->tx_out % TX_SIZE];
        p->tx_out++;
    }
    wire_unlock_same(&p->wire, daif);
    return n;
}

uint32_t pl011_printed(vm_t *vm, uint32_t at, uint8_t *data, size_t *len) {
    pl011_t *p = of(vm);
    uint64_t daif = wire_lock(&p->wire);
    if (p->tx_in - at > TX_SIZE) {
        at = p->tx_in > TX_SIZE ? p->tx_in - TX_SIZE : 0;
    }
    size_t n = 0;
    while (n < *len && at != p->tx_in) {
        data[n++] = p->tx[at++ % TX_SIZE];
    }
    wire_unlock_same(&p->wire, daif);
    *len = n;
    return at;
}

// ---- Kept, and gone back to ---------------------------------------------------------------------

static void pass_uart(pl011_t *p, device_stream_t *s) {
    uint32_t *all[] = { &p->ilpr, &p->ibrd, &p->fbrd, &p->lcr_h, &p->cr, &p->ifls, &p->imsc, &p->ris, &p->dmacr };
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        STREAM_PASS(s, *all[i]);
    }
    STREAM_PASS(s, p->wire.high);
}

// Without what it has printed and nobody has read: that has been said, and is not taken back.
void pl011_save_state(vm_t *vm, device_stream_t *s) {
    pl011_t *p = of(vm);
    uint32_t waiting = p->rx_in - p->rx_out;
    pass_uart(p, s);
    STREAM_PUT(s, waiting);
    for (uint32_t at = p->rx_out; at != p->rx_in; at++) {
        STREAM_PUT(s, p->rx[at % RX_SIZE]);
    }
}

void pl011_load_state(vm_t *vm, device_stream_t *s) {
    pl011_t *p = of(vm);
    uint32_t waiting;
    uint64_t daif = wire_lock(&p->wire);
    pass_uart(p, s);
    STREAM_GET(s, waiting);
    p->rx_in = p->rx_out;
    for (uint32_t i = 0; i < waiting && i < RX_SIZE; i++) {
        uint8_t c;
        STREAM_GET(s, c);
        put_rx(p, p->rx_in++, c, false);
    }
    wire_unlock_same(&p->wire, daif);
}
