// SPDX-License-Identifier: MIT
// machine.mem8, mem16, mem32 and mem64: one access of exactly that width per subscript, through
// hv_native/core/access.h, so that an address nothing answers at raises instead of ending the machine.

#include "py/mphal.h"
#include "py/runtime.h"
#include "extmod/modmachine.h"
#include "hv_native/core/access.h"
#include "hv_native/trap/el2_fault.h"
#include "machine_port.h"

static void machine_mem_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    machine_mem_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "<%u-bit memory>", 8 * self->elem_size);
}

static mp_obj_t machine_mem_subscr(mp_obj_t self_in, mp_obj_t index, mp_obj_t value) {
    machine_mem_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (value == MP_OBJ_NULL) {
        return MP_OBJ_NULL; // del is not supported
    }
    uint64_t addr = mp_obj_get_int_truncated(index);
    if (addr & (self->elem_size - 1)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("address 0x%lx is not aligned to %u bytes"), addr, self->elem_size);
    }
    if (value == MP_OBJ_SENTINEL) {
        uint64_t read;
        uint64_t esr = peek(addr, self->elem_size, &read);
        if (esr != 0) {
            fault_raise(addr, self->elem_size, esr, false);
        }
        return mp_obj_new_int_from_ull(read);
    }
    uint64_t esr = poke(addr, self->elem_size, mp_obj_get_int_truncated(value));
    if (esr != 0) {
        fault_raise(addr, self->elem_size, esr, true);
    }
    return mp_const_none;
}

MP_DEFINE_CONST_OBJ_TYPE(
    machine_mem_type,
    MP_QSTR_mem,
    MP_TYPE_FLAG_NONE,
    print, machine_mem_print,
    subscr, machine_mem_subscr
    );

const machine_mem_obj_t machine_mem8_obj = { { &machine_mem_type }, 1 };
const machine_mem_obj_t machine_mem16_obj = { { &machine_mem_type }, 2 };
const machine_mem_obj_t machine_mem32_obj = { { &machine_mem_type }, 4 };
const machine_mem_obj_t machine_mem64_obj = { { &machine_mem_type }, 8 };
