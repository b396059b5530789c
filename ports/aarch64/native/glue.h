// SPDX-License-Identifier: MIT
#ifndef ELAPID_GLUE_H
#define ELAPID_GLUE_H

#include "py/runtime.h"

// An operation that is not of two numbers of which one is a float or complex.
mp_obj_t native_other_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);

#endif
