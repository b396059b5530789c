// SPDX-License-Identifier: MIT
// Memory of compiled Python, and what the code asks of the port: see exec.h.

#include "py/gc.h"
#include "py/mphal.h"
#include "py/nativeglue.h"
#include "py/objfun.h"
#include "py/objgenerator.h"
#include "py/persistentcode.h"
#include "py/runtime.h"
#include "hv_native/core/arch.h"
#include "hv_native/memory/mmu.h"
#include "hv_native/trap/el2_fault.h"
#include "exec.h"
#include "gc_table.h"
#include "run.h"

#if MICROPY_VERSION >= MICROPY_MAKE_VERSION(1, 28, 0)
#define mp_obj_fun_get_name mp_obj_fun_bc_get_name
#endif

// What the emitter knows by number (emitaarch64.h).
_Static_assert(MICROPY_OBJ_REPR == MICROPY_OBJ_REPR_A && MICROPY_OBJ_IMMEDIATE_OBJS, "small ints are 2 n + 1");
_Static_assert((uintptr_t)mp_const_none == 0x06 && (uintptr_t)mp_const_false == 0x0E && (uintptr_t)mp_const_true == 0x1E, "objects");
_Static_assert(MP_SCHED_PENDING == 0 && sizeof(MP_STATE_VM(sched_state)) == 2, "polls");
_Static_assert(offsetof(mp_fun_table_t, pending) == 8 * MP_F_NATIVE_PENDING && offsetof(mp_fun_table_t, poll) == 8 * MP_F_NATIVE_POLL, "polls");

#define EXEC_SPACE (UINT64_C(4) << 30) // on either side of EXEC_BASE

uintptr_t exec_distance;

bool exec_add(void *area, size_t size) {
    uintptr_t at = (uintptr_t)area + exec_distance;
    return at - (EXEC_BASE - EXEC_SPACE) <= 2 * EXEC_SPACE - size && mmu_map(at, (uintptr_t)area, size, MMU_CODE);
}

void exec_remove(void *area, size_t size) {
    mmu_unmap((uintptr_t)area + exec_distance, size);
}

void exec_init(void *heap, size_t size) {
    exec_distance = EXEC_BASE - (uintptr_t)heap;
    if (!exec_add(heap, size)) {
        exec_distance = 0;
    }
}

void *exec_commit(void *p, size_t len, void *reloc) {
    if (reloc != NULL) {
        mp_native_relocate(reloc, p, (uintptr_t)exec_callable(p));
    }
    if (exec_distance == 0) {
        mp_raise_msg(&mp_type_MemoryError, MP_ERROR_TEXT("no page tables for compiled code"));
    }
    // To the point of unification, where instruction fetches see it; the instruction cache goes by the address
    // that runs, which need not be in the same set (DDI 0487 D4.4).
    cache_sync_code(p, len);
    cache_sync_code(exec_callable(p), len);
    return p;
}

// ---- Machine words from an exit -----------------------------------------------------------------

const viper_head_t *native_running;
native_stop_t native_stopped;

// A loop in compiled code has found something pending: a function of the scheduler's, or Ctrl-C, which raises. In
// an exit neither can be done: what is scheduled waits, and for an exception the function is left.
uintptr_t native_pending(void);
uintptr_t native_pending(void) {
    if (native_running == NULL) {
        mp_handle_pending(true);
        return 0;
    }
    if (native_stopped.why == NATIVE_STOP_NOT) {
        native_stopped.why = NATIVE_STOP_LONG;
        native_takes_long();
    }
    if (MP_STATE_THREAD(mp_pending_exception) == MP_OBJ_NULL) {
        return 0;
    }
    native_stopped.why = NATIVE_STOP_PENDING;
    return 1;
}

// ---- Faults -------------------------------------------------------------------------------------

static mp_obj_fun_bc_t *nearest_of(mp_state_mem_area_t *area, uintptr_t code, mp_obj_fun_bc_t *best) {
    for (byte *p = area->gc_pool_start; p < area->gc_pool_end; p += MICROPY_BYTES_PER_GC_BLOCK) {
        mp_obj_fun_bc_t *fun = (mp_obj_fun_bc_t *)p;
        const mp_obj_type_t *type = fun->base.type;
        if ((type == &mp_type_fun_viper || type == &mp_type_fun_native || type == &mp_type_native_gen_wrap)
            && (uintptr_t)fun->bytecode <= code && (best == NULL || fun->bytecode > best->bytecode) && gc_nbytes(fun) != 0) {
            best = fun;
        }
    }
    return best;
}

// The function whose code is the nearest that begins at or below `code`, where the code is written: a linear look
// at all objects. Frozen functions are objects, too, with their code in the image.
static mp_obj_fun_bc_t *function_at(uintptr_t code) {
    mp_obj_fun_bc_t *best = NULL;
    for (mp_state_mem_area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        best = nearest_of(area, code, best);
    }
    return best;
}

// Where code that runs at pc is written; 0: that is no compiled code.
static uintptr_t written_at(uintptr_t pc) {
    uintptr_t at = pc - exec_distance;
    if (exec_distance != 0 && area_of((const void *)at) != NULL) {
        return at;
    }
    return pc >= (uintptr_t)__frozen_code_start && pc < (uintptr_t)__frozen_code_end ? pc : 0;
}

static qstr name_of(uintptr_t pc) {
    mp_obj_fun_bc_t *fun = function_at(written_at(pc));
    if (fun == NULL) {
        return MP_QSTR_;
    }
    if (fun->base.type == &mp_type_fun_viper) {
        return fun->context->constants.qstr_table[((const viper_head_t *)fun->bytecode)->name];
    }
    return mp_obj_fun_get_name(MP_OBJ_FROM_PTR(fun));
}

static MP_NORETURN void fault_at(uintptr_t pc, uint64_t far, uint64_t esr) {
    uint32_t instruction = *(const uint32_t *)written_at(pc);
    unsigned size = 1u << (instruction >> 30);
    mp_raise_msg_varg(&mp_type_Fault, MP_ERROR_TEXT("cannot %s %u byte%s at 0x%lx: %s, in compiled function '%q'"),
        esr & BIT(6) ? "write" : "read", size, size == 1 ? "" : "s", far, fault_status_name(esr), name_of(pc));
}

bool exec_fault(uint64_t *x, uint64_t *elr, uint64_t esr, uint64_t far) {
    if (written_at(*elr) == 0 || FIELD(esr, 31, 26) != 0x25) {
        return false;
    }
    if (native_running != NULL) {
        native_stopped = (native_stop_t) { NATIVE_STOP_FAULT, *elr, far, esr };
        *elr = (uintptr_t)exec_callable((const uint32_t *)native_running + native_running->stop);
        return true;
    }
    x[0] = *elr;
    x[1] = far;
    x[2] = esr;
    *elr = (uintptr_t)fault_at; // as if the instruction were a call of it
    return true;
}

MP_NORETURN void native_raise_stopped(void) {
    native_stop_t s = native_stopped;
    native_stopped.why = NATIVE_STOP_NOT;
    if (s.why == NATIVE_STOP_FAULT) {
        fault_at(s.pc, s.far, s.esr);
    }
    mp_handle_pending(true);
    mp_raise_type(&mp_type_KeyboardInterrupt); // whatever it was, somebody else has taken it
}
