// SPDX-License-Identifier: MIT
// PSCI 1.1 (DEN0022) and SMCCC (DEN0028) as the guest sees them.
#ifndef HV_PSCI_H
#define HV_PSCI_H

#include "vm/vcpu_state.h"

#define PSCI_1_1 0x10001
#define PSCI_CALL_64 0x40000000u
#define PSCI_PLACES 128

extern const uint8_t psci_known[PSCI_PLACES]; // those that PSCI_FEATURES knows

// Calls that touch nothing but x0-x3. False: not one of them.
bool psci_fast(vcpu_t *v, guest_regs_t *r);
// What neither knows is NOT_SUPPORTED. False: it is PSCI's, or a script's hook of the class `ec` or of everything may want it.
bool psci_unknown(vcpu_t *v, guest_regs_t *r, unsigned ec);
// Both, of an HVC: EXIT_RESUME or EXIT_TRAP.
uint64_t psci_others(vcpu_t *v, guest_regs_t *r);
// The same where nobody has a hook for this function; what is asked for most is answered there and then
// (trap/short_psci.S): the last thing that is done for an exit.
uint64_t psci_hvc(vcpu_t *v, guest_regs_t *r, uint32_t function, const struct vm *vm);
// All calls. False: not PSCI's or SMCCC's. *why tells what becomes of the vCPU.
bool psci_slow(vcpu_t *v, exit_t *why);

#endif
