// SPDX-License-Identifier: MIT
// Put before py/qstr.c: the linker then takes the port's qstr_find_strn (qstr_find.c), for the calls in there too.
#pragma weak qstr_find_strn
#include "fast_code.h"
