// SPDX-License-Identifier: MIT
// What the native emitter does better for A64 than by its generic way. Included by py/emitnative.c, as patched
// by ports/aarch64/patches, among whose functions these belong.
//
// - A viper function has an entry that takes machine words, a native one an entry for calls that may be given up:
//   compiled.h.
// - A viper function that calls nothing has its variables and the beginning of its stack in registers.
// - A native function takes its arguments itself when there are as many as it has names, none of them special.
// - Arithmetic and comparisons of small ints are done in place; the call is for what does not fit.
// - A branch backward looks whether Ctrl-C was typed, or a function is scheduled.
//
// Small ints are 2 n + 1, None, False and True numbers of their own: MICROPY_OBJ_REPR_A, with
// MICROPY_OBJ_IMMEDIATE_OBJS. exec.c asserts it.

#include "ports/aarch64/native/compiled.h"

#define A64_OBJ_NONE UINT64_C(0x06)
#define A64_OBJ_FALSE UINT64_C(0x0E)
#define A64_OBJ_TRUE UINT64_C(0x1E)
#define A64_ARGS 7 // in registers, x0 to x6
#define A64_FUN 8 // the function object, until something is called
#define A64_ROUNDS 14

// Labels that are reserved at the beginning of each function: 0 to 3 are the generic emitter's.
#define A64_LABEL_STOP(emit) ((emit)->exit_label + 4)

// ---- Entries ------------------------------------------------------------------------------------

// In a function that has need of it.
static void a64_load_names(emit_t *emit, int fun) {
    #if MICROPY_PERSISTENT_CODE_SAVE
    if (emit->as->named) {
        ASM_LOAD_REG_REG_OFFSET(emit->as, REG_QSTR_TABLE, fun, OFFSETOF_OBJ_FUN_BC_CONTEXT);
        ASM_LOAD_REG_REG_OFFSET(emit->as, REG_QSTR_TABLE, REG_QSTR_TABLE, OFFSETOF_MODULE_CONTEXT_QSTR_TABLE);
    }
    #endif
}

static void a64_load_fun_table(emit_t *emit, int reg, int fun, size_t fun_table_off) {
    ASM_LOAD_REG_REG_OFFSET(emit->as, reg, fun, OFFSETOF_OBJ_FUN_BC_CONTEXT);
    ASM_LOAD_REG_REG_OFFSET(emit->as, reg, reg, OFFSETOF_MODULE_CONTEXT_OBJ_TABLE);
    ASM_LOAD_REG_REG_OFFSET(emit->as, reg, reg, fun_table_off);
}

// Where polls look, in functions that have any.
static void emit_native_aarch64_poll_entry(emit_t *emit) {
    if (emit->as->polled && !emit->as->leaf) {
        ASM_LOAD_REG_REG_OFFSET(emit->as, ASM_A64_REG_POLL, REG_FUN_TABLE, MP_F_NATIVE_PENDING);
    }
}

// Branches to n_args (x1) being n and n_kw (x2) being 0: the returned branch is taken if they are not.
static size_t a64_check_args(emit_t *emit, unsigned n) {
    asm_a64_op_imm12(emit->as, ASM_A64_SUBS_IMM, ASM_A64_REG_ZR, REG_ARG_2, n);
    asm_a64_op(emit->as, 0xFA400800 | REG_ARG_3 << 5); // CCMP x2, #0, #0, EQ
    return asm_a64_b_cond_later(emit->as, ASM_A64_NE);
}

static void a64_call_with_type(emit_t *emit, mp_fun_kind_t fun, vtype_kind_t type) {
    ASM_MOV_REG_IMM(emit->as, REG_ARG_2, type & 0xf);
    ASM_CALL_IND(emit->as, fun);
}

static void a64_obj_to_word(emit_t *emit, vtype_kind_t type) {
    if (type == VTYPE_PYOBJ) {
        return;
    }
    size_t done = SIZE_MAX;
    if (type != VTYPE_BOOL) {
        size_t other = asm_a64_tbz_later(emit->as, 0, 0, false);
        asm_a64_shift_imm(emit->as, ASM_A64_ASR, 0, 0, 1);
        done = asm_a64_b_later(emit->as);
        asm_a64_to_here(emit->as, other);
    }
    a64_call_with_type(emit, MP_F_CONVERT_OBJ_TO_NATIVE, type);
    if (done != SIZE_MAX) {
        asm_a64_to_here(emit->as, done);
    }
}

// x0 = False or True by the condition.
static void a64_bool_obj(emit_t *emit, asm_a64_cond_t cond) {
    asm_a64_cset(emit->as, 1, cond);
    ASM_MOV_REG_IMM(emit->as, 0, A64_OBJ_FALSE);
    asm_a64_op3(emit->as, ASM_A64_ADD | 4 << 10, 0, 0, 1); // x0 + (x1 << 4)
}

static void a64_word_to_obj(emit_t *emit, vtype_kind_t type) {
    if (type == VTYPE_PYOBJ) {
        return;
    }
    if (type == VTYPE_BOOL) {
        asm_a64_op_imm12(emit->as, ASM_A64_SUBS_IMM, ASM_A64_REG_ZR, 0, 0);
        a64_bool_obj(emit, ASM_A64_NE);
        return;
    }
    size_t other;
    if (type == VTYPE_INT) {
        asm_a64_op3(emit->as, ASM_A64_ADDS, 1, 0, 0);
        other = asm_a64_b_cond_later(emit->as, ASM_A64_VS);
    } else {
        asm_a64_shift_imm(emit->as, ASM_A64_LSR, 1, 0, 62);
        other = asm_a64_cbz_later(emit->as, 1, true);
        asm_a64_shift_imm(emit->as, ASM_A64_LSL, 1, 0, 1);
    }
    asm_a64_op_imm12(emit->as, ASM_A64_ADD_IMM, 0, 1, 1);
    size_t done = asm_a64_b_later(emit->as);
    asm_a64_to_here(emit->as, other);
    a64_call_with_type(emit, MP_F_CONVERT_NATIVE_TO_OBJ, type);
    asm_a64_to_here(emit->as, done);
}

