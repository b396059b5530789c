// SPDX-License-Identifier: MIT
// What compiled Python calls of mp_fun_table for an operation, which is of floats, or of one and a small int, where it is
// not of small ints, that is done in place. All else, and what raises, is MicroPython's own function's.

#include "py/runtime.h"

mp_obj_t native_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);

// As py/objfloat.c has it.
typedef struct {
    mp_obj_base_t base;
    mp_float_t value;
} number_t;

static inline bool is_float(mp_obj_t o) {
    return mp_obj_is_obj(o) && ((mp_obj_base_t *)MP_OBJ_TO_PTR(o))->type == &mp_type_float;
}

static inline mp_float_t value_of(mp_obj_t o) {
    return mp_obj_is_small_int(o) ? (mp_float_t)MP_OBJ_SMALL_INT_VALUE(o) : ((number_t *)MP_OBJ_TO_PTR(o))->value;
}

mp_obj_t native_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    bool left = is_float(lhs), right = is_float(rhs);
    if (!(left && (right || mp_obj_is_small_int(rhs))) && !(right && mp_obj_is_small_int(lhs))) {
        return mp_binary_op(op, lhs, rhs);
    }
    mp_float_t a = value_of(lhs), b = value_of(rhs);
    switch (op) {
        case MP_BINARY_OP_ADD:
        case MP_BINARY_OP_INPLACE_ADD:
            return mp_obj_new_float(a + b);
        case MP_BINARY_OP_SUBTRACT:
        case MP_BINARY_OP_INPLACE_SUBTRACT:
            return mp_obj_new_float(a - b);
        case MP_BINARY_OP_MULTIPLY:
        case MP_BINARY_OP_INPLACE_MULTIPLY:
            return mp_obj_new_float(a * b);
        case MP_BINARY_OP_TRUE_DIVIDE:
        case MP_BINARY_OP_INPLACE_TRUE_DIVIDE:
            return b != 0 ? mp_obj_new_float(a / b) : mp_binary_op(op, lhs, rhs);
        case MP_BINARY_OP_LESS:
            return mp_obj_new_bool(a < b);
        case MP_BINARY_OP_MORE:
            return mp_obj_new_bool(a > b);
        case MP_BINARY_OP_LESS_EQUAL:
            return mp_obj_new_bool(a <= b);
        case MP_BINARY_OP_MORE_EQUAL:
            return mp_obj_new_bool(a >= b);
        case MP_BINARY_OP_EQUAL:
            return mp_obj_new_bool(a == b);
        default:
            return mp_binary_op(op, lhs, rhs);
    }
}
