// SPDX-License-Identifier: MIT
// vfs.rom_ioctl: read-only filesystem images (ROMFS). The first partitions are images that were put
// into the machine from outside, as the initrd or into the board's flash. The last is RAM and takes what
// `mpremote romfs deploy` sends; like the RAM disk it outlives soft resets. MicroPython mounts one at
// /rom before any script: a deployed one, else the first.

#include <string.h>

#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "hv_native/core/access.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/memory/mem.h"
#include "hv_native/memory/mmu.h"
#include "hv_native/trap/numbers.h"
#include "hv_native/vm/owner.h"
#include "rom.h"

#define BLOCK UINT64_C(0x200000)
#define RAM_ROM_MAX (16u << 20)

static struct {
    uint8_t *start;
    size_t size;
} roms[3];
static size_t rom_count; // from outside; roms[rom_count] is the one in RAM, once it is asked for

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
    host_claim(ALIGN_DOWN(start, PAGE_SIZE), ALIGN_UP(start + size, PAGE_SIZE) - ALIGN_DOWN(start, PAGE_SIZE), "the image behind /rom");
    roms[rom_count].start = (uint8_t *)start;
    roms[rom_count++].size = size;
}

static bool has_flash(uint64_t addr) {
    const range_t *bank = platform.flash;
    return (bank[0].base <= addr && addr - bank[0].base < bank[0].size)
           || (bank[1].base <= addr && addr - bank[1].base < bank[1].size);
}

void rom_init(void) {
    size_t size = romfs_size((uint8_t *)platform.initrd_start, platform.initrd_end - platform.initrd_start);
    if (size != 0) {
        rom_add(platform.initrd_start, size);
    }
    #if BOARD_ROMFS_SIZE
    // Flash is not mapped: look at its first block, and map the rest if there is more to it. The address is
    // the board's, but the image may run on another machine: there may be RAM, or nothing.
    if (has_flash(BOARD_ROMFS_BASE) && mmu_map(BOARD_ROMFS_BASE, BOARD_ROMFS_BASE, BLOCK, MMU_RO)) {
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

// A 32nd of the machine's RAM, zero: taken when mpremote first looks at it.
static void ram_rom_init(void) {
    size_t size = MIN(platform.ram_size / 32, RAM_ROM_MAX) & ~(size_t)0xFFF;
    uint8_t *start = page_alloc(size);
    if (start == NULL) {
        mp_raise_msg(&mp_type_MemoryError, MP_ERROR_TEXT("no RAM left for a ROM partition"));
    }
    roms[rom_count].start = memset(start, 0, size);
    roms[rom_count].size = size;
}

static mp_obj_t rom_segment(size_t id) {
    // Before anything else is mounted it is MicroPython who asks, for what to have at /rom.
    if (MP_STATE_VM(vfs_mount_table) == NULL && id == 0 && romfs_size(roms[rom_count].start, roms[rom_count].size) != 0) {
        id = rom_count;
    } else if (id == rom_count && MP_STATE_VM(vfs_mount_table) != NULL && roms[id].size == 0) {
        ram_rom_init();
    }
    if (id > rom_count || roms[id].size == 0) {
        return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
    }
    return mp_obj_new_memoryview('B', roms[id].size, roms[id].start);
}

// Where in a partition `len` bytes at `offset` are written.
static uint8_t *rom_writable(size_t id, size_t offset, size_t len) {
    if (id != rom_count) {
        mp_raise_msg_varg(&mp_type_OSError, MP_ERROR_TEXT("partition %u came from outside and is read-only: deploy to %u, in RAM"), (uint)id, (uint)rom_count);
    }
    if (offset > roms[id].size || len > roms[id].size - offset) {
        mp_raise_ValueError(MP_ERROR_TEXT("not in the partition"));
    }
    return roms[id].start + offset;
}

mp_obj_t mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args) {
    size_t id = n_args > 1 ? unbox_int(args[1]) : 0;
    switch (unbox_int(args[0])) {
        case MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS:
            return MP_OBJ_NEW_SMALL_INT(rom_count + 1);
        case MP_VFS_ROM_IOCTL_GET_SEGMENT:
            return rom_segment(id);
        case MP_VFS_ROM_IOCTL_WRITE_PREPARE: // id, bytes that will come
            if (n_args == 3) {
                size_t len = unbox_int(args[2]);
                memset(rom_writable(id, 0, len), 0, len);
                return MP_OBJ_NEW_SMALL_INT(1); // the least that is written at once
            }
            break;
        case MP_VFS_ROM_IOCTL_WRITE: // id, offset, data
            if (n_args == 4) {
                mp_buffer_info_t buf;
                mp_get_buffer_raise(args[3], &buf, MP_BUFFER_READ);
                memcpy(rom_writable(id, unbox_int(args[2]), buf.len), buf.buf, buf.len);
                return MP_OBJ_NEW_SMALL_INT(0);
            }
            break;
        case MP_VFS_ROM_IOCTL_WRITE_COMPLETE:
            return MP_OBJ_NEW_SMALL_INT(0);
    }
    return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
}
