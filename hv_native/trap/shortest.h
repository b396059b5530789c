// SPDX-License-Identifier: MIT
// The shortest ways to a handler from an HVC and from a device access.
#ifndef HV_SHORTEST_H
#define HV_SHORTEST_H

#include "trap/callback.h"

// What handler_t.call, load and store are to be.
void shortest_ways(handler_t *h);

#endif
