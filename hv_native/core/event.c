// SPDX-License-Identifier: MIT
// The event ring: see event.h. Full, it loses the oldest and counts them. The section it lies in is not
// cleared at reset.

#include "core/arch.h"
#include "core/event.h"

events_t events __attribute__((section(".noinit.pages"), aligned(8)));

void event_clear(void) {
    events.written = events.read = events.lost = 0;
    events.lock.held = 0;
}

void event_log(const event_t *e) {
    uint64_t daif = irq_save();
    event_t *to = event_begin();
    uint64_t time = to->time;
    *to = *e;
    to->time = time;
    event_end();
    irq_restore(daif);
}

bool event_next(event_t *e, uint64_t *lost) {
    uint64_t daif = spin_lock_irq(&events.lock);
    bool any = events.read != events.written;
    if (any) {
        *e = events.ring[events.read++ % EVENTS];
    }
    *lost = events.lost;
    events.lost = 0;
    spin_unlock_irq(&events.lock, daif);
    return any;
}
