// SPDX-License-Identifier: MIT
// Short interpreter for the beginning of Python handlers.
// The beginning of a Python handler, run in an exit's fast path and without MicroPython's virtual machine.
// Most handlers compare an offset, add or mask a number and return one; to set up and leave the VM costs
// many times that. So their bytecode is run here as long as each instruction only needs what is at hand:
// small ints, local variables, plain attributes, items of lists, calls of functions and methods that are such
// themselves. The first one that would allocate or raise, or that comes after many loops and calls, is where this
// stops, with everything as the VM would have it, and the VM goes on from there when the guest's registers have been
// saved (callback.h). So nothing is ever run twice.
#ifndef HV_QUICK_H
#define HV_QUICK_H

#include "core/arch.h"
#include "core/cpu.h"
#include "trap/callback.h"
#include "vm/vcpu_state.h"

enum {
    QUICK_VALUE,        // it returned an int, or a bool
    QUICK_SKIP,         // hv.SKIP
    QUICK_UNDONE,       // None, which does not answer a load, and is not on the stack: only quick.S has this of one
    QUICK_NOTHING,      // None
    QUICK_VM,           // not yet: the VM has to go on
};

typedef struct {
    uint64_t what;
    uint64_t value;
} quick_t;

// A number from 2^62 on that only quick.S knows, or a vCPU's registers: what it looks like to MicroPython's VM is made
// when that goes on (quick_unbox).
typedef struct {
    const void *type;   // QUICK_TYPE_NUMBER, QUICK_TYPE_X
    uint64_t value;
} quick_box_t;

// Of the handler that runs on the boot core.
typedef struct {
    uint64_t esr;       // of a device access; of a word, the register's number
    handler_t *handler; // of an HVC or one
    uint64_t link;
    mp_code_state_t *frame; // where it was left for the VM
    uint64_t depth;     // how many functions had been called by then
    quick_box_t *end;   // behind those that one which left for the VM has used
    quick_box_t box[16];
} quick_boxes_t;
extern quick_boxes_t quick_boxes;
extern const mp_obj_full_type_t quick_types[2];
#define QUICK_TYPE_NUMBER &quick_types[0]
#define QUICK_TYPE_X &quick_types[1]

// What the handler calls has its frames here, one behind the other, each with this in front of it.
typedef struct {
    mp_code_state_t *caller;
    byte *end;
} quick_link_t;
#define QUICK_FRAMES 1024 // bytes
// How much is run with interrupts masked: bytes of bytecode, some seven instructions each, that are run again. A jump back
// takes as many as it skips, and a call so many.
#define QUICK_BUDGET 1024
#define QUICK_CALL_COST 32
#define QUICK_LOOK_THROUGH 10 // places of a map
#define QUICK_CALL_BYTES 2 // an opcode and its operand
extern uint64_t quick_frames[QUICK_FRAMES / sizeof(uint64_t)];

static inline quick_link_t *quick_link(mp_code_state_t *s) {
    return (quick_link_t *)s - 1;
}

// Fill in h's frame from quick_begin's pointer downwards (`*--at = argument`), as many as h->nargs, and
// give the rest to quick_run. NULL: this handler, or this core, cannot. Boot core, interrupts masked.
static inline mp_obj_t *quick_begin_at(vcpu_t *v, handler_t *h, mp_obj_t *at) {
    if (!this_pcpu()->python) {
        return NULL;
    }
    for (unsigned i = 0; i < h->nfixed; i++) {
        *--at = h->fixed[i];
    }
    *--at = MP_OBJ_FROM_PTR(v->object);
    return at;
}

static inline mp_obj_t *quick_begin(vcpu_t *v, handler_t *h) {
    return h->top == NULL ? NULL : quick_begin_at(v, h, h->top);
}

// A number that needs no object on the heap.
static inline bool quick_fits(uint64_t value) {
    return value >> 62 == 0;
}

quick_t quick_run(handler_t *h, mp_obj_t *at);
quick_t quick_run_store(handler_t *h, mp_obj_t *at); // of anything but a load: not to be gone on with after None
quick_t quick_run_boxed(handler_t *h, mp_obj_t *at, quick_box_t *end);

// An argument of any size; for quick_run_boxed, whose boxes begin with quick_boxes.box.
static inline mp_obj_t quick_number(uint64_t value, quick_box_t **end) {
    if (quick_fits(value)) {
        return MP_OBJ_NEW_SMALL_INT((mp_int_t)value);
    }
    **end = (quick_box_t) { QUICK_TYPE_NUMBER, value };
    return MP_OBJ_FROM_PTR((*end)++);
}

// With n numbers of any size and, when `load`, None behind them, cut to what h takes.
quick_t quick_run_numbers(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load);

// Unless it is an answer, the VM has to go on: callback() will see to it.
static inline bool quick_answered(vcpu_t *v, handler_t *h, uint64_t what, bool load) {
    if (LIKELY(what <= (load ? QUICK_SKIP : QUICK_NOTHING))) {
        return true;
    }
    v->asked = h;
    return false;
}

#endif
