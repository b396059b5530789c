// SPDX-License-Identifier: MIT
// An assembler for A64, as much as MicroPython's native emitter asks for (py/emitnative.c). Encodings
// are those of DDI 0487, C6.2. Included with GENERIC_ASM_API it is what the emitter sees.
//
// Registers of a compiled function (AAPCS64, IHI 0055: x19 to x28 belong to the caller):
//  x0 to x3    values on their way, arguments and results of calls
// in a function that calls nothing, so that it need not save any:
//  x4 to x7    the first words of its state: the stack, where loops have their counters
//  x8          the function object, as it was given
//  x9 to x13   local variables
//  x14         how often it may still go round a loop before it looks whether something is pending
//
//  x16, x17    the assembler's own
//  x19 to x23  local variables of the others
//  x26         where to look whether something is pending, in functions with loops
//  x27         the module's names, in code for .mpy files
//  x28         mp_fun_table
// Which of them a function uses, and whether it calls anything, is known from the pass before.
#ifndef ELAPID_ASMAARCH64_H
#define ELAPID_ASMAARCH64_H

#include "py/misc.h"
#include "py/asmbase.h"

#define ASM_A64_REG_POLL        (26)
#define ASM_A64_REG_QSTR_TABLE  (27)
#define ASM_A64_REG_FUN_TABLE   (28)
#define ASM_A64_REG_LR          (30)
#define ASM_A64_REG_SP          (31)
#define ASM_A64_REG_ZR          (31)

typedef enum {
    ASM_A64_EQ, ASM_A64_NE, ASM_A64_CS, ASM_A64_CC, ASM_A64_MI, ASM_A64_PL, ASM_A64_VS, ASM_A64_VC,
    ASM_A64_HI, ASM_A64_LS, ASM_A64_GE, ASM_A64_LT, ASM_A64_GT, ASM_A64_LE,
} asm_a64_cond_t;

typedef struct _asm_a64_t {
    mp_asm_base_t base;
    uint32_t used;          // registers this pass has changed or called with (x30) that belong to the caller
    uint32_t saved;         // those of the pass before
    bool calls, polls, memory, names;       // what this pass has met: calls, loops, pointers, names
    bool leaf, polled, touched, named;      // the pass before; leaf: no calls
    size_t frame, locals;   // bytes in all, and where the first local is
    size_t slots;           // the local that is in x4; SIZE_MAX: none is
    size_t result_at;       // behind the last operation whose result is in x0 alone
    size_t copied_at;       // behind the last copy into x0, of this register, which is as it was
    int copied_from;
    size_t cset_at;         // behind the last CSET of x0, to take it back when a branch follows
    asm_a64_cond_t cset;
    struct {
        size_t start, end;
        int op;
        bool by_imm;
        mp_int_t imm;
    } compared;             // where the last comparison of objects is, to be taken back likewise
} asm_a64_t;

void asm_a64_op(asm_a64_t *as, uint32_t word);
void asm_a64_end_pass(asm_a64_t *as);
void asm_a64_entry(asm_a64_t *as, size_t locals);
void asm_a64_exit(asm_a64_t *as);

// rd = rn OP rm
enum {
    ASM_A64_ADD = 0x8B000000, ASM_A64_ADDS = 0xAB000000, ASM_A64_SUB = 0xCB000000, ASM_A64_SUBS = 0xEB000000,
    ASM_A64_AND = 0x8A000000, ASM_A64_ORR = 0xAA000000, ASM_A64_EOR = 0xCA000000, ASM_A64_MVN = 0xAA2003E0,
    ASM_A64_MUL = 0x9B007C00, ASM_A64_SMULH = 0x9B407C00, ASM_A64_UDIV = 0x9AC00800, ASM_A64_MSUB = 0x9B008000,
    ASM_A64_LSL = 0x9AC02000, ASM_A64_LSR = 0x9AC02400, ASM_A64_ASR = 0x9AC02800,
};
void asm_a64_op3(asm_a64_t *as, uint32_t op, int rd, int rn, int rm);

// rd = rn OP imm12. ADDS and SUBS have room for a register 31 that is XZR as rd, for comparisons.
enum {
    ASM_A64_ADD_IMM = 0x91000000, ASM_A64_ADDS_IMM = 0xB1000000, ASM_A64_SUB_IMM = 0xD1000000, ASM_A64_SUBS_IMM = 0xF1000000,
};
void asm_a64_op_imm12(asm_a64_t *as, uint32_t op, int rd, int rn, unsigned imm);

// rd = rn shifted by 0 to 63: op is ASM_A64_LSL, LSR or ASR.
void asm_a64_shift_imm(asm_a64_t *as, uint32_t op, int rd, int rn, unsigned by);

