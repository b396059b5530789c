// SPDX-License-Identifier: MIT
// Calling a Python handler from an exit: see callback.h. Interrupts are on while it runs, and the
// guest's FP registers are saved at the first FP instruction EL2 executes, if there is one.

#include "py/bc.h"
#include "py/mphal.h"
#include "py/objfun.h"
#include "py/objtuple.h"
#include "py/runtime.h"
#include "py/smallint.h"
#include "arch.h"
#include "callback.h"
#include "cpu.h"
#include "vm.h"

mp_obj_t box_u64(uint64_t v) {
    if (LIKELY(v <= (uint64_t)MP_SMALL_INT_MAX)) {
        return MP_OBJ_NEW_SMALL_INT((mp_int_t)v);
    }
    return mp_obj_new_int_from_ull(v);
}

uint64_t unbox_u64(mp_obj_t o) {
    if (LIKELY(mp_obj_is_small_int(o))) {
        return (uint64_t)MP_OBJ_SMALL_INT_VALUE(o);
    }
    return (uint64_t)mp_obj_get_int_truncated(o);
}

// ---- Actions ------------------------------------------------------------------------------------

static const qstr action_names[] = {
    MP_QSTR_None, MP_QSTR_RETRY, MP_QSTR_SKIP, MP_QSTR_STOP, MP_QSTR_UNDEFINED, MP_QSTR_ABORT, MP_QSTR_SERROR, MP_QSTR_PASS,
};

const mp_obj_base_t hv_actions[ARRAY_LEN(action_names)] = {
    [0 ... ARRAY_LEN(action_names) - 1] = { &hv_action_type },
};

static void action_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    mp_printf(print, "hv.%q", action_names[(const mp_obj_base_t *)MP_OBJ_TO_PTR(self) - hv_actions]);
}

MP_DEFINE_CONST_OBJ_TYPE(hv_action_type, MP_QSTR_Action, MP_TYPE_FLAG_NONE, print, action_print);

// ---- Handlers -----------------------------------------------------------------------------------

// How many positional arguments a callable takes, as far as that can be told; `most` if it cannot.
static int positional_args(mp_obj_t fun, int most) {
    if (mp_obj_is_type(fun, &mp_type_bound_meth)) {
        const struct { mp_obj_base_t base; mp_obj_t meth, self; } *bound = MP_OBJ_TO_PTR(fun);
        int n = positional_args(bound->meth, most + 1);
        return n == 0 ? 0 : n - 1;
    }
    if (mp_obj_get_type(fun)->name == MP_QSTR_closure) { // the type itself is not exported
        const struct { mp_obj_base_t base; mp_obj_t fun; size_t n_closed; } *closure = MP_OBJ_TO_PTR(fun);
        int closed = (int)closure->n_closed;
        int n = positional_args(closure->fun, most + closed);
        return n < closed ? 0 : n - closed;
    }
    if (mp_obj_is_type(fun, &mp_type_fun_bc)) {
        const mp_obj_fun_bc_t *bc = MP_OBJ_TO_PTR(fun);
        const byte *ip = bc->bytecode;
        MP_BC_PRELUDE_SIG_DECODE(ip);
        (void)n_state, (void)n_exc_stack, (void)n_kwonly_args, (void)n_def_pos_args;
        return scope_flags & MP_SCOPE_FLAG_VARARGS ? most : (int)n_pos_args;
    }
    return most;
}

handler_t *handler_new(mp_obj_t fun, int nargs, unsigned most) {
    if (!mp_obj_is_callable(fun)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("a handler must be callable, not %s"), mp_obj_get_type_str(fun));
    }
    if (nargs < 0) {
        nargs = positional_args(fun, (int)most + 1) - 1;
        if (nargs < 0) {
            mp_raise_TypeError(MP_ERROR_TEXT("a handler takes at least the cpu"));
        }
    }
    if ((unsigned)nargs > most) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("this handler takes %d arguments, but gets at most %u"), nargs + 1, most + 1);
    }
    handler_t *h = m_new_obj(handler_t);
    h->fun = fun;
    h->nargs = (uint8_t)nargs;
    return h;
}

bool callback_events_pending(void) {
    return mp_hal_woken || MP_STATE_THREAD(mp_pending_exception) != MP_OBJ_NULL || MP_STATE_VM(sched_state) == MP_SCHED_PENDING;
}

// None, an int, a tuple of ints, or an action.
static void decode(mp_obj_t got, bool load, outcome_t *out) {
    out->action = ACTION_NONE;
    out->n = 1;
    if (LIKELY(mp_obj_is_small_int(got))) {
        out->x[0] = (uint64_t)MP_OBJ_SMALL_INT_VALUE(got);
    } else if (mp_obj_is_type(got, &hv_action_type)) {
        out->action = (const mp_obj_base_t *)MP_OBJ_TO_PTR(got) - hv_actions;
        out->n = 0;
    } else if (got == mp_const_none) {
        out->n = 0;
        if (load) {
            mp_raise_TypeError(MP_ERROR_TEXT("the handler of a load must return an int, not None"));
        }
    } else if (mp_obj_is_type(got, &mp_type_tuple)) {
        size_t len;
        mp_obj_t *items;
        mp_obj_get_array(got, &len, &items);
        if (len > OUTCOME_MAX || (load && len == 0)) {
            mp_raise_ValueError(MP_ERROR_TEXT("a handler returns at most 8 values"));
        }
        out->n = (unsigned)len;
        for (size_t i = 0; i < len; i++) {
            out->x[i] = unbox_u64(items[i]);
        }
    } else {
        out->x[0] = unbox_u64(got);
    }
}

static bool call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, outcome_t *out) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) {
        out->exception = MP_OBJ_FROM_PTR(nlr.ret_val);
        return false;
    }
    mp_obj_t args[1 + OUTCOME_MAX];
    args[0] = MP_OBJ_FROM_PTR(v->object);
    unsigned given = 0;
    for (; given < h->nargs && given < n; given++) {
        args[1 + given] = box_u64(raw[given]);
    }
    if (load && given < h->nargs) {
        args[1 + given++] = mp_const_none;
    }
    mp_obj_t got = mp_call_function_n_kw(h->fun, 1 + given, 0, args);
    decode(got, load && !v->moved, out);
    nlr_pop();
    return true;
}

bool callback(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, outcome_t *out) {
    pcpu_t *p = this_pcpu();
    if (p->fp_owner == v) {
        WRITE_SYSREG(cptr_el2, CPTR_HOST | CPTR_TFP);
        isb();
    }
    irq_enable();
    bool ok = call(v, h, n, raw, load, out);
    irq_disable();
    if (p->running == v) {
        WRITE_SYSREG(cptr_el2, v->vm->el2[EL2_CPTR] | (p->fp_owner == v ? 0 : CPTR_TFP));
    }
    return ok;
}
