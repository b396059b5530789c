// SPDX-License-Identifier: MIT
// What the floor above does at exits.
#ifndef HV_INSIGHT_H
#define HV_INSIGHT_H

#include "vm/vcpu_state.h"
#include "vm/vm.h"

// What stands above has to do with exits (insight/breaks.c), from when a script first asks for it: till then NULL.
#define BREAK_IMM 0xE100u   // of its HVCs at EL1, its BRKs at EL0
typedef struct {
    uint64_t (*step)(vcpu_t *v, guest_regs_t *r);   // behind a step, as trap_fast has it
    bool (*hit)(vcpu_t *v, exit_t *why);            // such an HVC. False: the guest's own, by v->exit.esr
    bool (*stepped)(vcpu_t *v, exit_t *why);        // false: nobody's here
    void (*left)(vcpu_t *v);                        // an exit while v was stepping
    void (*rearm)(vm_t *vm);                        // RAM is new
    void (*written)(vm_t *vm, uint64_t ipa, uint64_t size);
    void (*free)(vm_t *vm);
} insight_t;
extern const insight_t *trap_insight;

// What vm->breaks begins with: such an HVC, as trap_fast has it.
typedef struct {
    uint64_t (*fast)(vcpu_t *v, guest_regs_t *r, struct breaks *breaks);
} break_entry_t;

// A store that faults for want of a right, from when a VM first has a snapshot (vm->hold): EXIT_RESUME, it may try again.
extern uint64_t (*trap_dirty)(vcpu_t *v);

#endif
