// SPDX-License-Identifier: MIT
// How compiled Python calls. A function that is compiled as well is entered at once, and so is one of C that takes as many
// arguments as there are, what a bound method is of, and what makes an object of a class. All else is called by MicroPython.

#include <string.h>

#include "py/cstack.h"
#include "py/objfun.h"
#include "py/runtime.h"
#include "hv_native/trap/callables.h"

mp_obj_t native_call_function_n_kw(mp_obj_t fun, size_t n_args, size_t n_kw, const mp_obj_t *args);
mp_obj_t native_call_method_n_kw(size_t n_args, size_t n_kw, const mp_obj_t *args);

// mp_cstack_check() without a frame.
static inline void check_stack(void) {
    char *sp;
    __asm__ ("mov %0, sp" : "=r" (sp));
    if ((size_t)(MP_STATE_THREAD(stack_top) - sp) >= MP_STATE_THREAD(stack_limit)) {
        mp_cstack_check();
    }
}

// mp_arg_check_num_sig(), of a function that takes no keywords.
static inline bool takes(uint32_t sig, size_t n_args) {
    size_t least = sig >> 17, most = sig >> 1 & 0xFFFF;
    return (sig & 1) == 0 && n_args - least <= most - least;
}

#define MOST 6
static __attribute__((noinline)) mp_obj_t call_bound(const bound_t *bound, size_t n_args, const mp_obj_t *args) {
    mp_obj_t all[MOST];
    all[0] = bound->self;
    memcpy(all + 1, args, n_args * sizeof(*args));
    return native_call_function_n_kw(bound->meth, n_args + 1, 0, all);
}

static inline mp_obj_t call(mp_obj_t fun, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    const mp_obj_type_t *type = mp_obj_is_obj(fun) ? ((mp_obj_base_t *)MP_OBJ_TO_PTR(fun))->type : NULL;
    const mp_obj_fun_builtin_fixed_t *fixed = MP_OBJ_TO_PTR(fun);
    const mp_obj_fun_builtin_var_t *var = MP_OBJ_TO_PTR(fun);
    if (type == &mp_type_fun_native) {
        check_stack();
        mp_call_fun_t start = mp_obj_fun_native_get_function_start(MP_OBJ_TO_PTR(fun));
        return start(fun, n_args, n_kw, args);
    }
    if (n_kw == 0) {
        if (type == &mp_type_fun_builtin_1 && n_args == 1) {
            return fixed->fun._1(args[0]);
        }
        if (type == &mp_type_fun_builtin_2 && n_args == 2) {
            return fixed->fun._2(args[0], args[1]);
        }
        if (type == &mp_type_fun_builtin_var && takes(var->sig, n_args)) {
            return var->fun.var(n_args, args);
        }
        if (type == &mp_type_fun_builtin_3 && n_args == 3) {
            return fixed->fun._3(args[0], args[1], args[2]);
        }
        if (type == &mp_type_bound_meth && n_args < MOST) {
            return call_bound(MP_OBJ_TO_PTR(fun), n_args, args);
        }
    }
    if (type == &mp_type_type && MP_OBJ_TYPE_HAS_SLOT((mp_obj_type_t *)MP_OBJ_TO_PTR(fun), make_new)) {
        const mp_obj_type_t *class = MP_OBJ_TO_PTR(fun);
        return MP_OBJ_TYPE_GET_SLOT(class, make_new)(class, n_args, n_kw, args);
    }
    return mp_call_function_n_kw(fun, n_args, n_kw, args);
}

mp_obj_t native_call_function_n_kw(mp_obj_t fun, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    return call(fun, n_args, n_kw, args);
}

// args: the function, self or NULL, the arguments.
mp_obj_t native_call_method_n_kw(size_t n_args, size_t n_kw, const mp_obj_t *args) {
    size_t self = args[1] != MP_OBJ_NULL;
    return call(args[0], n_args + self, n_kw, args + 2 - self);
}
