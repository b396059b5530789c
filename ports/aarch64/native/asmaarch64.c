// SPDX-License-Identifier: MIT
// A64 instructions: see asmaarch64.h. Encodings are those of DDI 0487, C6.2.

#include <assert.h>
#include <string.h>

#include "py/mpconfig.h"
#include "py/runtime.h"

#if MICROPY_EMIT_AARCH64

#include "asmaarch64.h"

#define CALLERS(reg) ((reg) >= 19 && (reg) <= 30)

void asm_a64_op(asm_a64_t *as, uint32_t word) {
    uint8_t *at = mp_asm_base_get_cur_to_write_bytes(&as->base, 4);
    if (at != NULL) {
        memcpy(at, &word, 4);
    }
}

static void uses(asm_a64_t *as, int reg) {
    if (CALLERS(reg)) {
        as->used |= UINT32_C(1) << reg;
    }
}

// What this pass has found is what the next one goes by; after the last one comes another function.
void asm_a64_end_pass(asm_a64_t *as) {
    bool last = as->base.pass == MP_ASM_PASS_EMIT;
    as->leaf = !last && !as->calls;
    as->polled = !last && as->polls;
    as->touched = !last && as->memory;
    as->named = !last && as->names;
    // Without calls it has its locals where nobody misses what was there.
    as->saved = last || as->leaf ? 0 : as->used;
    as->used = 0;
    as->calls = as->polls = as->memory = as->names = false;
    as->cset_at = SIZE_MAX;
}

// ---- The frame ----------------------------------------------------------------------------------

// Calls fn for each pair of saved registers, the first last, for it moves the stack pointer.
static void each_pair(asm_a64_t *as, uint32_t pair, uint32_t single) {
    unsigned at = 0, regs[12];
    for (int reg = 19; reg <= 30; reg++) {
        if (as->saved & (UINT32_C(1) << reg)) {
            regs[at++] = reg;
        }
    }
    for (unsigned i = 2; i < at; i += 2) {
        asm_a64_op(as, i + 1 < at ? pair | i << 15 | regs[i + 1] << 10 | ASM_A64_REG_SP << 5 | regs[i]
                : single | i << 10 | ASM_A64_REG_SP << 5 | regs[i]);
    }
}

static unsigned first_pair(asm_a64_t *as, int *first, int *second) {
    unsigned n = mp_popcount(as->saved);
    *first = n == 0 ? -1 : __builtin_ctz(as->saved);
    *second = n < 2 ? -1 : __builtin_ctz(as->saved & (as->saved - 1));
    return (n * 8 + 15) & ~15u;
}

static void move_sp(asm_a64_t *as, uint32_t op, size_t by) {
    if (by >= 4096) {
        asm_a64_op(as, op | UINT32_C(1) << 22 | (uint32_t)(by >> 12) << 10 | ASM_A64_REG_SP << 5 | ASM_A64_REG_SP);
    }
    if (by & 0xFFF) {
        asm_a64_op(as, op | (uint32_t)(by & 0xFFF) << 10 | ASM_A64_REG_SP << 5 | ASM_A64_REG_SP);
    }
}

// The registers are saved below the locals if one store can make room for all, else above.
void asm_a64_entry(asm_a64_t *as, size_t locals) {
    int first, second;
    size_t save = first_pair(as, &first, &second), room = (locals * 8 + 15) & ~(size_t)15;
    as->cset_at = as->result_at = as->copied_at = as->compared.end = as->slots = SIZE_MAX;
    as->frame = save + room;
    bool both = first >= 0 && as->frame <= 496;
    as->locals = both ? save : 0;
    if (first >= 0) {
        size_t by = both ? as->frame : save;
        if (second >= 0) {
            asm_a64_op(as, 0xA9800000 | (-(by / 8) & 0x7F) << 15 | second << 10 | ASM_A64_REG_SP << 5 | first); // STP, pre-index
        } else if (by <= 256) {
            asm_a64_op(as, 0xF8000C00 | (-by & 0x1FF) << 12 | ASM_A64_REG_SP << 5 | first); // STR, pre-index
        } else {
            move_sp(as, ASM_A64_SUB_IMM, by);
            asm_a64_op(as, 0xF9000000 | ASM_A64_REG_SP << 5 | first);
        }
        each_pair(as, 0xA9000000, 0xF9000000);
    }
    if (!both) {
        move_sp(as, ASM_A64_SUB_IMM, room);
    }
}

