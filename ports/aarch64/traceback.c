// SPDX-License-Identifier: MIT
// Tracebacks as py/obj.c prints them, but of a runaway recursion the two ends: what is in between, some
// 380 lines, says the same and takes seconds of a serial line.

#include "py/mphal.h"
#include "py/objexcept.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"

#define ENTRY 3             // file, line, block
#define END (10 * ENTRY)    // printed of each end

void __wrap_mp_obj_print_exception(const mp_print_t *print, mp_obj_t exc);
void __real_mp_obj_print_exception(const mp_print_t *print, mp_obj_t exc);

static void print_entries(const mp_print_t *print, const size_t *values, size_t from, size_t to) {
    for (size_t i = from; i > to; i -= ENTRY) {
        const size_t *at = values + i - ENTRY;
        mp_printf(print, "  File \"%q\", line %d", (qstr)at[0], (int)at[1]);
        mp_printf(print, at[2] == MP_QSTRnull ? "\n" : ", in %q\n", (qstr)at[2]);
    }
}

static void print_exception(const mp_print_t *print, mp_obj_t exc) {
    size_t n = 0, *values = NULL;
    if (mp_obj_is_exception_instance(exc)) {
        mp_obj_exception_get_traceback(exc, &n, &values);
    }
    if (n <= 2 * END + ENTRY) {
        __real_mp_obj_print_exception(print, exc);
        return;
    }
    mp_print_str(print, "Traceback (most recent call last):\n");
    print_entries(print, values, n, n - END);
    mp_printf(print, "  [%u more calls]\n", (unsigned)((n - 2 * END) / ENTRY));
    print_entries(print, values, END, 0);
    mp_obj_print_helper(print, exc, PRINT_EXC);
    mp_print_str(print, "\n");
}

// Python may run in there: __str__ of what the exception is about. It may raise, which nobody around here
// expects, or not return: Ctrl-C ends it.
void __wrap_mp_obj_print_exception(const mp_print_t *print, mp_obj_t exc) {
    int interrupt_char = mp_interrupt_char;
    mp_hal_set_interrupt_char(CHAR_CTRL_C);
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        print_exception(print, exc);
        nlr_pop();
    } else {
        mp_printf(print, "\n%q: (and %q while that was printed)\n", mp_obj_get_type(exc)->name,
            mp_obj_get_type(MP_OBJ_FROM_PTR(nlr.ret_val))->name);
    }
    if (interrupt_char != CHAR_CTRL_C) {
        MP_STATE_THREAD(mp_pending_exception) = MP_OBJ_NULL; // it came too late to end this
    }
    mp_hal_set_interrupt_char(interrupt_char);
}
