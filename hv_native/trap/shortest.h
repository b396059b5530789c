// SPDX-License-Identifier: MIT
// The shortest way to a handler from an HVC.
#ifndef HV_SHORTEST_H
#define HV_SHORTEST_H

#include "trap/callback.h"

// What handler_t.call is to be for it.
handler_call_t shortest_call(const handler_t *h);

#endif