void asm_a64_exit(asm_a64_t *as) {
    int first, second;
    size_t save = first_pair(as, &first, &second);
    bool both = first >= 0 && as->frame <= 496;
    if (!both) {
        move_sp(as, ASM_A64_ADD_IMM, as->frame - save);
    }
    if (first >= 0) {
        each_pair(as, 0xA9400000, 0xF9400000);
        size_t by = both ? as->frame : save;
        if (second >= 0) {
            asm_a64_op(as, 0xA8C00000 | (by / 8) << 15 | second << 10 | ASM_A64_REG_SP << 5 | first); // LDP, post-index
        } else if (by < 256) {
            asm_a64_op(as, 0xF8400400 | by << 12 | ASM_A64_REG_SP << 5 | first); // LDR, post-index
        } else {
            asm_a64_op(as, 0xF9400000 | ASM_A64_REG_SP << 5 | first);
            move_sp(as, ASM_A64_ADD_IMM, by);
        }
    }
    asm_a64_op(as, 0xD65F03C0); // RET
}

// ---- Numbers ------------------------------------------------------------------------------------

void asm_a64_op3(asm_a64_t *as, uint32_t op, int rd, int rn, int rm) {
    uses(as, rd);
    asm_a64_op(as, op | (uint32_t)rm << 16 | (uint32_t)rn << 5 | (uint32_t)rd);
}

void asm_a64_op_imm12(asm_a64_t *as, uint32_t op, int rd, int rn, unsigned imm) {
    uses(as, rd);
    asm_a64_op(as, op | imm << 10 | (uint32_t)rn << 5 | (uint32_t)rd);
}

void asm_a64_shift_imm(asm_a64_t *as, uint32_t op, int rd, int rn, unsigned by) {
    uses(as, rd);
    // UBFM and SBFM, of which these are aliases.
    uint32_t field = op == ASM_A64_LSL ? (-by & 63) << 16 | (63 - by) << 10 : by << 16 | 63 << 10;
    asm_a64_op(as, (op == ASM_A64_ASR ? 0x93400000 : 0xD3400000) | field | (uint32_t)rn << 5 | (uint32_t)rd);
}

// DDI 0487, DecodeBitMasks(): a run of ones, rotated, repeated in elements of 2 to 64 bits.
static bool bit_mask(uint64_t imm, uint32_t *field) {
    for (unsigned size = 2; size <= 64; size *= 2) {
        uint64_t mask = size == 64 ? ~UINT64_C(0) : (UINT64_C(1) << size) - 1;
        uint64_t element = imm & mask, whole = 0;
        for (unsigned at = 0; at < 64; at += size) {
            whole |= element << at;
        }
        if (whole != imm || element == 0 || element == mask) {
            continue;
        }
        for (unsigned rotate = 0; rotate < size; rotate++) {
            uint64_t turned = rotate == 0 ? element : ((element << rotate) | (element >> (size - rotate))) & mask;
            if ((turned & (turned + 1)) == 0) {
                unsigned ones = __builtin_popcountll(turned);
                unsigned s = ((~(size - 1) << 1) & 0x3F) | (ones - 1);
                *field = (uint32_t)(size == 64) << 22 | rotate << 16 | s << 10;
                return true;
            }
        }
    }
    return false;
}

bool asm_a64_logic_imm(asm_a64_t *as, uint32_t op, int rd, int rn, uint64_t imm) {
    uint32_t field;
    if (!bit_mask(imm, &field)) {
        return false;
    }
    uses(as, rd);
    uint32_t with = op ^ (0x8A000000 ^ 0x92000000); // from the register form
    asm_a64_op(as, with | field | (uint32_t)rn << 5 | (uint32_t)rd);
    return true;
}

void asm_a64_result_to(asm_a64_t *as, int rd) {
    uses(as, rd);
    if (as->base.pass == MP_ASM_PASS_EMIT) {
        as->base.code_base[as->base.code_offset - 4] |= (uint8_t)rd; // Rd is in the low five bits, and is 0
    }
    as->result_at = as->copied_at = SIZE_MAX;
}

void asm_a64_mov_reg_reg(asm_a64_t *as, int rd, int rn) {
    if (rd != rn) {
        asm_a64_op3(as, ASM_A64_ORR, rd, ASM_A64_REG_ZR, rn);
    }
}

