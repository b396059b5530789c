// SPDX-License-Identifier: MIT
// NOR flash for guests: see flash.h. The commands are those of JEP137's command set 0x0001; the tables
// are JESD68.01's. Both chips get each command, and answer alike.

#include <string.h>
#include "core/arch.h"
#include "devices/flash.h"
#include "memory/native.h"
#include "vm/device.h"
#include "vm/hook.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/stage2.h"
#include "vm/state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// What reads answer. In ARRAY mode there are none: that is memory.
typedef enum { ARRAY, STATUS, IDENTIFIER, QUERY } mode_t;

// What the next write is.
typedef enum { COMMAND, PROGRAM, COUNT, BUFFER, CONFIRM_BUFFER, CONFIRM_ERASE, CONFIRM_LOCK } state_t;

typedef struct flash {
    spinlock_t lock;
    vm_t *vm;
    ram_t *ram;
    mode_t mode;
    state_t state;
    uint8_t status;
    uint32_t left;      // writes until the buffer is full
} flash_t;

#define READY 0x80
#define BAD_SEQUENCE 0x30   // SR.4 and SR.5 together

// From 0x10 on: the query string and the geometry of one chip.
static const uint8_t query[] = {
    'Q', 'R', 'Y', 0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x45, 0x55, 0x00, 0x00,             // 0x1B: 4.5 to 5.5 V
    0x07, 0x07, 0x0A, 0x00,             // typical times: 128 us a word and a buffer, 1 s a sector
    0x04, 0x04, 0x04, 0x00,             // at most 16 times that
    0x00, 0x02, 0x00, 0x0B, 0x00,       // 0x27: log2 of the size; x8 and x16; buffer of 2 KB
    0x01, 0x00, 0x00, 0x00, 0x02,       // 0x2C: one region: sectors - 1; 128 KB each
    'P', 'R', 'I', '1', '0', 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
};

static uint8_t query_byte(const flash_t *f, uint64_t at) {
    uint64_t sectors = f->ram->size / FLASH_SECTOR - 1;
    switch (at) {
        case 0x27:
            return 63 - __builtin_clzl(f->ram->size / 2);
        case 0x2D:
            return sectors & 0xFF;
        case 0x2E:
            return sectors >> 8;
        default:
            return at - 0x10 < sizeof(query) ? query[at - 0x10] : 0;
    }
}

static uint8_t flash_answer(const flash_t *f, uint64_t word) {
    switch (f->mode) {
        case QUERY:
            return query_byte(f, word);
        case IDENTIFIER:
            return word == 0 ? 0x89 : word == 1 ? 0x18 : 0; // Intel; a 28F128J3; nothing locked
        default:
            return f->status;
    }
}

// Outside ARRAY mode stage 2 has nothing there, so that reads come here.
static void set_mode(flash_t *f, mode_t mode) {
    f->mode = mode;
    if (f->ram->hidden != (mode != ARRAY)) {
        spin_lock(&f->vm->lock);
        f->ram->hidden = mode != ARRAY;
        if (f->ram->hidden) {
            stage2_unmap(f->vm, f->ram->ipa, f->ram->size, false);
        }
        spin_unlock(&f->vm->lock);
    }
}

static void flash_begin(flash_t *f, state_t state, mode_t mode) {
    f->state = state;
    set_mode(f, mode);
}

static void flash_set_command(flash_t *f, uint8_t code) {
    switch (code) {
        case 0x10:
        case 0x40:
            flash_begin(f, PROGRAM, STATUS);
            break;
        case 0x20:
            flash_begin(f, CONFIRM_ERASE, STATUS);
            break;
        case 0x50:
            f->status = READY;
            break;
        case 0x60:
            flash_begin(f, CONFIRM_LOCK, STATUS);
            break;
        case 0x70:
            flash_begin(f, COMMAND, STATUS);
            break;
        case 0x90:
            flash_begin(f, COMMAND, IDENTIFIER);
            break;
        case 0x98:
            flash_begin(f, COMMAND, QUERY);
            break;
        case 0xE8:
            flash_begin(f, COUNT, STATUS);
            break;
        default: // 0xFF, and 0xF0 of AMD's set, which a probe tries too
            flash_begin(f, COMMAND, ARRAY);
            break;
    }
}

// Programming clears bits; only erasing sets them.
static void flash_program(flash_t *f, uint64_t offset, unsigned size, uint64_t value) {
    uint8_t *p = vm_ram(f->vm, f->ram->ipa + offset, size);
    rights_store(f->vm, f->ram->ipa + offset, size, false, BY_DEVICE);
    for (unsigned i = 0; p != NULL && i < size; i++) {
        p[i] &= value >> 8 * i;
    }
    if (p != NULL) {
        cache_written(p, size);
    }
    rights_store(f->vm, f->ram->ipa + offset, size, true, BY_DEVICE);
}

