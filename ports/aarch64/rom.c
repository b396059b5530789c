// SPDX-License-Identifier: MIT
// vfs.rom_ioctl: read-only filesystem images (ROMFS) that were put into the machine from outside, as
// the initrd or into the board's flash. MicroPython mounts the first one at /rom before any script.

#include <string.h>

#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "hv_native/core/fault.h"
#include "hv_native/memory/mmu.h"
#include "hv_native/core/platform.h"
#include "rom.h"

#define BLOCK UINT64_C(0x200000)

static struct {
    uint8_t *start;
    size_t size;
} roms[2];
static size_t rom_count;

// The length of the image that starts here, or 0: 0xD2 0xCD 0x31, then the length of what follows in
// groups of 7 bits, the highest first, with bit 7 set in all but the last.
static size_t romfs_size(const uint8_t *p, size_t max) {
    static const uint8_t magic[] = { 0x80 | 'R', 0x80 | 'M', '1' };
    uint64_t word;
    if (max < 8 || peek((uint64_t)p, 4, &word) != 0 || memcmp(&word, magic, sizeof(magic)) != 0) {
        return 0;
    }
    size_t len = 0, i = sizeof(magic);
    do {
        len = len << 7 | (p[i] & 0x7F);
    } while (p[i++] & 0x80 && i < 8);
    return len <= max - i ? len + i : 0;
}

static void rom_add(uint64_t start, size_t size) {
    roms[rom_count].start = (uint8_t *)start;
    roms[rom_count++].size = size;
}

void rom_init(void) {
    size_t size = romfs_size((uint8_t *)platform.initrd_start, platform.initrd_end - platform.initrd_start);
    if (size != 0) {
        rom_add(platform.initrd_start, size);
    }
    #if BOARD_ROMFS_SIZE
    // Flash is not mapped: look at its first block, and map the rest if there is more to it.
    if (mmu_map(BOARD_ROMFS_BASE, BOARD_ROMFS_BASE, BLOCK, MMU_RO)) {
        size = romfs_size((uint8_t *)BOARD_ROMFS_BASE, BOARD_ROMFS_SIZE);
        uint64_t rest = size > BLOCK ? (size - 1) & ~(BLOCK - 1) : 0;
        if (size == 0) {
            mmu_unmap(BOARD_ROMFS_BASE, BLOCK);
        } else if (rest == 0 || mmu_map(BOARD_ROMFS_BASE + BLOCK, BOARD_ROMFS_BASE + BLOCK, rest, MMU_RO)) {
            rom_add(BOARD_ROMFS_BASE, size);
        }
    }
    #endif
}

mp_obj_t mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args) {
    switch (mp_obj_get_int(args[0])) {
        case MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS:
            return MP_OBJ_NEW_SMALL_INT(rom_count);
        case MP_VFS_ROM_IOCTL_GET_SEGMENT: {
            size_t id = n_args > 1 ? mp_obj_get_int(args[1]) : 0;
            if (id < rom_count) {
                return mp_obj_new_memoryview('B', roms[id].size, roms[id].start);
            }
            break;
        }
    }
    return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
}