// MOVZ or MOVN, which fill the other halfwords, then MOVK for those that are not so.
void asm_a64_mov_reg_imm(asm_a64_t *as, int rd, uint64_t imm) {
    uses(as, rd);
    unsigned zeros = 0, ones = 0;
    for (unsigned at = 0; at < 64; at += 16) {
        zeros += (imm >> at & 0xFFFF) == 0;
        ones += (imm >> at & 0xFFFF) == 0xFFFF;
    }
    if (imm >> 32 == 0 && imm >> 16 != 0 && (uint16_t)imm != 0 && ((uint16_t)imm == 0xFFFF || imm >> 16 == 0xFFFF)) {
        // Of 32 bits, the others of which are zeros.
        bool low = imm >> 16 == 0xFFFF;
        asm_a64_op(as, 0x12800000 | (low ? 0 : UINT32_C(1) << 21) | (uint32_t)(~imm >> (low ? 0 : 16) & 0xFFFF) << 5 | (uint32_t)rd);
        return;
    }
    bool inverted = ones > zeros, first = true;
    uint64_t fill = inverted ? 0xFFFF : 0;
    for (unsigned at = 0; at < 64; at += 16) {
        uint64_t half = imm >> at & 0xFFFF;
        if (half == fill && !(at == 48 && first)) {
            continue;
        }
        uint32_t op = !first ? 0xF2800000 : inverted ? 0x92800000 : 0xD2800000;
        asm_a64_op(as, op | at / 16 << 21 | (uint32_t)(first && inverted ? half ^ 0xFFFF : half) << 5 | (uint32_t)rd);
        first = false;
    }
}

void asm_a64_cset(asm_a64_t *as, int rd, asm_a64_cond_t cond) {
    uses(as, rd);
    asm_a64_op(as, 0x9A9F07E0 | (cond ^ 1) << 12 | (uint32_t)rd);
    if (rd == 0) {
        as->cset = cond;
        as->cset_at = as->base.code_offset;
    }
}

// ---- Memory -------------------------------------------------------------------------------------

static void memory(asm_a64_t *as, uint32_t load, int rt, int rn, int64_t offset, unsigned size) {
    uint32_t op = size << 30 | load << 22 | (uint32_t)rn << 5 | (uint32_t)rt;
    if (offset >= 0 && (offset & ((1 << size) - 1)) == 0 && offset >> size < 4096) {
        asm_a64_op(as, 0x39000000 | op | (uint32_t)(offset >> size) << 10);
    } else if (offset >= -256 && offset < 256) {
        asm_a64_op(as, 0x38000000 | op | ((uint32_t)offset & 0x1FF) << 12); // LDUR
    } else {
        asm_a64_mov_reg_imm(as, 17, (uint64_t)offset);
        asm_a64_op(as, 0x38206800 | op | 17 << 16);
    }
}

void asm_a64_load(asm_a64_t *as, int rt, int rn, int64_t offset, unsigned size) {
    uses(as, rt);
    memory(as, 1, rt, rn, offset, size);
    as->result_at = rt == 0 ? as->base.code_offset : as->result_at; // Rt is where Rd is
}

void asm_a64_store(asm_a64_t *as, int rt, int rn, int64_t offset, unsigned size) {
    memory(as, 0, rt, rn, offset, size);
}

static uint32_t indexed(int rt, int rn, int rm, unsigned size) {
    return 0x38206800 | size << 30 | (uint32_t)rm << 16 | (uint32_t)(size != 0) << 12 | (uint32_t)rn << 5 | (uint32_t)rt;
}

void asm_a64_load_index(asm_a64_t *as, int rt, int rn, int rm, unsigned size) {
    uses(as, rt);
    asm_a64_op(as, indexed(rt, rn, rm, size) | 1 << 22);
    as->result_at = rt == 0 ? as->base.code_offset : as->result_at;
}

void asm_a64_store_index(asm_a64_t *as, int rt, int rn, int rm, unsigned size) {
    asm_a64_op(as, indexed(rt, rn, rm, size));
}

int asm_a64_slot(const asm_a64_t *as, size_t local) {
    return local >= as->slots && local - as->slots < 4 ? 4 + (int)(local - as->slots) : -1;
}

void asm_a64_load_local(asm_a64_t *as, int rt, size_t local) {
    int slot = asm_a64_slot(as, local);
    if (slot >= 0) {
        asm_a64_mov_reg_reg(as, rt, slot);
        return;
    }
    asm_a64_load(as, rt, ASM_A64_REG_SP, (int64_t)(as->locals + local * 8), 3);
}

void asm_a64_store_local(asm_a64_t *as, int rt, size_t local) {
    int slot = asm_a64_slot(as, local);
    if (slot >= 0) {
        asm_a64_mov_reg_reg(as, slot, rt);
        return;
    }
    asm_a64_store(as, rt, ASM_A64_REG_SP, (int64_t)(as->locals + local * 8), 3);
}

void asm_a64_local_address(asm_a64_t *as, int rd, size_t local) {
    size_t offset = as->locals + local * 8;
    if (offset >= 4096) {
        asm_a64_op(as, ASM_A64_ADD_IMM | UINT32_C(1) << 22 | (uint32_t)(offset >> 12) << 10 | ASM_A64_REG_SP << 5 | (uint32_t)rd);
        asm_a64_op_imm12(as, ASM_A64_ADD_IMM, rd, rd, offset & 0xFFF);
    } else {
        asm_a64_op_imm12(as, ASM_A64_ADD_IMM, rd, ASM_A64_REG_SP, (unsigned)offset);
    }
}

