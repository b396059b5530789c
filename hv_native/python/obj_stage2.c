// SPDX-License-Identifier: MIT
// vm.stage2's native half.
// What modules/hv/stage2.py is made of: a script's changes to a VM's IPA space, checked.

#include "py/runtime.h"
#include "core/arch.h"
#include "memory/pgtable.h"
#include "memory/window.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/numbers.h"
#include "vm/hook.h"
#include "vm/owner.h"
#include "vm/ram.h"
#include "vm/stage2.h"
#include "vm/vm.h"

#define IPA_LIMIT BIT(40)

static void stage2_check_range(uint64_t ipa, uint64_t size) {
    if (size == 0 || (ipa | size) % PAGE_SIZE != 0 || ipa >= IPA_LIMIT || size > IPA_LIMIT - ipa) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx, 0x%lx bytes: must be multiples of 4 KB, not empty and below 2^40"), ipa, size);
    }
}

void hv_check_owner(const vm_t *vm, uint64_t pa, uint64_t size, bool unsafe) {
    const char *owner = unsafe ? NULL : host_owner(vm, pa, size);
    if (owner != NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx has %s in it (unsafe=True insists)"), pa, pa + size - 1, owner);
    }
}

// RAM of the VM that has a byte of the range in it, and how much of the range that is.
static ram_t *ram_in(vm_t *vm, uint64_t ipa, uint64_t size, uint64_t *start, uint64_t *bytes) {
    for (unsigned i = 0; i < vm->nram; i++) {
        ram_t *r = &vm->ram[i];
        uint64_t from = ipa > r->ipa ? ipa : r->ipa, to = ipa + size < r->ipa + r->size ? ipa + size : r->ipa + r->size;
        if (from < to) {
            *start = from;
            *bytes = to - from;
            return r;
        }
    }
    return NULL;
}

// Have the part of the range that is RAM zeroed and mapped before its entries are changed.
static void touch(vm_t *vm, uint64_t ipa, uint64_t size) {
    uint64_t start, bytes;
    if (ram_in(vm, ipa, size, &start, &bytes) != NULL && vm_ram(vm, start, bytes) == NULL) {
        hv_no_room("a translation table", PAGE_SIZE);
    }
}

// So much at once, with the lock and interrupts masked: what is mapped by pages, or will be, a table at a time.
static uint64_t at_once(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, char op) {
    bool pages = op == 'p' ? pgtable_walk(&vm->stage2, ipa).size < BLOCK_1G : op == 'm' && (ipa ^ pa) % BLOCK_2M != 0;
    uint64_t end = ALIGN_DOWN(ipa, BLOCK_2M) + BLOCK_2M;
    return pages && end - ipa < size ? end - ipa : size;
}

static void stage2_change(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags, char op) {
    bool ok = true;
    vm_hold(vm);
    for (uint64_t n; ok && size != 0; ipa += n, pa += n, size -= n) {
        uint64_t daif = spin_lock_irq(&vm->lock);
        bool apart = op == 'm' && window_is((void *)pa); // a fork's
        n = apart ? PAGE_SIZE : at_once(vm, ipa, pa, size, op);
        ok = op == 'm' ? stage2_map(vm, ipa, apart ? window_pa((void *)pa) : pa, n, flags) : op == 'p' ? stage2_protect(vm, ipa, n, flags)
            : stage2_unmap(vm, ipa, n, flags & S2_SCRIPT);
        spin_unlock_irq(&vm->lock, daif);
    }
    vm_release(vm);
    if (!ok) {
        hv_no_room("a translation table", PAGE_SIZE);
    }
}

