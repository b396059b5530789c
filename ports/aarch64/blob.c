// SPDX-License-Identifier: MIT
// machine.initrd() and machine.blob(): memory that was filled from outside before the reset.

#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"
#include "hv_native/core/access.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/memory/mmu.h"
#include "hv_native/memory/pgtable.h"
#include "hv_native/trap/el2_fault.h"
#include "hv_native/vm/owner.h"
#include "storage.h"

// initrd() -> what the machine was started with as its initrd. Its RAM is nobody else's.
static mp_obj_t machine_initrd(void) {
    size_t size = platform.initrd_end - platform.initrd_start;
    if (size == 0) {
        mp_raise_OSError(MP_ENODEV);
    }
    return mp_obj_new_memoryview('B' | MP_OBJ_ARRAY_TYPECODE_FLAG_RW, size, (void *)platform.initrd_start);
}
MP_DEFINE_CONST_FUN_OBJ_0(machine_initrd_obj, machine_initrd);

// RAM is given away in pages as soon as the machine starts, and nothing is to appear at address 0.
static bool may_hold_blob(uint64_t start, uint64_t end) {
    for (unsigned i = 0; i < platform.nram; i++) {
        if (start < platform.ram[i].base + platform.ram[i].size && end > platform.ram[i].base) {
            return false;
        }
    }
    return start >= BLOCK_2M && end > start && end < BIT(39);
}

// blob(address, size) -> the bytes of flash or other memory outside RAM, read-only.
static mp_obj_t machine_blob(mp_obj_t address_in, mp_obj_t size_in) {
    uint64_t start = mp_obj_get_int_truncated(address_in), size = mp_obj_get_int_truncated(size_in), word;
    if (!may_hold_blob(start, start + size)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("no blob can be at 0x%lx: that is RAM, or no memory"), start);
    }
    for (uint64_t at = start; at < start + size; at = ALIGN_DOWN(at, BLOCK_2M) + BLOCK_2M) {
        uint64_t block = ALIGN_DOWN(at, BLOCK_2M);
        bool mapped = pgtable_walk(mmu_tables(), at).entry & PTE_VALID;
        if (!mapped && !mmu_map(block, block, BLOCK_2M, MMU_RO)) {
            mp_raise_OSError(MP_ENOMEM);
        }
        uint64_t esr = peek(at, 1, &word);
        if (esr != 0) {
            mmu_unmap(block, BLOCK_2M);
            fault_raise(at, 1, esr, false);
        }
    }
    host_claim(ALIGN_DOWN(start, PAGE_SIZE), ALIGN_UP(start + size, PAGE_SIZE) - ALIGN_DOWN(start, PAGE_SIZE), "a blob that a script reads");
    return mp_obj_new_memoryview('B', size, (void *)start);
}
MP_DEFINE_CONST_FUN_OBJ_2(machine_blob_obj, machine_blob);