// From objects to words, the call, and back.
static void a64_viper_wrapper(emit_t *emit, scope_t *scope, size_t fun_table_off, mp_uint_t raw) {
    asm_a64_t *as = emit->as;
    unsigned n = scope->num_pos_args, room = (n * 8 + 15) & ~15u;
    asm_a64_op(as, 0xA9BE53F3); // STP x19, x20, [sp, #-32]!
    asm_a64_op(as, 0xA9017BFC); // STP x28, x30, [sp, #16]
    if (room != 0) {
        asm_a64_op_imm12(as, ASM_A64_SUB_IMM, ASM_A64_REG_SP, ASM_A64_REG_SP, room);
    }
    ASM_MOV_REG_REG(as, 19, 0);
    ASM_MOV_REG_REG(as, 20, REG_ARG_4);
    a64_load_fun_table(emit, REG_FUN_TABLE, 0, fun_table_off);
    size_t wrong = a64_check_args(emit, n), right = asm_a64_b_later(as);
    asm_a64_to_here(as, wrong);
    ASM_MOV_REG_REG(as, REG_ARG_1, REG_ARG_2);
    ASM_MOV_REG_REG(as, REG_ARG_2, REG_ARG_3);
    ASM_MOV_REG_IMM(as, REG_ARG_3, MP_OBJ_FUN_MAKE_SIG(n, n, false));
    ASM_CALL_IND(as, MP_F_ARG_CHECK_NUM_SIG);
    asm_a64_to_here(as, right);
    for (unsigned i = 0; i < n; i++) {
        asm_a64_load(as, 0, 20, i * 8, 3);
        a64_obj_to_word(emit, emit->local_vtype[i]);
        asm_a64_store(as, 0, ASM_A64_REG_SP, i * 8, 3);
    }
    for (unsigned i = 0; i < n && i < A64_ARGS; i++) {
        asm_a64_load(as, (int)i, ASM_A64_REG_SP, i * 8, 3);
    }
    if (n > A64_ARGS) {
        asm_a64_op_imm12(as, ASM_A64_ADD_IMM, 7, ASM_A64_REG_SP, A64_ARGS * 8);
    }
    ASM_MOV_REG_REG(as, A64_FUN, 19);
    asm_a64_bl(as, raw);
    a64_word_to_obj(emit, scope->scope_flags >> MP_SCOPE_FLAG_VIPERRET_POS);
    if (room != 0) {
        asm_a64_op_imm12(as, ASM_A64_ADD_IMM, ASM_A64_REG_SP, ASM_A64_REG_SP, room);
    }
    asm_a64_op(as, 0xA9417BFC); // LDP x28, x30, [sp, #16]
    asm_a64_op(as, 0xA8C253F3); // LDP x19, x20, [sp], #32
    asm_a64_op(as, 0xD65F03C0); // RET
}

static void a64_viper_head(emit_t *emit, scope_t *scope, mp_uint_t raw, mp_uint_t stop) {
    asm_a64_t *as = emit->as;
    uint64_t types = 0;
    for (unsigned i = 0; i < scope->num_pos_args && i < 8; i++) {
        types |= (uint64_t)(emit->local_vtype[i] & 0xf) << (4 * i);
    }
    size_t *at = as->base.label_offsets;
    unsigned flags = (as->leaf ? VIPER_LEAF : 0) | (as->polled ? VIPER_LOOPS : 0) | (as->touched ? VIPER_MEMORY : 0);
    asm_a64_op(as, 0x14000000 | VIPER_HEAD_WORDS); // B
    asm_a64_op(as, (uint32_t)(at[raw] / 4 & 0xFFFF) | (uint32_t)(at[stop] / 4) << 16);
    asm_a64_op(as, scope->num_pos_args | flags << 8 | (scope->scope_flags >> MP_SCOPE_FLAG_VIPERRET_POS & 0xf) << 16);
    asm_a64_op(as, (uint32_t)types);
    asm_a64_op(as, mp_emit_common_use_qstr(emit->emit_common, scope->simple_name));
}

static void a64_viper_arguments(emit_t *emit, scope_t *scope) {
    for (int i = 0; i < scope->num_pos_args; i++) {
        int reg = i;
        if (i >= A64_ARGS) {
            reg = 16;
            asm_a64_load(emit->as, reg, 7, (i - A64_ARGS) * 8, 3);
        }
        if (i < MAX_REGS_FOR_LOCAL_VARS && CAN_USE_REGS_FOR_LOCALS(emit)) {
            ASM_MOV_REG_REG(emit->as, reg_local_table[i], reg);
        } else {
            emit_native_mov_state_reg(emit, LOCAL_IDX_LOCAL_VAR(emit, i), reg);
        }
    }
}

static void emit_native_aarch64_viper_entry(emit_t *emit, scope_t *scope, size_t fun_table_off) {
    asm_a64_t *as = emit->as;
    mp_uint_t exit = *emit->label_slot, stop = exit + 4, raw = exit + 5;
    uint32_t used = as->used;
    a64_viper_head(emit, scope, raw, stop);
    a64_viper_wrapper(emit, scope, fun_table_off, raw);
    as->used = used; // it saves for itself what it uses
    as->calls = false;
    mp_asm_base_label_assign(&as->base, stop);
    ASM_JUMP(as, exit);
    mp_asm_base_label_assign(&as->base, raw);

    emit->n_state = scope->num_locals + scope->stack_size + emit_native_aarch64_kept(scope);
    int in_regs = CAN_USE_REGS_FOR_LOCALS(emit) ? MIN(scope->num_locals, MAX_REGS_FOR_LOCAL_VARS) : 0;
    // Before them: the function and the globals of before, or the function alone, or nothing.
    emit->stack_start = emit->code_state_start
        + (NEED_GLOBAL_EXC_HANDLER(emit) ? 2 : scope->scope_flags & MP_SCOPE_FLAG_HASCONSTS ? 1 : 0);
    // Behind the four arguments there is room in registers for what would be in memory.
    bool slots = as->leaf && scope->num_pos_args <= 4;
    int in_memory = emit->n_state - in_regs;
    ASM_ENTRY(as, emit->stack_start + (slots && in_memory <= 4 ? 0 : in_memory), NULL);
    as->slots = slots ? (size_t)emit->stack_start : SIZE_MAX;
    if (!as->leaf) {
        a64_load_names(emit, A64_FUN);
        a64_load_fun_table(emit, REG_FUN_TABLE, A64_FUN, fun_table_off);
    } else if (as->polled) {
        ASM_MOV_REG_IMM(as, A64_ROUNDS, COMPILED_ROUNDS);
    }
    if (NEED_FUN_OBJ(emit)) {
        ASM_MOV_LOCAL_REG(as, LOCAL_IDX_FUN_OBJ(emit), A64_FUN);
    }
    a64_viper_arguments(emit, scope);
    emit_native_global_exc_entry(emit);
}

