// SPDX-License-Identifier: MIT
// The boot core's loop.
// The boot core, which runs Python: guests' slices between its lines, exits that only Python can finish, and
// holding a VM so that Python can change it.
#ifndef HV_BOOT_CORE_H
#define HV_BOOT_CORE_H

#include "vm/vm.h"

// Interrupts masked: run what is to be run until an event, or sleep until an interrupt. stay: whoever waits has nothing to
// look at but what an interrupt tells of, and interrupts were on before; then guests have a few slices, and their sleep.
void boot_core_step(bool stay);
// A VM has been started in the background, or hv.share() has changed: guests get slices even while a script keeps the boot
// core busy.
void boot_core_share(void);

// Boot core: those whose work guests can ask for without end do it in turns (boot_core.c). Begin; false: it is the turn
// of others. Between the two: whether it is time to leave the rest for the next one. End; more: there is some.
bool boot_core_turn_begin(void);
bool boot_core_turn_over(void);
uint64_t boot_core_turn_ends(void);     // by CNTPCT
void boot_core_turn_end(bool more);
void boot_core_turn_anew(void);         // outside of turns: others have had theirs
bool boot_core_turn_of_others(void);

// Start the VM's vCPUs that are not off, or only one of them. The other cores are brought up the first time.
void boot_core_start(vm_t *vm, const vcpu_t *only);
// Finish exits of other cores that only Python can. Runs handlers.
void boot_core_serve_python(void);
// A handler of this VM, or any, is on the stack.
bool boot_core_in_handler(const vm_t *vm);
vcpu_t *boot_core_handler(const vm_t *vm);  // whose it is, or NULL
bool boot_core_any_handler(void);

// v, whose VM does not run, does what `run` has it do, here and now.
exit_t boot_core_alone(vcpu_t *v, exit_t (*run)(vcpu_t *v));

// Between these no vCPU of the VM is in the guest or in C on another core, so that what those look up without a
// lock (hooks, stage 2) can be changed. They nest.
void vm_hold(vm_t *vm);
void vm_release(vm_t *vm);

// A MicroPython session has ended, and with it what was scheduled in it.
void boot_core_reset(void);

#endif
