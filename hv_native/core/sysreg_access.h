// SPDX-License-Identifier: MIT
// Any system register by its encoding, at EL2, on the core that runs Python.
#ifndef HV_SYSREG_ACCESS_H
#define HV_SYSREG_ACCESS_H

#include <stdint.h>

// op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2: the bits of the instruction, and of a trap's ISS less Rt.
#define SYSREG_ENC(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

// 0, or the ESR of the exception: no such register here, or not in that direction.
int64_t sysreg_read(unsigned enc, uint64_t *value);
int64_t sysreg_write(unsigned enc, uint64_t value);

#endif
