// SPDX-License-Identifier: MIT
// _hv.Breakpoint: one that is planted. What users have is modules/hv/breaks.py.

#include "py/runtime.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "insight/breaks.h"
#include "memory/native.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/callback.h"
#include "trap/numbers.h"
#include "vcpu/debug.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
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

static MP_NORETURN void all_taken(const vm_t *vm, const brk_t *b) {
    unsigned taken = (unsigned)__builtin_popcount(vm->taken_mask & DEBUG_BREAK_MASK);
    if (taken < DEBUG_BREAKS) {
        hv_no_room("a breakpoint", PAGE_SIZE);
    }
    mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("0x%lx: nothing can be planted there now, and all %u hardware breakpoints are taken (vm.breaks(): remove one)"),
        b->ipa, taken);
}

// breakpoint(ipa, va, el0, action, fun, from, once, sp, space, cpu) -> Breakpoint. Without ipa, or where that is no RAM, in a
// debug register, at va.
static mp_obj_t vm_breakpoint(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    (void)n_args;
    brk_t given = {
        .el0 = unbox_bool(args[3]), .action = (break_action_t)unbox_int(args[4]), .from = unbox_u64(args[6]),
        .once = unbox_bool(args[7]), .cpu = args[10] == mp_const_none ? -1 : (int)unbox_int(args[10]), .on = true,
    };
    number_or(args[8], &given.match_sp, &given.sp);
    number_or(args[9], &given.match_space, &given.space);
    given.match_space &= given.action < BREAK_SVC; // of those it is what breaks.h says
    bool known, by_va;
    uint64_t va;
    number_or(args[1], &known, &given.ipa);
    number_or(args[2], &by_va, &va);
    bool ram = known && given.ipa % 4 == 0 && vm_ram(vm, given.ipa, 4) != NULL;
    if (!ram && by_va && va % 4 == 0) {
        given.hard = true;
        given.ipa = va;
    } else if (!ram) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("IPA 0x%lx: a breakpoint is planted in RAM, in place of an instruction of 4 bytes"), given.ipa);
    }
    handler_t *handler = NULL;
    if (args[5] != mp_const_none) {
        handler = handler_new(args[5], -1, 0);
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
        if (given.hard) {
            all_taken(vm, &given);
        }
        hv_no_room("a breakpoint", PAGE_SIZE);
    }
    return MP_OBJ_FROM_PTR(b);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_breakpoint_obj, 11, 11, vm_breakpoint);

// ipa_of(va, el0=False) -> where the kernel of a VM has what is at va, by the stage 1 of the first vCPU that knows it, or
// None. el0: where a program has it, by tables.
static mp_obj_t vm_ipa_of(size_t n_args, const mp_obj_t *args) {
    vm_t *vm = hv_vm_get(args[0]);
    uint64_t va = unbox_u64(args[1]), ipa = 0;
    bool found = false, el0 = n_args > 2 && unbox_bool(args[2]);
    vm_hold(vm);
    for (unsigned i = 0; i < vm->nvcpus && !found; i++) {
        vcpu_t *v = vm->vcpu[i];
        found = v->state != VCPU_OFF && vcpu_translate_va(v, va, false, el0, &ipa, NULL) == 0;
        found &= !el0 || (vcpu_el1_get(v, EL1_SCTLR_EL1) & SCTLR_M);
        uint64_t daif = irq_save();
        if (cpus_online > 1 && this_pcpu()->running != v) {
            vcpu_put(v); // another core may take it
        }
        irq_restore(daif);
    }
    vm_release(vm);
    return found ? box_u64(ipa) : mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_ipa_of_obj, 2, 3, vm_ipa_of);

static mp_obj_t breakpoint_remove(mp_obj_t self) {
    hv_breakpoint_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = hv_vm_get(MP_OBJ_FROM_PTR(o->vm));
    brk_t *b = o->brk;
    if (b == NULL) {
        return mp_const_none; // once more, by who was interrupted when it was half done
    }
    vm_hold(vm);
    hv_forget(o->vm, b->handler);
    o->brk = NULL;
    break_remove(vm, b, boot_core_any_handler());
    vm_release(vm);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(breakpoint_remove_obj, breakpoint_remove);

// log(cpu): as of BREAK_LOG; what Python decides of a breakpoint that it is asked about.
static mp_obj_t breakpoint_log(mp_obj_t self, mp_obj_t cpu) {
    break_log(hv_vcpu_get(hv_of_type(cpu, &hv_vcpu_type)), brk_of(MP_OBJ_TO_PTR(self)));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(breakpoint_log_obj, breakpoint_log);

static void breakpoint_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_breakpoint_obj_t *o = MP_OBJ_TO_PTR(self);
    if (attr == MP_QSTR_hard && dest[0] == MP_OBJ_NULL) {
        dest[0] = mp_obj_new_bool(brk_of(o)->hard);
        return;
    }
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
    { MP_ROM_QSTR(MP_QSTR_log), MP_ROM_PTR(&breakpoint_log_obj) },
    { MP_ROM_QSTR(MP_QSTR_remove), MP_ROM_PTR(&breakpoint_remove_obj) },
};
static MP_DEFINE_CONST_DICT(breakpoint_locals_dict, breakpoint_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_breakpoint_type, MP_QSTR_Breakpoint, MP_TYPE_FLAG_NONE,
    attr, breakpoint_attr, locals_dict, &breakpoint_locals_dict);
