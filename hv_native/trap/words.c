// SPDX-License-Identifier: MIT
// Viper functions as handlers: see words.h.

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

void words_prepare(handler_t *h, mp_obj_t fun) {
    h->words = WORDS_NOT;
    h->objects = 0;
    if (fun == MP_OBJ_NULL || !mp_obj_is_type(fun, &mp_type_fun_viper)) {
        return;
    }
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
    h->viper = fun;
    h->code = exec_callable((const uint32_t *)head + head->raw);
    bool plain = before == 1 && h->objects == 0 && head->result != MP_NATIVE_TYPE_OBJ;
    h->words = !plain ? WORDS_ANY : head->flags & (VIPER_LOOPS | VIPER_MEMORY) ? WORDS_WATCHED : WORDS_PLAIN;
}

// What a load finds in place of a value, or a small int; false: it is larger.
static bool object(uint64_t *x, const uint64_t *value) {
    *x = value == NULL ? (uint64_t)mp_const_none : (uint64_t)MP_OBJ_NEW_SMALL_INT((mp_int_t)*value);
    return value == NULL || quick_fits(*value);
}

static bool arguments(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, uint64_t *x) {
    for (unsigned i = 0; i < h->nfixed; i++) {
        *x++ = (uint64_t)h->fixed[i];
    }
    *x++ = (uint64_t)MP_OBJ_FROM_PTR(v->object);
    for (unsigned i = 0; i < h->nargs; i++, x++) {
        const uint64_t *value = i < n ? &raw[i] : NULL;
        if (value == NULL && !load) {
            return false; // too few: the ordinary call says so
        }
        if (h->objects >> i & 1) {
            if (!object(x, value)) {
                return false;
            }
        } else {
            *x = value == NULL ? 0 : *value;
        }
    }
    return true;
}

static mp_obj_t ended_with; // an object, MP_OBJ_NULL: it was left; no new one, for it made none

static quick_t left(vcpu_t *v, handler_t *h, mp_obj_t with) {
    ended_with = with;
    v->asked = h;
    return (quick_t) { QUICK_VM, 0 };
}

// With loops or pointers in it. An interrupt or a fault is an exception from EL2 to EL2, which takes the registers
// that say where the guest was, and what it did.
bool words_watch(vcpu_t *v, handler_t *h, uint64_t first, const uint64_t *x, uint64_t *result) {
    uint64_t elr = READ_SYSREG(elr_el2), spsr = READ_SYSREG(spsr_el2), esr = READ_SYSREG(esr_el2), far = READ_SYSREG(far_el2);
    uint64_t outer = handler_since;
    int16_t locked = MP_STATE_VM(sched_state); // callback_interrupt() may unlock it
    const viper_head_t *head = head_of(h->viper);
    native_running = head;
    handler_since = timer_now();
    if (head->flags & VIPER_LOOPS) {
        irq_enable();
    }
    *result = words_enter(h, first, x);
    irq_disable();
    handler_since = outer;
    native_running = NULL;
    if (locked < 0) {
        MP_STATE_VM(sched_state) = locked;
    }
    WRITE_SYSREG(elr_el2, elr);
    WRITE_SYSREG(spsr_el2, spsr);
    WRITE_SYSREG(esr_el2, esr);
    WRITE_SYSREG(far_el2, far);
    if (UNLIKELY(native_stopped.why != NATIVE_STOP_NOT)) {
        left(v, h, MP_OBJ_NULL);
        return false;
    }
    return true;
}

quick_t words_call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load) {
    uint64_t x[WORDS_ARGS] = { 0 };
    if (h->words == WORDS_NOT || this_pcpu()->id != 0 || !arguments(v, h, n, raw, load, x)) {
        return (quick_t) { QUICK_VM, 0 };
    }
    const viper_head_t *head = head_of(h->viper);
    uint64_t got;
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

volatile uint64_t handler_since;
