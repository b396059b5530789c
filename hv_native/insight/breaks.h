// SPDX-License-Identifier: MIT
// Breakpoints in guests.
// In place of an instruction of EL1 stands an HVC (DDI 0487 C6.2.93), of EL0 a BRK, both with an immediate of ours; what
// it is about is found by its IPA, so there may be any number, a page may be mapped anywhere, and a guest that executes
// such an instruction by itself gets what it would get. The guest's own BRKs stay its own.
//
// What stood there is done by software (vcpu/a64.h), with the HVC where it is: no other vCPU slips past. What cannot be
// is put back for one step, while the VM's other vCPUs are held.
//
// Where there is no RAM to plant in, or nothing yet, one of the core's own breakpoints is taken (vcpu/debug.h): it is of a
// VA, in whatever is mapped there, and each vCPU steps over it for itself.
#ifndef HV_BREAKS_H
#define HV_BREAKS_H

#include "vm/vcpu_state.h"
#include "vm/vm.h"

// BREAK_SVC, BREAK_SWITCH: traces are told (trap/trace.h).
// BREAK_COVER counts once, and is not planted any more: coverage (hold/fuzz.h). The guest may read what is planted.
typedef enum { BREAK_COUNT, BREAK_LOG, BREAK_STOP, BREAK_PYTHON, BREAK_SVC, BREAK_SWITCH, BREAK_COVER } break_action_t;

// One breakpoint. Several may be at one place.
typedef struct brk {
    struct brk *next;
    uint64_t ipa;           // hard: the VA
    uint64_t hits;          // any core
    uint64_t from;          // what it does, it does from this hit on; 1: always
    void *handler;          // handler_t, of BREAK_PYTHON
    uint64_t sp;            // match_sp: with this stack pointer only
    uint64_t space;         // match_space: with this in TTBR0_EL1, its ASID aside, or this CONTEXTIDR_EL1. BREAK_SWITCH: where
                            // in the kernel's struct a task's number is, from bit 16 on its name; bit 32: the task is
                            // SP_EL0, Linux's current, which has a new name, not x1
    break_action_t action;
    int cpu;                // on this vCPU only, or -1
    bool on, once, match_sp, match_space, el0;
    bool hard;              // in a debug register
    bool gone;              // removed, while a function was asked: it is freed later
} brk_t;

// Boot core, VM held. Of native_alloc; it is freed with the VM, or when it is removed. False: no memory, the IPA is
// not RAM, or, hard, all debug registers are taken; b is the caller's then.
bool break_add(vm_t *vm, brk_t *b);
void break_remove(vm_t *vm, brk_t *b, bool in_handler);
void break_changed(vm_t *vm, brk_t *b);     // on, from
void break_log(const vcpu_t *v, const brk_t *b);    // v has come to b: into the ring of events
// How many there are, and those that have been removed in handlers may be freed.
void breaks_bury(vm_t *vm);

// [ipa, ipa + size) of RAM is going to be written, and has been, by somebody else than the guest: it is written below
// what is planted. And: `copy` was read from there; make it what the guest has there.
void breaks_open(vm_t *vm, uint64_t ipa, uint64_t size);
void breaks_close(vm_t *vm, uint64_t ipa, uint64_t size);
void breaks_show(vm_t *vm, uint64_t ipa, uint64_t size, void *copy);

// Boot core, interrupts masked; v's VM does not run. v does an instruction (v->brk.done: it has), and v->brk.steps more if
// those are ordinary ones; what is left of them is there when it returns. Or the exit that one of them is.
exit_t break_step(vcpu_t *v);

extern uint64_t breaks_covered;     // those of BREAK_COVER that were hit, ever; of fuzzers, which run on the boot core

// How the floor above holds a VM, on the boot core with interrupts on.
void breaks_init(void (*hold)(vm_t *vm), void (*release)(vm_t *vm));

#endif
