// SPDX-License-Identifier: MIT
// Lazy FP and SIMD switching.
// Whose values the FP and SIMD registers hold. They are switched when somebody touches them: EL2
// runs with CPTR_EL2.TFP set while they are a guest's, a guest runs with it set while they are not
// its own, and either's first use traps (DDI 0487 D13.2.30).
#ifndef HV_FP_H
#define HV_FP_H

#include <stdbool.h>
#include "vm/vcpu_state.h"

bool fp_take_for_el2(void);             // save the owner's registers; false: EL2 had them already
void fp_take_for_guest(vcpu_t *v); // the guest's first use since it was loaded
void fp_save(vcpu_t *v);           // make v's copy in memory current, wherever it was on this core
void fp_keep(fp_state_t *to);           // EL2's own, which nobody else's may be, for later
void fp_bring_back(const fp_state_t *from);
void fp_release(void);                  // let EL2 use FP without another thought (panic)

#endif
