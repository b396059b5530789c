// SPDX-License-Identifier: MIT
// The port's part of the os module; included by extmod/modos.c.

#include "py/mphal.h"

// From 1.28 on MicroPython has this function itself.
#if MICROPY_VERSION < MICROPY_MAKE_VERSION(1, 28, 0)
static mp_obj_t mp_os_urandom(mp_obj_t num) {
    mp_int_t n = mp_obj_get_int(num);
    if (n < 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("negative length"));
    }
    vstr_t vstr;
    vstr_init_len(&vstr, n);
    mp_hal_get_random(n, (uint8_t *)vstr.buf);
    return mp_obj_new_bytes_from_vstr(&vstr);
}
static MP_DEFINE_CONST_FUN_OBJ_1(mp_os_urandom_obj, mp_os_urandom);
#endif
