// SPDX-License-Identifier: MIT
// Physical cores: what each one is doing (cpu.h).

#include "core/cpu.h"
#include "core/platform.h"

pcpu_t pcpus[PLATFORM_MAX_CPUS];

unsigned cpus_online = 1;
