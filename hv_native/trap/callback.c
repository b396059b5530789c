// SPDX-License-Identifier: MIT
// Python handler calls.
// Calling a Python handler from an exit: see callback.h. Interrupts are on while it runs, and the
// guest's FP registers are saved at the first FP instruction EL2 executes, if there is one.

#include <string.h>
#include "py/bc0.h"
#include "py/mphal.h"
#include "py/builtin.h"
#include "py/objfun.h"
#include "py/objint.h"
#include "py/objlist.h"
#include "py/objtuple.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "py/smallint.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "irq/timer.h"
#include "trap/callables.h"
#include "trap/callback.h"
#include "trap/el2_fault.h"
#include "trap/numbers.h"
#include "trap/quick.h"
#include "trap/variables.h"
#include "trap/words.h"
#include "vcpu/share.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// ---- Handlers -----------------------------------------------------------------------------------

#define FIXED_MAX 8 // more than that a closure rarely closes over: it is called the ordinary way

static mp_obj_t called(mp_obj_t fun);

static MP_NORETURN void no_handler(const char *why) {
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s cannot be a handler"), why);
}

// Of a function in bytecode.
static int bytecode_args(const byte *ip, int max) {
    MP_BC_PRELUDE_SIG_DECODE(ip);
    (void)n_state, (void)n_exc_stack, (void)n_def_pos_args;
    if (scope_flags & MP_SCOPE_FLAG_GENERATOR) {
        no_handler("a generator function: it returns a generator, which");
    }
    if (n_kwonly_args != 0 && !(scope_flags & MP_SCOPE_FLAG_DEFKWARGS)) {
        no_handler("a function that wants keyword arguments");
    }
    return scope_flags & MP_SCOPE_FLAG_VARARGS ? max : (int)n_pos_args;
}

// How many positional arguments a callable takes, of at most `max`; `max` if that cannot be told.
static int positional_args(mp_obj_t fun, int max) {
    const mp_obj_type_t *type = mp_obj_get_type(fun);
    if (type == &mp_type_bound_meth) {
        const bound_t *bound = MP_OBJ_TO_PTR(fun);
        int n = positional_args(called(bound->meth), max + 1);
        return n == 0 ? 0 : n - 1;
    }
    if (type->name == MP_QSTR_closure) { // the type itself is not exported
        const closure_t *closure = MP_OBJ_TO_PTR(fun);
        int closed = (int)closure->n_closed;
        int n = positional_args(closure->fun, max + closed);
        return n < closed ? 0 : n - closed;
    }
    if (type == &mp_type_fun_bc || type == &mp_type_gen_wrap) {
        return bytecode_args(((const mp_obj_fun_bc_t *)MP_OBJ_TO_PTR(fun))->bytecode, max);
    }
    if (type == &mp_type_fun_native || type == &mp_type_native_gen_wrap) {
        return bytecode_args(mp_obj_fun_native_get_prelude_ptr(MP_OBJ_TO_PTR(fun)), max);
    }
    if (type == &mp_type_fun_viper) {
        return words_args(fun);
    }
    if (type == &mp_type_fun_builtin_var) {
        uint32_t sig = ((const mp_obj_fun_builtin_var_t *)MP_OBJ_TO_PTR(fun))->sig;
        int least = (int)(sig >> 17), up_to = (int)(sig >> 1 & MP_OBJ_FUN_ARGS_MAX);
        return least > max ? least : up_to < max ? up_to : max;
    }
    return type == &mp_type_fun_builtin_0 ? 0 : type == &mp_type_fun_builtin_1 ? 1 : type == &mp_type_fun_builtin_2 ? 2 :
           type == &mp_type_fun_builtin_3 ? 3 : max;
}

// What is called when `fun` is: an object with __call__ is the method of that name.
static mp_obj_t called(mp_obj_t fun) {
    const mp_obj_type_t *type = mp_obj_get_type(fun);
    if (!mp_obj_is_callable(fun)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("a handler must be callable, not %s"), mp_obj_get_type_str(fun));
    }
    if (type == &mp_type_type) {
        no_handler("a class: it returns an object, which");
    }
    for (unsigned depth = 0; mp_obj_is_instance_type(mp_obj_get_type(fun)); depth++) {
        mp_obj_t method[2];
        mp_load_method_maybe(fun, MP_QSTR___call__, method);
        if (method[0] == MP_OBJ_NULL || depth == 8) {
            no_handler("an object whose __call__ is not a function");
        }
        fun = method[1] == MP_OBJ_NULL ? method[0] : mp_obj_new_bound_meth(method[0], method[1]);
    }
    return fun;
}

