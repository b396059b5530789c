// SPDX-License-Identifier: MIT
// The state of a VM's virtio devices, to keep and to go back to; that of Python's part of one is its own (Device.save).

#include <string.h>
#include "core/arch.h"
#include "devices/virtio.h"
#include "vm/state.h"

// Of virtio_t, what a driver can tell.
typedef struct {
    uint32_t id, status, isr, offered_sel, accepted_sel, queue_sel, page_size, config_generation, config_size, kicked;
    bool high, uncached;
    const char *fault;
    uint64_t offered, accepted;
    virtqueue_t queue[VIRTIO_QUEUES];
    uint8_t config[VIRTIO_CONFIG_MAX];
} virtio_state_t;

static void save_device(virtio_t *d, device_stream_t *s) {
    uint64_t daif = virtio_lock(d);
    virtio_state_t is = {
        d->id, d->status, d->isr, d->offered_sel, d->accepted_sel, d->queue_sel, d->page_size, d->config_generation, d->config_size,
        d->kicked, d->wire.high, d->uncached, d->fault, d->offered, d->accepted, { { 0 } }, { 0 },
    };
    memcpy(is.queue, d->queue, sizeof(is.queue));
    memcpy(is.config, d->config, sizeof(is.config));
    virtio_unlock(d, daif);
    STREAM_PUT(s, is);
}

void virtio_save(vm_t *vm, device_stream_t *s) {
    for (unsigned i = 0; i < VM_MAX_VIRTIO; i++) {
        bool there = vm->virtio[i] != NULL;
        STREAM_PUT(s, there);
        if (there) {
            save_device(vm->virtio[i], s);
        }
    }
}

// What was at work on then is asked again, from its beginning: whether it has been done since, nobody there knows.
static uint32_t begin_anew(virtqueue_t *q) {
    uint32_t any = 0;
    for (unsigned i = 0; i < ARRAY_LEN(q->taken); i++) {
        q->again[i] |= q->taken[i];
        q->taken[i] = 0;
        any |= q->again[i];
    }
    return any;
}

// From a file: what the register accesses and the queues rely on.
static bool is_sane(const virtio_t *d, const virtio_state_t *was) {
    bool ok = was->id == d->id && was->config_size <= VIRTIO_CONFIG_MAX && (was->offered & ~d->offered) == 0;
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++) {
        ok = ok && was->queue[i].num <= VIRTQUEUE_MAX;
    }
    return ok;
}

static void load_device(virtio_t *d, const virtio_state_t *was, bool foreign) {
    uint32_t kick = was->kicked;
    uint64_t daif = virtio_lock(d);
    d->status = was->status;
    d->isr = was->isr;
    d->offered_sel = was->offered_sel;
    d->accepted_sel = was->accepted_sel;
    d->queue_sel = was->queue_sel;
    d->page_size = was->page_size;
    d->uncached = was->uncached;
    d->fault = was->fault == NULL || !foreign ? was->fault : "what it did wrong before it was saved";
    d->accepted = was->accepted;
    d->offered = was->offered;
    d->config_generation = was->config_generation;
    d->config_size = was->config_size;
    memcpy(d->config, was->config, sizeof(d->config));
    memcpy(d->queue, was->queue, sizeof(d->queue));
    for (unsigned i = 0; i < d->nqueues; i++) {
        kick |= begin_anew(&d->queue[i]) != 0 ? 1u << i : 0;
    }
    d->wire.high = was->high;
    d->epoch++; // what Python still has of requests is void
    d->kicked = 0;
    spin_unlock_irq(&d->wire.lock, daif);
    if (kick != 0) {
        virtio_kick(d, kick);
    }
}

void virtio_load(vm_t *vm, device_stream_t *s) {
    for (unsigned i = 0; i < VM_MAX_VIRTIO; i++) {
        bool there;
        virtio_state_t was;
        STREAM_GET(s, there);
        if (there) {
            STREAM_GET(s, was);
        }
        virtio_t *d = there ? vm->virtio[i] : NULL;
        if (d != NULL && d->id == was.id && stream_check(s, !s->foreign || is_sane(d, &was))) {
            load_device(d, &was, s->foreign);
        }
    }
}
