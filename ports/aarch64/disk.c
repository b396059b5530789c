// SPDX-License-Identifier: MIT
// machine.Disk(n=0): the machine's own virtio-mmio block devices, in the order of QEMU's command line.
// Virtio 1.1, 5.2. One request at a time, of any length: the device reads and writes the caller's buffer itself,
// whatever its alignment.

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/irq/irq.h"
#include "hv_native/memory/mem.h"
#include "hv_native/memory/window.h"
#include "hv_native/trap/numbers.h"
#include "hv_native/vm/owner.h"
#include "storage.h"
#include "virtio_driver.h"

#define SECTOR 512
#define PATIENCE 2 // seconds until Ctrl-C ends a request that is not answered

#define CAPACITY VIRTIO_CONFIG // in sectors
enum { REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 4 };

#define FEATURE_RO BIT(5)
#define FEATURE_FLUSH BIT(9)

// The chain of descriptors always begins with the first: avail.ring stays 0. What the device writes is in cache
// lines of its own.
typedef struct {
    virtq_t ring;
    uint8_t status __attribute__((aligned(CACHE_LINE)));
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header __attribute__((aligned(CACHE_LINE)));
} queue_t;

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

void disk_init(void) {
    int at;
    for (unsigned n = 0; n < DISK_MAX && (at = virtio_find(VIRTIO_ID_BLOCK, n)) >= 0; n++) {
        disks[n].base.type = &machine_disk_type;
        disks[n].regs = platform.virtio[at].base;
        disks[n].irq = platform.virtio[at].irq;
        host_claim(disks[n].regs, VIRTIO_CONFIG + 0x100, "a disk of the hypervisor's");
    }
}

mp_obj_t disk_object(unsigned n) {
    return n < DISK_MAX && disks[n].base.type != NULL ? MP_OBJ_FROM_PTR(&disks[n].base) : MP_OBJ_NULL;
}

// Only to end the wait; what there is to know is in the queue.
static void disk_irq(void *arg) {
    virtio_ack(((disk_t *)arg)->regs);
}

static bool start(disk_t *d) {
    if (!d->started) {
        d->features = virtio_begin(d->regs, FEATURE_RO | FEATURE_FLUSH);
        virtio_queue(d->regs, 0, &d->queue.ring);
        irq_attach(d->irq, disk_irq, d);
        d->started = virtio_go(d->regs);
    }
    return d->started;
}

// Until the device has answered. False: it does not, and the user has had enough of it.
static bool wait(disk_t *d) {
    uint64_t patience = mp_hal_counter() + PATIENCE * mp_hal_counter_hz();
    for (;;) {
        mp_uint_t state = mp_hal_irq_save();
        cache_clean_poc(&d->queue.ring.used, offsetof(queue_t, header) - offsetof(queue_t, ring.used));
        bool done = d->queue.ring.used.idx == d->queue.ring.avail.idx;
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
    typeof(q->ring.desc[0]) * desc = q->ring.desc;
    q->header.type = type;
    q->header.sector = sector;
    desc[0].addr = (uint64_t)&q->header;
    desc[0].len = sizeof(q->header);
    desc[0].flags = VIRTQ_NEXT;
    desc[0].next = len != 0 ? 1 : 2;
    desc[1].addr = (uint64_t)buf;
    desc[1].len = len;
    desc[1].flags = type == REQUEST_READ ? VIRTQ_NEXT | VIRTQ_WRITE : VIRTQ_NEXT;
    desc[1].next = 2;
    desc[2].addr = (uint64_t)&q->status;
    desc[2].len = sizeof(q->status);
    desc[2].flags = VIRTQ_WRITE;
    // Lines that the buffer shares with others go to memory with them, and come back with them: nobody
    // else writes while we wait.
    cache_clean_poc(buf, len);
    dmb_ish();
    q->ring.avail.idx++;
    cache_clean_poc(q, sizeof(*q));
    virtio_notify(d->regs, 0);
    if (!wait(d)) {
        virtio_stop(d->regs); // it must not write into the buffer any more
        d->started = false;
        return -MP_EIO;
    }
    cache_clean_poc(buf, len);
    return q->status == 0 ? 0 : -MP_EIO;
}

// A fork's RAM (memory/window.h) is in pages that lie anywhere: by way of one that does not.
static int by_pages(disk_t *d, uint32_t type, uint64_t sector, uint8_t *buf, size_t len) {
    uint8_t *page = page_alloc(PAGE_SIZE);
    int ret = page == NULL ? -MP_ENOMEM : 0;
    for (size_t n; ret == 0 && len != 0; sector += n / SECTOR, buf += n, len -= n) {
        n = MIN(len, PAGE_SIZE);
        if (type == REQUEST_WRITE) {
            memcpy(page, buf, n);
        }
        ret = request(d, type, sector, page, n);
        if (type == REQUEST_READ) {
            memcpy(buf, page, n);
        }
    }
    page_free(page, PAGE_SIZE);
    return ret;
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
    uint64_t sector = unbox_int(args[1]) + offset / SECTOR;
    if (ret == 0 && buf.len != 0) {
        ret = window_is(buf.buf) ? by_pages(d, type, sector, buf.buf, buf.len) : request(d, type, sector, buf.buf, buf.len);
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
