// SPDX-License-Identifier: MIT
// See tell.h.

#include "py/runtime.h"
#include "irq/timer.h"
#include "python/tell.h"

#define EVERY_S 10

void hv_tell(tell_t *t, mp_obj_t raised) {
    uint64_t now = timer_now();
    if (t->at != 0 && now - t->at < EVERY_S * timer_freq()) {
        t->more++;
        return;
    }
    unsigned more = t->more;
    *t = (tell_t) { .at = now };
    if (more != 0) {
        mp_printf(&mp_plat_print, "%u more tracebacks like the last one were not printed\n", more);
    }
    mp_obj_print_exception(&mp_plat_print, raised);
}
