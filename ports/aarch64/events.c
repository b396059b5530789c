// SPDX-License-Identifier: MIT
// Handlers of the machine's devices: see events.h.

#include "py/mphal.h"
#include "hv_native/core/arch.h"
#include "hv_native/python/boot_core.h"
#include "events.h"

typedef struct {
    mp_sched_node_t node;
    timer_t retry;      // when it was the turn of others
    mp_obj_t device;    // no object of the heap's
} event_t;

static event_t events[EVENT_MAX];

MP_REGISTER_ROOT_POINTER(mp_obj_t event_handler[12]);
_Static_assert(EVENT_MAX == 12, "event_handler");

static void serve(mp_sched_node_t *node);

static void again(timer_t *t) {
    event_t *e = (event_t *)((char *)t - offsetof(event_t, retry));
    mp_sched_schedule_node(&e->node, serve);
    mp_hal_wake();
}

// A device that never falls silent leaves others their turn, as guests do (boot_core.c).
static void serve(mp_sched_node_t *node) {
    event_t *e = (event_t *)((char *)node - offsetof(event_t, node));
    mp_obj_t handler = MP_STATE_VM(event_handler)[e - events];
    if (handler == MP_OBJ_NULL) {
        return;
    }
    if (!boot_core_turn_begin()) {
        timer_arm(&e->retry, timer_now() + timer_freq() / 500, again);
        return;
    }
    mp_call_function_1_protected(handler, e->device);
    boot_core_turn_end(false);
}

void event_handler(unsigned n, mp_obj_t device, mp_obj_t handler) {
    if (handler != mp_const_none && !mp_obj_is_callable(handler)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("a handler must be callable, not %s"), mp_obj_get_type_str(handler));
    }
    events[n].device = device;
    MP_STATE_VM(event_handler)[n] = handler == mp_const_none ? MP_OBJ_NULL : handler;
}

void event_raise(unsigned n) {
    if (MP_STATE_VM(event_handler)[n] != MP_OBJ_NULL) {
        mp_sched_schedule_node(&events[n].node, serve);
    }
    mp_hal_wake();
}

void events_session(void) {
    for (unsigned n = 0; n < EVENT_MAX; n++) {
        timer_cancel(&events[n].retry);
        MP_STATE_VM(event_handler)[n] = MP_OBJ_NULL;
    }
}
