// SPDX-License-Identifier: MIT
// Put before the files that need floating point for one function and have another that takes "...".
// Such a one would save all eight vector argument registers just in case (AAPCS64), at EL2 a trap when
// they are a guest's. No caller passes it a double.
#include <stdarg.h>

#include "py/runtime.h"

#define GENERAL_REGS __attribute__((target("general-regs-only")))
GENERAL_REGS int mp_printf(const mp_print_t *print, const char *fmt, ...);
GENERAL_REGS MP_NORETURN void mp_raise_msg_varg(const mp_obj_type_t *exc_type, mp_rom_error_text_t fmt, ...);
