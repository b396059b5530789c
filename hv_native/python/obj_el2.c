// SPDX-License-Identifier: MIT
// vm.el2: the EL2 registers a VM is entered with, by name, within the bounds of policy.h.

#include "py/runtime.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "python/objects.h"
#include "python/sysreg_table.h"
#include "trap/numbers.h"
#include "vcpu/debug.h"
#include "vm/policy.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

void hv_policy_check(el2_reg_t reg, uint64_t value, bool guest) {
    const policy_rule_t *r = policy_broken(reg, value, guest);
    if (r != NULL) {
        char name[SYSREG_NAME_MAX];
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s 0x%lx: %s, bit %u, must be %u%s: %s (unsafe=True insists)"),
            sysreg_name(el2_policy[reg].enc, name), value, r->name, r->low, r->value, r->always ? "" : " while a guest runs", r->why);
    }
}

static el2_reg_t index_of(mp_obj_t name) {
    char got[SYSREG_NAME_MAX];
    unsigned enc = sysreg_lookup(name);
    el2_reg_t reg = el2_find(enc);
    if (reg == EL2_COUNT) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s is not a VM's own: HCR_EL2, CPTR_EL2, MDCR_EL2, CNTHCTL_EL2, VTCR_EL2 and HSTR_EL2 are"),
            sysreg_name(enc, got));
    }
    return reg;
}

static void el2_put(vm_t *vm, el2_reg_t reg, uint64_t value, bool unsafe) {
    if (!unsafe) {
        hv_policy_check(reg, value, true);
    }
    vm->el2[reg] = value;
    vcpu_t *running = this_pcpu()->running;
    if (running == NULL || running->vm != vm) {
        return;
    }
    switch (reg) { // its own handler wrote it: in force from the next instruction on
        case EL2_HCR:
            WRITE_SYSREG(hcr_el2, value | running->vgic.lines | (READ_SYSREG(hcr_el2) & HCR_VSE));
            break;
        case EL2_MDCR:
            debug_changed(running);
            break;
        case EL2_CNTHCTL:
            WRITE_SYSREG(cnthctl_el2, value);
            break;
        case EL2_VTCR:
            WRITE_SYSREG(vtcr_el2, value);
            break;
        case EL2_HSTR:
            WRITE_SYSREG(hstr_el2, value);
            break;
        default:
            break; // CPTR_EL2 is loaded when the handler returns
    }
    isb();
}

static mp_obj_t el2_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    vm_t *vm = hv_part_vm(self);
    el2_reg_t reg = index_of(index);
    if (value == MP_OBJ_SENTINEL) {
        return box_u64(vm->el2[reg]);
    }
    if (value == MP_OBJ_NULL) {
        return MP_OBJ_NULL;
    }
    el2_put(vm, reg, unbox_u64(value), false);
    return mp_const_none;
}

// set(name, value, *, unsafe=False)
static mp_obj_t el2_set(size_t n_args, const mp_obj_t *pos, mp_map_t *kw) {
    el2_put(hv_part_vm(pos[0]), index_of(pos[1]), unbox_u64(pos[2]), hv_unsafe(n_args, 3, kw));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(el2_set_obj, 3, el2_set);

static void write_el2(const mp_print_t *print, mp_obj_t self) {
    vm_t *vm = hv_part_vm(self);
    for (unsigned i = 0; i < EL2_COUNT; i++) {
        char name[SYSREG_NAME_MAX];
        mp_printf(print, "%s%s 0x%lx", i == 0 ? "<" : ", ", sysreg_name(el2_policy[i].enc, name), vm->el2[i]);
    }
    mp_printf(print, ">");
}

static void el2_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_el2);
}

static const mp_rom_map_elem_t el2_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_set), MP_ROM_PTR(&el2_set_obj) },
};
static MP_DEFINE_CONST_DICT(el2_locals_dict, el2_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_el2_type, MP_QSTR_EL2Registers, MP_TYPE_FLAG_NONE,
    subscr, el2_subscr, print, el2_print, locals_dict, &el2_locals_dict);
