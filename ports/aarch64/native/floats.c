// SPDX-License-Identifier: MIT
// What compiled Python calls of mp_fun_table for an operation, where it is not of small ints, that is done in place: here it
// is of floats or complex numbers, or of one and a small int. All else, and what raises, is MicroPython's own function's.
// The numbers are those that it would give: no product and sum are contracted to one instruction (Makefile).

#include "py/runtime.h"
#include "gc_alloc.h"
#include "glue.h"

mp_obj_t native_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);

// As py/objfloat.c and py/objcomplex.c have them.
typedef struct {
    mp_obj_base_t base;
    mp_float_t value;
} number_t;

typedef struct {
    mp_obj_base_t base;
    mp_float_t real, imag;
} complex_t;

static inline bool is_of(mp_obj_t o, const mp_obj_type_t *type) {
    return mp_obj_is_obj(o) && ((mp_obj_base_t *)MP_OBJ_TO_PTR(o))->type == type;
}

static inline bool is_float(mp_obj_t o) {
    return is_of(o, &mp_type_float);
}

static inline uint64_t bits_of(mp_float_t value) {
    union {
        mp_float_t value;
        uint64_t bits;
    } u = { value };
    return u.bits;
}

static inline mp_obj_t new_float(mp_float_t value) {
    return gc_new_number(&mp_type_float, bits_of(value), 0);
}

static inline mp_obj_t new_complex(mp_float_t real, mp_float_t imag) {
    return gc_new_number(&mp_type_complex, bits_of(real), bits_of(imag));
}

static inline mp_float_t value_of(mp_obj_t o) {
    return mp_obj_is_small_int(o) ? (mp_float_t)MP_OBJ_SMALL_INT_VALUE(o) : ((number_t *)MP_OBJ_TO_PTR(o))->value;
}

static bool parts_of(mp_obj_t o, mp_float_t *real, mp_float_t *imag) {
    if (is_of(o, &mp_type_complex)) {
        *real = ((complex_t *)MP_OBJ_TO_PTR(o))->real;
        *imag = ((complex_t *)MP_OBJ_TO_PTR(o))->imag;
        return true;
    }
    if (mp_obj_is_small_int(o) || is_float(o)) {
        *real = value_of(o);
        *imag = 0;
        return true;
    }
    return false;
}

static __attribute__((noinline)) mp_obj_t complex_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    mp_float_t a, ai, b, bi;
    if (parts_of(lhs, &a, &ai) && parts_of(rhs, &b, &bi)) {
        switch (op) {
            case MP_BINARY_OP_ADD:
            case MP_BINARY_OP_INPLACE_ADD:
                return new_complex(a + b, ai + bi);
            case MP_BINARY_OP_SUBTRACT:
            case MP_BINARY_OP_INPLACE_SUBTRACT:
                return new_complex(a - b, ai - bi);
            case MP_BINARY_OP_MULTIPLY:
            case MP_BINARY_OP_INPLACE_MULTIPLY:
                return new_complex(a * b - ai * bi, a * bi + ai * b);
            default:
                break;
        }
    }
    return mp_binary_op(op, lhs, rhs);
}

static mp_obj_t not_float_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    bool is = is_of(lhs, &mp_type_complex) || is_of(rhs, &mp_type_complex);
    return is ? complex_op(op, lhs, rhs) : native_other_op(op, lhs, rhs);
}

mp_obj_t native_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    bool left = is_float(lhs), right = is_float(rhs);
    if (!(left && (right || mp_obj_is_small_int(rhs))) && !(right && mp_obj_is_small_int(lhs))) {
        return not_float_op(op, lhs, rhs);
    }
    mp_float_t a = value_of(lhs), b = value_of(rhs);
    switch (op) {
        case MP_BINARY_OP_ADD:
        case MP_BINARY_OP_INPLACE_ADD:
            return new_float(a + b);
        case MP_BINARY_OP_SUBTRACT:
        case MP_BINARY_OP_INPLACE_SUBTRACT:
            return new_float(a - b);
        case MP_BINARY_OP_MULTIPLY:
        case MP_BINARY_OP_INPLACE_MULTIPLY:
            return new_float(a * b);
        case MP_BINARY_OP_TRUE_DIVIDE:
        case MP_BINARY_OP_INPLACE_TRUE_DIVIDE:
            return b != 0 ? new_float(a / b) : mp_binary_op(op, lhs, rhs);
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
