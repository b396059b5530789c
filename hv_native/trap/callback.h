// SPDX-License-Identifier: MIT
// Python handler calls.
// Calling a Python handler from an exit: scalars in, scalars out, and nothing allocated on the way
// when the numbers fit a small int.
#ifndef HV_CALLBACK_H
#define HV_CALLBACK_H

#include "py/bc.h"
#include "vm/vcpu_state.h"

struct handler;
typedef uint64_t (*handler_call_t)(vcpu_t *v, guest_regs_t *r, struct handler *h);
typedef uint64_t (*handler_load_t)(vcpu_t *v, guest_regs_t *r, uint64_t esr, struct handler *h, uint64_t offset);
typedef uint64_t (*handler_word_t)(vcpu_t *v, guest_regs_t *r, uint64_t esr, struct handler *h, uint64_t offset, unsigned rt);
typedef uint64_t (*handler_store_t)(vcpu_t *v, struct handler *h, uint64_t offset, uint64_t value);

// A Python handler. If it is a plain function, a method or a closure of one, it has a frame of its own
// that is used again for each exit, with everything in it that does not change from call to call.
typedef struct handler {
    mp_obj_t fun;
    uint8_t nargs;      // besides cpu
    uint8_t nfixed;     // arguments before cpu: self, or what a closure closes over
    uint32_t unbound;   // local variables that are no arguments; when there are any, + 65536 for each argument
    mp_code_state_t *frame; // or NULL: call it as anybody would
    const byte *entry;  // its first instruction
    mp_obj_t *top;      // behind the frame's first argument, from where they go downwards; NULL: do not use
    const mp_module_context_t *context; // its module's names and constants, for quick.S
    handler_call_t call;    // for an HVC: shortest.h
    handler_load_t load;    // for a device
    handler_store_t store;
    handler_word_t word;    // either, of 32 bits, to or from one of x0 to x18
    // A compiled function (words.h):
    uint8_t words;      // words_t
    uint8_t objects;    // viper: a bit for each argument behind cpu that is an object all the same
    const void *code;   // its entry for that, and the function itself
    mp_obj_t compiled;
    mp_obj_t fixed[];
} handler_t;

// A handler object on the GC heap: the caller keeps it reachable. nargs -1: as many as fun takes,
// at most `max`.
handler_t *handler_new(mp_obj_t fun, int nargs, unsigned max);

// What a handler may return instead of values.
typedef enum {
    ACTION_NONE, ACTION_RETRY, ACTION_SKIP, ACTION_STOP, ACTION_UNDEFINED, ACTION_ABORT, ACTION_SERROR, ACTION_PASS,
} action_t;
extern const mp_obj_type_t hv_action_type;
extern const mp_obj_base_t hv_actions[];    // indexed by action_t

// _hv.VCPU, which handlers are given.
typedef struct {
    mp_obj_base_t base;
    vcpu_t *vcpu;           // NULL once the VM is closed
    struct hv_vm_obj *vm;
    mp_obj_t exception;     // what a handler raised, for the caller of run; or MP_OBJ_NULL
    mp_obj_t exit;          // once somebody has asked for it
} hv_vcpu_obj_t;

#define OUTCOME_MAX 8
typedef struct {
    action_t action;
    unsigned n;             // values returned: none, an int, or a tuple of at most OUTCOME_MAX
    uint64_t x[OUTCOME_MAX];
    mp_obj_t exception;     // when callback returns false
} outcome_t;

// fun(cpu, raw[0], ...): n numbers and, when `load`, None behind them, cut to what the handler
// takes. A load must return a value. False: it raised.
bool callback(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, outcome_t *out);

// Keep what a handler of v raised for the caller of run.
void callback_raised(vcpu_t *v, mp_obj_t exception);

// Ctrl-C, a function the scheduler wants to run, or something the HAL waits for.
bool callback_events_pending(void);

// When the handler that runs began, by CNTPCT; 0: none does.
extern volatile uint64_t handler_since;

// Ctrl-C was typed where it is but a key, the console's interrupt says. It ends a handler that takes too
// long; the VM stops in front of the instruction.
void callback_interrupt(void);

#endif
