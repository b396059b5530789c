// SPDX-License-Identifier: MIT
// Scheduling on one core.
// Which vCPU runs where. All vCPUs that could run stand in one queue; each core takes the first it may
// run, for a slice. The boot core does so while Python waits, so that with one core as with eight the
// prompt and the guests live side by side.
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include "vm/vcpu_state.h"

#define SLICE_HZ 100    // slices a second while another vCPU waits

// This core, interrupts masked: run v, which runq_take gave, until its slice is over and another vCPU waits, CNTPCT is at
// `end` or it leaves, and say where it goes.
void sched_run_until(vcpu_t *v, uint64_t end);
// For who waits for an exit of v's outside of the queue, as that of a step: it has to come, if only by EXIT_KICK. A guest can
// put its vectors where nothing can be fetched: the step's exception is before that abort (DDI 0487 D2.12.5), QEMU 7.2 takes
// the abort, and again, without end.
exit_t sched_run_slice(vcpu_t *v);
// The two parts of sched_run_until which are needed after a handler too; interrupts masked.
void sched_leave_core(vcpu_t *v);
void sched_settle(vcpu_t *v, exit_t why);

void sched_init(void);

// What every core but the boot core does all its life.
void sched_secondary(void);

#endif