// What a callable adds in front of its arguments, and the function behind it; MP_OBJ_NULL: it adds too much.
static mp_obj_t plain_function(mp_obj_t fun, mp_obj_t *fixed, unsigned *nfixed) {
    *nfixed = 0;
    if (mp_obj_is_type(fun, &mp_type_bound_meth)) {
        const bound_t *bound = MP_OBJ_TO_PTR(fun);
        fixed[(*nfixed)++] = bound->self;
        fun = bound->meth;
    } else if (mp_obj_get_type(fun)->name == MP_QSTR_closure) {
        const closure_t *closure = MP_OBJ_TO_PTR(fun);
        for (; *nfixed < closure->n_closed && *nfixed < FIXED_MAX; ++*nfixed) {
            fixed[*nfixed] = closure->closed[*nfixed];
        }
        fun = *nfixed == closure->n_closed ? closure->fun : MP_OBJ_NULL;
    }
    return fun;
}

// A frame for bc called with n arguments, ready but for them; NULL when a call has more to do than to
// put them in their places (defaults, * and keyword arguments, cells, generators).
static mp_code_state_t *prepare_frame(mp_obj_fun_bc_t *bc, unsigned n, handler_t *h) {
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
    h->entry = ip + n_info;
    unsigned used = variables_used(h->entry);
    h->unbound = used > n ? (used - n) | n << 16 : 0;
    h->context = bc->context;
    return s;
}

handler_t *handler_new(mp_obj_t fun, int nargs, unsigned max) {
    fun = called(fun);
    if (nargs < 0) {
        nargs = positional_args(fun, (int)max + 1) - 1;
        if (nargs < 0) {
            mp_raise_TypeError(MP_ERROR_TEXT("a handler takes at least the cpu"));
        }
    }
    if ((unsigned)nargs > max) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("this handler takes %d arguments, but gets at most %u"), nargs + 1, max + 1);
    }
    mp_obj_t fixed[FIXED_MAX];
    unsigned nfixed;
    mp_obj_t plain = plain_function(fun, fixed, &nfixed);
    mp_obj_fun_bc_t *bc = plain != MP_OBJ_NULL && mp_obj_is_type(plain, &mp_type_fun_bc) ? MP_OBJ_TO_PTR(plain) : NULL;
    handler_t *h = m_new_obj_var(handler_t, fixed, mp_obj_t, nfixed);
    memcpy(h->fixed, fixed, nfixed * sizeof(mp_obj_t));
    h->fun = fun;
    h->nargs = (uint8_t)nargs;
    h->nfixed = (uint8_t)nfixed;
    h->frame = bc == NULL ? NULL : prepare_frame(bc, nfixed + 1 + (unsigned)nargs, h);
    h->top = h->frame == NULL ? NULL : &h->frame->state[h->frame->n_state];
    words_prepare(h, plain);
    h->call = NULL;
    return h;
}

bool callback_events_pending(void) {
    return mp_hal_woken || MP_STATE_THREAD(mp_pending_exception) != MP_OBJ_NULL || MP_STATE_VM(sched_state) == MP_SCHED_PENDING;
}

// None, an int, a tuple of ints, or an action.
static void decode_result(mp_obj_t got, bool load, outcome_t *out) {
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
            out->x[i] = LIKELY(mp_obj_is_small_int(items[i])) ? (uint64_t)MP_OBJ_SMALL_INT_VALUE(items[i]) : low_u64(items[i]);
        }
    } else {
        if (!mp_obj_is_int(got) && !mp_obj_is_bool(got)) {
            mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("a handler returns None, an int, a tuple of ints or hv.SKIP and the like, not %s"),
                mp_obj_get_type_str(got));
        }
        out->x[0] = low_u64(got);
    }
}

// ---- Calling them -------------------------------------------------------------------------------

quick_t quick_run_numbers(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load) {
    mp_obj_t *at = quick_begin_at(v, h, h->top);
    quick_box_t *end = quick_boxes.box;
    unsigned given = 0;
    if (at == NULL) {
        return (quick_t) { QUICK_VM, 0 };
    }
    for (; given < h->nargs && given < n; given++) {
        *--at = quick_number(raw[given], &end);
    }
    for (; given < h->nargs; given++) {
        *--at = load ? mp_const_none : MP_OBJ_NULL;
    }
    return quick_run_boxed(h, at, end);
}

