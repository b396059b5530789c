// SPDX-License-Identifier: MIT
#pragma once
#include <stddef.h>
__attribute__((noreturn)) void abort(void);
static inline int abs(int x) {
    return __builtin_abs(x);
}
