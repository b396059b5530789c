// SPDX-License-Identifier: MIT
// Where breakpoints are planted in a guest's memory.
#ifndef HV_PLACES_H
#define HV_PLACES_H

#include "insight/breaks.h"
#include "trap/insight.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vm/hook.h"

#define BRK(imm) (0xD4200000u | (imm) << 5)
#define NOP 0xD503201Fu
#define SEQUENCE 16u        // instructions from a load-exclusive to its store, at most

typedef struct place {
    hook_t hook;            // its key, the IPA, is what the table knows it by
    uint32_t original, planted;
    brk_t *first;           // NULL: it is only here to begin a sequence of exclusives by software
    unsigned inside;        // places between this load-exclusive and its store
    uint64_t begins;        // this one is such a place: where the load-exclusive is; or 0
    uint64_t *count;        // all there is to do is to count here, and then to do a NOP
    void *function;         // or to ask this one (handler_t), and to do a NOP, a move of registers at hand or SUB SP, SP, #n
    brk_t *plain;           // all there is to do is to count this one, or to ask its function, and then what `how` says
    enum { BY_NOP, BY_MOVE, BY_SP, BY_CORE, BY_COVER, BY_OTHER } how;
    bool core;              // software does not do this instruction, as has been seen
    bool bare;              // it was BREAK_COVER's, which has been hit: the original stands there
    volatile uint32_t *at;  // where it is in memory
} place_t;

// In a debug register: hook.key is the VA, and begins the load-exclusive's in front of it, or one of these.
enum { BEGINS_UNKNOWN, BEGINS_NOWHERE };

typedef struct breaks {
    break_entry_t entry;
    hook_table_t table;
    unsigned el0;           // how many need BRKs to come to EL2
    place_t *pair[DEBUG_BREAKS];    // by debug register; NULL: none of ours
    brk_t *graves;          // removed, and to be freed
} breaks_t;

// Of what stands at p the core has to do it, alone: with interrupts held back.
void place_by_core(place_t *p);
// What an HVC of ours comes to in trap_fast.c, once one is planted. Set by breaks.c.
extern uint64_t (*places_fast)(vcpu_t *v, guest_regs_t *r, breaks_t *b);

static inline place_t *place_at(const vm_t *vm, uint64_t ipa) {
    return vm->breaks == NULL ? NULL : (place_t *)hook_find(&vm->breaks->table, ipa);
}

// What is the VA of v's, at the EL at which it is now; NULL: no debug register of ours.
static inline place_t *pair_at(const vcpu_t *v, uint64_t va) {
    const vm_t *vm = v->vm;
    uint32_t el = (v->regs->pstate & 0xF) == 0 ? 4 : 2, left = vm->breaks == NULL ? 0 : vm->taken_mask & DEBUG_BREAK_MASK;
    for (; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        if (vm->taken[i].value == va && (vm->taken[i].control & el)) {
            return vm->breaks->pair[i];
        }
    }
    return NULL;
}

// What is in memory there.
void place_write(vm_t *vm, const place_t *p, uint32_t word);
void places_free(vm_t *vm);

#endif
