// SPDX-License-Identifier: MIT
// Calling a Python handler from an exit: see callback.h. Interrupts are on while it runs, and the
// guest's FP registers are saved at the first FP instruction EL2 executes, if there is one.

#include <string.h>
#include "py/mphal.h"
#include "py/objfun.h"
#include "py/objtuple.h"
#include "py/runtime.h"
#include "py/smallint.h"
#include "arch.h"
#include "callback.h"
#include "cpu.h"
#include "quick.h"
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

#define FIXED_MAX 8 // more than that a closure rarely closes over: it is called the ordinary way

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

// What a callable adds in front of its arguments, and the bytecode function behind it; NULL: another kind.
static mp_obj_fun_bc_t *plain_function(mp_obj_t fun, mp_obj_t *fixed, unsigned *nfixed) {
    *nfixed = 0;
    if (mp_obj_is_type(fun, &mp_type_bound_meth)) {
        const struct { mp_obj_base_t base; mp_obj_t meth, self; } *bound = MP_OBJ_TO_PTR(fun);
        fixed[(*nfixed)++] = bound->self;
        fun = bound->meth;
    } else if (mp_obj_get_type(fun)->name == MP_QSTR_closure) {
        const struct { mp_obj_base_t base; mp_obj_t fun; size_t n_closed; mp_obj_t closed[]; } *closure = MP_OBJ_TO_PTR(fun);
        for (; *nfixed < closure->n_closed && *nfixed < FIXED_MAX; ++*nfixed) {
            fixed[*nfixed] = closure->closed[*nfixed];
        }
        fun = *nfixed == closure->n_closed ? closure->fun : MP_OBJ_NULL;
    }
    return fun != MP_OBJ_NULL && mp_obj_is_type(fun, &mp_type_fun_bc) ? MP_OBJ_TO_PTR(fun) : NULL;
}

