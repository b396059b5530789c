// SPDX-License-Identifier: MIT
// Virtio devices of a guest (virtio 1.1): 32 slots as on QEMU virt, each empty or with a device whose
// registers (virtio_mmio.c) and queues (virtqueue.c) are here, and whose work is Python's (obj_virtio.c).
//
// Registers are used by any core, under the wire's lock. Queues are looked into by the boot core only: what it
// reads there a guest may change under its hands, so each thing is read once and then checked.
#ifndef HV_VIRTIO_H
#define HV_VIRTIO_H

#include "core/arch.h"
#include "devices/wire.h"
#include "vm/vm.h"

#define VIRTIO_IPA UINT64_C(0x0A000000)
#define VIRTIO_STRIDE 0x200u
#define VIRTIO_IRQ 48u          // INTID of slot 0; one each
#define VIRTIO_QUEUES 8u
#define VIRTQUEUE_MAX 256u      // entries of a queue
#define VIRTIO_CONFIG_MAX 0x100u
#define VIRTIO_SEGMENTS 260u    // pieces of one request
#define VIRTIO_LONG 0x20000u    // longer pieces are made to be there (vm_ram) as they are used

// Device status, virtio 1.1, 2.1.
enum {
    VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64, VIRTIO_FAILED = 128,
};
#define VIRTIO_F_INDIRECT BIT(28)
#define VIRTIO_F_VERSION_1 BIT(32)

typedef struct {
    uint64_t desc, avail, used; // IPAs
    uint32_t num, align;        // align: legacy's QueueAlign
    bool ready;
    uint16_t next_avail, next_used;
    uint32_t taken[VIRTQUEUE_MAX / 32], again[VIRTQUEUE_MAX / 32];  // requests by head: at work on; to be taken anew
} virtqueue_t;

typedef struct virtio {
    wire_t wire;                // its lock is the device's
    vm_t *vm;
    unsigned slot, nqueues, config_size;
    uint32_t id;
    bool legacy;
    bool uncached;              // the driver that kicked last has its caches off
    uint64_t offered, accepted; // features
    uint32_t offered_sel, accepted_sel, queue_sel, page_size;
    volatile uint32_t status, isr;
    uint32_t epoch;             // resets, so that what began before one does not end after it
    uint32_t config_generation;
    virtqueue_t queue[VIRTIO_QUEUES];
    uint32_t kicked;            // queues with something new in them, and VIRTIO_WAS_RESET
    uint64_t since;             // CNTPCT when the first of those came
    const char *fault;          // what the driver did wrong, when it has to reset the device
    void *port;                 // the Python object
    uint8_t config[VIRTIO_CONFIG_MAX];
} virtio_t;
#define VIRTIO_WAS_RESET BIT(31)

typedef struct {
    uint8_t *at;
    uint32_t len;
} piece_t;

// A request: a chain of descriptors, as pieces of host memory, those to be read first.
typedef struct {
    uint32_t epoch;
    uint16_t queue, head;
    unsigned nread, n;          // pieces to be read; all
    uint32_t read_bytes, write_bytes;
    piece_t piece[VIRTIO_SEGMENTS];
} virtio_chain_t;

bool virtio_add(vm_t *vm);      // the empty slots; false: out of memory
void virtio_remove(vm_t *vm);
void virtio_reset_vm(vm_t *vm); // no vCPU runs
// virtio_save.c. Requests that were at work on when it was saved are begun anew.
struct device_stream;
void virtio_save(vm_t *vm, struct device_stream *s);
void virtio_load(vm_t *vm, struct device_stream *s);

uint64_t virtio_lock(virtio_t *d);
void virtio_unlock(virtio_t *d, uint64_t daif);

// Boot core: put work for it on its list, and make it look.
void virtio_kick(virtio_t *d, uint32_t what);
// Boot core: of all devices of VMs that run, the one that has waited longest, but not since after `until`;
// what is to be done there is in *what, and no longer waits. NULL: none.
virtio_t *virtio_next(uint64_t until, uint32_t *what);
// Boot core: a VM starts; what has waited for that waits no longer.
void virtio_started(vm_t *vm);
// Something has changed that the driver is to look at: 1 in a queue, 2 in the configuration.
void virtio_interrupt(virtio_t *d, uint32_t why);
// The configuration is that from now on; at most VIRTIO_CONFIG_MAX bytes. An interrupt tells.
void virtio_configure(virtio_t *d, const void *config, size_t size);
// The driver cannot be served until it has reset the device.
void virtio_broken(virtio_t *d, uint32_t epoch, const char *why);

// virtqueue.c, boot core. Take the next request out of a queue; false: there is none, or it is no good.
bool virtqueue_pop(virtio_t *d, unsigned queue, virtio_chain_t *chain);
// Undo a pop: it is the next.
void virtqueue_unpop(virtio_t *d, unsigned queue, uint16_t head, uint32_t epoch);
// Give a request back with so many bytes written to it. Nothing happens when there was a reset meanwhile.
void virtqueue_push(virtio_t *d, unsigned queue, uint16_t head, uint32_t epoch, uint32_t written);
// What a driver with its caches off writes or reads is in memory: what our caches have of it goes there, and
// is read anew.
static inline void virtio_sync(const virtio_t *d, const volatile void *at, uint64_t bytes) {
    if (UNLIKELY(d->uncached)) {
        cache_clean_poc((const void *)at, bytes);
    }
}

// obj_virtio.c, boot core: have MicroPython's scheduler let devices do what waits for them, if anything does.
void virtio_schedule(void);
void virtio_session(void);      // a new session of MicroPython begins
extern volatile bool virtio_waiting;

#endif