#define ASM_A64_ANDS UINT32_C(0xEA000000)
// rd = rn AND, ANDS, ORR or EOR imm. False, and nothing emitted: the number is none that has an encoding.
bool asm_a64_logic_imm(asm_a64_t *as, uint32_t op, int rd, int rn, uint64_t imm);

// Have the operation before as->result_at put its result there instead of in x0.
void asm_a64_result_to(asm_a64_t *as, int rd);

void asm_a64_mov_reg_reg(asm_a64_t *as, int rd, int rn);
void asm_a64_mov_reg_imm(asm_a64_t *as, int rd, uint64_t imm);
void asm_a64_mov_reg_pcrel(asm_a64_t *as, int rd, size_t label);
void asm_a64_cset(asm_a64_t *as, int rd, asm_a64_cond_t cond);

// 1 << size bytes at rn + offset, and at rn + rm of that size.
void asm_a64_load(asm_a64_t *as, int rt, int rn, int64_t offset, unsigned size);
void asm_a64_store(asm_a64_t *as, int rt, int rn, int64_t offset, unsigned size);
void asm_a64_load_index(asm_a64_t *as, int rt, int rn, int rm, unsigned size);
void asm_a64_store_index(asm_a64_t *as, int rt, int rn, int rm, unsigned size);

// The register where a word of the state is; -1: it is in memory.
int asm_a64_slot(const asm_a64_t *as, size_t local);
void asm_a64_load_local(asm_a64_t *as, int rt, size_t local);
void asm_a64_store_local(asm_a64_t *as, int rt, size_t local);
void asm_a64_local_address(asm_a64_t *as, int rd, size_t local);

bool asm_a64_is_backward(asm_a64_t *as, size_t label);
void asm_a64_b(asm_a64_t *as, size_t label);
void asm_a64_bl(asm_a64_t *as, size_t label);
void asm_a64_b_cond(asm_a64_t *as, asm_a64_cond_t cond, size_t label);
void asm_a64_cbz(asm_a64_t *as, int rt, size_t label, bool nonzero);
// Forward to where asm_a64_to_here will be called with what these return.
size_t asm_a64_b_later(asm_a64_t *as);
size_t asm_a64_adr_later(asm_a64_t *as, int rd); // no branch: its address, in rd
size_t asm_a64_b_cond_later(asm_a64_t *as, asm_a64_cond_t cond);
size_t asm_a64_cbz_later(asm_a64_t *as, int rt, bool nonzero);
size_t asm_a64_tbz_later(asm_a64_t *as, int rt, unsigned bit, bool nonzero);
void asm_a64_to_here(asm_a64_t *as, size_t branch);
void asm_a64_bool_jump(asm_a64_t *as, int rt, size_t label, bool nonzero);
void asm_a64_br(asm_a64_t *as, int rn);
void asm_a64_call(asm_a64_t *as, unsigned index);
size_t asm_a64_here(asm_a64_t *as);

#if GENERIC_ASM_API

#define ASM_WORD_SIZE (8)

#define REG_RET (0)
#define REG_ARG_1 (0)
#define REG_ARG_2 (1)
#define REG_ARG_3 (2)
#define REG_ARG_4 (3)
#define REG_TEMP0 (0)
#define REG_TEMP1 (1)
#define REG_TEMP2 (2)
#define REG_LOCAL_1 (19)
#define REG_LOCAL_2 (20)
#define REG_LOCAL_3 (21)
#define REG_FUN_TABLE ASM_A64_REG_FUN_TABLE

#define ASM_T asm_a64_t
#define ASM_END_PASS asm_a64_end_pass
#define ASM_ENTRY(as, locals, name) asm_a64_entry(as, locals)
#define ASM_EXIT asm_a64_exit
#define ASM_CALL_IND asm_a64_call
#define ASM_JUMP asm_a64_b
#define ASM_JUMP_REG asm_a64_br
// What a C function returns as bool is in the low byte alone.
#define ASM_JUMP_IF_REG_ZERO(as, reg, label, bool_test) \
    ((bool_test) ? asm_a64_bool_jump(as, reg, label, false) : asm_a64_cbz(as, reg, label, false))
#define ASM_JUMP_IF_REG_NONZERO(as, reg, label, bool_test) \
    ((bool_test) ? asm_a64_bool_jump(as, reg, label, true) : asm_a64_cbz(as, reg, label, true))
#define ASM_JUMP_IF_REG_EQ(as, reg1, reg2, label) \
    do { \
        asm_a64_op3(as, ASM_A64_SUBS, ASM_A64_REG_ZR, reg1, reg2); \
        asm_a64_b_cond(as, ASM_A64_EQ, label); \
    } while (0)

