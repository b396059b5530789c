// SPDX-License-Identifier: MIT
// What a script wants called when one of the machine's devices has something to say: soon after the interrupt, between
// two bytecodes, each in its turn.
#ifndef PORT_EVENTS_H
#define PORT_EVENTS_H

#include "py/obj.h"
#include "py/runtime.h"
#include "hv_native/irq/timer.h"

// Numbers of events: who has which.
enum { EVENT_SERIAL = 0, EVENT_NIC = 8, EVENT_MAX = 12 };

// Call handler(device) after each event_raise; mp_const_none: nobody. TypeError: it cannot be called.
void event_handler(unsigned n, mp_obj_t device, mp_obj_t handler);
// From the interrupt. It ends a wait of the prompt's in any case.
void event_raise(unsigned n);
// A session of MicroPython ends: its handlers are no more.
void events_session(void);

#endif