// Arguments that go to where their names are, one for each, and zeros to the other names.
static void a64_native_arguments(emit_t *emit, scope_t *scope) {
    for (int i = 0; i < scope->num_locals; i++) {
        bool given = i < scope->num_pos_args, in_reg = i < MAX_REGS_FOR_LOCAL_VARS && CAN_USE_REGS_FOR_LOCALS(emit);
        int reg = in_reg ? reg_local_table[i] : given ? 16 : ASM_A64_REG_ZR;
        if (given) {
            asm_a64_load(emit->as, reg, REG_ARG_4, i * 8, 3);
        } else if (in_reg) {
            ASM_MOV_REG_IMM(emit->as, reg, 0);
        }
        if (!in_reg) {
            ASM_MOV_LOCAL_REG(emit->as, LOCAL_IDX_LOCAL_VAR(emit, i), reg);
        }
    }
}

static void emit_native_aarch64_native_entry(emit_t *emit, scope_t *scope, size_t fun_table_off) {
    asm_a64_t *as = emit->as;
    emit->stack_start = emit->code_state_start + SIZEOF_CODE_STATE;
    // Three words, which COMPILED_ENTRY knows: behind them the table is the caller's choice.
    a64_load_fun_table(emit, 16, 0, fun_table_off);
    ASM_ENTRY(as, emit->stack_start + emit->n_state, NULL);
    ASM_MOV_REG_REG(as, REG_FUN_TABLE, 16);
    a64_load_names(emit, 0);
    ASM_MOV_LOCAL_REG(as, LOCAL_IDX_FUN_OBJ(emit), 0);

    bool plain = scope->num_kwonly_args == 0
        && !(scope->scope_flags & (MP_SCOPE_FLAG_VARARGS | MP_SCOPE_FLAG_VARKEYWORDS | MP_SCOPE_FLAG_DEFKWARGS));
    for (int i = 0; i < scope->id_info_len; i++) {
        plain = plain && scope->id_info[i].kind != ID_INFO_KIND_CELL;
    }
    size_t done = SIZE_MAX;
    if (plain) {
        size_t wrong = a64_check_args(emit, scope->num_pos_args);
        a64_native_arguments(emit, scope);
        done = asm_a64_b_later(as);
        asm_a64_to_here(as, wrong);
    }
    // code_state.n_state is the low half of its word.
    emit_native_mov_state_imm_via(emit, emit->code_state_start + OFFSETOF_CODE_STATE_N_STATE, emit->n_state, REG_ARG_1);
    ASM_MOV_REG_LOCAL_ADDR(as, REG_ARG_1, emit->code_state_start);
    ASM_CALL_IND(as, MP_F_SETUP_CODE_STATE);
    for (int i = 0; CAN_USE_REGS_FOR_LOCALS(emit) && i < MAX_REGS_FOR_LOCAL_VARS && i < scope->num_locals; i++) {
        ASM_MOV_REG_LOCAL(as, reg_local_table[i], LOCAL_IDX_LOCAL_VAR(emit, i));
    }
    if (plain) {
        asm_a64_to_here(as, done);
    }
}

// ---- Branches -----------------------------------------------------------------------------------

// In a function that calls nothing, which has its variables where a call would lose them: it counts.
static void a64_count_back(emit_t *emit, mp_uint_t label) {
    asm_a64_t *as = emit->as;
    asm_a64_op_imm12(as, ASM_A64_SUBS_IMM, A64_ROUNDS, A64_ROUNDS, 1);
    asm_a64_b_cond(as, ASM_A64_NE, label);
    asm_a64_op(as, 0xF81F0FFE); // STR x30, [sp, #-16]!
    a64_load_fun_table(emit, 16, A64_FUN, mp_emit_common_use_const_obj(emit->emit_common, MP_OBJ_FROM_PTR(&mp_fun_table)));
    asm_a64_load(as, 16, 16, 8 * MP_F_NATIVE_POLL, 3);
    asm_a64_op(as, 0xD63F0000 | 16 << 5); // BLR
    asm_a64_op(as, 0xF84107FE); // LDR x30, [sp], #16
    ASM_MOV_REG_IMM(as, A64_ROUNDS, COMPILED_ROUNDS);
    asm_a64_cbz(as, REG_RET, label, false);
    ASM_JUMP(as, A64_LABEL_STOP(emit));
}

// To a label that has been passed. Two instructions when nothing is pending, and all that matters is in memory
// or in registers that the call keeps.
static void a64_jump_back(emit_t *emit, mp_uint_t label) {
    asm_a64_t *as = emit->as;
    as->polls = true;
    if (as->leaf) {
        a64_count_back(emit, label);
        return;
    }
    as->used |= UINT32_C(1) << ASM_A64_REG_LR | UINT32_C(1) << ASM_A64_REG_POLL;
    asm_a64_op(as, 0x79C00000 | ASM_A64_REG_POLL << 5 | 16); // LDRSH w16
    asm_a64_cbz(as, 16, label, true);
    asm_a64_load(as, 16, REG_FUN_TABLE, 8 * MP_F_NATIVE_POLL, 3);
    asm_a64_op(as, 0xD63F0000 | 16 << 5); // BLR
    if (emit->do_viper_types) {
        asm_a64_cbz(as, REG_RET, label, false);
        ASM_JUMP(as, A64_LABEL_STOP(emit));
    } else {
        ASM_JUMP(as, label);
    }
}

static void emit_native_aarch64_jump(emit_t *emit, mp_uint_t label) {
    asm_a64_t *as = emit->as;
    if (asm_a64_is_backward(as, label)) {
        a64_jump_back(emit, label);
    } else if (label == emit->exit_label && as->leaf && as->frame == 0) {
        ASM_EXIT(as); // a word as well
    } else {
        ASM_JUMP(as, label);
    }
}

static void a64_jump_if(emit_t *emit, asm_a64_cond_t cond, mp_uint_t label) {
    if (asm_a64_is_backward(emit->as, label)) {
        size_t not = asm_a64_b_cond_later(emit->as, cond ^ 1);
        a64_jump_back(emit, label);
        asm_a64_to_here(emit->as, not);
    } else {
        asm_a64_b_cond(emit->as, cond, label);
    }
}

// By x0 being zero or not; if that is what has just been made of a condition, by that.
static void emit_native_aarch64_jump_if(emit_t *emit, bool nonzero, mp_uint_t label) {
    asm_a64_t *as = emit->as;
    if (as->cset_at == asm_a64_here(as) && !as->base.suppress) {
        as->base.code_offset -= 4;
        as->cset_at = SIZE_MAX;
        a64_jump_if(emit, nonzero ? as->cset : as->cset ^ 1, label);
    } else if (asm_a64_is_backward(as, label)) {
        size_t not = asm_a64_cbz_later(as, REG_RET, !nonzero);
        a64_jump_back(emit, label);
        asm_a64_to_here(as, not);
    } else {
        asm_a64_cbz(as, REG_RET, label, nonzero);
    }
}

