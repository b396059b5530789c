// SPDX-License-Identifier: MIT
// _hv.latency: how long this core's interrupts wait. A timer that is due all the time says how late it is: by as
// much as interrupts were masked, or another interrupt was served.

#include "py/runtime.h"
#include "irq/timer.h"
#include "trap/numbers.h"

static struct {
    timer_t timer;
    uint64_t period, worst;
} late;

static void due(timer_t *t) {
    uint64_t now = timer_now(), by = now - t->deadline;
    if (by > late.worst) {
        late.worst = by;
    }
    timer_arm(t, now + late.period, due);
}

// latency(ticks): measure, with so many counts of CNTPCT from one look to the next; 0: no more. The longest
// wait since the last call, in counts.
static mp_obj_t hv_latency(mp_obj_t period) {
    timer_cancel(&late.timer);
    uint64_t worst = late.worst;
    late.period = unbox_u64(period);
    late.worst = 0;
    if (late.period != 0) {
        timer_arm(&late.timer, timer_now() + late.period, due);
    }
    return box_u64(worst);
}
MP_DEFINE_CONST_FUN_OBJ_1(hv_latency_obj, hv_latency);
