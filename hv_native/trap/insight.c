// SPDX-License-Identifier: MIT
// See insight.h.

#include "trap/insight.h"

const insight_t *trap_insight;
