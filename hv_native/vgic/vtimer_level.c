// SPDX-License-Identifier: MIT
// A guest's virtual count, and the level of its virtual timer's line.

#include "core/arch.h"
#include "irq/timer.h"
#include "vgic/vtimer.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

bool vtimer_level(const vcpu_t *v) {
    bool live = v->vtimer.live;
    uint64_t ctl = live ? READ_SYSREG(cntv_ctl_el0) : v->vtimer.ctl, cval = live ? READ_SYSREG(cntv_cval_el0) : v->vtimer.cval;
    if (UNLIKELY(v->vm->replay != NULL)) {
        ctl = v->vtimer.r_ctl;
        cval = v->vtimer.r_cval;
    }
    return vtimer_armed(ctl) && vtimer_count(v->vm) >= cval;
}
