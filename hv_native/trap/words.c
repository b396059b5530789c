// SPDX-License-Identifier: MIT
// Compiled functions as handlers: see words.h.

#include "py/bc.h"
#include "py/nativeglue.h"
#include "py/objfun.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "irq/timer.h"
#include "trap/callback.h"
#include "trap/quick.h"
#include "trap/words.h"
#include "vm/vcpu_state.h"
#include "ports/aarch64/native/run.h"

static const viper_head_t *head_of(mp_obj_t fun) {
    return (const viper_head_t *)((const mp_obj_fun_bc_t *)MP_OBJ_TO_PTR(fun))->bytecode;
}

int words_args(mp_obj_t fun) {
    return head_of(fun)->args;
}

static void prepare_viper(handler_t *h, mp_obj_t fun) {
    const viper_head_t *head = head_of(fun);
    unsigned before = h->nfixed + 1u, n = before + h->nargs;
    if (!(head->flags & VIPER_LEAF) || head->args != n || n > WORDS_ARGS) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned type = head->types >> (4 * i) & 0xF;
        if (type == MP_NATIVE_TYPE_BOOL || (i < before && type != MP_NATIVE_TYPE_OBJ)) {
            return; // these are converted
        }
        if (i >= before && type == MP_NATIVE_TYPE_OBJ) {
            h->objects |= (uint8_t)(1u << (i - before));
        }
    }
    h->compiled = fun;
    h->code = exec_callable((const uint32_t *)head + head->raw);
    bool watched = head->flags & (VIPER_LOOPS | VIPER_MEMORY);
    if (before != 1 || head->result == MP_NATIVE_TYPE_OBJ || (watched && h->objects != 0)) {
        h->words = WORDS_ANY;
    } else {
        h->words = watched ? WORDS_WATCHED : h->objects != 0 ? WORDS_OBJECTS : WORDS_PLAIN;
    }
}

// One that takes as many arguments as it gets, none of them special, and is no closure, which could have changed its
// variables before it is given up.
static void prepare_native(handler_t *h, mp_obj_t fun) {
    const mp_obj_fun_bc_t *bc = MP_OBJ_TO_PTR(fun);
    const uint32_t *code = (const uint32_t *)(bc->bytecode + sizeof(uintptr_t));
    const byte *ip = mp_obj_fun_native_get_prelude_ptr(bc);
    MP_BC_PRELUDE_SIG_DECODE(ip);
    MP_BC_PRELUDE_SIZE_DECODE(ip);
    unsigned special = MP_SCOPE_FLAG_VARARGS | MP_SCOPE_FLAG_VARKEYWORDS | MP_SCOPE_FLAG_DEFKWARGS | MP_SCOPE_FLAG_GENERATOR;
    bool closure = h->nfixed != 0 && !mp_obj_is_type(h->fun, &mp_type_bound_meth);
    if ((scope_flags & special) || n_kwonly_args != 0 || n_cell != 0 || n_pos_args != h->nfixed + 1u + h->nargs || closure
        || n_state > NATIVE_STATE || !COMPILED_LOADS_TABLE(code)) {
        return;
    }
    (void)n_def_pos_args, (void)n_exc_stack, (void)n_info;
    h->words = WORDS_NATIVE;
    h->compiled = fun;
    h->code = exec_callable(code + COMPILED_TABLE_LOADS);
}

void words_prepare(handler_t *h, mp_obj_t fun) {
    h->words = WORDS_NOT;
    h->objects = 0;
    if (fun != MP_OBJ_NULL && mp_obj_is_type(fun, &mp_type_fun_viper)) {
        prepare_viper(h, fun);
    } else if (fun != MP_OBJ_NULL && mp_obj_is_type(fun, &mp_type_fun_native)) {
        prepare_native(h, fun);
    }
}

// ---- Viper --------------------------------------------------------------------------------------

static bool arguments(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, uint64_t *x) {
    for (unsigned i = 0; i < h->nfixed; i++) {
        *x++ = (uint64_t)h->fixed[i];
    }
    *x++ = (uint64_t)MP_OBJ_FROM_PTR(v->object);
    for (unsigned i = 0; i < h->nargs; i++) {
        if (i < n ? !words_fits(h, i, raw[i]) : !load) {
            return false; // a number that is an object of the heap, or none: the ordinary call makes it, or says so
        }
        *x++ = i < n ? words_number(h, i, raw[i]) : words_none(h, i);
    }
    return true;
}

static mp_obj_t ended_with; // an object, MP_OBJ_NULL: it was left; no new one, for it made none

static quick_t left(vcpu_t *v, handler_t *h, mp_obj_t with) {
    ended_with = with;
    v->asked = h;
    return (quick_t) { QUICK_VM, 0 };
}

// While it takes long.
static struct {
    bool is, was;
    int16_t locked;     // callback_interrupt() may unlock it
    uint64_t outer;
} longer;

