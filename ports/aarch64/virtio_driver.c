// SPDX-License-Identifier: MIT
// The driver's side of virtio-mmio: see virtio_driver.h.

#include "hv_native/core/platform.h"
#include "virtio_driver.h"

// Registers of the transport (virtio 1.1, 4.2.2 and 4.2.4).
enum {
    VERSION = 0x04, DEVICE_ID = 0x08,
    DEVICE_FEATURES = 0x10, DEVICE_FEATURES_SEL = 0x14, DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SEL = 0x24,
    QUEUE_SEL = 0x30, QUEUE_NUM = 0x38,
    GUEST_PAGE_SIZE = 0x28, QUEUE_ALIGN = 0x3C, QUEUE_PFN = 0x40, // legacy
    QUEUE_READY = 0x44, QUEUE_DESC = 0x80, QUEUE_AVAIL = 0x90, QUEUE_USED = 0xA0, // modern
    QUEUE_NOTIFY = 0x50, INTERRUPT_STATUS = 0x60, INTERRUPT_ACK = 0x64, STATUS = 0x70,
};

enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };

#define FEATURE_VERSION_1 BIT(32)

_Static_assert(offsetof(virtq_t, used) == ALIGN_UP(offsetof(virtq_t, avail.event) + sizeof(uint16_t), CACHE_LINE),
    "what a QUEUE_ALIGN of CACHE_LINE means");

// QEMU gives its devices places from the last to the first.
int virtio_find(unsigned id, unsigned n) {
    for (unsigned i = platform.nvirtio; i-- > 0;) {
        if (read32(platform.virtio[i].base + DEVICE_ID) == id && n-- == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_modern(uint64_t regs) {
    return read32(regs + VERSION) >= 2;
}

static uint64_t device_features(uint64_t regs, unsigned half) {
    write32(regs + DEVICE_FEATURES_SEL, half);
    return read32(regs + DEVICE_FEATURES);
}

static void set_driver_features(uint64_t regs, unsigned half, uint32_t features) {
    write32(regs + DRIVER_FEATURES_SEL, half);
    write32(regs + DRIVER_FEATURES, features);
}

// Virtio 1.1, 3.1.1.
uint64_t virtio_begin(uint64_t regs, uint64_t wanted) {
    write32(regs + STATUS, 0);
    write32(regs + STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    uint64_t features = device_features(regs, 0) & wanted;
    if (is_modern(regs)) {
        features |= (device_features(regs, 1) << 32) & FEATURE_VERSION_1;
        set_driver_features(regs, 1, features >> 32);
    }
    set_driver_features(regs, 0, features);
    if (is_modern(regs)) {
        write32(regs + STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    }
    return features;
}

static void set_address(uint64_t regs, unsigned reg, const void *p) {
    write32(regs + reg, (uint64_t)p);
    write32(regs + reg + 4, (uint64_t)p >> 32);
}

void virtio_queue(uint64_t regs, unsigned index, virtq_t *q) {
    q->avail.idx = q->used.idx = 0;
    cache_clean_poc(q, sizeof(*q));
    write32(regs + QUEUE_SEL, index);
    write32(regs + QUEUE_NUM, VIRTQ_SIZE);
    if (is_modern(regs)) {
        set_address(regs, QUEUE_DESC, q->desc);
        set_address(regs, QUEUE_AVAIL, &q->avail);
        set_address(regs, QUEUE_USED, &q->used);
        write32(regs + QUEUE_READY, 1);
    } else {
        // A "page" of ours need not be the MMU's.
        write32(regs + GUEST_PAGE_SIZE, CACHE_LINE);
        write32(regs + QUEUE_ALIGN, CACHE_LINE);
        write32(regs + QUEUE_PFN, (uint64_t)q / CACHE_LINE);
    }
}

bool virtio_go(uint64_t regs) {
    uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK | (is_modern(regs) ? STATUS_FEATURES_OK : 0);
    write32(regs + STATUS, status);
    return (read32(regs + STATUS) & status) == status;
}

void virtq_give(virtq_t *q, unsigned slot) {
    cache_clean_poc((void *)q->desc[slot].addr, q->desc[slot].len);
    q->avail.ring[q->avail.idx % VIRTQ_SIZE] = slot;
    cache_clean_poc(q, offsetof(virtq_t, used));
    dmb_ish();
    q->avail.idx++;
    cache_clean_poc(q, offsetof(virtq_t, used));
}

void virtio_buffers(uint64_t regs, unsigned index, virtq_t *q, void *buf, unsigned n, uint32_t size, bool to_write) {
    for (unsigned i = 0; i < n; i++) {
        q->desc[i].addr = (uint64_t)buf + (uint64_t)i * size;
        q->desc[i].len = size;
        q->desc[i].flags = to_write ? VIRTQ_WRITE : 0;
    }
    virtio_queue(regs, index, q);
    for (unsigned i = 0; to_write && i < n; i++) {
        virtq_give(q, i);
    }
}

uint16_t virtq_done(virtq_t *q) {
    cache_clean_poc(&q->used, sizeof(virtq_t) - offsetof(virtq_t, used));
    return *(volatile uint16_t *)&q->used.idx;
}

void virtio_notify(uint64_t regs, unsigned queue) {
    write32(regs + QUEUE_NOTIFY, queue);
}

void virtio_ack(uint64_t regs) {
    write32(regs + INTERRUPT_ACK, read32(regs + INTERRUPT_STATUS));
}

void virtio_stop(uint64_t regs) {
    write32(regs + STATUS, 0);
}
