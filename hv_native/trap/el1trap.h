// SPDX-License-Identifier: MIT
// Interception of a guest's own exceptions.
// Exceptions that a guest takes to its own EL1, seen by EL2 first.
//
// ARMv8.0 can neither route them to EL2 with EL1 in use, nor trap a write of VBAR_EL1. So the first
// instruction of each vector, and each MSR VBAR_EL1, is replaced by an HVC whose immediate says what stood
// there. They are found when code is about to run: a page of RAM can be written or executed, not both,
// and is looked through when it changes from the one to the other (stage 2; the fault says when).
//
// Known limits: the guest sees the HVCs if it reads its code (a copy of it works all the same); a page that
// is written and executed by turns often, or writes to itself, is left both from then on; while a vCPU steps
// over an instruction that is not emulated here, another may take that vector unseen.
#ifndef HV_EL1TRAP_H
#define HV_EL1TRAP_H

#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define EL1_IMM 0xE000u // immediates from here on: EL1_WORDS of them
#define EL1_WORDS 256u
#define EL1_PLACES 256u

typedef struct el1trap {
    bool on;
    uint64_t classes;           // exception classes of synchronous ones, by bit
    unsigned kinds;             // bit 1 IRQ, 2 FIQ, 3 SError
    void *handler;              // handler_t
    uint64_t hits;
    unsigned nwords, nplaces;
    uint32_t word[EL1_WORDS];   // what stood where EL1_IMM + i stands now
    uint64_t place[EL1_PLACES]; // IPA of each, to be put back
} el1trap_t;

// Boot core, VM held. Begin, and stop; what has been put into the guest's code in other places than were
// noted, by its own copying, still works then. False: no memory.
bool el1_start(vm_t *vm, uint64_t classes, unsigned kinds, void *handler);
void el1_stop(vm_t *vm);
void el1_rearm(vm_t *vm);       // RAM has been changed by somebody else than the guest
void el1_free(vm_t *vm);

// Whether an HVC's immediate stands for an instruction of the guest's, so that no script can have it.
bool el1_uses(const vm_t *vm, uint64_t imm);

// Exits. False: not ours.
bool el1_hvc(vcpu_t *v, unsigned imm, exit_t *why);
bool el1_step(vcpu_t *v);

#endif
