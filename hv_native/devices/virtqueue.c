// SPDX-License-Identifier: MIT
// Split virtqueues, from the device's side: virtio 1.1, 2.6. All of this lies in guest RAM, and the
// guest may write to it at any time: nothing is believed, and nothing read twice.

#include "core/arch.h"
#include "devices/virtio.h"
#include "vm/ram.h"

#define REQUEST_MAX 0x10000000u // bytes of one request: EDK2 reads a kernel at once
#define UNCACHED_MAX 0x1000000u // of one whose driver has its caches off: all of it is cleaned at once

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
#define NO_INTERRUPT 1u // flag of the available ring

typedef struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} desc_t;

typedef struct {
    uint16_t flags, idx, ring[];
} avail_t;

typedef struct {
    uint16_t flags, idx;
    struct {
        uint32_t id, len;
    } ring[];
} used_t;

// A queue as it was at one moment, and where its parts are in our memory.
typedef struct {
    virtqueue_t q;
    uint32_t epoch, status;
    uint64_t accepted;
    const volatile desc_t *desc;
    const volatile avail_t *avail;
    volatile used_t *used;
} rings_t;

// Of a ring a few words are used at a time: those are had from memory, and go there, as they are (virtio_sync).
static void *ring_ram(virtio_t *d, uint64_t ipa, uint64_t size, unsigned align) {
    return ipa % align == 0 ? vm_ram(d->vm, ipa, size) : NULL;
}

static void *piece_ram(virtio_t *d, const desc_t *e) {
    if (e->len > VIRTIO_LONG && !d->uncached) {
        return vm_ram_place(d->vm, e->addr, e->len);
    }
    void *at = vm_ram(d->vm, e->addr, e->len);
    if (at != NULL) {
        virtio_sync(d, at, e->len);
    }
    return at;
}

// False: the queue is not in use, or nothing that can be used (*bad).
static bool ring_look(virtio_t *d, unsigned queue, rings_t *r, bool *bad) {
    uint64_t daif = virtio_lock(d);
    r->q = d->queue[queue];
    r->epoch = d->epoch;
    r->status = d->status;
    r->accepted = d->accepted;
    virtio_unlock(d, daif);
    if (!r->q.ready || (r->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET | VIRTIO_FAILED)) != VIRTIO_DRIVER_OK) {
        return false;
    }
    uint32_t num = r->q.num;
    *bad = true;
    if (num == 0 || num > VIRTQUEUE_MAX || (num & (num - 1)) != 0) {
        return false;
    }
    r->desc = ring_ram(d, r->q.desc, sizeof(desc_t) * num, 16);
    r->avail = ring_ram(d, r->q.avail, sizeof(avail_t) + 2 * num, 2);
    r->used = ring_ram(d, r->q.used, sizeof(used_t) + 8 * num, 4);
    *bad = r->desc == NULL || r->avail == NULL || r->used == NULL;
    return !*bad;
}

// One descriptor's memory. NULL, or what is wrong with it.
static const char *add_piece(virtio_t *d, virtio_chain_t *c, const desc_t *e) {
    bool write = e->flags & DESC_WRITE;
    uint32_t *bytes = write ? &c->write_bytes : &c->read_bytes;
    if (!write && c->n != c->nread) {
        return "a descriptor to be read behind one to be written";
    }
    if (e->len > REQUEST_MAX || c->read_bytes + c->write_bytes + e->len > REQUEST_MAX) {
        return "a request of more than 256 MB";
    }
    if (d->uncached && c->read_bytes + c->write_bytes + e->len > UNCACHED_MAX) {
        return "a request of more than 16 MB with the caches off";
    }
    if (e->len == 0) {
        return NULL;
    }
    if (c->n == VIRTIO_SEGMENTS) {
        return "a chain of too many descriptors";
    }
    uint8_t *at = piece_ram(d, e);
    if (at == NULL) {
        return "a descriptor of what is not all RAM";
    }
    c->piece[c->n].at = at;
    c->piece[c->n++].len = e->len;
    c->nread += !write;
    *bytes += e->len;
    return NULL;
}

static const char *chain_walk(virtio_t *d, const rings_t *r, virtio_chain_t *c) {
    const volatile desc_t *table = r->desc;
    uint32_t count = r->q.num, i = c->head;
    bool indirect = false;
    for (unsigned steps = 0; steps <= 2 * VIRTIO_SEGMENTS; steps++) { // a chain may be a ring
        if (i >= count) {
            return "a descriptor that is not in the table";
        }
        virtio_sync(d, &table[i], sizeof(desc_t));
        desc_t e = { table[i].addr, table[i].len, table[i].flags, table[i].next };
        vm_ram_read(d->vm, &table[i], sizeof(e));
        if (e.flags & DESC_INDIRECT) { // 2.6.5.3
            count = e.len / sizeof(desc_t);
            table = ring_ram(d, e.addr, e.len, 1);
            if (indirect || !(r->accepted & VIRTIO_F_INDIRECT) || (e.flags & DESC_NEXT) || table == NULL || e.len % sizeof(desc_t) != 0
                || count > VIRTQUEUE_MAX) {
                return "a bad indirect descriptor";
            }
            indirect = true;
            i = 0;
            continue;
        }
        const char *wrong = add_piece(d, c, &e);
        if (wrong != NULL || !(e.flags & DESC_NEXT)) {
            return wrong;
        }
        i = e.next;
    }
    return "a chain without an end";
}

