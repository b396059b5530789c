// SPDX-License-Identifier: MIT
// A prompt, whatever was typed. shared/runtime/pyexec.c catches what a script raises; here is what it
// leaves out: memory that runs out while a line is read, a heap or interrupts that a script left locked,
// an exception whose own text raises.

#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "shared/runtime/interrupt_char.h"
#include "shared/runtime/pyexec.h"
#include "hv_native/core/arch.h"
#include "hv_native/trap/el2_fault.h"
#include "gc_alloc.h"
#include "prompt.h"
#include "uart.h"

// Kept free for reading a line when a script has taken all the rest, and for the one that lets go of it.
#define LINE_RESERVE 8192

MP_REGISTER_ROOT_POINTER(void *line_reserve);

// For pyexec_hooks.h, which only pyexec.c is to see.
void prompt_before_exec(bool raw, bool read);
void prompt_after_exec(void *exception);

// Taken when the first script or line is to run: reset to prompt is counted in instructions.
static bool booted;
// Nothing but _boot.py has run since the heap was made.
static bool heap_is_new;
// They have used up all memory: the prompt comes without them.
static bool skip_scripts;
// Between the two control characters by which the raw REPL ends what a script prints.
static bool in_raw_exec;

static void give_reserve(void) {
    m_free(MP_STATE_VM(line_reserve), LINE_RESERVE);
    MP_STATE_VM(line_reserve) = NULL;
}

// Not from the last that is left: that is for the line being read. Of a heap that is new there is plenty, and
// to try costs 30,000 instructions of a reset to a guest.
static void take_reserve(void) {
    if (MP_STATE_VM(line_reserve) == NULL && heap_is_new) {
        MP_STATE_VM(line_reserve) = m_malloc_maybe(LINE_RESERVE);
    } else if (MP_STATE_VM(line_reserve) == NULL) {
        void *piece = m_malloc_maybe(4 * LINE_RESERVE);
        MP_STATE_VM(line_reserve) = piece == NULL ? NULL : m_realloc_maybe(piece, 4 * LINE_RESERVE, LINE_RESERVE, false);
    }
    heap_is_new = false;
}

// What has been read whole may be long in the compiler, which computes constants: Ctrl-C is for it from there on,
// also the one that came right behind the line's end, while that was still being read.
void prompt_before_exec(bool raw, bool read) {
    in_raw_exec = raw;
    gc_line_begins();
    if (read) {
        mp_hal_set_interrupt_char(CHAR_CTRL_C);
        uart_rx_take_interrupts();
    }
    if (booted) {
        take_reserve();
    }
}

// The next line is read with interrupts on and memory to be had, whatever this one did.
void prompt_after_exec(void *exception) {
    in_raw_exec = false;
    MP_STATE_THREAD(gc_lock_depth) = 0;
    irqs_masked_by_python = false;
    irq_enable();
    if (exception != NULL && mp_obj_is_exact_type(MP_OBJ_FROM_PTR(exception), &mp_type_MemoryError)) {
        give_reserve();
    }
}

static int run(int (*repl)(void)) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        int ret = repl();
        nlr_pop();
        return ret;
    }
    mp_hal_set_interrupt_char(-1);
    MP_STATE_THREAD(gc_lock_depth) = 0;
    irq_enable();
    mp_hal_stdout_tx_str("\r\n");
    mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    if (in_raw_exec) {
        mp_hal_stdout_tx_strn("\x04\x04", 2); // who waits for the end of the output and of the traceback
        in_raw_exec = false;
    }
    return 0;
}

static int repl(void) {
    return pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl();
}

static int scripts(void) {
    booted = false;
    pyexec_frozen_module("_boot.py", false);
    booted = true;
    if (skip_scripts) {
        skip_scripts = false;
        return 0;
    }
    int ret = pyexec_file_if_exists("boot.py");
    if (!(ret & PYEXEC_FORCED_EXIT) && pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && ret != 0) {
        ret = pyexec_file_if_exists("main.py");
    }
    return ret;
}

// A REPL ends by itself only when it was told to; by an exception when no memory is left. Then the
// reserve is for what is typed next. Without one there is nothing to type with: begin again.
void prompt_session(void) {
    MP_STATE_VM(line_reserve) = NULL;
    heap_is_new = true;
    int ret = run(scripts);
    while (!(ret & PYEXEC_FORCED_EXIT)) {
        pyexec_mode_kind_t mode = pyexec_mode_kind;
        ret = run(repl);
        if ((ret & PYEXEC_FORCED_EXIT) || pyexec_mode_kind != mode) {
            continue;
        }
        if (MP_STATE_VM(line_reserve) == NULL) {
            mp_hal_stdout_tx_str("no memory is left to read a line with: soft reset, without boot.py and main.py\r\n");
            skip_scripts = true;
            return;
        }
        give_reserve();
    }
}
