// SPDX-License-Identifier: MIT
// Tracebacks of what a guest can have raised again and again.
#ifndef HV_TELL_H
#define HV_TELL_H

#include "py/obj.h"

typedef struct {
    uint64_t at;    // when the last one was printed, or 0
    unsigned more;  // not printed since
} tell_t;

// Print a traceback, unless one of the same place was within the last ten seconds: then it is counted, and the
// next one that is printed says how many there were.
void hv_tell(tell_t *t, mp_obj_t raised);

#endif