static void set_bit(uint32_t *bits, unsigned n, bool on) {
    bits[n / 32] = on ? bits[n / 32] | 1u << n % 32 : bits[n / 32] & ~(1u << n % 32);
}

// A request is at work on, and where the boot core is in the available ring, unless there was a reset.
static void set_taken(virtio_t *d, unsigned queue, uint32_t epoch, uint16_t head, uint16_t next) {
    uint64_t daif = virtio_lock(d);
    if (d->epoch == epoch) {
        virtqueue_t *q = &d->queue[queue];
        q->next_avail = next;
        set_bit(q->taken, head, true);
        set_bit(q->again, head, false);
    }
    virtio_unlock(d, daif);
}

// The head of one that is to be taken anew, or VIRTQUEUE_MAX.
static unsigned next_again(const virtqueue_t *q) {
    for (unsigned i = 0; i < ARRAY_LEN(q->again); i++) {
        if (q->again[i] != 0) {
            return i * 32 + (unsigned)__builtin_ctz(q->again[i]);
        }
    }
    return VIRTQUEUE_MAX;
}

bool virtqueue_pop(virtio_t *d, unsigned queue, virtio_chain_t *c) {
    rings_t r;
    bool bad = false;
    if (!ring_look(d, queue, &r, &bad)) {
        if (bad) {
            virtio_broken(d, r.epoch, "a queue that is not all in RAM, not aligned, or not of 1 to 256 entries");
        }
        return false;
    }
    virtio_sync(d, r.avail, sizeof(avail_t));
    uint16_t waiting = r.avail->idx - r.q.next_avail;
    unsigned head = next_again(&r.q);
    bool again = head != VIRTQUEUE_MAX;
    if (waiting == 0 && !again) {
        return false;
    }
    if (waiting > r.q.num) {
        virtio_broken(d, r.epoch, "an available index too far ahead");
        return false;
    }
    dmb_ish(); // the entry was written before the index
    virtio_sync(d, &r.avail->ring[r.q.next_avail % r.q.num], sizeof(uint16_t));
    c->epoch = r.epoch;
    c->queue = queue;
    c->head = again ? (uint16_t)head : r.avail->ring[r.q.next_avail % r.q.num];
    vm_ram_read(d->vm, &r.avail->idx, 2);
    vm_ram_read(d->vm, &r.avail->ring[r.q.next_avail % r.q.num], 2);
    c->n = c->nread = c->read_bytes = c->write_bytes = 0;
    const char *wrong = chain_walk(d, &r, c);
    if (wrong != NULL) {
        virtio_broken(d, r.epoch, wrong);
        return false;
    }
    set_taken(d, queue, r.epoch, c->head, (uint16_t)(r.q.next_avail + !again));
    return true;
}

void virtqueue_unpop(virtio_t *d, unsigned queue, uint16_t head, uint32_t epoch) {
    uint64_t daif = virtio_lock(d);
    if (d->epoch == epoch) {
        set_bit(d->queue[queue].taken, head, false);
        set_bit(d->queue[queue].again, head, true);
    }
    virtio_unlock(d, daif);
}

// What else is in a line that is written to is had from memory first, and goes back at once.
static void write_entry(virtio_t *d, const rings_t *r, uint32_t at, uint16_t head, uint32_t written) {
    vm_ram_written(d->vm, &r->used->ring[at], 8, false);
    virtio_sync(d, &r->used->ring[at], 8);
    r->used->ring[at].id = head;
    r->used->ring[at].len = written;
    virtio_sync(d, &r->used->ring[at], 8);
    vm_ram_written(d->vm, &r->used->ring[at], 8, true);
}

static void write_index(virtio_t *d, const rings_t *r, uint16_t index) {
    vm_ram_written(d->vm, &r->used->idx, 2, false);
    virtio_sync(d, &r->used->idx, 2);
    r->used->idx = index;
    virtio_sync(d, &r->used->idx, 2);
    vm_ram_written(d->vm, &r->used->idx, 2, true);
}

void virtqueue_push(virtio_t *d, unsigned queue, uint16_t head, uint32_t epoch, uint32_t written) {
    rings_t r;
    bool bad = false;
    if (!ring_look(d, queue, &r, &bad) || r.epoch != epoch) {
        return;
    }
    uint32_t at = r.q.next_used % r.q.num;
    write_entry(d, &r, at, head, written);
    dmb_ish(); // the entry before the index
    write_index(d, &r, (uint16_t)(r.q.next_used + 1));
    uint64_t daif = virtio_lock(d);
    if (d->epoch == epoch) {
        d->queue[queue].next_used = r.q.next_used + 1;
        set_bit(d->queue[queue].taken, head, false);
    }
    virtio_unlock(d, daif);
    dmb_ish(); // the index before the question whether the driver wants to know
    virtio_sync(d, &r.avail->flags, sizeof(uint16_t));
    if (!(r.avail->flags & NO_INTERRUPT)) {
        virtio_interrupt(d, 1);
    }
}
