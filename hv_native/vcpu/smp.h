// SPDX-License-Identifier: MIT
// Secondary core start-up.
// The other cores: brought up when the first guest starts, running guests ever after.
#ifndef HV_SMP_H
#define HV_SMP_H

#include "irq/irq.h"

// Start all other cores, once; when_kicked is what INTC_SGI_KICK does from now on, on any core. Returns when each has answered or a second has passed.
void smp_start(irq_handler_t when_kicked);

#endif
