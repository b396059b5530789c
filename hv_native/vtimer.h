// SPDX-License-Identifier: MIT
// A guest's timers: the virtual one (CNTV) is the hardware's with an offset, the physical one (CNTP)
// is emulated on EL2's own timer.
#ifndef HV_VTIMER_H
#define HV_VTIMER_H

#include "vcpu.h"

void vtimer_reset(vcpu_t *v);
void vtimer_load(vcpu_t *v);
void vtimer_put(vcpu_t *v);
// CNTP_*: false when key is none of them.
bool vtimer_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value);

#endif
