// SPDX-License-Identifier: MIT
// machine.Disk(n=0): the machine's own virtio-mmio block devices, in the order of QEMU's command line.
// Both transports, legacy and modern (virtio 1.1, 4.2 and 5.2). One request at a time, of any length:
// the device reads and writes the caller's buffer itself, whatever its alignment.

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/irq/irq.h"
#include "hv_native/trap/numbers.h"
#include "hv_native/vm/owner.h"
#include "storage.h"

#define SECTOR 512
#define PATIENCE 2 // seconds until Ctrl-C ends a request that is not answered

// Registers of the transport.
enum {
    VERSION = 0x04, DEVICE_ID = 0x08,
    DEVICE_FEATURES = 0x10, DEVICE_FEATURES_SEL = 0x14, DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SEL = 0x24,
    QUEUE_SEL = 0x30, QUEUE_NUM = 0x38,
    GUEST_PAGE_SIZE = 0x28, QUEUE_ALIGN = 0x3C, QUEUE_PFN = 0x40, // legacy
    QUEUE_READY = 0x44, QUEUE_DESC = 0x80, QUEUE_AVAIL = 0x90, QUEUE_USED = 0xA0, // modern
    QUEUE_NOTIFY = 0x50, INTERRUPT_STATUS = 0x60, INTERRUPT_ACK = 0x64, STATUS = 0x70,
    CAPACITY = 0x100, // in sectors; the first field of the device's own registers
};

enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };
enum { REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 4 };
enum { DESC_NEXT = 1, DESC_WRITE = 2 };

#define ID_BLOCK 2
#define FEATURE_RO BIT(5)
#define FEATURE_FLUSH BIT(9)
#define FEATURE_VERSION_1 BIT(32)

#define QUEUE_SIZE 4

// Laid out as the legacy transport has it. What the device writes begins at `used`, in cache lines of
// its own. The chain of descriptors always begins with the first: avail.ring stays 0.
typedef struct {
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } desc[QUEUE_SIZE];
    struct {
        uint16_t flags, idx, ring[QUEUE_SIZE], event;
    } avail;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    struct {
        uint16_t flags, idx;
        uint32_t ring[QUEUE_SIZE][2];
        uint16_t event;
    } used __attribute__((aligned(CACHE_LINE)));
    uint8_t status;
} __attribute__((aligned(CACHE_LINE))) queue_t;

_Static_assert(offsetof(queue_t, used) == 2 * CACHE_LINE, "what a QUEUE_ALIGN of CACHE_LINE means");

typedef struct {
    queue_t queue;
    mp_obj_base_t base;
    bool started;
    unsigned irq;
    uint64_t regs;
    uint64_t features;
} disk_t;

static disk_t disks[DISK_MAX];

static disk_t *disk_of(mp_obj_t self) {
    return (disk_t *)((char *)MP_OBJ_TO_PTR(self) - offsetof(disk_t, base));
}

// QEMU gives its devices places from the last to the first.
void disk_init(void) {
    disk_t *d = disks;
    for (unsigned i = platform.nvirtio; i-- > 0 && d < &disks[DISK_MAX];) {
        if (read32(platform.virtio[i].base + DEVICE_ID) == ID_BLOCK) {
            d->base.type = &machine_disk_type;
            d->regs = platform.virtio[i].base;
            host_claim(d->regs, CAPACITY + 0x100, "a disk of the hypervisor's");
            d++->irq = platform.virtio[i].irq;
        }
    }
}

mp_obj_t disk_object(unsigned n) {
    return n < DISK_MAX && disks[n].base.type != NULL ? MP_OBJ_FROM_PTR(&disks[n].base) : MP_OBJ_NULL;
}

// Only to end the wait; what there is to know is in the queue.
static void disk_irq(void *arg) {
    disk_t *d = arg;
    write32(d->regs + INTERRUPT_ACK, read32(d->regs + INTERRUPT_STATUS));
}