void native_takes_long(void) {
    longer.is = longer.was = true;
    longer.locked = MP_STATE_VM(sched_state);
    longer.outer = handler_since;
    handler_since = timer_now();
    irq_enable();
}

bool words_were_long(void) {
    bool was = longer.was;
    longer.was = false;
    return was;
}

// It took long, or was left. An interrupt or a fault is an exception from EL2 to EL2, which takes the registers that say
// where the guest was, and what it did.
static NOINLINE bool not_short(vcpu_t *v, handler_t *h, const uint64_t saved[4]) {
    if (longer.is) {
        irq_disable();
        handler_since = longer.outer;
        if (longer.locked < 0) {
            MP_STATE_VM(sched_state) = longer.locked;
        }
        longer.is = false;
    }
    WRITE_SYSREG(elr_el2, saved[0]);
    WRITE_SYSREG(spsr_el2, saved[1]);
    WRITE_SYSREG(esr_el2, saved[2]);
    WRITE_SYSREG(far_el2, saved[3]);
    if (native_stopped.why == NATIVE_STOP_LONG) {
        native_stopped.why = NATIVE_STOP_NOT;
        return true;
    }
    left(v, h, MP_OBJ_NULL);
    return false;
}

bool words_watch(vcpu_t *v, handler_t *h, uint64_t first, const uint64_t *x, uint64_t *result) {
    const uint64_t saved[4] = { READ_SYSREG(elr_el2), READ_SYSREG(spsr_el2), READ_SYSREG(esr_el2), READ_SYSREG(far_el2) };
    native_running = head_of(h->compiled);
    *result = words_enter(h, first, x);
    native_running = NULL;
    return LIKELY(native_stopped.why == NATIVE_STOP_NOT) || not_short(v, h, saved);
}

static quick_t viper_call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load) {
    uint64_t x[WORDS_ARGS] = { 0 }, got;
    if (!arguments(v, h, n, raw, load, x)) {
        return (quick_t) { QUICK_VM, 0 };
    }
    const viper_head_t *head = head_of(h->compiled);
    if (!(head->flags & (VIPER_LOOPS | VIPER_MEMORY))) {
        got = words_enter(h, x[0], x);
    } else if (!words_watch(v, h, x[0], x, &got)) {
        return (quick_t) { QUICK_VM, 0 };
    }
    if (head->result != MP_NATIVE_TYPE_OBJ) {
        return (quick_t) { QUICK_VALUE, got };
    }
    mp_obj_t o = (mp_obj_t)got;
    if (mp_obj_is_small_int(o)) {
        return (quick_t) { QUICK_VALUE, (uint64_t)MP_OBJ_SMALL_INT_VALUE(o) };
    }
    return o == mp_const_none && !load ? (quick_t) { QUICK_NOTHING, 0 } : left(v, h, o);
}

mp_obj_t words_end(void) {
    if (ended_with == MP_OBJ_NULL) {
        native_raise_stopped();
    }
    return ended_with;
}

// ---- Native -------------------------------------------------------------------------------------

// enter_native.S
void native_give_up(void);
void native_quick_poll(void);

// Something is always pending, so that each round of a loop asks.
static const int16_t pending = MP_SCHED_PENDING;
const void *const native_quick_table[MP_F_NATIVE_POLL + 1] = {
    [0 ... MP_F_NATIVE_POLL] = native_give_up,
    [MP_F_NATIVE_PENDING] = &pending,
    [MP_F_NATIVE_POLL] = native_quick_poll,
};

static quick_t native_call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load) {
    static const quick_t not = { QUICK_VM, 0 };
    mp_obj_t args[2 + OUTCOME_MAX], *at = args;
    if (h->nfixed != 0) {
        *at++ = h->fixed[0];
    }
    *at++ = MP_OBJ_FROM_PTR(v->object);
    for (unsigned i = 0; i < h->nargs; i++) {
        if (i < n ? !quick_fits(raw[i]) : !load) {
            return not;
        }
        *at++ = i < n ? MP_OBJ_NEW_SMALL_INT((mp_int_t)raw[i]) : mp_const_none;
    }
    mp_obj_t got = native_enter(h, (size_t)(at - args), args, native_quick_table);
    if (mp_obj_is_small_int(got)) {
        return (quick_t) { QUICK_VALUE, (uint64_t)MP_OBJ_SMALL_INT_VALUE(got) };
    }
    return got == mp_const_none && !load ? (quick_t) { QUICK_NOTHING, 0 } : not;
}

quick_t words_call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load) {
    if (h->words == WORDS_NOT || !this_pcpu()->python) {
        return (quick_t) { QUICK_VM, 0 };
    }
    return h->words == WORDS_NATIVE ? native_call(v, h, n, raw, load) : viper_call(v, h, n, raw, load);
}

volatile uint64_t handler_since;
