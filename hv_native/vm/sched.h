// SPDX-License-Identifier: MIT
// Which vCPU runs where. All vCPUs that could run stand in one queue; each core takes the first it may
// run, for a slice. The boot core does so while Python waits, so that with one core as with eight the
// prompt and the guests live side by side.
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include "cpu.h"
#include "vm.h"

// Start the VM's vCPUs that are not off. The other cores are brought up the first time.
void sched_start(vm_t *vm);
// Ask for all of its vCPUs to leave. Returns at once: see sched_is_stopped.
void sched_stop(vm_t *vm);
// No vCPU of it runs, and none waits for Python.
bool sched_is_stopped(const vm_t *vm);

// Start a vCPU that was off (PSCI CPU_ON); its registers are set.
void sched_start_vcpu(vcpu_t *v);

// Boot core, interrupts masked: run what is to be run until an event, or sleep until an interrupt.
void sched_step(void);

// Boot core: those whose work guests can ask for without end do it in turns (sched.c). Begin; false: it is the turn
// of others. Between the two: whether it is time to leave the rest for the next one. End; more: there is some.
bool sched_turn_begin(void);
bool sched_turn_over(void);
void sched_turn_end(bool more);
void sched_turn_anew(void);             // outside of turns: others have had theirs
bool sched_turn_of_others(void);

// Boot core: finish exits of other cores that only Python can. Runs handlers.
void sched_serve_python(void);

// Boot core: forget that vCPUs of a VM wait for Python; they stay before their instructions.
void sched_drop_python(vm_t *vm);
// A handler of this VM is on the stack.
bool sched_in_handler(const vm_t *vm);
bool sched_any_handler(void);
// From now on guests get a slice now and then even while a script keeps the boot core busy.
void sched_share_core(void);

// A MicroPython session has ended, and with it what was scheduled in it.
void sched_reset(void);

// From any core. Make a vCPU leave the guest soon, to look again at what is asked of it.
void vcpu_kick(vcpu_t *v);
// From any core: an interrupt is there for a vCPU that may sleep in WFI.
void vcpu_wake(vcpu_t *v);

#endif
