// SPDX-License-Identifier: MIT
// Loads and stores, decoded: DDI 0487 C4.1.4, "Loads and Stores".

#include "core/arch.h"
#include "core/syndrome.h"
#include "trap/mmio_decode.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/vcpu_state.h"

static int64_t sign_extend(uint64_t value, unsigned bits) {
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static unsigned sp_of(const vcpu_t *v) {
    return (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0;
}

static uint64_t base_of(vcpu_t *v, unsigned n) {
    return n == 31 ? vcpu_el1_get(v, sp_of(v)) : v->regs->x[n];
}

// ---- One register, or two -----------------------------------------------------------------------

// Size and kind of register of opc[23:22], with size[31:30] and V[26]. False: a prefetch, or nothing.
static bool decode_register(uint32_t i, access_t *a) {
    unsigned size = i >> 30, opc = FIELD(i, 23, 22);
    if (i & BIT(26)) {
        size |= opc >> 1 << 2;
        a->vector = true;
        a->write = !(opc & 1);
    } else {
        a->write = opc == 0;
        a->sign = opc >= 2;
        a->wide = size == 3 || opc == 2;
    }
    a->size = (uint8_t)(1u << size);
    return size <= 4 && (a->vector || !((size == 3 && opc >= 2) || (size == 2 && opc == 3)));
}

// LDR X0, [X1, W2, SXTW #3] and the like: option[15:13], S[12].
static uint64_t register_offset(const vcpu_t *v, uint32_t i, unsigned size) {
    uint64_t m = reg_get(v->regs, FIELD(i, 20, 16));
    unsigned option = FIELD(i, 15, 13);
    m = option == 2 ? (uint32_t)m : option == 6 ? (uint64_t)(int32_t)m : m;
    return i & BIT(12) ? m * size : m;
}

// LSE: A[23] R[22] 1 Rs[20:16] o3[15] opc[14:12] 00. SWP has o3; LDAPR has too, and is a load.
static bool decode_atomic(uint32_t i, access_t *a) {
    unsigned op = FIELD(i, 15, 12);
    a->write = op != 12;
    a->kind = op == 12 ? ACCESS_PLAIN : ACCESS_ATOMIC;
    a->op = (uint8_t)op;
    a->rs = FIELD(i, 20, 16);
    a->size = (uint8_t)(1u << (i >> 30));
    a->wide = a->size == 8;
    return !(i & BIT(26)) && (op <= 8 || op == 12);
}

// size[31:30] 111 V 0 x opc[23:22]. With bit 24, imm12[21:10]. Else idx[11:10] 01 post-, 11 pre-indexed, 00 and 10 with
// imm9[20:12] (10 as EL0's); or with bit 21 a register's, and atomics.
static bool decode_single(vcpu_t *v, uint32_t i, access_t *a) {
    unsigned index = FIELD(i, 11, 10);
    uint64_t base = base_of(v, a->base);
    if (!(i & BIT(24)) && (i & BIT(21)) && index == 0) {
        a->va = base;
        return decode_atomic(i, a);
    }
    if (!decode_register(i, a)) {
        return false;
    }
    if (i & BIT(24)) {
        a->va = base + FIELD(i, 21, 10) * a->size;
    } else if (i & BIT(21)) {
        a->va = base + register_offset(v, i, a->size);
        return index == 2;
    } else {
        a->moved = sign_extend(FIELD(i, 20, 12), 9);
        a->write_back = index & 1;
        a->va = base + (index == 1 ? 0 : a->moved);
        a->el0 = index == 2;
    }
    return true;
}

// opc[31:30] 101 V 0 idx[24:23] L imm7[21:15] Rt2[14:10] Rn Rt: idx 01 post-, 10 offset, 11 pre-indexed,
// 00 no-allocate. opc 00 is W, 01 is LDPSW, 10 is X; of vectors S, D and Q.
static bool decode_pair(vcpu_t *v, uint32_t i, access_t *a) {
    unsigned opc = i >> 30, index = FIELD(i, 24, 23);
    a->vector = i & BIT(26);
    a->write = !(i & BIT(22));
    a->size = (uint8_t)(a->vector ? 4u << opc : opc == 2 ? 8 : 4);
    a->sign = !a->vector && opc == 1;
    a->wide = opc != 0;
    a->rt2 = FIELD(i, 14, 10);
    a->moved = sign_extend(FIELD(i, 21, 15), 7) * a->size;
    a->write_back = index & 1;
    a->va = base_of(v, a->base) + (index == 1 ? 0 : a->moved);
    return opc != 3 && !(a->sign && a->write);
}

// opc[31:30] 011 V 00 imm19[23:5]: from beside the code.
static bool decode_literal(uint64_t pc, uint32_t i, access_t *a) {
    unsigned opc = i >> 30;
    a->vector = i & BIT(26);
    a->size = (uint8_t)(a->vector ? 4u << opc : opc == 1 ? 8 : 4);
    a->sign = opc == 2;
    a->wide = opc != 0;
    a->va = pc + (uint64_t)sign_extend(FIELD(i, 23, 5), 19) * 4;
    return opc != 3;
}

// size[31:30] 001000 o2[23] L[22] o1[21] Rs[20:16] o0[15] Rt2[14:10] Rn Rt: exclusives; with o2, LDAR and STLR; CAS.
static bool decode_exclusive(vcpu_t *v, uint32_t i, access_t *a) {
    bool o2 = i & BIT(23), o1 = i & BIT(21), pair = o1 && !o2, cas = o1 && (o2 || !(i & BIT(31)));
    a->write = !(i & BIT(22)) || cas;
    a->kind = cas ? ACCESS_COMPARE : o2 ? ACCESS_PLAIN : ACCESS_EXCLUSIVE;
    a->size = (uint8_t)(pair ? (i & BIT(30) ? 8 : 4) : 1u << (i >> 30));
    a->wide = a->size == 8;
    a->rs = FIELD(i, 20, 16);
    a->rt2 = !pair ? NO_REGISTER : cas ? a->rt + 1 : FIELD(i, 14, 10);
    a->va = base_of(v, a->base);
    return true;
}

// ---- Structures of vector registers -------------------------------------------------------------

// 0 Q[30] 0011 x S[23] L[22] R[21] Rm[20:16] opcode[15:12] size[11:10] Rn Rt: with S post-indexed, by Rm or all bytes.
static void structure_moves(vcpu_t *v, uint32_t i, access_t *a) {
    unsigned rm = FIELD(i, 20, 16);
    a->vector = true;
    a->q = i & BIT(30);
    a->write = !(i & BIT(22));
    a->va = base_of(v, a->base);
    a->write_back = i & BIT(23);
    a->moved = rm == 31 ? a->bytes : (int64_t)v->regs->x[rm];
}

static bool decode_structure(vcpu_t *v, uint32_t i, access_t *a) {
    // Registers by opcode: so many at once, so often.
    static const uint8_t count[16] = { 4, 0, 1, 0, 3, 0, 1, 1, 2, 0, 1 }, times[16] = { 1, 0, 4, 0, 1, 0, 3, 1, 1, 0, 2 };
    unsigned opcode = FIELD(i, 15, 12);
    a->kind = ACCESS_STRUCTURE;
    a->size = (uint8_t)(1u << FIELD(i, 11, 10));
    a->count = count[opcode];
    a->times = times[opcode];
    a->bytes = (uint16_t)(a->count * a->times * (i & BIT(30) ? 16 : 8));
    structure_moves(v, i, a);
    return a->count != 0;
}

// opcode[15:13] S[12] size[11:10]: which element of which size; 11x: one for all.
static bool decode_lane(vcpu_t *v, uint32_t i, access_t *a) {
    unsigned opcode = FIELD(i, 15, 13), size = opcode >> 1, bits = (unsigned)(FIELD(i, 30, 30) << 3 | FIELD(i, 12, 10));
    a->kind = ACCESS_LANE;
    if (size == 3) {
        size = bits & 3;
        a->lane = ALL_LANES;
    } else {
        size += size == 2 && (bits & 1);
        a->lane = (uint8_t)(bits >> size);
    }
    a->size = (uint8_t)(1u << size);
    a->count = (uint8_t)(((opcode & 1) << 1 | FIELD(i, 21, 21)) + 1);
    a->bytes = a->count * a->size;
    structure_moves(v, i, a);
    return true;
}

// ---- All of them --------------------------------------------------------------------------------

#define DC_ZVA 0xD50B7420u // | Rt

bool decode_word(vcpu_t *v, uint64_t pc, uint32_t i, access_t *a) {
    *a = (access_t) { .rt = i & 31, .rt2 = NO_REGISTER, .base = FIELD(i, 9, 5) };
    bool known = false;
    if ((i & 0x3A000000) == 0x38000000) {
        known = decode_single(v, i, a);
    } else if ((i & 0x3A000000) == 0x28000000) {
        known = decode_pair(v, i, a);
    } else if ((i & 0x3F000000) == 0x08000000) {
        known = decode_exclusive(v, i, a);
    } else if ((i & 0x3B000000) == 0x18000000) {
        known = decode_literal(pc, i, a);
    } else if ((i & 0x3F200C00) == 0x19000000) { // LDAPUR, STLUR
        known = decode_register(i, a) && !a->vector;
        a->va = base_of(v, a->base) + (uint64_t)sign_extend(FIELD(i, 20, 12), 9);
    } else if ((i & 0xBF200000) == 0x0C000000) {
        return decode_structure(v, i, a);
    } else if ((i & 0xBF000000) == 0x0D000000) {
        return decode_lane(v, i, a);
    } else if ((i & ~31u) == DC_ZVA) {
        a->kind = ACCESS_ZERO;
        a->write = true;
        a->size = 8;
        a->bytes = (uint16_t)(4u << FIELD(READ_SYSREG(dczid_el0), 3, 0));
        a->va = ALIGN_DOWN(reg_get(v->regs, a->rt), a->bytes);
        return true;
    }
    a->bytes = (uint16_t)(a->size << (a->rt2 != NO_REGISTER));
    return known;
}

// One that begins in RAM and ends in a device is nobody's. Bits 63:56 may be a tag.
bool decode_access(vcpu_t *v, access_t *a) {
    uint64_t word;
    if ((v->regs->pstate & PSTATE_A32) || !insn_fetch(v, v->exit.pc, 4, &word)) {
        return false;
    }
    return decode_word(v, v->exit.pc, (uint32_t)word, a) && a->kind == ACCESS_PLAIN && !a->vector && (a->va - v->exit.far) << 8 == 0;
}

void decode_write_back(vcpu_t *v, const access_t *a) {
    if (a->base != 31) {
        v->regs->x[a->base] += a->moved;
    } else {
        vcpu_el1_set(v, sp_of(v), vcpu_el1_get(v, sp_of(v)) + a->moved);
    }
}
