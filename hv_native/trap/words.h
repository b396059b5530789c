// SPDX-License-Identifier: MIT
// Handlers that are compiled, called in the exit's fast path.
//
// A viper function that calls nothing has an exit's numbers for arguments as they are, in registers, and what it returns
// is the answer. No object is made, no bytecode run, and nothing can be raised: where it has to be left, by Ctrl-C in a
// loop or a fault by a pointer, it returns at once, and callback() raises instead.
//
// A native function may call anything, and changes nothing that outlives it but by a call. So it is given a table of
// functions in which each gives it up: what computes with small ints gets to its end, anything else is called again the
// ordinary way, from the beginning.
//
#ifndef HV_WORDS_H
#define HV_WORDS_H

#include "trap/callback.h"
#include "trap/quick.h"
#include "vm/vcpu_state.h"

// What it takes to call it (handler_t.words).
typedef enum {
    WORDS_NOT,      // it is something else
    WORDS_PLAIN,    // viper: its arguments are cpu and numbers, its result a number, it cannot be left before it ends
    WORDS_OBJECTS,  // the same, but some of the numbers as objects
    WORDS_WATCHED,  // as WORDS_PLAIN, with loops or pointers in it
    WORDS_ANY,      // another viper function
    WORDS_NATIVE,
} words_t;

#define NATIVE_ROUNDS 100 // of loops, until a native function is given up: interrupts are masked so long
#define NATIVE_STATE 32   // words of its frame, of those that are called so; at most

#define WORDS_ARGS 7 // in registers

// A viper function that cannot be left, with up to three arguments.
static inline uint64_t words_enter_three(const handler_t *h, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t x0 __asm__ ("x0") = a;
    register uint64_t x1 __asm__ ("x1") = b;
    register uint64_t x2 __asm__ ("x2") = c;
    register mp_obj_t x8 __asm__ ("x8") = h->compiled;
    __asm__ volatile ("blr %[code]"
        : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x8)
        : [code] "r" (h->code)
        : "x3", "x4", "x5", "x6", "x7", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30", "cc", "memory");
    return x0;
}

// Its number i, behind cpu, as it takes it: as a small int, which the number must fit, or as it is.
static inline uint64_t words_number(const handler_t *h, unsigned i, uint64_t value) {
    return h->objects >> i & 1 ? (uint64_t)MP_OBJ_NEW_SMALL_INT((mp_int_t)value) : value;
}

// What a load has in place of a value.
static inline uint64_t words_none(const handler_t *h, unsigned i) {
    return h->objects >> i & 1 ? (uint64_t)mp_const_none : 0;
}

static inline bool words_fits(const handler_t *h, unsigned i, uint64_t value) {
    return !(h->objects >> i & 1) || quick_fits(value);
}

// The entry of any: x0, and x[1] to x[6].
static inline uint64_t words_enter(const handler_t *h, uint64_t first, const uint64_t *x) {
    register uint64_t x0 __asm__ ("x0") = first;
    register uint64_t x1 __asm__ ("x1") = x[1];
    register uint64_t x2 __asm__ ("x2") = x[2];
    register uint64_t x3 __asm__ ("x3") = x[3];
    register uint64_t x4 __asm__ ("x4") = x[4];
    register uint64_t x5 __asm__ ("x5") = x[5];
    register uint64_t x6 __asm__ ("x6") = x[6];
    register mp_obj_t x8 __asm__ ("x8") = h->compiled;
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

// A function with loops or pointers in it, by words_enter. Interrupts are on when it takes long. False: it was left.
bool words_watch(vcpu_t *v, handler_t *h, uint64_t first, const uint64_t *x, uint64_t *result);

// Interrupts were on in the function that has just ended: whoever waits is to be seen to.
bool words_were_long(void);

// What it returned, if that is no number, or what ended it, as an exception.
mp_obj_t words_end(void);

// enter_native.S. MP_OBJ_NULL: it was given up. n arguments, cpu among them; table: native_quick_table.
mp_obj_t native_enter(const handler_t *h, size_t n, const mp_obj_t *args, const void *const *table);
extern const void *const native_quick_table[]; // what it has in place of mp_fun_table

// The number of arguments of a viper function.
int words_args(mp_obj_t fun);

#endif
