// SPDX-License-Identifier: MIT
// The driver's side of virtio-mmio, legacy and modern (virtio 1.1, 4.2): what the machine's own devices have in
// common, for disk.c, virtio_console.c and nic.c.
#ifndef PORT_VIRTIO_DRIVER_H
#define PORT_VIRTIO_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include "hv_native/core/arch.h"

enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3 };
enum { VIRTQ_NEXT = 1, VIRTQ_WRITE = 2 }; // flags of a descriptor

#define VIRTIO_CONFIG 0x100 // the first of the device's own registers
#define VIRTQ_SIZE 16

// Laid out as the legacy transport has it. What the device writes begins at `used`, in cache lines of its own.
typedef struct {
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } desc[VIRTQ_SIZE];
    struct {
        uint16_t flags, idx, ring[VIRTQ_SIZE], event;
    } avail;
    struct {
        uint16_t flags, idx;
        struct {
            uint32_t id, len;
        } ring[VIRTQ_SIZE];
        uint16_t event;
    } used __attribute__((aligned(CACHE_LINE)));
} __attribute__((aligned(CACHE_LINE))) virtq_t;

// The n-th device of this kind, in the order of QEMU's command line: its place in platform.virtio, or -1.
int virtio_find(unsigned id, unsigned n);

// Reset it, and take those of the features in `wanted` that it has. Then its queues; then virtio_go, which is false
// when the device will not have it so.
uint64_t virtio_begin(uint64_t regs, uint64_t wanted);
void virtio_queue(uint64_t regs, unsigned index, virtq_t *q);
bool virtio_go(uint64_t regs);

// A queue whose first n descriptors are buffers of `size` bytes each, one behind the other. Those that the device is to
// write to are given to it at once.
void virtio_buffers(uint64_t regs, unsigned index, virtq_t *q, void *buf, unsigned n, uint32_t size, bool to_write);
// Give one to the device, or give it back; and how many the device is
// done with, of all there ever were. What a buffer holds goes to memory before, and comes from there after.
void virtq_give(virtq_t *q, unsigned slot);
uint16_t virtq_done(virtq_t *q);

void virtio_notify(uint64_t regs, unsigned queue);
void virtio_ack(uint64_t regs);     // its interrupt
void virtio_stop(uint64_t regs);    // it reads and writes memory no more

#endif
