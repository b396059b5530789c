// SPDX-License-Identifier: MIT
// Bound methods and closures, as py/objboundmeth.c and py/objclosure.c lay them out for themselves.
#ifndef HV_CALLABLES_H
#define HV_CALLABLES_H

#include "py/obj.h"

typedef struct {
    mp_obj_base_t base;
    mp_obj_t meth, self;
} bound_t;

typedef struct {
    mp_obj_base_t base;
    mp_obj_t fun;
    size_t n_closed;
    mp_obj_t closed[];
} closure_t;

#endif
