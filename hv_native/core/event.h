// SPDX-License-Identifier: MIT
// The event ring: what rules of kind "log" saw, written in C, read by Python (hv.events).
#ifndef HV_EVENT_H
#define HV_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "core/arch.h"

typedef struct {
    uint64_t time;      // CNTPCT
    uint64_t key;       // the hook's: function id, register key, address
    uint64_t pc, value;
    uint8_t cpu, ec, write, vmid;
} event_t;

#define EVENTS 256u

typedef struct {
    event_t ring[EVENTS];
    uint64_t written, read, lost;
    spinlock_t lock;
} events_t;
extern events_t events;

// The place of the next one, with the time in it; interrupts masked until event_end(). Any core.
static inline event_t *event_begin(void) {
    spin_lock(&events.lock);
    if (events.written - events.read == EVENTS) {
        events.read++;
        events.lost++;
    }
    event_t *e = &events.ring[events.written++ % EVENTS];
    e->time = READ_SYSREG(cntpct_el0);
    return e;
}

static inline void event_end(void) {
    spin_unlock(&events.lock);
}

// Puts e in, with the time. Any core.
void event_log(const event_t *e);
// Take the oldest out. False: empty. *lost: how many were overwritten since the last call.
bool event_next(event_t *e, uint64_t *lost);
void event_clear(void);

#endif