#define ASM_MOV_LOCAL_REG(as, local, reg) asm_a64_store_local(as, reg, local)
#define ASM_MOV_REG_LOCAL asm_a64_load_local
#define ASM_MOV_REG_LOCAL_ADDR asm_a64_local_address
#define ASM_MOV_REG_IMM asm_a64_mov_reg_imm
#define ASM_MOV_REG_REG asm_a64_mov_reg_reg
#define ASM_MOV_REG_PCREL asm_a64_mov_reg_pcrel

#if MICROPY_VERSION >= MICROPY_MAKE_VERSION(1, 28, 0)
#define ASM_CLR_REG(as, reg) ASM_MOV_REG_IMM((as), (reg), 0) // py/emitnative.c had its own before
#endif
#define ASM_NOT_REG(as, reg) asm_a64_op3(as, ASM_A64_MVN, reg, 0, reg)
#define ASM_NEG_REG(as, reg) asm_a64_op3(as, ASM_A64_SUB, reg, ASM_A64_REG_ZR, reg)
#define ASM_LSL_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_LSL, rd, rd, rs)
#define ASM_LSR_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_LSR, rd, rd, rs)
#define ASM_ASR_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_ASR, rd, rd, rs)
#define ASM_OR_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_ORR, rd, rd, rs)
#define ASM_XOR_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_EOR, rd, rd, rs)
#define ASM_AND_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_AND, rd, rd, rs)
#define ASM_ADD_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_ADD, rd, rd, rs)
#define ASM_SUB_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_SUB, rd, rd, rs)
#define ASM_MUL_REG_REG(as, rd, rs) asm_a64_op3(as, ASM_A64_MUL, rd, rd, rs)

#define ASM_LOAD_REG_REG_OFFSET(as, rd, rn, words) asm_a64_load(as, rd, rn, 8 * (int64_t)(words), 3)
#define ASM_STORE_REG_REG_OFFSET(as, rs, rn, words) asm_a64_store(as, rs, rn, 8 * (int64_t)(words), 3)
#define ASM_LOAD8_REG_REG(as, rd, rn) asm_a64_load(as, rd, rn, 0, 0)
#define ASM_LOAD16_REG_REG(as, rd, rn) asm_a64_load(as, rd, rn, 0, 1)
#define ASM_LOAD32_REG_REG(as, rd, rn) asm_a64_load(as, rd, rn, 0, 2)
#define ASM_STORE8_REG_REG(as, rs, rn) asm_a64_store(as, rs, rn, 0, 0)
#define ASM_STORE16_REG_REG(as, rs, rn) asm_a64_store(as, rs, rn, 0, 1)
#define ASM_STORE32_REG_REG(as, rs, rn) asm_a64_store(as, rs, rn, 0, 2)
#define ASM_LOAD8_REG_REG_OFFSET(as, rd, rn, i) ((as)->memory = true, asm_a64_load(as, rd, rn, (int64_t)(i), 0))
#define ASM_LOAD16_REG_REG_OFFSET(as, rd, rn, i) ((as)->memory = true, asm_a64_load(as, rd, rn, 2 * (int64_t)(i), 1))
#define ASM_LOAD32_REG_REG_OFFSET(as, rd, rn, i) ((as)->memory = true, asm_a64_load(as, rd, rn, 4 * (int64_t)(i), 2))
#define ASM_STORE8_REG_REG_OFFSET(as, rs, rn, i) ((as)->memory = true, asm_a64_store(as, rs, rn, (int64_t)(i), 0))
#define ASM_STORE16_REG_REG_OFFSET(as, rs, rn, i) ((as)->memory = true, asm_a64_store(as, rs, rn, 2 * (int64_t)(i), 1))
#define ASM_STORE32_REG_REG_OFFSET(as, rs, rn, i) ((as)->memory = true, asm_a64_store(as, rs, rn, 4 * (int64_t)(i), 2))
#define ASM_LOAD8_REG_REG_REG(as, rd, rn, rm) ((as)->memory = true, asm_a64_load_index(as, rd, rn, rm, 0))
#define ASM_LOAD16_REG_REG_REG(as, rd, rn, rm) ((as)->memory = true, asm_a64_load_index(as, rd, rn, rm, 1))
#define ASM_LOAD32_REG_REG_REG(as, rd, rn, rm) ((as)->memory = true, asm_a64_load_index(as, rd, rn, rm, 2))
#define ASM_STORE8_REG_REG_REG(as, rs, rn, rm) ((as)->memory = true, asm_a64_store_index(as, rs, rn, rm, 0))
#define ASM_STORE16_REG_REG_REG(as, rs, rn, rm) ((as)->memory = true, asm_a64_store_index(as, rs, rn, rm, 1))
#define ASM_STORE32_REG_REG_REG(as, rs, rn, rm) ((as)->memory = true, asm_a64_store_index(as, rs, rn, rm, 2))

#endif // GENERIC_ASM_API

#endif
