// SPDX-License-Identifier: MIT
// `yield from` and `await` of compiled generators, without running each generator between who asks and who answers: what
// is wanted of one that is in a `yield from` is asked of the last of those that it waits for. What that yields is the
// answer. When it ends, its end is handed to those before, which are then run one by one as ever, and the one that waited
// for it finds it there.

#include "py/bc.h"
#include "py/nlr.h"
#include "py/objgenerator.h"
#include "py/runtime.h"
#include "compiled.h"
#include "glue.h"

// As py/objgenerator.c has it.
typedef struct {
    mp_obj_base_t base;
    mp_obj_t pend_exc; // NULL: it runs; None: nothing is pending
    mp_code_state_native_t code_state;
} generator_t;

typedef struct {
    mp_obj_t of;
    mp_vm_return_kind_t kind;
    mp_obj_t result;
} end_t;

// What is not yet handed over. It is on the stack of who hands it over, where a collection sees it.
static const end_t *end;

static inline generator_t *waits_for(const generator_t *g) {
    return MP_OBJ_TO_PTR(g->code_state.sp[-1]);
}

// Whether it is compiled, stands in a `yield from` of a generator, and nobody has an exception for it. What such a one waits
// for is an object.
static inline bool is_waiting(const generator_t *g) {
    return g->pend_exc == mp_const_none && g->code_state.ip != NULL
           && ((const uint32_t *)(uintptr_t)g->code_state.ip)[-1] == COMPILED_YIELDS_FROM
           && g->code_state.exc_sp_idx == MP_CODE_STATE_EXC_SP_IDX_SENTINEL
           && waits_for(g)->base.type == &mp_type_gen_instance;
}

// Those in front of the last one are running as well: nobody may resume them meanwhile.
static inline generator_t *run_to_last(generator_t *g) {
    do {
        g->pend_exc = MP_OBJ_NULL;
        g = waits_for(g);
    } while (is_waiting(g));
    return g;
}

static inline void stop_to(generator_t *g, const generator_t *last) {
    do {
        g->pend_exc = mp_const_none;
        g = waits_for(g);
    } while (g != last);
}

static mp_vm_return_kind_t hand_over(generator_t *first, const end_t *its, mp_obj_t *result) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) {
        end = NULL; // the stack has no room for all of them
        nlr_jump(nlr.ret_val);
    }
    end = its;
    mp_vm_return_kind_t kind = mp_obj_gen_resume(MP_OBJ_FROM_PTR(first), mp_const_none, MP_OBJ_NULL, result);
    nlr_pop();
    end = NULL;
    return kind;
}

static __attribute__((noinline)) mp_vm_return_kind_t resume_chain(generator_t *first, mp_obj_t sent, mp_obj_t *result) {
    nlr_buf_t nlr;
    generator_t *last = run_to_last(first);
    if (last->pend_exc == MP_OBJ_NULL) { // it runs already, which is an exception in the one that waits for it
        stop_to(first, last);
        return mp_obj_gen_resume(MP_OBJ_FROM_PTR(first), sent, MP_OBJ_NULL, result);
    }
    if (nlr_push(&nlr) != 0) {
        stop_to(first, last);
        nlr_jump(nlr.ret_val);
    }
    end_t its = { .of = MP_OBJ_FROM_PTR(last), .kind = mp_obj_gen_resume(MP_OBJ_FROM_PTR(last), sent, MP_OBJ_NULL, result) };
    nlr_pop();
    stop_to(first, last);
    if (its.kind == MP_VM_RETURN_YIELD) {
        return its.kind;
    }
    its.result = *result;
    return hand_over(first, &its, result);
}

// What compiled code calls for mp_obj_gen_resume().
mp_vm_return_kind_t native_obj_gen_resume(mp_obj_t generator, mp_obj_t sent, mp_obj_t thrown, mp_obj_t *result) {
    if (end != NULL && end->of == generator) {
        mp_vm_return_kind_t kind = end->kind;
        *result = end->result;
        end = NULL;
        return kind;
    }
    if (end == NULL && thrown == MP_OBJ_NULL && is_waiting(MP_OBJ_TO_PTR(generator))) {
        return resume_chain(MP_OBJ_TO_PTR(generator), sent, result);
    }
    return mp_obj_gen_resume(generator, sent, thrown, result);
}
