// SPDX-License-Identifier: MIT
// The boot core's time, shared between MicroPython and the guests of VMs in the background.
//
// While MicroPython waits, guests have the core (python/boot_core.c). While it computes, a timer gives them their part
// all the same, from its interrupt: what was interrupted is not touched, whatever it was in the middle of, and finds the
// core as it left it. No MicroPython is to be had there (pcpu_t.python): an exit that needs it waits for it, as on
// another core, and other vCPUs go on.
#ifndef HV_SHARE_H
#define HV_SHARE_H

#include <stdbool.h>
#include "irq/timer.h"
#include "vm/vcpu_state.h"

#define SHARE_DEFAULT 500u  // of a thousand
#define SHARE_MAX 950u

// So many thousandths of the core are the guests', if they have something to do; 0: none, while MicroPython computes.
void share_set(unsigned part);
unsigned share_get(void);

// A VM runs in the background. From now on, until none does, the guests' part is given.
void share_start(void);
void share_stop(void);

// MicroPython waits from here, and goes on there. Boot core; both may be called as often as one likes.
extern bool share_on;
extern timer_t share_timer;
void share_await(void);
static inline void share_python_begins(void) {
    if (UNLIKELY(share_on) && !share_timer.armed) {
        share_await();
    }
}
static inline void share_python_ends(void) {
    timer_cancel(&share_timer);
}

// MicroPython waits in a handler, interrupts masked: a turn of the guests'. False: they have nothing to do.
bool share_while_waiting(void);

// v, which is off its core at the moment, may be on it at the next instruction of MicroPython's.
bool share_may_run(const vcpu_t *v);

#endif