static void flash_erase(flash_t *f, uint64_t offset) {
    uint64_t ipa = f->ram->ipa + ALIGN_DOWN(offset, FLASH_SECTOR);
    uint8_t *p = vm_ram(f->vm, ipa, FLASH_SECTOR);
    rights_store(f->vm, ipa, FLASH_SECTOR, false, BY_DEVICE);
    if (p != NULL) {
        memset(p, 0xFF, FLASH_SECTOR);
        cache_written(p, FLASH_SECTOR);
    }
    rights_store(f->vm, ipa, FLASH_SECTOR, true, BY_DEVICE);
}

static void flash_command(flash_t *f, uint64_t offset, unsigned size, uint64_t value) {
    uint8_t code = (uint8_t)value;
    switch (f->state) {
        case COMMAND:
            flash_set_command(f, code);
            break;
        case PROGRAM:
            flash_program(f, offset, size, value);
            f->state = COMMAND;
            break;
        case COUNT:
            f->left = (value & 0xFFFF) + 1;
            f->state = BUFFER;
            break;
        case BUFFER:
            flash_program(f, offset, size, value);
            f->state = --f->left == 0 ? CONFIRM_BUFFER : BUFFER;
            break;
        case CONFIRM_ERASE:
        case CONFIRM_BUFFER:
            if (code != 0xD0) {
                f->status = READY | BAD_SEQUENCE;
            } else if (f->state == CONFIRM_ERASE) {
                flash_erase(f, offset);
            }
            f->state = COMMAND;
            break;
        case CONFIRM_LOCK: // lock, unlock, lock down: locks are not kept
            f->state = COMMAND;
            break;
    }
}

static bool flash_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool is_write, uint64_t *value) {
    flash_t *f = h->context;
    (void)v;
    spin_lock(&f->lock);
    bool is_memory = f->mode == ARRAY && !is_write; // and not there yet: see abort_slow
    if (is_write) {
        flash_command(f, offset, size < 4 ? size : 4, *value);
        if (size == 8) { // the bus is 32 bits wide
            flash_command(f, offset + 4, 4, *value >> 32);
        }
    } else {
        *value = (flash_answer(f, offset / 4) * UINT64_C(0x0001000100010001)) >> 8 * (offset & 3);
    }
    spin_unlock(&f->lock);
    return !is_memory;
}

bool flash_add(vm_t *vm, uint64_t ipa, uint64_t size) {
    flash_t *f = native_alloc(sizeof(flash_t));
    ram_t *ram = &vm->ram[vm->nram];
    hook_t *h = f == NULL ? NULL : device_register(vm, &(hook_t) { .key = ipa, .size = size, .native = flash_access, .context = f });
    if (h == NULL || !vm_add_ram(vm, ipa, size)) {
        if (h != NULL) {
            device_unregister(vm, h);
        }
        native_free(f, sizeof(flash_t));
        return false;
    }
    *f = (flash_t) { .vm = vm, .ram = ram, .status = READY };
    ram->flash = f;
    return true;
}

void flash_reset(vm_t *vm) {
    for (unsigned i = 0; i < vm->nram; i++) {
        flash_t *f = vm->ram[i].flash;
        if (f != NULL) {
            f->status = READY;
            f->left = 0;
            flash_begin(f, COMMAND, ARRAY);
        }
    }
}

void flash_save(vm_t *vm, device_stream_t *s) {
    for (unsigned i = 0; i < vm->nram; i++) {
        const flash_t *f = vm->ram[i].flash;
        if (f != NULL) {
            uint32_t is[4] = { f->mode, f->state, f->status, f->left };
            STREAM_PUT(s, is);
        }
    }
}

void flash_load(vm_t *vm, device_stream_t *s) {
    for (unsigned i = 0; i < vm->nram; i++) {
        flash_t *f = vm->ram[i].flash;
        if (f != NULL) {
            uint32_t was[4];
            STREAM_GET(s, was);
            stream_check(s, was[0] <= QUERY && was[1] <= CONFIRM_LOCK);
            uint64_t daif = spin_lock_irq(&f->lock);
            flash_begin(f, (state_t)was[1], (mode_t)was[0]);
            f->status = (uint8_t)was[2];
            f->left = was[3];
            spin_unlock_irq(&f->lock, daif);
        }
    }
}

void flash_remove(vm_t *vm) {
    for (unsigned i = 0; i < vm->nram; i++) {
        native_free(vm->ram[i].flash, sizeof(flash_t));
        vm->ram[i].flash = NULL;
    }
}