static mp_obj_t unboxed(vcpu_t *v, const quick_box_t *box) {
    return box->type == QUICK_TYPE_X ? mp_load_attr(MP_OBJ_FROM_PTR(v->object), MP_QSTR_x) : mp_obj_new_int_from_ull(box->value);
}

static void unbox_between(vcpu_t *v, mp_obj_t *at, const mp_obj_t *end) {
    for (; at < end; at++) {
        const quick_box_t *box = MP_OBJ_TO_PTR(*at);
        if (box >= quick_boxes.box && box < quick_boxes.end) {
            *at = unboxed(v, box);
        }
    }
}

// The VM goes on in h's frame, and those between `at` and `end`: what is in boxes becomes what it knows. False: that raised.
static bool unbox(vcpu_t *v, handler_t *h, const mp_obj_t *top, mp_obj_t *at, mp_obj_t *end, mp_obj_t *exception) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) {
        *exception = MP_OBJ_FROM_PTR(nlr.ret_val);
        return false;
    }
    unbox_between(v, h->frame->state, top);
    unbox_between(v, at, end);
    quick_boxes.end = quick_boxes.box;
    nlr_pop();
    return true;
}

// As in trap_fast.c, for exits that did not come by there.
static quick_t handler_start(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load) {
    static const quick_t not = { QUICK_VM, 0 };
    if (h->top == NULL || !this_pcpu()->python) {
        // What a native function could not do then, it cannot now.
        return h->words == WORDS_NATIVE ? not : words_call(v, h, n, raw, load);
    }
    quick_t got = quick_run_numbers(v, h, n, raw, load);
    return quick_answered(v, h, got.what, load) ? got : not;
}

// The VM, in a frame that quick_run has left, with what to raise there or MP_OBJ_NULL. It catches what is raised in it;
// the stack it needs is within what is kept free behind the limit that calls check.
static __attribute__((always_inline)) inline mp_obj_t frame_go_on(mp_code_state_t *s, mp_obj_t raise, bool *raised) {
    mp_globals_set(s->fun_bc->context->module.globals);
    *raised = mp_execute_bytecode(s, raise) != MP_VM_RETURN_NORMAL;
    return *raised ? s->state[0] : *s->sp;
}

// From the frame of what was called last outwards to h's: each gets what the one before has returned or raised.
static mp_obj_t frames_go_on(const handler_t *h, mp_code_state_t *s, bool *raised) {
    mp_obj_t raise = MP_OBJ_NULL;
    for (;;) {
        mp_obj_t got = frame_go_on(s, raise, raised);
        if (s == h->frame) {
            return got;
        }
        s = quick_link(s)->caller;
        raise = got;
        if (!*raised) {
            *++s->sp = got;
            s->ip += QUICK_CALL_BYTES;
            raise = MP_OBJ_NULL;
        }
    }
}

// The frames of what h has called move to the stack, where the GC looks and which nobody else uses.
static NOINLINE mp_obj_t called_go_on(vcpu_t *v, handler_t *h, mp_obj_t *top, bool *raised) {
    mp_code_state_t *innermost = quick_boxes.frame;
    size_t size = (size_t)(quick_link(innermost)->end - (byte *)quick_frames);
    byte *copy = alloca(size);
    ptrdiff_t moved = copy - (byte *)quick_frames;
    mp_obj_t exception;
    memcpy(copy, quick_frames, size);
    for (mp_code_state_t *s = innermost = (mp_code_state_t *)((byte *)innermost + moved);; s = quick_link(s)->caller) {
        s->sp = (mp_obj_t *)((byte *)s->sp + moved);
        if (--quick_boxes.depth == 0) {
            break;
        }
        quick_link(s)->caller = (mp_code_state_t *)((byte *)quick_link(s)->caller + moved);
    }
    if (quick_boxes.end != quick_boxes.box && !unbox(v, h, top, (mp_obj_t *)copy, (mp_obj_t *)(copy + size), &exception)) {
        *raised = true;
        return exception;
    }
    return frames_go_on(h, innermost, raised);
}

