// SPDX-License-Identifier: MIT
// Numbers and flags between Python and C: see numbers.h.

#include "py/builtin.h"
#include "py/objint.h"
#include "py/objstr.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "py/smallint.h"
#include "core/arch.h"
#include "trap/numbers.h"

mp_obj_t box_u64(uint64_t v) {
    if (LIKELY(v <= (uint64_t)MP_SMALL_INT_MAX)) {
        return MP_OBJ_NEW_SMALL_INT((mp_int_t)v);
    }
    return mp_obj_new_int_from_ull(v);
}

static void check(mp_obj_t o) {
    if (!mp_obj_is_int(o) && !mp_obj_is_bool(o)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("can't convert %s to int"), mp_obj_get_type_str(o));
    }
}

uint64_t unbox_u64(mp_obj_t o) {
    if (LIKELY(mp_obj_is_small_int(o))) {
        return (uint64_t)MP_OBJ_SMALL_INT_VALUE(o);
    }
    mp_uint_t value;
    if (mp_obj_is_exact_type(o, &mp_type_int)) { // a long one: an address that is cut would be another one
        const mpz_t *n = &((mp_obj_int_t *)MP_OBJ_TO_PTR(o))->mpz;
        if (n->neg ? mp_obj_int_to_bytes_impl(o, false, sizeof(value), (byte *)&value) : mpz_as_uint_checked(n, &value)) {
            return value;
        }
        mp_raise_msg_varg(&mp_type_OverflowError, MP_ERROR_TEXT("%s has more than 64 bits"), mp_obj_str_get_str(mp_call_function_1(MP_OBJ_FROM_PTR(&mp_builtin_hex_obj), o)));
    }
    return low_u64(o);
}

uint64_t low_u64(mp_obj_t o) {
    check(o);
    return (uint64_t)mp_obj_get_int_truncated(o);
}

mp_int_t unbox_int(mp_obj_t o) {
    check(o);
    return mp_obj_get_int(o);
}

bool unbox_bool(mp_obj_t o) {
    if (mp_obj_is_instance_type(mp_obj_get_type(o))) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("a flag is True or False, not %s"), mp_obj_get_type_str(o));
    }
    return mp_obj_is_true(o);
}
