// SPDX-License-Identifier: MIT
// What compiled Python calls of mp_fun_table where the most frequent cases have a short way: the object is exactly of a type
// whose insides are known here. All else is MicroPython's own function of the name that is behind native_.

#include "py/objarray.h"
#include "py/objlist.h"
#include "py/objtuple.h"
#include "py/objtype.h"
#include "py/runtime.h"

mp_obj_t native_load_attr(mp_obj_t base, qstr attr);
mp_obj_t native_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);
mp_obj_t native_obj_subscr(mp_obj_t base, mp_obj_t index, mp_obj_t value);

static inline const mp_obj_type_t *type_of(mp_obj_t o) {
    return mp_obj_is_obj(o) ? ((mp_obj_base_t *)MP_OBJ_TO_PTR(o))->type : NULL;
}

// Bytecode looks into an instance at once as well (py/vm.c, MICROPY_OPT_LOAD_ATTR_FAST_PATH).
mp_obj_t native_load_attr(mp_obj_t base, qstr attr) {
    const mp_obj_type_t *type = type_of(base);
    if (type != NULL && mp_obj_is_instance_type(type)) {
        mp_obj_instance_t *self = MP_OBJ_TO_PTR(base);
        mp_map_elem_t *found = mp_map_lookup(&self->members, MP_OBJ_NEW_QSTR(attr), MP_MAP_LOOKUP);
        if (found != NULL) {
            return found->value;
        }
    }
    return mp_load_attr(base, attr);
}

mp_obj_t native_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    if (type_of(lhs) == &mp_type_float && type_of(rhs) == &mp_type_float) {
        mp_obj_t found = MP_OBJ_TYPE_GET_SLOT(&mp_type_float, binary_op)(op, lhs, rhs);
        if (found != MP_OBJ_NULL) {
            return found;
        }
    }
    return mp_binary_op(op, lhs, rhs);
}

// An item of a list, tuple or bytearray; the slower way has the errors.
mp_obj_t native_obj_subscr(mp_obj_t base, mp_obj_t index, mp_obj_t value) {
    const mp_obj_type_t *type = type_of(base);
    if (mp_obj_is_small_int(index)) {
        size_t at = (size_t)MP_OBJ_SMALL_INT_VALUE(index);
        if (type == &mp_type_list && value != MP_OBJ_NULL) {
            mp_obj_list_t *list = MP_OBJ_TO_PTR(base);
            at += (mp_int_t)at < 0 ? list->len : 0;
            if (at < list->len) {
                if (value == MP_OBJ_SENTINEL) {
                    return list->items[at];
                }
                list->items[at] = value;
                return mp_const_none;
            }
        } else if (type == &mp_type_tuple && value == MP_OBJ_SENTINEL) {
            mp_obj_tuple_t *tuple = MP_OBJ_TO_PTR(base);
            at += (mp_int_t)at < 0 ? tuple->len : 0;
            if (at < tuple->len) {
                return tuple->items[at];
            }
        } else if (type == &mp_type_bytearray) {
            mp_obj_array_t *array = MP_OBJ_TO_PTR(base);
            at += (mp_int_t)at < 0 ? array->len : 0;
            if (at < array->len && value == MP_OBJ_SENTINEL) {
                return MP_OBJ_NEW_SMALL_INT(((uint8_t *)array->items)[at]);
            }
            if (at < array->len && mp_obj_is_small_int(value) && (size_t)MP_OBJ_SMALL_INT_VALUE(value) < 256) {
                ((uint8_t *)array->items)[at] = (uint8_t)MP_OBJ_SMALL_INT_VALUE(value);
                return mp_const_none;
            }
        }
    }
    return mp_obj_subscr(base, index, value);
}
