// SPDX-License-Identifier: MIT
// vfs.rom_ioctl: read-only filesystem images (ROMFS) that were put into the machine from outside, as
// the initrd or into the board's flash. MicroPython mounts the first one at /rom before any script.

#include <string.h>

#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "hv_native/fault.h"
#include "hv_native/platform.h"

#define ROM_MAX 2

typedef struct {
    uint64_t start, size;
} rom_t;

// A ROMFS is one record: kind 0x14a6b1 as a 7-bit-group number with the length behind it.
static const uint8_t romfs_magic[3] = { 0xD2, 0xCD, 0x31 };

static void rom_add(rom_t *roms, size_t *n, uint64_t start, uint64_t size) {
    uint64_t word;
    if (size >= 8 && peek(start, 4, &word) == 0 && memcmp(&word, romfs_magic, sizeof(romfs_magic)) == 0) {
        roms[(*n)++] = (rom_t) { start, size };
    }
}

static size_t rom_find(rom_t *roms) {
    size_t n = 0;
    rom_add(roms, &n, platform.initrd_start, platform.initrd_end - platform.initrd_start);
    rom_add(roms, &n, BOARD_ROMFS_BASE, BOARD_ROMFS_SIZE);
    return n;
}

mp_obj_t mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args) {
    rom_t roms[ROM_MAX];
    size_t n = rom_find(roms);
    switch (mp_obj_get_int(args[0])) {
        case MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS:
            return MP_OBJ_NEW_SMALL_INT(n);
        case MP_VFS_ROM_IOCTL_GET_SEGMENT: {
            size_t id = n_args > 1 ? mp_obj_get_int(args[1]) : 0;
            if (id < n) {
                return mp_obj_new_memoryview('B', roms[id].size, (void *)roms[id].start);
            }
            break;
        }
    }
    return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
}