// x0 = whether the object x0 is true.
static void emit_native_aarch64_is_true(emit_t *emit) {
    asm_a64_t *as = emit->as;
    need_reg_all(emit);
    asm_a64_logic_imm(as, ASM_A64_EOR, 1, 0, A64_OBJ_FALSE);
    asm_a64_logic_imm(as, ASM_A64_ANDS, ASM_A64_REG_ZR, 1, ~(A64_OBJ_FALSE ^ A64_OBJ_TRUE));
    size_t not_bool = asm_a64_b_cond_later(as, ASM_A64_NE);
    asm_a64_shift_imm(as, ASM_A64_LSR, 0, 1, 4);
    size_t done = asm_a64_b_later(as);
    asm_a64_to_here(as, not_bool);
    size_t not_int = asm_a64_tbz_later(as, 0, 0, false);
    asm_a64_op_imm12(as, ASM_A64_SUB_IMM, 0, 0, 1);
    size_t done_too = asm_a64_b_later(as);
    asm_a64_to_here(as, not_int);
    ASM_CALL_IND(as, MP_F_OBJ_IS_TRUE);
    asm_a64_logic_imm(as, ASM_A64_AND, 0, 0, 0xFF);
    asm_a64_to_here(as, done);
    asm_a64_to_here(as, done_too);
}

// ---- finally and with ---------------------------------------------------------------------------
//
// Upstream's emitter has one word for the exception and one for the way of a `return`, `break` or `continue`, which a
// try statement within a finally block, a second round of a loop, or a yield loses. Here the exception is on the stack,
// as in bytecode, and each level of try statements has two words behind the stack, in a generator's state as well:
// where to go at the end of its finally block, 0 being on, and the value that is being returned.

#define A64_NEXT 0
#define A64_RETURNED 1
#define A64_KEPT 2

static int emit_native_aarch64_kept(scope_t *scope) {
    return scope->exc_stack_size == 0 ? 0 : A64_KEPT *scope->exc_stack_size + 1;
}

static int a64_kept_at(emit_t *emit, int level, int word) {
    return emit->stack_start + emit->scope->stack_size + A64_KEPT * level + word;
}

static bool a64_is_generator(emit_t *emit) {
    return emit->scope->scope_flags & MP_SCOPE_FLAG_GENERATOR;
}

// The value that the function returns: of a generator it has to outlast a yield, and is behind those of the levels.
static void a64_load_returned(emit_t *emit, int reg) {
    if (a64_is_generator(emit)) {
        emit_native_mov_reg_state(emit, reg, a64_kept_at(emit, emit->scope->exc_stack_size, 0));
    } else {
        ASM_MOV_REG_LOCAL(emit->as, reg, LOCAL_IDX_RET_VAL(emit));
    }
}

static void a64_store_returned(emit_t *emit, int reg) {
    if (a64_is_generator(emit)) {
        emit_native_mov_state_reg(emit, a64_kept_at(emit, emit->scope->exc_stack_size, 0), reg);
    } else {
        ASM_MOV_LOCAL_REG(emit->as, LOCAL_IDX_RET_VAL(emit), reg);
    }
}

static bool a64_is_left_by_jump(const exc_stack_entry_t *e) {
    return e->unwind_label != UNWIND_LABEL_UNUSED;
}

// The statement's end has been reached.
static void emit_native_aarch64_fall_into_finally(emit_t *emit) {
    int level = (int)emit->exc_stack_size - 1;
    if (a64_is_left_by_jump(&emit->exc_stack[level])) {
        emit_native_mov_state_reg(emit, a64_kept_at(emit, level, A64_NEXT), ASM_A64_REG_ZR);
    }
}

// From there, by an exception, or by a jump that has set A64_NEXT and no exception.
static void emit_native_aarch64_begin_finally(emit_t *emit, bool with) {
    int level = (int)emit->exc_stack_size - 1;
    ASM_MOV_REG_LOCAL(emit->as, REG_TEMP0, LOCAL_IDX_EXC_VAL(emit));
    if (!with) {
        emit_native_mov_state_reg(emit, emit->stack_start + emit->stack_size - 1, REG_TEMP0);
    }
    if (a64_is_left_by_jump(&emit->exc_stack[level])) {
        size_t none = asm_a64_cbz_later(emit->as, REG_TEMP0, false);
        emit_native_mov_state_reg(emit, a64_kept_at(emit, level, A64_NEXT), ASM_A64_REG_ZR);
        asm_a64_to_here(emit->as, none);
        a64_load_returned(emit, REG_TEMP1);
        emit_native_mov_state_reg(emit, a64_kept_at(emit, level, A64_RETURNED), REG_TEMP1);
    }
}

static void emit_native_aarch64_end_finally(emit_t *emit) {
    vtype_kind_t vtype;
    emit_pre_pop_reg(emit, &vtype, REG_ARG_1);
    emit_call(emit, MP_F_NATIVE_RAISE); // which returns when that is none
    exc_stack_entry_t *e = emit_native_pop_exc_stack(emit);
    if (a64_is_left_by_jump(e)) {
        int level = (int)emit->exc_stack_size;
        emit_native_mov_reg_state(emit, REG_TEMP1, a64_kept_at(emit, level, A64_RETURNED));
        a64_store_returned(emit, REG_TEMP1);
        emit_native_mov_reg_state(emit, REG_TEMP0, a64_kept_at(emit, level, A64_NEXT));
        size_t on = asm_a64_cbz_later(emit->as, REG_TEMP0, false);
        ASM_MOV_LOCAL_REG(emit->as, LOCAL_IDX_EXC_VAL(emit), ASM_A64_REG_ZR); // it may be that of a statement in the block
        asm_a64_br(emit->as, REG_TEMP0);
        asm_a64_to_here(emit->as, on);
    }
    emit_post(emit);
}

