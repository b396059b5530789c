// SPDX-License-Identifier: MIT
// A handler that is a viper function which calls nothing: an exit's numbers are its arguments as they are, in
// registers, and what it returns is the answer. No object is made, no bytecode run, and nothing can be raised: where
// it has to be left, by Ctrl-C in a loop or a fault by a pointer, it returns at once, and callback() raises instead.
//
// Boot core, interrupts masked.
#ifndef HV_WORDS_H
#define HV_WORDS_H

#include "trap/callback.h"
#include "trap/quick.h"
#include "vm/vcpu_state.h"

// What it takes to call it (handler_t.words).
typedef enum {
    WORDS_NOT,      // it is something else
    WORDS_PLAIN,    // its arguments are cpu and numbers, its result a number, and it cannot be left before it ends
    WORDS_WATCHED,  // the same, with loops or pointers in it
    WORDS_ANY,
} words_t;

#define WORDS_ARGS 7 // in registers

// The function's entry for words: x0, and x[1] to x[6].
static inline uint64_t words_enter(const handler_t *h, uint64_t first, const uint64_t *x) {
    register uint64_t x0 __asm__ ("x0") = first;
    register uint64_t x1 __asm__ ("x1") = x[1];
    register uint64_t x2 __asm__ ("x2") = x[2];
    register uint64_t x3 __asm__ ("x3") = x[3];
    register uint64_t x4 __asm__ ("x4") = x[4];
    register uint64_t x5 __asm__ ("x5") = x[5];
    register uint64_t x6 __asm__ ("x6") = x[6];
    register mp_obj_t x8 __asm__ ("x8") = h->viper;
    __asm__ volatile ("blr %[code]"
        : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3), "+r" (x4), "+r" (x5), "+r" (x6), "+r" (x8)
        : [code] "r" (h->code)
        : "x7", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30", "cc", "memory");
    return x0;
}

// Find out what h->fun needs. fun: what h->fixed is put in front of.
void words_prepare(handler_t *h, mp_obj_t fun);

// As callback() calls. QUICK_VM: not answered; if v->asked is h, then callback() is to go on where this was left,
// else to call it the ordinary way.
quick_t words_call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load);

// A function with loops or pointers in it, by words_enter. Interrupts are on in the meantime. False: it was left.
bool words_watch(vcpu_t *v, handler_t *h, uint64_t first, const uint64_t *x, uint64_t *result);

// What it returned, if that is no number, or what ended it, as an exception.
mp_obj_t words_end(void);

// The number of arguments of a viper function.
int words_args(mp_obj_t fun);

#endif
