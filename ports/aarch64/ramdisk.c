// SPDX-License-Identifier: MIT
// machine.RAMDisk: the block device behind "/". Its memory comes from the page allocator, once per
// power-on, so files survive a soft reset and the garbage collector never scans them.

#include <string.h>

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "hv_native/core/platform.h"
#include "hv_native/memory/mem.h"
#include "hv_native/trap/numbers.h"
#include "machine_port.h"

#define BLOCK_SIZE 1024 // halves the sectors mkfs clears at each power-on
#define DISK_MIN (2u << 20)
#define DISK_MAX (64u << 20)

typedef struct {
    mp_obj_base_t base;
    uint8_t *start;
    size_t size;
} ramdisk_obj_t;

static ramdisk_obj_t ramdisk_obj = { { &machine_ramdisk_type }, NULL, 0 };

// A sixteenth of RAM, or less where so much cannot be had in one piece.
void ramdisk_init(void) {
    size_t size = MIN(MAX(platform.ram_size / 16, DISK_MIN), DISK_MAX) & ~(size_t)0xFFF;
    for (; size >= 0x10000; size = size / 2 & ~(size_t)0xFFF) {
        ramdisk_obj.start = page_alloc(size);
        if (ramdisk_obj.start != NULL) {
            ramdisk_obj.size = size;
            return;
        }
    }
}

static void ramdisk_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    ramdisk_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "<RAMDisk at %p, %u KiB>", self->start, (unsigned)(self->size / 1024));
}

static mp_obj_t ramdisk_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 0, false);
    if (ramdisk_obj.size == 0) {
        mp_raise_OSError(MP_ENODEV);
    }
    return MP_OBJ_FROM_PTR(&ramdisk_obj);
}

// The bytes [block * BLOCK_SIZE + offset, + len) of the disk.
static uint8_t *ramdisk_range(ramdisk_obj_t *self, size_t n_args, const mp_obj_t *args, size_t len) {
    size_t offset = (size_t)unbox_int(args[1]) * BLOCK_SIZE + (n_args == 4 ? unbox_int(args[3]) : 0);
    if (offset > self->size || len > self->size - offset) {
        mp_raise_OSError(MP_EINVAL);
    }
    return self->start + offset;
}

// readblocks(block, buf[, offset])
static mp_obj_t ramdisk_readblocks(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(args[2], &buf, MP_BUFFER_WRITE);
    memcpy(buf.buf, ramdisk_range(MP_OBJ_TO_PTR(args[0]), n_args, args, buf.len), buf.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ramdisk_readblocks_obj, 3, 4, ramdisk_readblocks);

// writeblocks(block, buf[, offset])
static mp_obj_t ramdisk_writeblocks(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(args[2], &buf, MP_BUFFER_READ);
    memcpy(ramdisk_range(MP_OBJ_TO_PTR(args[0]), n_args, args, buf.len), buf.buf, buf.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ramdisk_writeblocks_obj, 3, 4, ramdisk_writeblocks);

static mp_obj_t ramdisk_ioctl(mp_obj_t self_in, mp_obj_t cmd_in, mp_obj_t arg_in) {
    ramdisk_obj_t *self = MP_OBJ_TO_PTR(self_in);
    switch (unbox_int(cmd_in)) {
        case MP_BLOCKDEV_IOCTL_INIT:
        case MP_BLOCKDEV_IOCTL_DEINIT:
        case MP_BLOCKDEV_IOCTL_SYNC:
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE: // nothing to erase in RAM
            return MP_OBJ_NEW_SMALL_INT(0);
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(self->size / BLOCK_SIZE);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(BLOCK_SIZE);
        default:
            return mp_const_none;
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(ramdisk_ioctl_obj, ramdisk_ioctl);

static mp_int_t ramdisk_get_buffer(mp_obj_t self_in, mp_buffer_info_t *buf, mp_uint_t flags) {
    ramdisk_obj_t *self = MP_OBJ_TO_PTR(self_in);
    *buf = (mp_buffer_info_t) { self->start, self->size, 'B' };
    return 0;
}

static const mp_rom_map_elem_t ramdisk_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&ramdisk_readblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&ramdisk_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&ramdisk_ioctl_obj) },
};
static MP_DEFINE_CONST_DICT(ramdisk_locals_dict, ramdisk_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    machine_ramdisk_type,
    MP_QSTR_RAMDisk,
    MP_TYPE_FLAG_NONE,
    make_new, ramdisk_make_new,
    print, ramdisk_print,
    buffer, ramdisk_get_buffer,
    locals_dict, &ramdisk_locals_dict
    );
