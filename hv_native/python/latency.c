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

// More often, and there would be time for nothing else.
#define LOOKS_HZ 1000000u

// latency(ticks): measure, with so many counts of CNTPCT from one look to the next, a microsecond to a second; 0: no more.
// The longest wait since the last call, in counts.
static mp_obj_t hv_latency(mp_obj_t period) {
    timer_cancel(&late.timer);
    uint64_t worst = late.worst;
    uint64_t ticks = unbox_u64(period), least = timer_freq() / LOOKS_HZ, most = timer_freq();
    late.period = ticks < least ? least : ticks < most ? ticks : most;
    late.worst = 0;
    if (ticks != 0) {
        timer_arm(&late.timer, timer_now() + late.period, due);
    }
    return box_u64(worst);
}
MP_DEFINE_CONST_FUN_OBJ_1(hv_latency_obj, hv_latency);
