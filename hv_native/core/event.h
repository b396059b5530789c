// SPDX-License-Identifier: MIT
// The event ring: what rules of kind "log" saw, written in C, read by Python (hv.events).
#ifndef HV_EVENT_H
#define HV_EVENT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t time;      // CNTPCT
    uint64_t key;       // the hook's: function id, register key, address
    uint64_t pc, value;
    uint8_t cpu, ec, write, vmid;
} event_t;

// Puts e in, with the time. Any core.
void event_log(const event_t *e);
// Take the oldest out. False: empty. *lost: how many were overwritten since the last call.
bool event_next(event_t *e, uint64_t *lost);
void event_clear(void);

#endif
