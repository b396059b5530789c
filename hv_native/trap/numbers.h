// SPDX-License-Identifier: MIT
// Numbers and flags between Python and C. What a caller gives is never asked what it is worth (__int__, __bool__):
// no Python runs in here, so the C that takes arguments may hold pointers to a VM and its vCPUs meanwhile.
#ifndef HV_NUMBERS_H
#define HV_NUMBERS_H

#include "py/obj.h"

mp_obj_t box_u64(uint64_t v);
uint64_t unbox_u64(mp_obj_t o); // an int, negative in two's complement; OverflowError beyond 64 bits, TypeError for others
uint64_t low_u64(mp_obj_t o);   // the low 64 bits of any int: what a register holds of a sum
mp_int_t unbox_int(mp_obj_t o); // an int of 64 bits; raises OverflowError for others
bool unbox_bool(mp_obj_t o);    // as in `if`; raises TypeError for an object of a class of Python's

#endif