// ---- Branches -----------------------------------------------------------------------------------

size_t asm_a64_here(asm_a64_t *as) {
    return as->base.code_offset;
}

bool asm_a64_is_backward(asm_a64_t *as, size_t label) {
    return as->base.label_offsets[label] <= as->base.code_offset; // the largest number: not assigned yet
}

// Words to the label, in so many bits.
static uint32_t distance(asm_a64_t *as, size_t label, unsigned bits) {
    if (as->base.pass != MP_ASM_PASS_EMIT) {
        return 0;
    }
    int64_t words = ((int64_t)as->base.label_offsets[label] - (int64_t)as->base.code_offset) / 4;
    if (words >> (bits - 1) != 0 && words >> (bits - 1) != -1) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("native function is too long"));
    }
    return (uint32_t)words & ((UINT32_C(1) << bits) - 1);
}

void asm_a64_mov_reg_pcrel(asm_a64_t *as, int rd, size_t label) {
    uses(as, rd);
    asm_a64_op(as, 0x10000000 | distance(as, label, 19) << 5 | (uint32_t)rd); // ADR
}

void asm_a64_b(asm_a64_t *as, size_t label) {
    asm_a64_op(as, 0x14000000 | distance(as, label, 26));
}

void asm_a64_bl(asm_a64_t *as, size_t label) {
    asm_a64_op(as, 0x94000000 | distance(as, label, 26));
}

void asm_a64_b_cond(asm_a64_t *as, asm_a64_cond_t cond, size_t label) {
    asm_a64_op(as, 0x54000000 | distance(as, label, 19) << 5 | cond);
}

void asm_a64_cbz(asm_a64_t *as, int rt, size_t label, bool nonzero) {
    asm_a64_op(as, 0xB4000000 | (uint32_t)nonzero << 24 | distance(as, label, 19) << 5 | (uint32_t)rt);
}

// A branch within what is emitted now, for which no label is worth while.
static size_t later(asm_a64_t *as, uint32_t op) {
    size_t at = as->base.code_offset;
    asm_a64_op(as, op);
    return at;
}

size_t asm_a64_b_later(asm_a64_t *as) {
    return later(as, 0x14000000);
}

size_t asm_a64_adr_later(asm_a64_t *as, int rd) {
    uses(as, rd);
    return later(as, 0x10000000 | (uint32_t)rd);
}

size_t asm_a64_b_cond_later(asm_a64_t *as, asm_a64_cond_t cond) {
    return later(as, 0x54000000 | cond);
}

size_t asm_a64_cbz_later(asm_a64_t *as, int rt, bool nonzero) {
    return later(as, 0xB4000000 | (uint32_t)nonzero << 24 | (uint32_t)rt);
}

size_t asm_a64_tbz_later(asm_a64_t *as, int rt, unsigned bit, bool nonzero) {
    return later(as, 0x36000000 | (bit >> 5) << 31 | (uint32_t)nonzero << 24 | (bit & 31) << 19 | (uint32_t)rt);
}

void asm_a64_to_here(asm_a64_t *as, size_t branch) {
    as->cset_at = SIZE_MAX;
    if (as->base.pass != MP_ASM_PASS_EMIT || as->base.suppress) {
        return;
    }
    uint32_t op, words = (uint32_t)(as->base.code_offset - branch) / 4;
    memcpy(&op, as->base.code_base + branch, 4);
    op |= (op & 0x7C000000) == 0x14000000 ? words : words << 5; // B has its distance elsewhere
    memcpy(as->base.code_base + branch, &op, 4);
}

void asm_a64_bool_jump(asm_a64_t *as, int rt, size_t label, bool nonzero) {
    asm_a64_op(as, 0x72001C1F | (uint32_t)rt << 5); // TST Wt, #0xFF
    asm_a64_b_cond(as, nonzero ? ASM_A64_NE : ASM_A64_EQ, label);
}

void asm_a64_br(asm_a64_t *as, int rn) {
    asm_a64_op(as, 0xD61F0000 | (uint32_t)rn << 5);
}

void asm_a64_call(asm_a64_t *as, unsigned index) {
    as->calls = true;
    as->used |= UINT32_C(1) << ASM_A64_REG_LR;
    asm_a64_load(as, 16, ASM_A64_REG_FUN_TABLE, 8 * (int64_t)index, 3);
    asm_a64_op(as, 0xD63F0000 | 16 << 5); // BLR
}

#endif // MICROPY_EMIT_AARCH64
