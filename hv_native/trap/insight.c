// SPDX-License-Identifier: MIT
// See insight.h.

#include "trap/insight.h"

const insight_t *trap_insight;
uint64_t (*trap_dirty)(vcpu_t *v);
