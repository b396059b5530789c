// SPDX-License-Identifier: MIT
// _hv.Breakpoint: one that is planted. What users have is modules/hv/breaks.py.

#include "py/runtime.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "insight/breaks.h"
#include "memory/native.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/callback.h"
#include "trap/numbers.h"
#include "vcpu/vcpu.h"
#include "vm/ram.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
    brk_t *brk;             // NULL once removed
} hv_breakpoint_obj_t;

extern const mp_obj_type_t hv_breakpoint_type;

static brk_t *brk_of(hv_breakpoint_obj_t *o) {
    hv_vm_get(MP_OBJ_FROM_PTR(o->vm));
    if (o->brk == NULL) {
        mp_raise_ValueError(MP_ERROR_TEXT("this breakpoint has been removed"));
    }
    return o->brk;
}

static void number_or(mp_obj_t given, bool *is, uint64_t *number) {
    *is = given != mp_const_none;
    *number = *is ? unbox_u64(given) : 0;
}

// breakpoint(ipa, el0, action, fun, from, once, sp, space, cpu) -> Breakpoint
static mp_obj_t vm_breakpoint(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    (void)n_args;
    brk_t given = {
        .ipa = unbox_u64(args[1]), .el0 = unbox_bool(args[2]), .action = (break_action_t)unbox_int(args[3]), .from = unbox_u64(args[5]),
        .once = unbox_bool(args[6]), .cpu = args[9] == mp_const_none ? -1 : (int)unbox_int(args[9]), .on = true,
    };
    number_or(args[7], &given.match_sp, &given.sp);
    number_or(args[8], &given.match_space, &given.space);
    if (given.ipa % 4 != 0 || vm_ram(vm, given.ipa, 4) == NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("IPA 0x%lx: a breakpoint is planted in RAM, in place of an instruction of 4 bytes"), given.ipa);
    }
    handler_t *handler = NULL;
    if (args[4] != mp_const_none) {
        handler = handler_new(args[4], -1, 0);
        mp_obj_list_append(o->handlers, MP_OBJ_FROM_PTR(handler));
    }
    given.handler = handler;
    hv_breakpoint_obj_t *b = mp_obj_malloc(hv_breakpoint_obj_t, &hv_breakpoint_type);
    b->vm = o;
    b->brk = native_alloc(sizeof(brk_t)); // nothing may raise from here on
    bool ok = b->brk != NULL;
    if (ok) {
        *b->brk = given;
        breaks_init(vm_hold, vm_release);
        vm_hold(vm);
        if (!boot_core_any_handler()) {
            breaks_bury(vm);
        }
        ok = break_add(vm, b->brk);
        vm_release(vm);
    }
    if (!ok) {
        native_free(b->brk, sizeof(brk_t));
        hv_forget(o, handler);
        hv_no_room("a breakpoint", PAGE_SIZE);
    }
    return MP_OBJ_FROM_PTR(b);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_breakpoint_obj, 10, 10, vm_breakpoint);

// ipa_of(va) -> where the kernel of a VM has what is at va, by the stage 1 of the first vCPU that knows it, or None.
static mp_obj_t vm_ipa_of(mp_obj_t self, mp_obj_t va_in) {
    vm_t *vm = hv_vm_get(self);
    uint64_t va = unbox_u64(va_in), ipa = 0;
    bool found = false;
    vm_hold(vm);
    for (unsigned i = 0; i < vm->nvcpus && !found; i++) {
        vcpu_t *v = vm->vcpu[i];
        found = v->state != VCPU_OFF && vcpu_translate_va(v, va, false, false, &ipa, NULL) == 0;
        uint64_t daif = irq_save();
        if (cpus_online > 1 && this_pcpu()->running != v) {
            vcpu_put(v); // another core may take it
        }
        irq_restore(daif);
    }
    vm_release(vm);
    return found ? box_u64(ipa) : mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_2(hv_vm_ipa_of_obj, vm_ipa_of);

static mp_obj_t breakpoint_remove(mp_obj_t self) {
    hv_breakpoint_obj_t *o = MP_OBJ_TO_PTR(self);
    brk_t *b = brk_of(o);
    vm_t *vm = o->vm->vm;
    vm_hold(vm);
    hv_forget(o->vm, b->handler);
    o->brk = NULL;
    break_remove(vm, b, boot_core_any_handler());
    vm_release(vm);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(breakpoint_remove_obj, breakpoint_remove);

static void breakpoint_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_breakpoint_obj_t *o = MP_OBJ_TO_PTR(self);
    if (attr != MP_QSTR_hits && attr != MP_QSTR_on) {
        dest[1] = dest[0] == MP_OBJ_NULL ? MP_OBJ_SENTINEL : dest[1];
        return;
    }
    brk_t *b = brk_of(o);
    if (dest[0] == MP_OBJ_NULL) {
        dest[0] = attr == MP_QSTR_hits ? box_u64(b->hits) : mp_obj_new_bool(b->on);
    } else if (dest[1] != MP_OBJ_NULL) {
        uint64_t value = attr == MP_QSTR_hits ? unbox_u64(dest[1]) : unbox_bool(dest[1]);
        vm_hold(o->vm->vm);
        if (attr == MP_QSTR_hits) {
            b->hits = value;
        } else {
            b->on = value;
        }
        break_changed(o->vm->vm, b);
        vm_release(o->vm->vm);
        dest[0] = MP_OBJ_NULL;
    }
}

static const mp_rom_map_elem_t breakpoint_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_remove), MP_ROM_PTR(&breakpoint_remove_obj) },
};
static MP_DEFINE_CONST_DICT(breakpoint_locals_dict, breakpoint_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_breakpoint_type, MP_QSTR_Breakpoint, MP_TYPE_FLAG_NONE,
    attr, breakpoint_attr, locals_dict, &breakpoint_locals_dict);