// Out of so many levels: by way of each finally block, then to the label, with the handler that holds there.
static void emit_native_aarch64_unwind_jump(emit_t *emit, mp_uint_t label, mp_uint_t except_depth) {
    asm_a64_t *as = emit->as;
    int level = (int)emit->exc_stack_size - 1, first = -1, last = -1;
    need_stack_settled(emit);
    for (int end = level - (int)except_depth; level > end; level--) {
        exc_stack_entry_t *e = &emit->exc_stack[level];
        if (e->is_finally && e->is_active) {
            e->unwind_label = e->label; // whatever: it is used
            if (last >= 0) {
                ASM_MOV_REG_PCREL(as, REG_RET, e->label);
                emit_native_mov_state_reg(emit, a64_kept_at(emit, last, A64_NEXT), REG_RET);
            }
            first = first < 0 ? level : first;
            last = level;
        }
    }
    if (last >= 0) {
        size_t next = asm_a64_adr_later(as, REG_RET);
        emit_native_mov_state_reg(emit, a64_kept_at(emit, last, A64_NEXT), REG_RET);
        ASM_MOV_LOCAL_REG(as, LOCAL_IDX_EXC_VAL(emit), ASM_A64_REG_ZR); // if it is one's handler that is left
        ASM_JUMP(as, emit->exc_stack[first].label);
        asm_a64_to_here(as, next);
    }
    if (except_depth > 0) {
        while (level >= 0 && !emit->exc_stack[level].is_active) {
            level--;
        }
        if (level >= 0) {
            ASM_MOV_REG_PCREL(as, REG_RET, emit->exc_stack[level].label);
        }
        ASM_MOV_LOCAL_REG(as, LOCAL_IDX_EXC_HANDLER_PC(emit), level >= 0 ? REG_RET : ASM_A64_REG_ZR);
    }
    emit_native_jump(emit, label & ~MP_EMIT_BREAK_FROM_FOR);
}

// Whoever resumes a generator finds its value where its stack pointer says, by the time that it returns.
#define A64_LABEL_RETURN(emit) ((emit)->exit_label + 4) // no viper function is a generator

static bool emit_native_aarch64_generator_return(emit_t *emit) {
    if (!a64_is_generator(emit) || emit->scope->exc_stack_size == 0) {
        return false;
    }
    vtype_kind_t vtype;
    emit_pre_pop_reg(emit, &vtype, REG_TEMP0);
    a64_store_returned(emit, REG_TEMP0);
    emit_native_unwind_jump(emit, A64_LABEL_RETURN(emit), emit->exc_stack_size);
    return true;
}

static void emit_native_aarch64_generator_exit(emit_t *emit) {
    if (!a64_is_generator(emit) || emit->scope->exc_stack_size == 0) {
        return;
    }
    emit_native_label_assign(emit, A64_LABEL_RETURN(emit));
    emit_native_mov_reg_state_addr(emit, REG_TEMP0, a64_kept_at(emit, emit->scope->exc_stack_size, 0));
    emit_native_mov_state_reg(emit, OFFSETOF_CODE_STATE_SP, REG_TEMP0);
    ASM_MOV_REG_IMM(emit->as, REG_TEMP0, MP_VM_RETURN_NORMAL);
    ASM_MOV_LOCAL_REG(emit->as, LOCAL_IDX_RET_VAL(emit), REG_TEMP0);
}

// ---- The stack ----------------------------------------------------------------------------------

static int a64_slot(emit_t *emit, int position) {
    return asm_a64_slot(emit->as, emit->stack_start + position);
}

// What is in memory stays there.
static bool emit_native_aarch64_dup_top(emit_t *emit) {
    asm_a64_t *as = emit->as;
    stack_info_t *top = peek_stack(emit, 0);
    vtype_kind_t vtype = top->vtype;
    if (top->kind != STACK_VALUE) {
        as->result_at = SIZE_MAX; // in x0, but not for one alone
        return false;
    }
    int slot = a64_slot(emit, emit->stack_size - 1);
    need_reg_single(emit, REG_TEMP0, 0);
    emit_native_mov_reg_state(emit, REG_TEMP0, emit->stack_start + emit->stack_size - 1);
    if (slot >= 0) {
        as->result_at = as->copied_at = asm_a64_here(as);
        as->copied_from = slot;
    }
    emit_post_push_reg(emit, vtype, REG_TEMP0);
    return true;
}

// If the last instruction was an operation that made the top of the stack in x0, let it make it in `reg`.
static bool a64_made_in(emit_t *emit, int reg) {
    asm_a64_t *as = emit->as;
    stack_info_t *top = peek_stack(emit, 0);
    if (top->kind != STACK_REG || top->data.u_reg != REG_RET || as->result_at != asm_a64_here(as) || as->base.suppress) {
        return false;
    }
    for (int i = 0; i < emit->stack_size - 1; i++) {
        stack_info_t *si = &emit->stack_info[i];
        if (si->kind == STACK_REG && (si->data.u_reg == REG_RET || si->data.u_reg == reg)) {
            return false;
        }
    }
    asm_a64_result_to(as, reg);
    return true;
}

// In the register of a variable.
static void emit_native_aarch64_result_to(emit_t *emit, int reg) {
    if (a64_made_in(emit, reg)) {
        peek_stack(emit, 0)->data.u_reg = reg;
    }
}

// In that of its place on the stack, in front of a label, where nobody asks for x0.
static void emit_native_aarch64_settle_top(emit_t *emit) {
    int slot = emit->stack_size == 0 ? -1 : a64_slot(emit, emit->stack_size - 1);
    if (slot >= 0 && a64_made_in(emit, slot)) {
        peek_stack(emit, 0)->kind = STACK_VALUE;
    }
}

// The top of the stack, popped, in a register that is only read.
static void a64_pop_operand(emit_t *emit, vtype_kind_t *vtype, int *reg, int other) {
    asm_a64_t *as = emit->as;
    stack_info_t *top = peek_stack(emit, 0);
    int slot = a64_slot(emit, emit->stack_size - 1);
    if (top->kind == STACK_VALUE && slot >= 0) {
        *reg = slot;
    } else if (top->kind == STACK_REG && top->data.u_reg == REG_RET && as->copied_at == asm_a64_here(as) && !as->base.suppress) {
        as->base.code_offset -= 4;
        as->copied_at = as->result_at = SIZE_MAX;
        *reg = as->copied_from;
    } else {
        emit_pre_pop_reg_flexible(emit, vtype, reg, other, other);
        return;
    }
    *vtype = top->vtype;
    emit_pre_pop_discard(emit);
}

// ---- Operations on words ------------------------------------------------------------------------

static asm_a64_cond_t a64_condition(mp_binary_op_t op, bool is_unsigned) {
    static const uint8_t conditions[] = {
        ASM_A64_LT, ASM_A64_GT, ASM_A64_EQ, ASM_A64_LE, ASM_A64_GE, ASM_A64_NE,
        ASM_A64_CC, ASM_A64_HI, ASM_A64_EQ, ASM_A64_LS, ASM_A64_CS, ASM_A64_NE,
    };
    return conditions[op - MP_BINARY_OP_LESS + (is_unsigned ? 6 : 0)];
}

