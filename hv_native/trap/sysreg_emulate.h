// SPDX-License-Identifier: MIT
// System register emulation.
// Trapped system registers that the machine itself answers.
#ifndef HV_SYSREG_EMULATE_H
#define HV_SYSREG_EMULATE_H

#include "vm/vcpu_state.h"

// key: trap.h's ISS_SYSREG_KEY of the trap. False: not one we know.
bool sysreg_emulate(vcpu_t *v, uint64_t key, bool write, uint64_t *value);

// A stopped vCPU's register, other than those of el1_state.h, as its guest reads and writes it: also its
// virtual timer, which does not trap. By SYSREG_ENC.
bool sysreg_view(vcpu_t *v, unsigned enc, bool write, uint64_t *value);

#endif
