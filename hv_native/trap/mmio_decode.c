// SPDX-License-Identifier: MIT
// MMIO instruction decoder.
// DDI 0487 C4.1.4, "Loads and Stores": load/store register immediate pre- and post-indexed, and
// load/store pair, of general-purpose registers.

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

// size[31:30] 111 V 00 opc[23:22] 0 imm9[20:12] idx[11:10] Rn Rt: idx 01 post-, 11 pre-indexed.
static bool decode_single(uint32_t i, access_t *a) {
    unsigned size = i >> 30, opc = FIELD(i, 23, 22);
    if ((i & 0x3F200400) != 0x38000400 || (size == 3 && opc >= 2) || (size == 2 && opc == 3)) {
        return false;
    }
    *a = (access_t) {
        .size = 1u << size, .write = opc == 0, .sign = opc >= 2, .wide = size == 3 || opc == 2,
            .rt = i & 31, .rt2 = NO_REGISTER, .base = FIELD(i, 9, 5), .write_back = true, .moved = sign_extend(FIELD(i, 20, 12), 9),
    };
    return true;
}

// opc[31:30] 101 V 0 idx[24:23] L imm7[21:15] Rt2[14:10] Rn Rt: idx 01 post-, 10 offset, 11 pre-indexed,
// 00 no-allocate. opc 00 is W, 01 is LDPSW, 10 is X.
static bool decode_pair(uint32_t i, access_t *a) {
    unsigned opc = i >> 30, index = FIELD(i, 24, 23);
    bool load = (i >> 22) & 1;
    if ((i & 0x3E000000) != 0x28000000 || opc == 3 || (opc == 1 && !load)) {
        return false;
    }
    unsigned size = opc == 2 ? 8 : 4;
    *a = (access_t) {
        .size = size, .write = !load, .sign = opc == 1, .wide = opc != 0, .rt = i & 31, .rt2 = FIELD(i, 14, 10),
        .base = FIELD(i, 9, 5), .write_back = index & 1, .moved = sign_extend(FIELD(i, 21, 15), 7) * size,
    };
    return true;
}

static unsigned sp_of(const vcpu_t *v) {
    return (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0;
}

// Whether the access begins where it faulted: one that begins in RAM and ends in a device is nobody's.
// Bits 63:56 may be a tag.
static bool begins_at_fault(vcpu_t *v, uint32_t i, const access_t *a) {
    uint64_t base = a->base == 31 ? vcpu_el1_get(v, sp_of(v)) : v->regs->x[a->base];
    bool post = a->write_back && !(i >> (a->rt2 == NO_REGISTER ? 11 : 24) & 1);
    return (base + (post ? 0 : a->moved) - v->exit.far) << 8 == 0;
}

bool decode_access(vcpu_t *v, access_t *a) {
    uint64_t word;
    if ((v->regs->pstate & PSTATE_A32) || !insn_fetch(v, v->exit.pc, 4, &word)) {
        return false;
    }
    uint32_t i = (uint32_t)word;
    return (decode_single(i, a) || decode_pair(i, a)) && begins_at_fault(v, i, a);
}

void decode_write_back(vcpu_t *v, const access_t *a) {
    if (a->base != 31) {
        v->regs->x[a->base] += a->moved;
    } else {
        vcpu_el1_set(v, sp_of(v), vcpu_el1_get(v, sp_of(v)) + a->moved);
    }
}