static inline mp_obj_t handler_go_on(vcpu_t *v, handler_t *h, bool *raised) {
    mp_obj_dict_t *globals = mp_globals_get();
    mp_obj_t *top = h->top, got;
    h->top = NULL; // nobody else may begin in it meanwhile
    if (quick_boxes.depth != 0) {
        bool inner;
        got = called_go_on(v, h, top, &inner);
        *raised = inner;
    } else {
        got = frame_go_on(h->frame, MP_OBJ_NULL, raised);
    }
    mp_globals_set(globals);
    h->top = top;
    return got;
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

static bool handler_call(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, outcome_t *out) {
    mp_obj_t got = MP_OBJ_NULL;
    if (v->asked == h && h->words == WORDS_NOT) {
        bool raised;
        if (UNLIKELY(quick_boxes.end != quick_boxes.box) && quick_boxes.depth == 0 && !unbox(v, h, h->top, NULL, NULL, &out->exception)) {
            return false;
        }
        got = handler_go_on(v, h, &raised);
        if (raised) {
            out->exception = got;
            return false;
        }
        if (LIKELY(mp_obj_is_small_int(got))) {
            decode_result(got, false, out);
            return true;
        }
    }
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) {
        out->exception = MP_OBJ_FROM_PTR(nlr.ret_val);
        return false;
    }
    if (got == MP_OBJ_NULL) {
        got = v->asked == h ? words_end() : call_function(v, h, n, raw, load);
    }
    decode_result(got, load && !v->moved, out);
    nlr_pop();
    return true;
}

// In an object that the GC looks through, as it does not through a vcpu_t.
void callback_raised(vcpu_t *v, mp_obj_t exception) {
    ((hv_vcpu_obj_t *)v->object)->exception = exception;
}

// A handler that never returns must not keep the prompt away, where Ctrl-C is but a key, or where the
// handler was called by MicroPython's scheduler, which is locked then and lets no exception through. So it
// also ends a handler that has run for a twentieth of a second: shorter ones are not disturbed.
void callback_interrupt(void) {
    if (handler_since != 0 && timer_now() - handler_since >= timer_freq() / 20) {
        mp_sched_keyboard_interrupt();
        el2_interrupt_late();
        MP_STATE_VM(sched_state) = MP_SCHED_PENDING; // callback() sets right what was locked
    }
}

// The same for what MicroPython itself calls with its scheduler locked: finalisers, and what timers and
// micropython.schedule() have queued.
mp_obj_t __real_mp_call_function_1_protected(mp_obj_t fun, mp_obj_t arg);
mp_obj_t __wrap_mp_call_function_1_protected(mp_obj_t fun, mp_obj_t arg);

mp_obj_t __wrap_mp_call_function_1_protected(mp_obj_t fun, mp_obj_t arg) {
    uint64_t outer = handler_since;
    int16_t locked = MP_STATE_VM(sched_state);
    handler_since = timer_now();
    mp_obj_t got = __real_mp_call_function_1_protected(fun, arg);
    handler_since = outer;
    if (locked < 0) {
        MP_STATE_VM(sched_state) = locked;
    }
    return got;
}

bool callback(vcpu_t *v, handler_t *h, unsigned n, const uint64_t *raw, bool load, outcome_t *out) {
    pcpu_t *p = this_pcpu();
    if (v->asked != h) {
        if (p->running == v) {
            WRITE_SYSREG(esr_el2, v->exit.esr); // EL2 may have had an exception of its own since; quick.S reads it
        }
        quick_t got = handler_start(v, h, n, raw, load);
        if (got.what != QUICK_VM) {
            out->action = got.what == QUICK_SKIP ? ACTION_SKIP : ACTION_NONE;
            out->n = got.what == QUICK_VALUE;
            out->x[0] = got.value;
            return true;
        }
    }
    if (p->fp_owner == v) {
        WRITE_SYSREG(cptr_el2, CPTR_HOST | CPTR_TFP);
        isb();
    }
    uint64_t outer = handler_since;
    int16_t locked = MP_STATE_VM(sched_state);
    handler_since = timer_now();
    share_python_begins();
    irq_enable();
    bool ok = handler_call(v, h, n, raw, load, out);
    irq_disable();
    handler_since = outer;
    if (locked < 0) {
        MP_STATE_VM(sched_state) = locked;
    }
    v->asked = NULL;
    if (p->running == v) {
        WRITE_SYSREG(cptr_el2, v->vm->el2[EL2_CPTR] | (p->fp_owner == v ? 0 : CPTR_TFP));
    }
    return ok;
}
