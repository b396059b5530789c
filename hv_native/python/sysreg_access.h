// SPDX-License-Identifier: MIT
// Any system register by its encoding, at EL2, on the core that runs Python.
#ifndef HV_SYSREG_ACCESS_H
#define HV_SYSREG_ACCESS_H

#include <stdint.h>

// 0, or the ESR of the exception: no such register here, or not in that direction.
int64_t sysreg_read(unsigned enc, uint64_t *value);
int64_t sysreg_write(unsigned enc, uint64_t value);

#endif