static bool a64_is_comparison(mp_binary_op_t op) {
    return MP_BINARY_OP_LESS <= op && op <= MP_BINARY_OP_NOT_EQUAL;
}

static mp_binary_op_t a64_not_inplace(mp_binary_op_t op) {
    return MP_BINARY_OP_INPLACE_OR <= op && op <= MP_BINARY_OP_INPLACE_POWER ? op + MP_BINARY_OP_OR - MP_BINARY_OP_INPLACE_OR : op;
}

static uint32_t a64_opcode(mp_binary_op_t op, bool is_unsigned) {
    switch (op) {
        case MP_BINARY_OP_OR:
            return ASM_A64_ORR;
        case MP_BINARY_OP_XOR:
            return ASM_A64_EOR;
        case MP_BINARY_OP_AND:
            return ASM_A64_AND;
        case MP_BINARY_OP_LSHIFT:
            return ASM_A64_LSL;
        case MP_BINARY_OP_RSHIFT:
            return is_unsigned ? ASM_A64_LSR : ASM_A64_ASR;
        case MP_BINARY_OP_ADD:
            return ASM_A64_ADD;
        case MP_BINARY_OP_SUBTRACT:
            return ASM_A64_SUB;
        case MP_BINARY_OP_MULTIPLY:
            return ASM_A64_MUL;
        default:
            return a64_is_comparison(op) ? ASM_A64_SUBS : 0;
    }
}

// rd = rn op imm, if there is an instruction for it.
static bool a64_word_op_imm(emit_t *emit, uint32_t op, int rd, int rn, mp_int_t imm) {
    asm_a64_t *as = emit->as;
    switch (op) {
        case ASM_A64_ADD:
        case ASM_A64_SUB:
        case ASM_A64_SUBS:
            if (imm <= -4096 || imm >= 4096) {
                return false;
            }
            if (imm < 0) {
                op = op == ASM_A64_ADD ? ASM_A64_SUB : op == ASM_A64_SUB ? ASM_A64_ADD : ASM_A64_ADDS;
                imm = -imm;
            }
            // From the register form to the immediate one, DDI 0487 C4.1.
            asm_a64_op_imm12(as, op ^ 0x1A000000, rd, rn, (unsigned)imm);
            return true;
        case ASM_A64_LSL:
        case ASM_A64_LSR:
        case ASM_A64_ASR:
            if (imm < 0 || imm > 63) {
                return false;
            }
            asm_a64_shift_imm(as, op, rd, rn, (unsigned)imm);
            return true;
        case ASM_A64_MUL:
            return false;
        default:
            return asm_a64_logic_imm(as, op, rd, rn, (uint64_t)imm);
    }
}

// False, with nothing done: an operation that the generic way knows, or knows that there is none.
static bool a64_word_op(emit_t *emit, mp_binary_op_t op) {
    asm_a64_t *as = emit->as;
    vtype_kind_t vtype_lhs = peek_vtype(emit, 1), vtype_rhs = peek_vtype(emit, 0);
    op = a64_not_inplace(op);
    uint32_t code = a64_opcode(op, vtype_lhs == VTYPE_UINT);
    if (code == 0) {
        return false;
    }
    bool compare = a64_is_comparison(op);
    if (compare && vtype_lhs != vtype_rhs) {
        EMIT_NATIVE_VIPER_TYPE_ERROR(emit, MP_ERROR_TEXT("comparison of int and uint"));
    }
    stack_info_t *top = peek_stack(emit, 0);
    bool by_imm = top->kind == STACK_IMM;
    mp_int_t imm = by_imm ? top->data.u_imm : 0;
    int rhs = REG_ARG_3, lhs = REG_ARG_2;
    if (by_imm) {
        emit_pre_pop_discard(emit);
        a64_pop_operand(emit, &vtype_lhs, &lhs, REG_ARG_3);
        need_reg_single(emit, REG_ARG_3, 0);
    } else {
        a64_pop_operand(emit, &vtype_rhs, &rhs, -1);
        lhs = rhs == REG_ARG_2 ? REG_ARG_3 : REG_ARG_2;
        a64_pop_operand(emit, &vtype_lhs, &lhs, rhs);
    }
    // Read before it is written, whichever they are.
    int result = compare ? ASM_A64_REG_ZR : REG_RET;
    need_reg_single(emit, REG_RET, 0);
    if (!by_imm || !a64_word_op_imm(emit, code, result, lhs, imm)) {
        if (by_imm) {
            ASM_MOV_REG_IMM(as, rhs, imm);
        }
        asm_a64_op3(as, code, result, lhs, rhs);
    }
    as->result_at = compare ? SIZE_MAX : asm_a64_here(as);
    if (compare) {
        asm_a64_cset(as, REG_RET, a64_condition(op, vtype_lhs == VTYPE_UINT));
        emit_post_push_reg(emit, VTYPE_BOOL, REG_RET);
    } else {
        emit_post_push_reg(emit, vtype_lhs, REG_RET);
    }
    return true;
}

static void emit_native_aarch64_negate(emit_t *emit, uint32_t op) {
    vtype_kind_t vtype;
    int reg = REG_RET;
    emit_pre_pop_reg_flexible(emit, &vtype, &reg, -1, -1);
    need_reg_single(emit, REG_RET, 0);
    // Not in place: the register may be that of a variable.
    asm_a64_op3(emit->as, op, REG_RET, ASM_A64_REG_ZR, reg);
    emit->as->result_at = asm_a64_here(emit->as);
    emit_post_push_reg(emit, vtype, REG_RET);
}

// ---- Operations on objects, small ints in place -------------------------------------------------

typedef struct {
    mp_binary_op_t op;
    bool by_imm;        // the right operand is not in x2: it is the small int `imm`
    mp_int_t imm;
} a64_operation_t;

static uint64_t a64_imm_obj(const a64_operation_t *o) {
    return ((uint64_t)o->imm << 1) | 1;
}

// Branches away unless both are small ints.
static size_t a64_unless_ints(asm_a64_t *as, const a64_operation_t *o) {
    if (o->by_imm) {
        return asm_a64_tbz_later(as, 1, 0, false);
    }
    asm_a64_op3(as, ASM_A64_AND, 3, 1, 2);
    return asm_a64_tbz_later(as, 3, 0, false);
}

