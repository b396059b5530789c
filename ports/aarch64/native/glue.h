// SPDX-License-Identifier: MIT
#ifndef ELAPID_GLUE_H
#define ELAPID_GLUE_H

#include "py/runtime.h"

// An operation that is not of two numbers of which one is a float or complex.
mp_obj_t native_other_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);

// mp_obj_gen_resume(): generators.c.
mp_vm_return_kind_t native_obj_gen_resume(mp_obj_t generator, mp_obj_t sent, mp_obj_t thrown, mp_obj_t *result);

#endif
