// SPDX-License-Identifier: MIT
// PSCI 1.1 (DEN0022) and SMCCC (DEN0028) as the guest sees them.
#ifndef HV_PSCI_H
#define HV_PSCI_H

#include "vm/vcpu_state.h"

#define PSCI_1_1 0x10001

// Calls that touch nothing but x0-x3. False: not one of them.
bool psci_fast(vcpu_t *v, guest_regs_t *r);
// All calls. False: not PSCI's or SMCCC's. *why tells what becomes of the vCPU.
bool psci_slow(vcpu_t *v, exit_t *why);

#endif