// x0 = x1 op right operand, by the runtime.
static void a64_object_call(emit_t *emit, const a64_operation_t *o) {
    if (o->by_imm) {
        ASM_MOV_REG_IMM(emit->as, REG_ARG_3, a64_imm_obj(o));
    }
    ASM_MOV_REG_IMM(emit->as, REG_ARG_1, o->op);
    ASM_CALL_IND(emit->as, MP_F_BINARY_OP);
}

static void a64_compare_ints(emit_t *emit, const a64_operation_t *o) {
    if (!o->by_imm || !a64_word_op_imm(emit, ASM_A64_SUBS, ASM_A64_REG_ZR, 1, (mp_int_t)a64_imm_obj(o))) {
        if (o->by_imm) {
            ASM_MOV_REG_IMM(emit->as, REG_ARG_3, a64_imm_obj(o));
        }
        asm_a64_op3(emit->as, ASM_A64_SUBS, ASM_A64_REG_ZR, 1, 2);
    }
}

// Adds or subtracts 2 n. Branches to the end if that fits.
static size_t a64_add_ints(emit_t *emit, const a64_operation_t *o, bool subtract) {
    asm_a64_t *as = emit->as;
    mp_int_t twice = o->imm * 2;
    if (o->by_imm && twice > -4096 && twice < 4096) {
        bool down = subtract != (twice < 0);
        asm_a64_op_imm12(as, down ? ASM_A64_SUBS_IMM : ASM_A64_ADDS_IMM, 0, 1, (unsigned)(twice < 0 ? -twice : twice));
    } else {
        if (o->by_imm) {
            ASM_MOV_REG_IMM(as, 3, (uint64_t)o->imm << 1);
        } else {
            asm_a64_op_imm12(as, ASM_A64_SUB_IMM, 3, 2, 1);
        }
        asm_a64_op3(as, subtract ? ASM_A64_SUBS : ASM_A64_ADDS, 0, 1, 3);
    }
    return asm_a64_b_cond_later(as, ASM_A64_VC);
}

// x0 = x1 * x2 if the high half is but the sign of the low one. Branches away if not.
static size_t a64_multiply_ints(asm_a64_t *as) {
    asm_a64_shift_imm(as, ASM_A64_ASR, 3, 1, 1);
    asm_a64_op_imm12(as, ASM_A64_SUB_IMM, 0, 2, 1);
    asm_a64_op3(as, ASM_A64_SMULH, 16, 3, 0);
    asm_a64_op3(as, ASM_A64_MUL, 0, 3, 0);
    asm_a64_op3(as, ASM_A64_SUBS | 2 << 22 | 63 << 10, ASM_A64_REG_ZR, 16, 0); // CMP x16, x0, ASR #63
    size_t not = asm_a64_b_cond_later(as, ASM_A64_NE);
    asm_a64_op_imm12(as, ASM_A64_ADD_IMM, 0, 0, 1);
    return not;
}

// x0 = x1 << by. Branches away if that does not fit.
static size_t a64_shift_left(asm_a64_t *as, unsigned by) {
    asm_a64_op_imm12(as, ASM_A64_SUB_IMM, 3, 1, 1);
    asm_a64_shift_imm(as, ASM_A64_LSL, 0, 3, by);
    asm_a64_op3(as, ASM_A64_SUBS | 2 << 22 | by << 10, ASM_A64_REG_ZR, 3, 0); // CMP x3, x0, ASR #by
    size_t not = asm_a64_b_cond_later(as, ASM_A64_NE);
    asm_a64_op_imm12(as, ASM_A64_ADD_IMM, 0, 0, 1);
    return not;
}

// x0 = x1 // x2 or x1 % x2, of which the second is not 0 and neither is negative. Branches away if not.
static void a64_divide(asm_a64_t *as, bool modulo, size_t not[2]) {
    asm_a64_op3(as, ASM_A64_ORR, 3, 1, 2);
    not[0] = asm_a64_tbz_later(as, 3, 63, true);
    asm_a64_shift_imm(as, ASM_A64_LSR, 3, 2, 1);
    not[1] = asm_a64_cbz_later(as, 3, false);
    asm_a64_shift_imm(as, ASM_A64_LSR, 16, 1, 1);
    asm_a64_op3(as, ASM_A64_UDIV, 0, 16, 3);
    if (modulo) {
        asm_a64_op3(as, ASM_A64_MSUB | 16 << 10, 0, 0, 3); // x16 - x0 * x3
    }
    asm_a64_shift_imm(as, ASM_A64_LSL, 0, 0, 1);
    asm_a64_op_imm12(as, ASM_A64_ADD_IMM, 0, 0, 1);
}

static bool a64_in_place(const a64_operation_t *o) {
    switch (a64_not_inplace(o->op)) {
        case MP_BINARY_OP_ADD:
        case MP_BINARY_OP_SUBTRACT:
        case MP_BINARY_OP_AND:
        case MP_BINARY_OP_OR:
        case MP_BINARY_OP_XOR:
        case MP_BINARY_OP_MULTIPLY:
        case MP_BINARY_OP_FLOOR_DIVIDE:
        case MP_BINARY_OP_MODULO:
            return true;
        case MP_BINARY_OP_LSHIFT:
        case MP_BINARY_OP_RSHIFT:
            return o->by_imm && o->imm >= 0 && o->imm < 62;
        default:
            return a64_is_comparison(o->op);
    }
}

