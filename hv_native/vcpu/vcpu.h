// SPDX-License-Identifier: MIT
// A vCPU on a core: loading, running, its EL1 registers, exceptions delivered to it.
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "vm/vcpu_state.h"
#include "vm/vm.h"

// Reset values a kernel may rely on (DDI 0487 D1.9.1, D13.2): EL1h, all masked, MMU off. What the GIC keeps
// for it stays (vgic_reset_vcpu): others may have set that up before they start it, and sent it SGIs.
void vcpu_reset(vcpu_t *v, uint64_t pc, uint64_t x0);

// Make v the one whose system registers are live on this core. Interrupts masked.
void vcpu_load(vcpu_t *v);
// Save what is live, so that memory is current and another core may load it. This core only.
void vcpu_put(vcpu_t *v);

// Its vCPUs' stage 1 is another one than what a core's TLB has of it. None of them is loaded whose it is.
void vcpu_forget_tlbs(struct vm *vm);

// Run until something ends it. Interrupts masked on entry and exit.
exit_t vcpu_run(vcpu_t *v);

uint64_t guest_enter(vcpu_t *v);    // vectors.S

// EL1 register by its index in el1_state.h, live or saved; v is not running.
uint64_t vcpu_el1_get(vcpu_t *v, unsigned index);
void vcpu_el1_set(vcpu_t *v, unsigned index, uint64_t value);

// Stage 1 of this vCPU and stage 2 of its VM (pa NULL: stage 1 only): 0, or the PAR_EL1 of the fault
// (its S bit, 9, says that it was stage 2's). v is stopped, or its exit is being handled here.
uint64_t vcpu_translate_va(vcpu_t *v, uint64_t va, bool write, bool el0, uint64_t *ipa, uint64_t *pa);

// How much of [va, va + size) is in one piece from *ipa on by stage 1, 2 MB at most, for interrupts wait; 0: va is nowhere.
#define TRANSLATE_MOST (UINT64_C(2) << 20)
uint64_t vcpu_translate_range(vcpu_t *v, uint64_t va, uint64_t size, uint64_t *ipa);

// Deliver an exception to the guest's EL1 as hardware would (DDI 0487 D1.10.2).
void vcpu_inject_sync(vcpu_t *v, uint64_t esr, uint64_t far, bool far_valid);
void vcpu_inject_undefined(vcpu_t *v);
void vcpu_inject_same(vcpu_t *v);   // the exception in v->exit, as if EL1 had got it instead of EL2
void vcpu_inject_serror(vcpu_t *v);
void vcpu_inject_abort(vcpu_t *v, bool instruction, uint64_t far);

// v has nothing to do until an interrupt: EXIT_IDLE, or EXIT_RESUME when one is there already.
exit_t vcpu_wait(vcpu_t *v);

// Of a VM whose time goes by its instructions (vm->replay, which begins with a pointer to these; hold/replay.c): each of its
// instructions is a step.
typedef struct {
    void (*enter)(vcpu_t *v);                   // before it enters the guest
    uint64_t (*fast)(vcpu_t *v);                // behind a step, as trap_fast has it
    void (*trapped)(vcpu_t *v);                 // an exit of another class, of the instruction's
    exit_t (*after)(vcpu_t *v, exit_t why);     // at the end of any exit but such a step
    exit_t (*wait)(vcpu_t *v);                  // as vcpu_wait
} replay_calls_t;
static inline const replay_calls_t *replay_calls(const vm_t *vm) {
    return *(const replay_calls_t *const *)vm->replay;
}

// What is told of a traced vCPU's way into the guest and out of it (trap/trace.h); set by who traces.
extern void (*vcpu_moved)(vcpu_t *v, bool enters);

#endif
