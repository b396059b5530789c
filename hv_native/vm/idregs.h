// SPDX-License-Identifier: MIT
// Guest ID registers.
// What a guest is told about the core.
#ifndef HV_IDREGS_H
#define HV_IDREGS_H

#include "vm/vcpu_state.h"

// MRS of an ID register: op0 3, op1 0, CRn 0, and these.
uint64_t id_register(vcpu_t *v, unsigned crm, unsigned op2);

// Whether this core has more than a guest may be told of, so that its reads have to trap (HCR_EL2.TID3).
bool id_registers_hide(void);

#endif