// Memory of the VM's own: RAM it has at that address, or new RAM.
static uint64_t own_memory(vm_t *vm, uint64_t ipa, uint64_t size) {
    uint64_t start, bytes;
    if (ram_in(vm, ipa, size, &start, &bytes) == NULL) {
        if (vm->nram == VM_MAX_RAM) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a VM has at most %u ranges of RAM"), VM_MAX_RAM);
        }
        if (!hv_vm_add_ram(vm, ipa, size)) {
            hv_no_room("guest RAM", size);
        }
    } else if (bytes != size) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx is RAM in part only"), ipa, ipa + size - 1);
    }
    void *host = vm_ram(vm, ipa, size);
    if (host == NULL) {
        hv_no_room("a translation table", PAGE_SIZE);
    }
    return (uint64_t)host;
}

// What a script left open: the type by what is there, the rights by the type. RAM of the VM's own that is
// mapped as it always is needs no mark.
#define ANY_TYPE 64u
#define ANY_RIGHTS 128u
static unsigned stage2_settle(unsigned flags, bool ram, bool own) {
    if ((flags & ANY_TYPE) && !ram) {
        flags |= S2_DEVICE;
    }
    if (flags & ANY_RIGHTS) {
        flags |= flags & S2_DEVICE ? S2_READ | S2_WRITE : S2_READ | S2_WRITE | S2_EXEC;
    }
    flags &= ~(ANY_TYPE | ANY_RIGHTS);
    return own && flags == (S2_SCRIPT | S2_READ | S2_WRITE | S2_EXEC) ? flags & ~S2_SCRIPT : flags;
}

// stage2(op, ipa, size, pa, flags, unsafe): op "map" (pa None: own memory), "protect", "unmap"
static mp_obj_t vm_stage2(size_t n_args, const mp_obj_t *args) {
    vm_t *vm = hv_vm_get(args[0]);
    char op = *mp_obj_str_get_str(args[1]);
    uint64_t ipa = unbox_u64(args[2]), size = unbox_u64(args[3]), pa = 0, start, bytes;
    unsigned flags = unbox_int(args[5]);
    bool unsafe = hv_insists(args[6]);
    (void)n_args;
    stage2_check_range(ipa, size);
    if (op == 'm') {
        bool own = args[4] == mp_const_none, ram = own || host_is_ram(unbox_u64(args[4]), size);
        flags = stage2_settle(flags, ram, own);
        hook_t *device = unsafe ? NULL : hook_range_overlap(&vm->mmio, ipa, size);
        if (device != NULL) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx: the device at 0x%lx-0x%lx would not be reached (unsafe=True insists)"),
                ipa, ipa + size - 1, device->key, device->key + device->size - 1);
        }
        if (own) {
            pa = own_memory(vm, ipa, size);
        } else {
            pa = unbox_u64(args[4]);
            stage2_check_range(pa, size);
            hv_check_owner(vm, pa, size, unsafe);
        }
    } else if (op == 'p') {
        touch(vm, ipa, size);
        if (!(pgtable_walk(&vm->stage2, ipa).entry & PTE_VALID)) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("IPA 0x%lx is not mapped"), ipa);
        }
    } else if (ram_in(vm, ipa, size, &start, &bytes) == NULL) {
        flags = 0; // nothing would come back by itself
    }
    stage2_change(vm, ipa, pa, size, flags, op);
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_stage2_obj, 7, 7, vm_stage2);

mp_obj_t hv_pgtable_run(const pgtable_t *pt, mp_obj_t addr_in) {
    uint64_t addr = unbox_u64(addr_in);
    pgwalk_t w;
    uint64_t size = pgtable_run(pt, &addr, &w);
    if (size == 0) {
        return mp_const_none;
    }
    mp_obj_t items[4] = { box_u64(addr), box_u64(size), MP_OBJ_NEW_SMALL_INT(w.level), box_u64(w.entry) };
    return mp_obj_new_tuple(4, items);
}

// stage2_run(ipa) -> (ipa, bytes, level, first entry) of the next mapped range, or None
static mp_obj_t vm_stage2_run(mp_obj_t self, mp_obj_t ipa) {
    return hv_pgtable_run(&hv_vm_get(self)->stage2, ipa);
}
MP_DEFINE_CONST_FUN_OBJ_2(hv_vm_stage2_run_obj, vm_stage2_run);