static void set_address(disk_t *d, unsigned reg, const void *p) {
    write32(d->regs + reg, (uint64_t)p);
    write32(d->regs + reg + 4, (uint64_t)p >> 32);
}

static uint64_t device_features(disk_t *d, unsigned half) {
    write32(d->regs + DEVICE_FEATURES_SEL, half);
    return read32(d->regs + DEVICE_FEATURES);
}

// Virtio 1.1, 3.1.1 and 4.2.4.
static bool start(disk_t *d) {
    if (d->started) {
        return true;
    }
    bool modern = read32(d->regs + VERSION) >= 2;
    queue_t *q = &d->queue;
    uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    q->avail.idx = q->used.idx = 0;
    write32(d->regs + STATUS, 0);
    write32(d->regs + STATUS, status);
    d->features = device_features(d, 0) & (FEATURE_RO | FEATURE_FLUSH);
    if (modern) {
        d->features |= (device_features(d, 1) << 32) & FEATURE_VERSION_1;
        status |= STATUS_FEATURES_OK;
        write32(d->regs + DRIVER_FEATURES_SEL, 1);
        write32(d->regs + DRIVER_FEATURES, d->features >> 32);
    }
    write32(d->regs + DRIVER_FEATURES_SEL, 0);
    write32(d->regs + DRIVER_FEATURES, d->features);
    write32(d->regs + STATUS, status);
    write32(d->regs + QUEUE_SEL, 0);
    write32(d->regs + QUEUE_NUM, QUEUE_SIZE);
    if (modern) {
        set_address(d, QUEUE_DESC, q->desc);
        set_address(d, QUEUE_AVAIL, &q->avail);
        set_address(d, QUEUE_USED, &q->used);
        write32(d->regs + QUEUE_READY, 1);
    } else {
        // A "page" of ours need not be the MMU's.
        write32(d->regs + GUEST_PAGE_SIZE, CACHE_LINE);
        write32(d->regs + QUEUE_ALIGN, CACHE_LINE);
        write32(d->regs + QUEUE_PFN, (uint64_t)q / CACHE_LINE);
    }
    irq_attach(d->irq, disk_irq, d);
    write32(d->regs + STATUS, status | STATUS_DRIVER_OK);
    d->started = (read32(d->regs + STATUS) & status) == status;
    return d->started;
}

// Until the device has answered. False: it does not, and the user has had enough of it.
static bool wait(disk_t *d) {
    uint64_t patience = mp_hal_counter() + PATIENCE * mp_hal_counter_hz();
    for (;;) {
        mp_uint_t state = mp_hal_irq_save();
        cache_clean_poc(&d->queue.used, sizeof(queue_t) - offsetof(queue_t, used));
        bool done = d->queue.used.idx == d->queue.avail.idx;
        if (!done) {
            wfi(); // a masked interrupt ends it too
        }
        mp_hal_irq_restore(state);
        if (done || (MP_STATE_MAIN_THREAD(mp_pending_exception) != MP_OBJ_NULL && mp_hal_counter() > patience)) {
            return done;
        }
    }
}

// 0 or a negative errno.
static int request(disk_t *d, uint32_t type, uint64_t sector, void *buf, size_t len) {
    queue_t *q = &d->queue;
    q->header.type = type;
    q->header.sector = sector;
    q->desc[0].addr = (uint64_t)&q->header;
    q->desc[0].len = sizeof(q->header);
    q->desc[0].flags = DESC_NEXT;
    q->desc[0].next = len != 0 ? 1 : 2;
    q->desc[1].addr = (uint64_t)buf;
    q->desc[1].len = len;
    q->desc[1].flags = type == REQUEST_READ ? DESC_NEXT | DESC_WRITE : DESC_NEXT;
    q->desc[1].next = 2;
    q->desc[2].addr = (uint64_t)&q->status;
    q->desc[2].len = sizeof(q->status);
    q->desc[2].flags = DESC_WRITE;
    // Lines that the buffer shares with others go to memory with them, and come back with them: nobody
    // else writes while we wait.
    cache_clean_poc(buf, len);
    dmb_ish();
    q->avail.idx++;
    cache_clean_poc(q, sizeof(*q));
    write32(d->regs + QUEUE_NOTIFY, 0);
    if (!wait(d)) {
        write32(d->regs + STATUS, 0); // it must not write into the buffer any more
        d->started = false;
        return -MP_EIO;
    }
    cache_clean_poc(buf, len);
    return q->status == 0 ? 0 : -MP_EIO;
}