// A frame for bc called with n arguments, ready but for them; NULL when a call has more to do than to
// put them in their places (defaults, * and keyword arguments, cells, generators).
static mp_code_state_t *prepare_frame(mp_obj_fun_bc_t *bc, unsigned n, const byte **entry) {
    const byte *ip = bc->bytecode;
    MP_BC_PRELUDE_SIG_DECODE(ip);
    MP_BC_PRELUDE_SIZE_DECODE(ip);
    unsigned special = MP_SCOPE_FLAG_VARARGS | MP_SCOPE_FLAG_VARKEYWORDS | MP_SCOPE_FLAG_DEFKWARGS | MP_SCOPE_FLAG_GENERATOR;
    if ((scope_flags & special) || n_kwonly_args != 0 || n_cell != 0 || n_pos_args != n) {
        return NULL;
    }
    (void)n_def_pos_args;
    mp_code_state_t *s = m_new_obj_var(mp_code_state_t, state, byte, n_state * sizeof(mp_obj_t) + n_exc_stack * sizeof(mp_exc_stack_t));
    s->fun_bc = bc;
    s->n_state = (uint16_t)n_state;
    s->exc_sp_idx = 0;
    *entry = ip + n_info;
    return s;
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
    mp_obj_t fixed[FIXED_MAX];
    unsigned nfixed;
    mp_obj_fun_bc_t *bc = plain_function(fun, fixed, &nfixed);
    handler_t *h = m_new_obj_var(handler_t, fixed, mp_obj_t, nfixed);
    memcpy(h->fixed, fixed, nfixed * sizeof(mp_obj_t));
    h->fun = fun;
    h->nargs = (uint8_t)nargs;
    h->nfixed = (uint8_t)nfixed;
    h->busy = false;
    h->frame = bc == NULL ? NULL : prepare_frame(bc, nfixed + 1 + (unsigned)nargs, &h->entry);
    h->top = h->frame == NULL ? NULL : &h->frame->state[h->frame->n_state];
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

// ---- Calling them -------------------------------------------------------------------------------

quick_t callback_quick(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, uint64_t *value) {
    mp_code_state_t *s = h->frame;
    if (s == NULL || h->busy || this_pcpu()->id != 0) {
        return CALLBACK_VM;
    }
    mp_obj_t *at = h->top;
    for (unsigned i = 0; i < h->nfixed; i++) {
        *--at = h->fixed[i];
    }
    *--at = MP_OBJ_FROM_PTR(v->object);
    unsigned given = 0;
    for (; given < h->nargs && given < n; given++) {
        if (raw[given] > (uint64_t)MP_SMALL_INT_MAX) {
            return CALLBACK_VM; // an object has to be made of it
        }
        *--at = MP_OBJ_NEW_SMALL_INT((mp_int_t)raw[given]);
    }
    if (load && given < h->nargs) {
        *--at = mp_const_none;
    }
    while (at != s->state) {
        *--at = MP_OBJ_NULL;
    }
    s->ip = h->entry;
    if (quick_run(s)) {
        mp_obj_t got = *s->sp;
        if (LIKELY(mp_obj_is_small_int(got))) {
            *value = (uint64_t)MP_OBJ_SMALL_INT_VALUE(got);
            return CALLBACK_VALUE;
        }
        if (got == mp_const_none && !load) {
            return CALLBACK_NOTHING;
        }
    }
    v->asked = h;
    return CALLBACK_VM;
}

// The VM, in a frame that callback_quick has left. It catches what is raised in it; the stack it needs
// is within what is kept free behind the limit that calls check.
static mp_obj_t go_on(handler_t *h, bool *raised) {
    mp_code_state_t *s = h->frame;
    mp_obj_dict_t *globals = mp_globals_get();
    h->busy = true;
    mp_globals_set(s->fun_bc->context->module.globals);
    *raised = mp_execute_bytecode(s, MP_OBJ_NULL) != MP_VM_RETURN_NORMAL;
    mp_globals_set(globals);
    h->busy = false;
    return *raised ? s->state[0] : *s->sp;
}

static mp_obj_t call_function(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load) {
    mp_obj_t args[1 + OUTCOME_MAX];
    args[0] = MP_OBJ_FROM_PTR(v->object);
    unsigned given = 0;
    for (; given < h->nargs && given < n; given++) {
        args[1 + given] = box_u64(raw[given]);
    }
    if (load && given < h->nargs) {
        args[1 + given++] = mp_const_none;
    }
    return mp_call_function_n_kw(h->fun, 1 + given, 0, args);
}

static bool call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, outcome_t *out) {
    mp_obj_t got = MP_OBJ_NULL;
    if (v->asked == h) {
        bool raised;
        got = go_on(h, &raised);
        if (raised) {
            out->exception = got;
            return false;
        }
        if (LIKELY(mp_obj_is_small_int(got))) {
            decode(got, false, out);
            return true;
        }
    }
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) {
        out->exception = MP_OBJ_FROM_PTR(nlr.ret_val);
        return false;
    }
    if (got == MP_OBJ_NULL) {
        got = call_function(v, h, n, raw, load);
    }
    decode(got, load && !v->moved, out);
    nlr_pop();
    return true;
}

bool callback(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, outcome_t *out) {
    pcpu_t *p = this_pcpu();
    if (v->asked != h) {
        quick_t quick = callback_quick(v, h, n, raw, load, &out->x[0]);
        if (quick != CALLBACK_VM) {
            out->action = ACTION_NONE;
            out->n = quick == CALLBACK_VALUE;
            return true;
        }
    }
    if (p->fp_owner == v) {
        WRITE_SYSREG(cptr_el2, CPTR_HOST | CPTR_TFP);
        isb();
    }
    irq_enable();
    bool ok = call(v, h, n, raw, load, out);
    irq_disable();
    v->asked = NULL;
    if (p->running == v) {
        WRITE_SYSREG(cptr_el2, v->vm->el2[EL2_CPTR] | (p->fp_owner == v ? 0 : CPTR_TFP));
    }
    return ok;
}
