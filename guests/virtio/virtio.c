// SPDX-License-Identifier: MIT
// The guest of examples/virtio_device.py: a driver for its device, with what a driver cannot do without
// (virtio 1.1, 3.1.1 and 4.2). One request at a time, waited for.

#include "guest.h"

#define SLOTS UINT64_C(0x0A000000)
#define NOTES 99

enum {
    DEVICE_ID = 0x08, DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SEL = 0x24, QUEUE_NUM = 0x38, QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50, STATUS = 0x70, QUEUE_DESC = 0x80, QUEUE_AVAIL = 0x90, QUEUE_USED = 0xA0, CONFIG = 0x100,
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { DESC_NEXT = 1, DESC_WRITE = 2 };
#define ENTRIES 2

static struct {
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } desc[ENTRIES];
    struct {
        uint16_t flags, idx, ring[ENTRIES];
    } avail;
    struct {
        uint16_t flags, idx;
        struct {
            uint32_t id, len;
        } ring[ENTRIES];
    } used __attribute__((aligned(4)));
} queue __attribute__((aligned(16)));

static volatile uint16_t *const used_idx = &queue.used.idx;

static uint64_t find(void) {
    for (uint64_t base = SLOTS; base < SLOTS + 32 * 0x200; base += 0x200) {
        if (read32(base + DEVICE_ID) == NOTES) {
            return base;
        }
    }
    print("guest: there is no such device\n");
    power_off();
}

static void start(uint64_t base) {
    write32(base + STATUS, 0);
    write32(base + STATUS, ACKNOWLEDGE | DRIVER);
    write32(base + DRIVER_FEATURES_SEL, 1);
    write32(base + DRIVER_FEATURES, 1); // VIRTIO_F_VERSION_1
    write32(base + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    write32(base + QUEUE_NUM, ENTRIES);
    write32(base + QUEUE_DESC, (uint64_t)queue.desc);
    write32(base + QUEUE_AVAIL, (uint64_t)&queue.avail);
    write32(base + QUEUE_USED, (uint64_t)&queue.used);
    write32(base + QUEUE_READY, 1);
    write32(base + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

static void ask(uint64_t base, const char *text) {
    static char answer[64];
    uint32_t len = 0;
    while (text[len] != 0) {
        len++;
    }
    queue.desc[0].addr = (uint64_t)text;
    queue.desc[0].len = len;
    queue.desc[0].flags = DESC_NEXT;
    queue.desc[0].next = 1;
    queue.desc[1].addr = (uint64_t)answer;
    queue.desc[1].len = sizeof(answer) - 1;
    queue.desc[1].flags = DESC_WRITE;
    queue.avail.ring[queue.avail.idx % ENTRIES] = 0;
    __asm__ volatile ("dmb ish" : : : "memory");
    queue.avail.idx++;
    __asm__ volatile ("dmb ish" : : : "memory");
    write32(base + QUEUE_NOTIFY, 0);
    while (*used_idx != queue.avail.idx) {
    }
    __asm__ volatile ("dmb ish" : : : "memory");
    answer[queue.used.ring[(queue.avail.idx - 1) % ENTRIES].len] = 0;
    print("guest: ");
    print(text);
    print(" -> ");
    print(answer);
    print("\n");
}

void guest_main(uint64_t x0) {
    (void)x0;
    uint64_t base = find();
    char name[17] = { 0 };
    for (unsigned i = 0; i < 16; i++) {
        name[i] = (char)read8(base + CONFIG + i);
    }
    print("guest: the device is \"");
    print(name);
    print("\"\n");
    start(base);
    ask(base, "colour");
    ask(base, "shape");
    ask(base, "shape=round");
    ask(base, "shape");
    power_off();
}
