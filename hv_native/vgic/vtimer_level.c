// SPDX-License-Identifier: MIT
// A guest's virtual count, and the level of its virtual timer's line.

#include "core/arch.h"
#include "irq/timer.h"
#include "vgic/vtimer.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

bool vtimer_asserted(const vcpu_t *v) {
    uint64_t ctl = v->vtimer.ctl, cval = v->vtimer.cval;
    if (v->vtimer.live) {
        ctl = READ_SYSREG(cntv_ctl_el0);
        if (LIKELY(!v->vm->stopped)) {
            return ctl == (CTL_ENABLE | CTL_ISTATUS);
        }
        cval = READ_SYSREG(cntv_cval_el0);
    }
    if (UNLIKELY(v->vm->replay != NULL)) {
        ctl = v->vtimer.r_ctl;
        cval = v->vtimer.r_cval;
    }
    return vtimer_armed(ctl) && vtimer_count(v->vm) >= cval;
}