static mp_obj_t disk_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    mp_obj_t disk = disk_object(n_args == 0 ? 0 : unbox_int(args[0]));
    if (disk == MP_OBJ_NULL) {
        mp_raise_OSError(MP_ENODEV);
    }
    return disk;
}

static mp_obj_t transfer(size_t n_args, const mp_obj_t *args, uint32_t type) {
    disk_t *d = disk_of(args[0]);
    mp_buffer_info_t buf;
    mp_get_buffer_raise(args[2], &buf, type == REQUEST_READ ? MP_BUFFER_WRITE : MP_BUFFER_READ);
    size_t offset = n_args == 4 ? unbox_int(args[3]) : 0;
    if ((buf.len | offset) % SECTOR != 0 || buf.len >> 31 != 0) {
        mp_raise_OSError(MP_EINVAL);
    }
    int ret = start(d) ? 0 : -MP_ENODEV;
    if (ret == 0 && type == REQUEST_WRITE && d->features & FEATURE_RO) {
        ret = -MP_EROFS;
    }
    if (ret == 0 && buf.len != 0) {
        ret = request(d, type, unbox_int(args[1]) + offset / SECTOR, buf.buf, buf.len);
    }
    return MP_OBJ_NEW_SMALL_INT(ret);
}

// readblocks(block, buf[, offset])
static mp_obj_t disk_readblocks(size_t n_args, const mp_obj_t *args) {
    return transfer(n_args, args, REQUEST_READ);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_readblocks_obj, 3, 4, disk_readblocks);

// writeblocks(block, buf[, offset])
static mp_obj_t disk_writeblocks(size_t n_args, const mp_obj_t *args) {
    return transfer(n_args, args, REQUEST_WRITE);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_writeblocks_obj, 3, 4, disk_writeblocks);

static mp_obj_t disk_ioctl(mp_obj_t self_in, mp_obj_t op_in, mp_obj_t arg_in) {
    disk_t *d = disk_of(self_in);
    mp_int_t op = unbox_int(op_in), ret = 0;
    if (!start(d)) {
        ret = -MP_ENODEV;
    } else if (op == MP_BLOCKDEV_IOCTL_SYNC && d->features & FEATURE_FLUSH) {
        ret = request(d, REQUEST_FLUSH, 0, NULL, 0);
    } else if (op == MP_BLOCKDEV_IOCTL_BLOCK_COUNT) {
        ret = read32(d->regs + CAPACITY) | (uint64_t)read32(d->regs + CAPACITY + 4) << 32;
    } else if (op == MP_BLOCKDEV_IOCTL_BLOCK_SIZE) {
        ret = SECTOR;
    }
    return MP_OBJ_NEW_SMALL_INT(ret);
}
static MP_DEFINE_CONST_FUN_OBJ_3(disk_ioctl_obj, disk_ioctl);

static const mp_rom_map_elem_t disk_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&disk_readblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&disk_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&disk_ioctl_obj) },
};
static MP_DEFINE_CONST_DICT(disk_locals_dict, disk_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    machine_disk_type,
    MP_QSTR_Disk,
    MP_TYPE_FLAG_NONE,
    make_new, disk_make_new,
    locals_dict, &disk_locals_dict
    );