// x0 = x1 op right operand. x1, x2 are as they were until it is certain that no call is needed.
static void a64_object_op(emit_t *emit, const a64_operation_t *o) {
    asm_a64_t *as = emit->as;
    mp_binary_op_t op = a64_not_inplace(o->op);
    size_t away[3] = { SIZE_MAX, SIZE_MAX, SIZE_MAX }, done = SIZE_MAX;
    if (op == MP_BINARY_OP_AND && !o->by_imm) {
        // The last bit, too, is that of both.
        asm_a64_op3(as, ASM_A64_AND, 0, 1, 2);
        done = asm_a64_tbz_later(as, 0, 0, true);
    } else {
        away[0] = a64_unless_ints(as, o);
        bool small = op == MP_BINARY_OP_ADD || op == MP_BINARY_OP_SUBTRACT || op == MP_BINARY_OP_LSHIFT || op == MP_BINARY_OP_RSHIFT;
        if (o->by_imm && !small && !a64_is_comparison(op)) {
            ASM_MOV_REG_IMM(as, REG_ARG_3, a64_imm_obj(o));
        }
        if (op == MP_BINARY_OP_ADD || op == MP_BINARY_OP_SUBTRACT) {
            done = a64_add_ints(emit, o, op == MP_BINARY_OP_SUBTRACT);
        } else if (op == MP_BINARY_OP_AND || op == MP_BINARY_OP_OR) {
            asm_a64_op3(as, op == MP_BINARY_OP_AND ? ASM_A64_AND : ASM_A64_ORR, 0, 1, 2);
        } else if (op == MP_BINARY_OP_XOR) {
            asm_a64_op3(as, ASM_A64_EOR, 0, 1, 2);
            asm_a64_op_imm12(as, ASM_A64_ADD_IMM, 0, 0, 1);
        } else if (op == MP_BINARY_OP_MULTIPLY) {
            away[1] = a64_multiply_ints(as);
        } else if (op == MP_BINARY_OP_FLOOR_DIVIDE || op == MP_BINARY_OP_MODULO) {
            a64_divide(as, op == MP_BINARY_OP_MODULO, &away[1]);
        } else if (op == MP_BINARY_OP_LSHIFT) {
            away[1] = a64_shift_left(as, (unsigned)o->imm);
        } else if (op == MP_BINARY_OP_RSHIFT) {
            asm_a64_shift_imm(as, ASM_A64_ASR, 0, 1, (unsigned)o->imm);
            asm_a64_logic_imm(as, ASM_A64_ORR, 0, 0, 1);
        } else {
            a64_compare_ints(emit, o);
            a64_bool_obj(emit, a64_condition(op, false));
        }
        if (done == SIZE_MAX) {
            done = asm_a64_b_later(as);
        }
    }
    for (unsigned i = 0; i < MP_ARRAY_SIZE(away); i++) {
        if (away[i] != SIZE_MAX) {
            asm_a64_to_here(as, away[i]);
        }
    }
    a64_object_call(emit, o);
    asm_a64_to_here(as, done);
}

static bool a64_objects_op(emit_t *emit, mp_binary_op_t op) {
    asm_a64_t *as = emit->as;
    stack_info_t *top = peek_stack(emit, 0);
    a64_operation_t o = { op, top->kind == STACK_IMM && top->vtype == VTYPE_INT && !emit->do_viper_types, 0 };
    if (o.by_imm) {
        o.imm = top->data.u_imm;
    }
    vtype_kind_t vtype;
    if (op == MP_BINARY_OP_IS || op == MP_BINARY_OP_IS_NOT) {
        emit_pre_pop_reg_reg(emit, &vtype, REG_ARG_3, &vtype, REG_ARG_2);
        need_reg_all(emit);
        asm_a64_op3(as, ASM_A64_SUBS, ASM_A64_REG_ZR, REG_ARG_2, REG_ARG_3);
        a64_bool_obj(emit, op == MP_BINARY_OP_IS ? ASM_A64_EQ : ASM_A64_NE);
        emit_post_push_reg(emit, VTYPE_PYOBJ, REG_RET);
        return true;
    }
    if (!a64_in_place(&o)) {
        return false;
    }
    if (o.by_imm) {
        emit_pre_pop_discard(emit);
        emit_pre_pop_reg(emit, &vtype, REG_ARG_2);
    } else {
        emit_pre_pop_reg_reg(emit, &vtype, REG_ARG_3, &vtype, REG_ARG_2);
    }
    need_reg_all(emit);
    size_t start = asm_a64_here(as);
    a64_object_op(emit, &o);
    if (a64_is_comparison(op)) {
        as->compared.start = start;
        as->compared.end = asm_a64_here(as);
        as->compared.op = op;
        as->compared.by_imm = o.by_imm;
        as->compared.imm = o.imm;
    }
    emit_post_push_reg(emit, VTYPE_PYOBJ, REG_RET);
    return true;
}

// An object is None, or not, in a viper function, where None has a type of its own.
static void a64_is_none(emit_t *emit, bool is) {
    vtype_kind_t vtype;
    int reg = REG_ARG_2;
    emit_pre_pop_discard(emit);
    emit_pre_pop_reg_flexible(emit, &vtype, &reg, -1, -1);
    need_reg_single(emit, REG_RET, 0);
    asm_a64_op_imm12(emit->as, ASM_A64_SUBS_IMM, ASM_A64_REG_ZR, reg, A64_OBJ_NONE);
    asm_a64_cset(emit->as, REG_RET, is ? ASM_A64_EQ : ASM_A64_NE);
    emit_post_push_reg(emit, VTYPE_BOOL, REG_RET);
}

static bool emit_native_aarch64_binary_op(emit_t *emit, mp_binary_op_t op) {
    vtype_kind_t lhs = peek_vtype(emit, 1), rhs = peek_vtype(emit, 0);
    if (lhs == VTYPE_PYOBJ && rhs == VTYPE_PTR_NONE && (op == MP_BINARY_OP_IS || op == MP_BINARY_OP_IS_NOT)) {
        a64_is_none(emit, op == MP_BINARY_OP_IS);
        return true;
    }
    if ((lhs == VTYPE_INT || lhs == VTYPE_UINT) && (rhs == VTYPE_INT || rhs == VTYPE_UINT)) {
        return a64_word_op(emit, op);
    }
    return lhs == VTYPE_PYOBJ && rhs == VTYPE_PYOBJ && a64_objects_op(emit, op);
}

// A branch by the comparison of objects just made, without an object for its result.
static bool emit_native_aarch64_compare_jump(emit_t *emit, bool cond, mp_uint_t label, bool pop) {
    asm_a64_t *as = emit->as;
    stack_info_t *top = peek_stack(emit, 0);
    if (!pop || as->base.suppress || as->compared.end != asm_a64_here(as)
        || top->kind != STACK_REG || top->data.u_reg != REG_RET) {
        return false;
    }
    for (int i = 0; i < emit->stack_size - 1; i++) {
        if (emit->stack_info[i].kind != STACK_VALUE) {
            return false;
        }
    }
    const a64_operation_t o = { as->compared.op, as->compared.by_imm, as->compared.imm };
    adjust_stack(emit, -1);
    as->base.code_offset = as->compared.start;
    as->compared.end = SIZE_MAX;
    size_t away = a64_unless_ints(as, &o);
    a64_compare_ints(emit, &o);
    a64_jump_if(emit, a64_condition(o.op, false) ^ !cond, label);
    size_t done = asm_a64_b_later(as);
    asm_a64_to_here(as, away);
    a64_object_call(emit, &o);
    ASM_CALL_IND(as, MP_F_OBJ_IS_TRUE);
    asm_a64_op(as, 0x72001C1F | REG_RET << 5); // TST w0, #0xFF
    a64_jump_if(emit, cond ? ASM_A64_NE : ASM_A64_EQ, label);
    asm_a64_to_here(as, done);
    return true;
}
