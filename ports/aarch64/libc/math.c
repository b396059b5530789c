// SPDX-License-Identifier: MIT
// What is one instruction on AArch64, instead of libm_dbl's portable versions.

#include <math.h>

double sqrt(double x) {
    return __builtin_sqrt(x);
}

double floor(double x) {
    return __builtin_floor(x);
}

double ceil(double x) {
    return __builtin_ceil(x);
}

double trunc(double x) {
    return __builtin_trunc(x);
}

double round(double x) {
    return __builtin_round(x);
}

double rint(double x) {
    return __builtin_rint(x);
}

double nearbyint(double x) {
    return __builtin_nearbyint(x);
}
