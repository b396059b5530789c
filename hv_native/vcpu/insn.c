// SPDX-License-Identifier: MIT
// See insn.h.

#include "core/access.h"
#include "core/arch.h"
#include "core/syndrome.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/rights.h"
#include "vm/vcpu_state.h"

// Where they are not inlined.
extern inline void insn_skip(vcpu_t *v, uint64_t pc, uint64_t esr);
extern inline void insn_complete(vcpu_t *v);

#define PSTATE_T32 BIT(5)
#define ISS_CV BIT(24)

// IT[7:2] are PSTATE's bits 15:10, IT[1:0] its bits 26:25 (DDI 0487 C5.2.19, SPSR_EL2 from AArch32).
#define PSTATE_IT (UINT64_C(0x3F) << 10 | UINT64_C(3) << 25)

static unsigned it_get(uint64_t pstate) {
    return (unsigned)(FIELD(pstate, 15, 10) << 2 | FIELD(pstate, 26, 25));
}

// DDI 0487 AArch32.ITAdvance.
static uint64_t it_advance(uint64_t pstate) {
    unsigned it = it_get(pstate);
    it = it & 7 ? (it & 0xE0) | (it << 1 & 0x1F) : 0;
    return (pstate & ~PSTATE_IT) | (uint64_t)(it >> 2) << 10 | (uint64_t)(it & 3) << 25;
}

// ESR.IL is the length; but it is 1 too where the syndrome does not describe the instruction: undefined ones, a data
// abort without ISV (LDM, PUSH).
static unsigned length(vcpu_t *v, uint64_t pc, uint64_t esr) {
    uint64_t first;
    if (!(esr & ESR_IL)) {
        return 2;
    }
    if ((v->regs->pstate & PSTATE_T32) && insn_fetch(v, pc, 2, &first)) {
        return first >> 11 >= 0x1D ? 4 : 2; // DDI 0487 F3.1: 0b11101, 0b11110 and 0b11111 begin a 32-bit one
    }
    return 4;
}

void insn_skip_a32(vcpu_t *v, uint64_t pc, uint64_t esr) {
    guest_regs_t *r = v->regs;
    r->pc = pc + length(v, pc, esr);
    r->pstate = it_advance(r->pstate) & ~PSTATE_SS;
}

// The flag that cond[3:1] asks for; cond[0] inverts it (DDI 0487 ConditionHolds).
static bool condition(unsigned cond, uint64_t pstate) {
    bool n = pstate & BIT(31), z = pstate & BIT(30), c = pstate & BIT(29), o = pstate & BIT(28);
    bool flag[8] = { z, c, n, o, c && !z, n == o, n == o && !z, true };
    return cond >= 14 || flag[cond >> 1] != (cond & 1);
}

bool insn_condition_holds(const vcpu_t *v) {
    uint64_t pstate = v->regs->pstate, esr = v->exit.esr;
    if (!(pstate & PSTATE_A32)) {
        return true;
    }
    unsigned it = it_get(pstate);
    return condition(esr & ISS_CV ? (unsigned)FIELD(esr, 23, 20) : it & 15 ? it >> 4 : 14, pstate);
}

uint64_t insn_swap(uint64_t value, unsigned size) {
    return __builtin_bswap64(value) >> (64 - 8 * size);
}

// By the guest's own tables. It may have written it with its caches off: what this core has cached of the line
// must not stand in the way. EL2 need not have the page mapped, so the clean may fault like the load.
bool insn_fetch(vcpu_t *v, uint64_t pc, unsigned size, uint64_t *value) {
    uint64_t ipa, pa;
    if (vcpu_translate_va(v, pc, false, false, &ipa, &pa) != 0 || clean_line(pa) != 0) {
        return false;
    }
    return peek(pa, size, value) == 0 && rights_load(v->vm, ipa, size, value);
}
