// SPDX-License-Identifier: MIT
// _hv's mmu functions.
// What modules/hv/mmu.py is made of: EL2's own address space.

#include "py/runtime.h"
#include "core/arch.h"
#include "core/platform.h"
#include "memory/mmu.h"
#include "memory/pgtable.h"
#include "memory/window.h"
#include "python/objects.h"
#include "trap/el2_fault.h"
#include "trap/numbers.h"


static mmu_type_t type_of(mp_obj_t name) {
    static const struct {
        qstr_short_t name;
        uint8_t type;
    } types[] = {
        { MP_QSTR_device, MMU_DEVICE }, { MP_QSTR_data, MMU_DATA }, { MP_QSTR_ro, MMU_RO }, { MP_QSTR_code, MMU_CODE },
        { MP_QSTR_nc, MMU_NC },
    };
    qstr want = mp_obj_str_get_qstr(name);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].name == want) {
            return types[i].type;
        }
    }
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("no type '%q': data, ro, code, device or nc"), want);
}

static bool any_mapped(uint64_t va, uint64_t size) {
    pgwalk_t w;
    uint64_t at = va;
    return pgtable_run(mmu_tables(), &at, &w) != 0 && at < va + size;
}

static bool all_mapped(uint64_t va, uint64_t size) {
    for (uint64_t at = va; at < va + size;) {
        pgwalk_t w = pgtable_walk(mmu_tables(), at);
        if (!(w.entry & PTE_VALID)) {
            return false;
        }
        at = ALIGN_DOWN(at, w.size) + w.size;
    }
    return true;
}

// mmu(op, va, size, pa, type, unsafe): op "map", "protect", "unmap"
static mp_obj_t hv_mmu(size_t n_args, const mp_obj_t *args) {
    char op = *mp_obj_str_get_str(args[0]);
    uint64_t va = unbox_u64(args[1]), size = unbox_u64(args[2]), pa = unbox_u64(args[3]);
    bool unsafe = hv_insists(args[5]);
    (void)n_args;
    if (size == 0 || (va | pa | size) % PAGE_SIZE != 0 || va >= PLATFORM_LIMIT || size > PLATFORM_LIMIT - va) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx, 0x%lx bytes: must be multiples of 4 KB, not empty and below 2^39"), va, size);
    }
    hv_check_owner(NULL, op == 'm' ? pa : va, size, unsafe);
    if (window_overlaps(va, size)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx has a fork's RAM in it"), va, va + size - 1);
    }
    if (op == 'm' ? !unsafe && any_mapped(va, size) : op == 'p' ? !all_mapped(va, size) : !any_mapped(va, size)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx is %s mapped"), va, va + size - 1,
            op == 'm' ? "already" : op == 'p' ? "not all" : "not");
    }
    bool ok = op == 'm' ? mmu_map(va, pa, size, type_of(args[4])) : op == 'p' ? mmu_protect(va, size, type_of(args[4])) : mmu_unmap(va, size);
    if (!ok) {
        mp_raise_msg(&mp_type_MemoryError, MP_ERROR_TEXT("no translation table left for EL2's own map"));
    }
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_mmu_obj, 6, 6, hv_mmu);

// mmu_run(va) -> (va, bytes, level, first entry) of the next mapped range, or None
static mp_obj_t hv_mmu_run(mp_obj_t va) {
    return hv_pgtable_run(mmu_tables(), va);
}
MP_DEFINE_CONST_FUN_OBJ_1(hv_mmu_run_obj, hv_mmu_run);

// mmu_translate(va, write) -> PA, as the MMU itself says (AT S1E2R, AT S1E2W), or Fault
static mp_obj_t hv_mmu_translate(mp_obj_t va_in, mp_obj_t write) {
    uint64_t va = unbox_u64(va_in);
    bool writes = unbox_bool(write);
    uint64_t daif = irq_save(), before = READ_SYSREG(par_el1);
    if (writes) {
        __asm__ volatile ("at s1e2w, %0\n isb" : : "r" (va));
    } else {
        __asm__ volatile ("at s1e2r, %0\n isb" : : "r" (va));
    }
    uint64_t par = READ_SYSREG(par_el1);
    WRITE_SYSREG(par_el1, before); // a guest's, it may be
    irq_restore(daif);
    if (par & 1) {
        mp_raise_msg_varg(&mp_type_Fault, MP_ERROR_TEXT("va 0x%lx: %s"), va, fault_status_name(FIELD(par, 6, 1)));
    }
    return box_u64((par & PTE_ADDR_MASK) | (va & 0xFFF));
}
MP_DEFINE_CONST_FUN_OBJ_2(hv_mmu_translate_obj, hv_mmu_translate);

// mmu_parts() -> ((name, start, end), ...) of the image
static mp_obj_t hv_mmu_parts(void) {
    extern char __image_start[], __patch_start[], __patch_end[], __text_end[], __rodata_end[], __data_rw_end[];
    extern char __stack_bottom[], __slice_stack_top[], __fault_stack_bottom[], __fault_stack_top[];
    static const struct {
        qstr_short_t name;
        char *start, *end;
    } parts[] = {
        { MP_QSTR_text, __image_start, __text_end }, { MP_QSTR_patch, __patch_start, __patch_end },
        { MP_QSTR_rodata, __text_end, __rodata_end }, { MP_QSTR_data, __rodata_end, __data_rw_end },
        { MP_QSTR_stack, __stack_bottom, __slice_stack_top }, { MP_QSTR_fault_stack, __fault_stack_bottom, __fault_stack_top },
    };
    mp_obj_t list[ARRAY_LEN(parts)];
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        mp_obj_t items[3] = { MP_OBJ_NEW_QSTR(parts[i].name), box_u64((uint64_t)parts[i].start), box_u64((uint64_t)parts[i].end) };
        list[i] = mp_obj_new_tuple(3, items);
    }
    return mp_obj_new_tuple(ARRAY_LEN(parts), list);
}
MP_DEFINE_CONST_FUN_OBJ_0(hv_mmu_parts_obj, hv_mmu_parts);
