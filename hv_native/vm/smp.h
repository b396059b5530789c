// SPDX-License-Identifier: MIT
// The other cores: brought up when the first guest starts, running guests ever after.
#ifndef HV_SMP_H
#define HV_SMP_H

// Start all other cores, once. Returns when each has answered or a second has passed.
void smp_start(void);
// How many cores run, this one included.
unsigned smp_online(void);

#endif
