// SPDX-License-Identifier: MIT
// A64 by software: see a64.h. Encodings are DDI 0487 C4.1; what each does, C6.2.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "memory/pgtable.h"
#include "vcpu/a64.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vgic/vtimer.h"
#include "vm/el1_state.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

static inline int64_t a64_signed(uint64_t value, unsigned bits) {
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static inline uint64_t ones(unsigned bits) {
    return bits >= 64 ? ~UINT64_C(0) : BIT(bits) - 1;
}

// ---- Registers ----------------------------------------------------------------------------------

static uint64_t sp_get(vcpu_t *v) {
    unsigned which = (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0;
    if (LIKELY(this_pcpu()->loaded == v)) {
        return which == EL1_SP_EL1 ? READ_SYSREG(sp_el1) : READ_SYSREG(sp_el0);
    }
    return v->el1[which];
}

static void sp_set(vcpu_t *v, uint64_t value) {
    unsigned which = (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0;
    if (UNLIKELY(this_pcpu()->loaded != v)) {
        v->el1[which] = value;
    } else if (which == EL1_SP_EL1) {
        WRITE_SYSREG(sp_el1, value);
    } else {
        WRITE_SYSREG(sp_el0, value);
    }
}

// Where 31 is SP.
static uint64_t get_or_sp(vcpu_t *v, unsigned n) {
    return n == 31 ? sp_get(v) : v->regs->x[n];
}

static void set_or_sp(vcpu_t *v, unsigned n, uint64_t value) {
    if (n == 31) {
        sp_set(v, value);
    } else {
        v->regs->x[n] = value;
    }
}

static void set_flags(guest_regs_t *r, bool n, bool z, bool c, bool o) {
    r->pstate = (r->pstate & ~PSTATE_NZCV) | (uint64_t)n << 31 | (uint64_t)z << 30 | (uint64_t)c << 29 | (uint64_t)o << 28;
}

static bool holds(unsigned cond, uint64_t pstate) {
    bool n = pstate & BIT(31), z = pstate & BIT(30), c = pstate & BIT(29), o = pstate & BIT(28);
    bool flag[8] = { z, c, n, o, c && !z, n == o, n == o && !z, true };
    return cond >= 14 || flag[cond >> 1] != (cond & 1);
}

// AddWithCarry.
static uint64_t sum_of(guest_regs_t *r, uint64_t a, uint64_t b, bool carry, bool wide, bool flags) {
    unsigned top = wide ? 63 : 31;
    a &= ones(top + 1);
    b &= ones(top + 1);
    uint64_t sum = a + b + carry, low = sum & ones(top + 1);
    if (flags) {
        bool c = wide ? sum < a || (carry && sum == a) : sum >> 32 & 1;
        set_flags(r, low >> top & 1, low == 0, c, ((a ^ low) & (b ^ low)) >> top & 1);
    }
    return low;
}

static uint64_t logical(guest_regs_t *r, unsigned opc, uint64_t a, uint64_t b, bool wide) {
    uint64_t value = (opc == 1 ? a | b : opc == 2 ? a ^ b : a & b) & ones(wide ? 64 : 32);
    if (opc == 3) {
        set_flags(r, value >> (wide ? 63 : 31) & 1, value == 0, false, false);
    }
    return value;
}

static uint64_t shifted(uint64_t value, unsigned type, unsigned by, bool wide) {
    unsigned bits = wide ? 64 : 32;
    value &= ones(bits);
    switch (by == 0 ? 0 : type) {
        case 0:
            return value << by & ones(bits);
        case 1:
            return value >> by;
        case 2:
            return (uint64_t)(a64_signed(value, bits) >> by) & ones(bits);
        default:
            return (value >> by | value << (bits - by)) & ones(bits);
    }
}

static uint64_t extended(uint64_t value, unsigned option, unsigned by) {
    unsigned bits = 8u << (option & 3);
    value = option & 4 ? (uint64_t)a64_signed(value, bits) : value & ones(bits);
    return value << by;
}

// ---- Data processing, immediate -----------------------------------------------------------------

// DecodeBitMasks. False: reserved.
static bool bit_mask(uint32_t i, bool wide, uint64_t *mask) {
    unsigned n = i >> 22 & 1, s = FIELD(i, 15, 10), rotate = FIELD(i, 21, 16);
    unsigned pattern = n << 6 | (~s & 0x3F);
    if (pattern < 2 || (n && !wide)) {
        return false;
    }
    unsigned len = 31 - (unsigned)__builtin_clz(pattern), size = 1u << len;
    s &= size - 1;
    rotate &= size - 1;
    if (s == size - 1) {
        return false;
    }
    uint64_t element = ones(s + 1);
    element = rotate == 0 ? element : (element >> rotate | element << (size - rotate)) & ones(size);
    for (unsigned at = size; at < 64; at *= 2) {
        element |= element << at;
    }
    *mask = wide ? element : (uint32_t)element;
    return true;
}

static bool move_wide(guest_regs_t *r, uint32_t i, bool wide) {
    unsigned opc = FIELD(i, 30, 29), by = 16 * FIELD(i, 22, 21), rd = i & 31;
    uint64_t imm = FIELD(i, 20, 5) << by;
    if (opc == 1 || (!wide && by >= 32)) {
        return false;
    }
    uint64_t value = opc == 3 ? (reg_get(r, rd) & ~(UINT64_C(0xFFFF) << by)) | imm : opc == 0 ? ~imm : imm;
    reg_set(r, rd, value & ones(wide ? 64 : 32));
    return true;
}

static bool bitfield(guest_regs_t *r, uint32_t i, bool wide) {
    unsigned opc = FIELD(i, 30, 29), from = FIELD(i, 21, 16), to = FIELD(i, 15, 10), rd = i & 31, bits = wide ? 64 : 32;
    uint64_t value = reg_get(r, FIELD(i, 9, 5)) & ones(bits);
    if (opc == 3 || (i >> 22 & 1) != wide || (!wide && (from | to) >= 32)) {
        return false;
    }
    unsigned length = to >= from ? to - from + 1 : to + 1, at = to >= from ? 0 : bits - from;
    value = (to >= from ? value >> from : value) & ones(length);
    uint64_t kept = opc == 1 ? reg_get(r, rd) & ~(ones(length) << at) : 0;
    value = opc == 0 ? (uint64_t)a64_signed(value, length) : value;
    reg_set(r, rd, ((value << at) | kept) & ones(bits));
    return true;
}

static bool immediate(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    bool wide = i >> 31;
    unsigned rd = i & 31, rn = FIELD(i, 9, 5);
    uint64_t imm;
    switch (FIELD(i, 25, 23)) {
        case 0:
        case 1: // ADR, ADRP
            imm = (uint64_t)a64_signed(FIELD(i, 23, 5) << 2 | FIELD(i, 30, 29), 21);
            reg_set(r, rd, wide ? (r->pc & ~UINT64_C(0xFFF)) + (imm << 12) : r->pc + imm);
            return true;
        case 2: { // ADD, SUB
            bool sub = i >> 30 & 1, flags = i >> 29 & 1;
            imm = FIELD(i, 21, 10) << (i & BIT(22) ? 12 : 0);
            uint64_t sum = sum_of(r, get_or_sp(v, rn), sub ? ~imm : imm, sub, wide, flags);
            if (flags) {
                reg_set(r, rd, sum);
            } else {
                set_or_sp(v, rd, sum);
            }
            return true;
        }
        case 4: { // AND, ORR, EOR, ANDS
            unsigned opc = FIELD(i, 30, 29);
            if (!bit_mask(i, wide, &imm)) {
                return false;
            }
            uint64_t value = logical(r, opc, reg_get(r, rn), imm, wide);
            if (opc == 3) {
                reg_set(r, rd, value);
            } else {
                set_or_sp(v, rd, value);
            }
            return true;
        }
        case 5:
            return move_wide(r, i, wide);
        case 6:
            return bitfield(r, i, wide);
        case 7: { // EXTR
            unsigned by = FIELD(i, 15, 10), bits = wide ? 64 : 32;
            if ((i & 0x60200000) != 0 || (i >> 22 & 1) != wide || by >= bits) {
                return false;
            }
            uint64_t low = reg_get(r, FIELD(i, 20, 16)) & ones(bits), high = reg_get(r, rn) & ones(bits);
            reg_set(r, rd, by == 0 ? low : (low >> by | high << (bits - by)) & ones(bits));
            return true;
        }
        default:
            return false;
    }
}

// ---- Data processing, register ------------------------------------------------------------------

static bool add_register(vcpu_t *v, uint32_t i, bool wide) {
    guest_regs_t *r = v->regs;
    bool sub = i >> 30 & 1, flags = i >> 29 & 1, extend = i >> 21 & 1;
    unsigned by = FIELD(i, 15, 10), type = FIELD(i, 23, 22), rn = FIELD(i, 9, 5), rd = i & 31;
    uint64_t b = reg_get(r, FIELD(i, 20, 16)), a;
    if (extend) {
        if (type != 0 || (by & 7) > 4) {
            return false;
        }
        b = extended(b, by >> 3, by & 7);
        a = get_or_sp(v, rn);
    } else {
        if (type == 3 || (!wide && by >= 32)) {
            return false;
        }
        b = shifted(b, type, by, wide);
        a = reg_get(r, rn);
    }
    uint64_t sum = sum_of(r, a, sub ? ~b : b, sub, wide, flags);
    if (extend && !flags) {
        set_or_sp(v, rd, sum);
    } else {
        reg_set(r, rd, sum);
    }
    return true;
}

static bool conditional(guest_regs_t *r, uint32_t i, bool wide) {
    bool so = holds(FIELD(i, 15, 12), r->pstate), invert = i >> 30 & 1;
    uint64_t a = reg_get(r, FIELD(i, 9, 5)), b = reg_get(r, FIELD(i, 20, 16));
    if (i & 0x20000800) {
        return false;
    }
    b = invert ? ~b : b;
    b += i >> 10 & 1; // CSINC, CSNEG
    reg_set(r, i & 31, (so ? a : b) & ones(wide ? 64 : 32));
    return true;
}

static bool conditional_compare(guest_regs_t *r, uint32_t i, bool wide) {
    bool sub = i >> 30 & 1;
    uint64_t b = i & BIT(11) ? FIELD(i, 20, 16) : reg_get(r, FIELD(i, 20, 16));
    if (!(i & BIT(29)) || (i & 0x410)) {
        return false;
    }
    if (holds(FIELD(i, 15, 12), r->pstate)) {
        sum_of(r, reg_get(r, FIELD(i, 9, 5)), sub ? ~b : b, sub, wide, true);
    } else {
        r->pstate = (r->pstate & ~PSTATE_NZCV) | (uint64_t)(i & 15) << 28;
    }
    return true;
}

static bool two_sources(guest_regs_t *r, uint32_t i, bool wide) {
    unsigned opcode = FIELD(i, 15, 10), bits = wide ? 64 : 32;
    uint64_t a = reg_get(r, FIELD(i, 9, 5)) & ones(bits), b = reg_get(r, FIELD(i, 20, 16)) & ones(bits), value;
    if (i & BIT(29)) {
        return false;
    }
    if (opcode == 2) { // UDIV
        value = b == 0 ? 0 : a / b;
    } else if (opcode == 3) { // SDIV
        int64_t x = a64_signed(a, bits), y = a64_signed(b, bits);
        value = y == 0 ? 0 : y == -1 ? -(uint64_t)x : (uint64_t)(x / y);
    } else if ((opcode & 0x3C) == 8) { // LSLV, LSRV, ASRV, RORV
        value = shifted(a, opcode & 3, (unsigned)(b & (bits - 1)), wide);
    } else {
        return false;
    }
    reg_set(r, i & 31, value & ones(bits));
    return true;
}

static bool one_source(guest_regs_t *r, uint32_t i, bool wide) {
    unsigned opcode = FIELD(i, 15, 10), bits = wide ? 64 : 32;
    uint64_t a = reg_get(r, FIELD(i, 9, 5)) & ones(bits), value;
    if (i & 0x201F0000) {
        return false;
    }
    switch (opcode) {
        case 2: // REV32, or REV of 32 bits
            value = (uint64_t)__builtin_bswap32((uint32_t)a) | (uint64_t)__builtin_bswap32((uint32_t)(a >> 32)) << 32;
            break;
        case 3: // REV
            if (!wide) {
                return false;
            }
            value = __builtin_bswap64(a);
            break;
        case 4: // CLZ
            value = a == 0 ? bits : (uint64_t)__builtin_clzl(a) - (64 - bits);
            break;
        default:
            return false;
    }
    reg_set(r, i & 31, value & ones(bits));
    return true;
}

static bool three_sources(guest_regs_t *r, uint32_t i, bool wide) {
    unsigned op = FIELD(i, 23, 21) << 1 | (i >> 15 & 1);
    uint64_t n = reg_get(r, FIELD(i, 9, 5)), m = reg_get(r, FIELD(i, 20, 16)), a = reg_get(r, FIELD(i, 14, 10)), product;
    if ((i & 0x60000000) != 0 || (!wide && op > 1)) {
        return false;
    }
    switch (op >> 1) {
        case 0: // MADD, MSUB
            product = n * m;
            break;
        case 1: // SMADDL, SMSUBL
            product = (uint64_t)((int64_t)(int32_t)n * (int32_t)m);
            break;
        case 5: // UMADDL, UMSUBL
            product = (uint64_t)(uint32_t)n * (uint32_t)m;
            break;
        case 2: // SMULH
        case 6: // UMULH
            if (op & 1) {
                return false;
            }
            product = op >> 1 == 2 ? (uint64_t)((__int128)(int64_t)n * (int64_t)m >> 64) : (uint64_t)((unsigned __int128)n * m >> 64);
            a = 0;
            break;
        default:
            return false;
    }
    reg_set(r, i & 31, (op & 1 ? a - product : a + product) & ones(wide ? 64 : 32));
    return true;
}

static bool registers(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    bool wide = i >> 31;
    switch (FIELD(i, 28, 24)) {
        case 0x0A: {
            unsigned by = FIELD(i, 15, 10);
            uint64_t b = shifted(reg_get(r, FIELD(i, 20, 16)), FIELD(i, 23, 22), by, wide);
            if (!wide && by >= 32) {
                return false;
            }
            reg_set(r, i & 31, logical(r, FIELD(i, 30, 29), reg_get(r, FIELD(i, 9, 5)), i & BIT(21) ? ~b : b, wide));
            return true;
        }
        case 0x0B:
            return add_register(v, i, wide);
        case 0x1A:
            switch (FIELD(i, 23, 21)) {
                case 0: { // ADC, SBC
                    uint64_t b = reg_get(r, FIELD(i, 20, 16));
                    if (i & 0xFC00) {
                        return false;
                    }
                    reg_set(r, i & 31, sum_of(r, reg_get(r, FIELD(i, 9, 5)), i & BIT(30) ? ~b : b, r->pstate >> 29 & 1, wide, i >> 29 & 1));
                    return true;
                }
                case 2:
                    return conditional_compare(r, i, wide);
                case 4:
                    return conditional(r, i, wide);
                case 6:
                    return i & BIT(30) ? one_source(r, i, wide) : two_sources(r, i, wide);
                default:
                    return false;
            }
        case 0x1B:
            return three_sources(r, i, wide);
        default:
            return false;
    }
}

// ---- Branches and the system --------------------------------------------------------------------

// Branch target identification sets PSTATE.BTYPE, pointer authentication is in the space of hints: cores that have
// them do these themselves.
static bool newer_core(void) {
    return READ_SYSREG(id_aa64pfr1_el1) & 0xF || READ_SYSREG(id_aa64isar1_el1) & 0xFF0;
}

static bool hint(guest_regs_t *r, unsigned number) {
    switch (number) {
        case 0: // NOP
        case 1: // YIELD
        case 2: // WFE: may end at any time
            break;
        case 4:
            sev();
            break;
        case 5:
            __asm__ volatile ("sevl");
            break;
        default: // 3 is WFI
            if (number == 3 || newer_core()) {
                return false;
            }
            break;
    }
    r->pc += 4;
    return true;
}

// CNTVCT_EL0, CNTV_TVAL, CTL and CVAL_EL0, of a VM whose time is no counter's: where EL0 has no leave (CNTKCTL_EL1: EL0VCTEN,
// EL0VTEN) EL1 is told.
static bool virtual_time(vcpu_t *v, unsigned enc, unsigned rt, bool read) {
    uint64_t value = reg_get(v->regs, rt);
    bool count = enc == 0xDF02;
    if ((count && !read) || (insn_at_el0(v) && !(vcpu_el1_get(v, EL1_CNTKCTL_EL1) & BIT(count ? 1 : 8)))) {
        return false;
    }
    if (count) {
        value = vtimer_count(v->vm);
    } else if (!vtimer_virtual(v, enc & 7, !read, &value)) {
        return false;
    }
    if (read) {
        reg_set(v->regs, rt, value);
    }
    return true;
}

// MSR (immediate) of DAIF, MRS and MSR of it and of NZCV: PSTATE is in memory. MRS of what is the vCPU's.
static bool system_register(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    unsigned rt = i & 31, enc = FIELD(i, 20, 5);
    bool read = i >> 21 & 1, el1 = !insn_at_el0(v);
    if ((i & 0xFFFFF01F) == 0xD503401F && (i & 0xC0) == 0xC0) { // DAIFSet, DAIFClr: op2 is 6 or 7
        uint64_t bits = FIELD(i, 11, 8) << 6;
        if (!el1) {
            return false;
        }
        r->pstate = i & BIT(5) ? r->pstate & ~bits : r->pstate | bits;
        return true;
    }
    if ((i & 0xFFD00000) != 0xD5100000) {
        return false;
    }
    uint64_t mask = enc == 0xDA10 ? PSTATE_NZCV : enc == 0xDA11 && el1 ? PSTATE_DAIF : 0;
    if (mask != 0) {
        if (read) {
            reg_set(r, rt, r->pstate & mask);
        } else {
            r->pstate = (r->pstate & ~mask) | (reg_get(r, rt) & mask);
        }
        return true;
    }
    if (v->vm->replay != NULL && (enc == 0xDF02 || (enc >> 3) == 0xDF18 >> 3)) {
        return virtual_time(v, enc, rt, read);
    }
    if (!read) {
        return false;
    }
    if (enc == 0xC212 && el1) { // CurrentEL
        reg_set(r, rt, r->pstate & 0xC);
    } else if (enc == 0xC208 && (r->pstate & 0xF) == PSTATE_EL1H) { // SP_EL0: the task, in Linux
        reg_set(r, rt, vcpu_el1_get(v, EL1_SP_EL0));
    } else if (enc == 0xC684 && el1) {
        reg_set(r, rt, vcpu_el1_get(v, EL1_TPIDR_EL1)); // what is this core's, in Linux
    } else if (enc == 0xDE82) {
        reg_set(r, rt, vcpu_el1_get(v, EL1_TPIDR_EL0));
    } else {
        return false;
    }
    return true;
}

static bool barrier(uint32_t i) {
    switch (i & 0xFFFFF0FF) {
        case 0xD503309F: // DSB
        case 0xD50330BF: // DMB
            dsb_sy();
            return true;
        case 0xD50330DF:
            isb();
            return true;
        default:
            return false;
    }
}

static bool branch_register(guest_regs_t *r, uint32_t i) {
    uint64_t to = reg_get(r, FIELD(i, 9, 5));
    switch (i & 0xFFFFFC1F) {
        case 0xD63F0000: // BLR
        case 0xD61F0000: // BR
            if (newer_core()) {
                return false;
            }
            r->x[30] = i & BIT(21) ? r->pc + 4 : r->x[30];
            break;
        case 0xD65F0000: // RET
            break;
        default:
            return false;
    }
    r->pc = to;
    return true;
}

static bool branch(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    uint64_t to = r->pc + (uint64_t)(a64_signed(FIELD(i, 23, 5), 19) * 4);
    if ((i & 0x7C000000) == 0x14000000) { // B, BL
        r->x[30] = i >> 31 ? r->pc + 4 : r->x[30];
        r->pc += (uint64_t)(a64_signed(FIELD(i, 25, 0), 26) * 4);
        return true;
    }
    if ((i & 0x7E000000) == 0x34000000) { // CBZ, CBNZ
        bool zero = (reg_get(r, i & 31) & ones(i >> 31 ? 64 : 32)) == 0;
        r->pc = zero != (i >> 24 & 1) ? to : r->pc + 4;
        return true;
    }
    if ((i & 0x7E000000) == 0x36000000) { // TBZ, TBNZ
        bool bit = reg_get(r, i & 31) >> (i >> 31 << 5 | FIELD(i, 23, 19)) & 1;
        r->pc += bit == (i >> 24 & 1) ? (uint64_t)(a64_signed(FIELD(i, 18, 5), 14) * 4) : 4;
        return true;
    }
    if ((i & 0xFF000010) == 0x54000000) { // B.cond
        r->pc = holds(i & 15, r->pstate) ? to : r->pc + 4;
        return true;
    }
    if ((i & 0xFFFFF01F) == 0xD503201F) {
        return hint(r, FIELD(i, 11, 5));
    }
    if (barrier(i) || system_register(v, i)) {
        r->pc += 4;
        return true;
    }
    return branch_register(r, i);
}

// ---- Loads and stores ---------------------------------------------------------------------------

#define PSTATE_PAN_BIT BIT(22)
#define ATTR_WRITE_BACK 0xFFu   // MAIR's, as PAR_EL1 has it

// Stage 1 of v's translation, as the guest would do the access itself; PAR_EL1. Not both at once: QEMU 10 ends itself when stage 2
// has no right for it (AT S12E1R), and what is withheld (vm/rights.h) is asked for anyway.
static uint64_t translated(vcpu_t *v, uint64_t va, bool write) {
    bool el0 = insn_at_el0(v);
    if (UNLIKELY(this_pcpu()->running != v)) {
        uint64_t ipa;
        return vcpu_translate_va(v, va, write, el0, &ipa, NULL) != 0 ? 1 : ipa & ~UINT64_C(0xFFF); // of an unknown type
    }
    uint64_t before = READ_SYSREG(par_el1), par;
    if (el0 && write) {
        __asm__ volatile ("at s1e0w, %0\n isb" : : "r" (va));
    } else if (el0) {
        __asm__ volatile ("at s1e0r, %0\n isb" : : "r" (va));
    } else if (write) {
        __asm__ volatile ("at s1e1w, %0\n isb" : : "r" (va));
    } else {
        __asm__ volatile ("at s1e1r, %0\n isb" : : "r" (va));
    }
    par = READ_SYSREG(par_el1);
    WRITE_SYSREG(par_el1, before);
    return par;
}

// Where a page of RAM is, which nobody withholds that right of; NULL. The last answer is kept until stage 2 changes.
static NOINLINE char *reach_page(vcpu_t *v, uint64_t page, unsigned needed) {
    vm_t *vm = v->vm;
    uint64_t daif = spin_lock_irq(&vm->lock);
    pgwalk_t w = pgtable_walk(&vm->stage2, page);
    bool granted = (w.entry & PTE_VALID) && (rights_base(w.entry) & needed) && rights_takers(vm, page, needed) == 0;
    uint32_t changes = vm->stage2.changes;
    spin_unlock_irq(&vm->lock, daif);
    if (UNLIKELY(vm->forked)) {
        v->reached.key = page | needed;
        v->reached.changes = changes; // before it may have become its own
        return v->reached.host = granted && !(w.entry & S2_PTE_SCRIPT) ? vm_ram(vm, page, PAGE_SIZE) : NULL;
    }
    uint64_t pa = (w.entry & PTE_ADDR_MASK) + (page & (w.size - 1));
    for (unsigned i = 0; i < vm->nram && granted; i++) {
        if (pa - (uint64_t)vm->ram[i].host < vm->ram[i].size) {
            v->reached.key = page | needed;
            v->reached.changes = changes;
            return v->reached.host = (char *)pa;
        }
    }
    return NULL;
}

// Where the guest's access is, in one page of the VM's RAM; at NULL: nowhere that EL2 could reach in its place. What the
// guest does not cache is not to stay in EL2's cache.
typedef struct {
    char *at;
    unsigned size;
    bool uncached;
} reach_t;

static void settle(const reach_t *to) {
    if (to->uncached) {
        cache_clean_poc(to->at, to->size);
    }
}

static reach_t reach(vcpu_t *v, uint64_t va, unsigned size, unsigned align, bool write) {
    static const reach_t none;
    if ((va & (align - 1)) != 0 || (va & 0xFFF) + size > PAGE_SIZE || insn_big_endian(v) || (v->regs->pstate & PSTATE_PAN_BIT)) {
        return none;
    }
    uint64_t par = translated(v, va, write), page = par & UINT64_C(0xFFFFFFFFF000);
    unsigned needed = write ? S2_WRITE : S2_READ;
    bool same = v->reached.key == (page | needed) && v->reached.changes == v->vm->stage2.changes;
    char *host = par & 1 ? NULL : LIKELY(same) ? v->reached.host : reach_page(v, page, needed);
    if (host == NULL) {
        return none;
    }
    reach_t to = { host + (va & 0xFFF), size, par >> 56 != ATTR_WRITE_BACK };
    settle(&to);
    return to;
}

// size opc of a load or store of one register: bytes, and what becomes of a loaded value.
typedef struct {
    unsigned size;
    bool write, sign, wide, prefetch;
} kind_t;

static bool kind_of(uint32_t i, kind_t *k) {
    unsigned size = i >> 30, opc = FIELD(i, 23, 22);
    *k = (kind_t) { .size = 1u << size, .write = opc == 0, .sign = opc >= 2, .wide = size == 3 || opc == 2, .prefetch = size == 3 && opc == 2 };
    return !(size >= 2 && opc == 3);
}

// Watchpoints in force are the core's to see.
static inline bool is_watched(const vcpu_t *v) {
    return UNLIKELY(v->debugged) && ((v->vm->taken_mask & DEBUG_WATCH_MASK) | (v->debug.mdscr & MDSCR_MDE));
}

static bool transfer(vcpu_t *v, uint64_t va, const kind_t *k, unsigned rt) {
    guest_regs_t *r = v->regs;
    if (k->prefetch) {
        return true;
    }
    reach_t to = reach(v, va, k->size, k->size, k->write);
    if (to.at == NULL || is_watched(v)) {
        return false;
    }
    if (k->write) {
        store_sized(to.at, k->size, reg_get(r, rt));
        settle(&to);
    } else {
        uint64_t value = load_sized(to.at, k->size);
        settle(&to);
        value = k->sign ? (uint64_t)a64_signed(value, 8 * k->size) : value;
        reg_set(r, rt, k->wide ? value : (uint32_t)value);
    }
    return true;
}

static bool single(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    kind_t k;
    unsigned rn = FIELD(i, 9, 5), rt = i & 31, index = FIELD(i, 11, 10);
    uint64_t base = get_or_sp(v, rn);
    if (!kind_of(i, &k)) {
        return false;
    }
    if (i & BIT(24)) { // scaled, unsigned
        return transfer(v, base + FIELD(i, 21, 10) * k.size, &k, rt);
    }
    if (i & BIT(21)) { // register offset
        unsigned option = FIELD(i, 15, 13);
        if (index != 2 || !(option & 2)) {
            return false;
        }
        unsigned by = i & BIT(12) ? i >> 30 : 0;
        return transfer(v, base + extended(reg_get(r, FIELD(i, 20, 16)), option, by), &k, rt);
    }
    uint64_t moved = base + (uint64_t)a64_signed(FIELD(i, 20, 12), 9);
    if (index == 0) {
        return transfer(v, moved, &k, rt);
    }
    // Not the unprivileged ones; nor where the base is loaded as well, which is CONSTRAINED UNPREDICTABLE.
    if (index == 2 || k.prefetch || (rn == rt && rn != 31) || !transfer(v, index == 1 ? base : moved, &k, rt)) {
        return false;
    }
    set_or_sp(v, rn, moved);
    return true;
}

static bool pair(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    unsigned opc = i >> 30, index = FIELD(i, 24, 23), rn = FIELD(i, 9, 5), rt = i & 31, rt2 = FIELD(i, 14, 10);
    bool write = !(i >> 22 & 1);
    unsigned size = opc == 2 ? 8 : 4;
    bool back = index & 1;
    if (opc == 3 || (opc == 1 && write) || (!write && rt == rt2) || (back && rn != 31 && (rn == rt || rn == rt2))) {
        return false;
    }
    uint64_t base = get_or_sp(v, rn), moved = base + (uint64_t)a64_signed(FIELD(i, 21, 15), 7) * size;
    reach_t to = reach(v, index == 1 ? base : moved, 2 * size, size, write);
    if (to.at == NULL || is_watched(v)) {
        return false;
    }
    if (write) {
        store_sized(to.at, size, reg_get(r, rt));
        store_sized(to.at + size, size, reg_get(r, rt2));
        settle(&to);
    } else {
        uint64_t first = load_sized(to.at, size), second = load_sized(to.at + size, size);
        settle(&to);
        reg_set(r, rt, opc == 1 ? (uint64_t)(int64_t)(int32_t)first : first);
        reg_set(r, rt2, opc == 1 ? (uint64_t)(int64_t)(int32_t)second : second);
    }
    if (back) {
        set_or_sp(v, rn, moved);
    }
    return true;
}

static bool literal(vcpu_t *v, uint32_t i) {
    unsigned opc = i >> 30;
    kind_t k = { .size = opc == 1 ? 8 : 4, .sign = opc == 2, .wide = opc != 0, .prefetch = opc == 3 };
    return transfer(v, v->regs->pc + (uint64_t)(a64_signed(FIELD(i, 23, 5), 19) * 4), &k, i & 31);
}

// ---- Exclusives ---------------------------------------------------------------------------------
// An exit drops the core's exclusive monitor. So the load remembers what it has read, and the store is done when that is
// still there: what LDXR and STXR are for, if not all that they may be used for.

bool a64_is_store_exclusive(uint32_t i) {
    return (i & 0x3FC00000) == 0x08000000 && (!(i & BIT(21)) || (i & BIT(31)));
}

// True: it was `old`, and is `value` now.
static bool swap_if(void *at, unsigned size, uint64_t old, uint64_t value) {
    uint64_t seen;
    uint32_t failed;
    #define SWAP_IF(suffix, reg) \
    __asm__ volatile ("1: ldaxr" suffix " %" reg "0, [%2]\n cmp %" reg "0, %" reg "3\n mov %w1, #1\n b.ne 2f\n stlxr" suffix " %w1, %" reg "4, [%2]\n cbnz %w1, 1b\n 2: clrex" \
        : "=&r" (seen), "=&r" (failed) : "r" (at), "r" (old), "r" (value) : "memory", "cc")
    switch (size) {
        case 1:
            SWAP_IF("b", "w");
            break;
        case 2:
            SWAP_IF("h", "w");
            break;
        case 4:
            SWAP_IF("", "w");
            break;
        default:
            SWAP_IF("", "x");
            break;
    }
    return failed == 0;
}

// The same of two.
static bool swap_two_if(void *at, const uint64_t *old, uint64_t first, uint64_t second) {
    uint64_t seen[2];
    uint32_t failed;
    __asm__ volatile ("1: ldaxp %0, %1, [%3]\n cmp %0, %4\n ccmp %1, %5, #0, eq\n mov %w2, #1\n b.ne 2f\n stlxp %w2, %6, %7, [%3]\n cbnz %w2, 1b\n 2: clrex"
        : "=&r" (seen[0]), "=&r" (seen[1]), "=&r" (failed) : "r" (at), "r" (old[0]), "r" (old[1]), "r" (first), "r" (second) : "memory", "cc");
    return failed == 0;
}

// LDXP, STXP: two words of 4 or 8 bytes, aligned to both (B2.9.5).
static bool exclusive_pair(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    unsigned each = i & BIT(30) ? 8 : 4, rt = i & 31, rt2 = FIELD(i, 14, 10);
    bool read = i >> 22 & 1;
    if (!(i & BIT(31)) || (i & BIT(23)) || (read && rt == rt2)) {
        return false; // CASP, CAS
    }
    reach_t to = reach(v, get_or_sp(v, FIELD(i, 9, 5)), 2 * each, 2 * each, !read);
    if (to.at == NULL) {
        return false;
    }
    if (!read) {
        uint64_t first = reg_get(r, rt), second = reg_get(r, rt2);
        bool done = v->exclusive.at == to.at && v->exclusive.size == 2 * each;
        if (each == 8) {
            done = done && swap_two_if(to.at, (uint64_t[]) { v->exclusive.value, v->exclusive.second }, first, second);
        } else {
            done = done && swap_if(to.at, 8, v->exclusive.value, (uint32_t)first | second << 32);
        }
        settle(&to);
        v->exclusive.at = NULL;
        reg_set(r, FIELD(i, 20, 16), !done);
        return true;
    }
    uint64_t first = load_sized(to.at, 8), second = first >> 32;
    if (each == 8) {
        second = load_sized(to.at + 8, 8);
    } else {
        first = (uint32_t)first;
    }
    settle(&to);
    dmb_ish();
    v->exclusive.at = to.at;
    v->exclusive.size = (uint8_t)(2 * each);
    v->exclusive.value = each == 8 ? first : first | second << 32;
    v->exclusive.second = second;
    reg_set(r, rt, first);
    reg_set(r, rt2, second);
    return true;
}

static bool exclusive(vcpu_t *v, uint32_t i) {
    guest_regs_t *r = v->regs;
    unsigned size = 1u << (i >> 30), rs = FIELD(i, 20, 16), rt = i & 31;
    bool alone = i & BIT(23), read = i >> 22 & 1; // alone: LDAR, STLR
    uint64_t va = get_or_sp(v, FIELD(i, 9, 5));
    if (i & BIT(21)) {
        return exclusive_pair(v, i);
    }
    if (alone && !(i & BIT(15))) {
        return false; // what came with ARMv8.1
    }
    reach_t to = reach(v, va, size, size, !read);
    if (to.at == NULL) {
        return false;
    }
    if (!alone && !read) {
        bool done = v->exclusive.at == to.at && v->exclusive.size == size && swap_if(to.at, size, v->exclusive.value, reg_get(r, rt) & ones(8 * size));
        settle(&to);
        v->exclusive.at = NULL;
        reg_set(r, rs, !done);
        return true;
    }
    if (!read) {
        dmb_ish(); // STLR
        store_sized(to.at, size, reg_get(r, rt));
        settle(&to);
        dmb_ish();
        return true;
    }
    uint64_t value = load_sized(to.at, size);
    settle(&to);
    dmb_ish();
    if (!alone) {
        v->exclusive.at = to.at;
        v->exclusive.size = (uint8_t)size;
        v->exclusive.value = value;
    }
    reg_set(r, rt, value);
    return true;
}

static bool memory(vcpu_t *v, uint32_t i) {
    if (i & BIT(26)) {
        return false; // vector registers: the core's
    }
    switch (FIELD(i, 29, 27)) {
        case 1:
            return FIELD(i, 25, 24) == 0 && exclusive(v, i);
        case 3:
            return FIELD(i, 25, 24) == 0 && literal(v, i);
        case 5:
            return FIELD(i, 25, 25) == 0 && pair(v, i);
        case 7:
            return FIELD(i, 25, 25) == 0 && single(v, i);
        default:
            return false;
    }
}

bool a64_run(vcpu_t *v, uint32_t word) {
    guest_regs_t *r = v->regs;
    bool done;
    if (r->pstate & PSTATE_A32) {
        return false;
    }
    switch (FIELD(word, 28, 25)) {
        case 8:
        case 9:
            done = immediate(v, word);
            break;
        case 10:
        case 11:
            done = branch(v, word);
            r->pstate &= done ? ~PSTATE_BTYPE : ~UINT64_C(0);
            return done;
        case 4:
        case 6:
        case 12:
        case 14:
            done = memory(v, word);
            break;
        case 5:
        case 13:
            done = registers(v, word);
            break;
        default:
            return false;
    }
    if (done) {
        r->pc += 4;
        r->pstate &= ~PSTATE_BTYPE;
    }
    return done;
}
