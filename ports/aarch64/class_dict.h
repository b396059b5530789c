// SPDX-License-Identifier: MIT
// Put before py/modbuiltins.c, whose only dictionary is the one a class is made in. It begins with room for
// most classes: to grow it, everything in it is put in again. 31 blocks of the heap are found at once (gc_alloc.c).
#include "py/obj.h"

static inline mp_obj_t class_dict(size_t n) {
    return mp_obj_new_dict(n + 61);
}

#define mp_obj_new_dict class_dict
