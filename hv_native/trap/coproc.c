// SPDX-License-Identifier: MIT
// AArch32 at a guest's EL0: what traps of CP15 and CP14 (EC 0x03 to 0x06, 0x08, 0x0C; DDI 0487 D13.2.37). It names
// AArch64's registers by other numbers, and gets what those give (sysreg_emulate.c).

#include "core/arch.h"
#include "core/syndrome.h"
#include "trap/ask.h"
#include "trap/mmio_decode.h"
#include "trap/trap.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/policy.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// The ISS of MCR and MRC has the fields of an MSR's without op0; opc1 is 0 for all that EL0 may name, but for
// Jazelle's. MCRR and MRRC have opc1 in 19:16 and a second register in 14:10.
#define ISS_READ BIT(0)
#define ISS_NUMBERS UINT64_C(0xFFC1E)  // opc2, opc1, CRn, CRm; above them is the condition
#define ISS_OPC1 (UINT64_C(7) << 14)

static bool is_long(unsigned ec) {
    return ec == EC_CP15_64 || ec == EC_CP14_64;
}

// CP15. EL0's registers kept their numbers in AArch64, with op1 3; those of 64 bits have a CRm only.
static uint64_t cp15_key(uint64_t esr) {
    if (ESR_EC(esr) == EC_CP15) {
        return esr & ISS_OPC1 ? 0 : SYSREG_KEY(3, 3, 0, 0, 0) | (esr & ISS_NUMBERS);
    }
    unsigned opc1 = FIELD(esr, 19, 16);
    switch (FIELD(esr, 4, 1)) {
        case 9: // PMCCNTR
            return opc1 == 0 ? SYSREG_KEY(3, 3, 9, 13, 0) : 0;
        case 14: // CNTPCT, CNTVCT, CNTP_CVAL, CNTV_CVAL
            return opc1 < 2 ? SYSREG_KEY(3, 3, 14, 0, 1 + opc1) : opc1 < 4 ? SYSREG_KEY(3, 3, 14, opc1, 2) : 0;
        default:
            return 0;
    }
}

// CP15ISB, CP15DSB and CP15DMB (DDI 0487 G8.2): they trap by HSTR_EL2.T7.
static bool is_barrier(uint64_t esr) {
    uint64_t key = esr & ISS_NUMBERS;
    return ESR_EC(esr) == EC_CP15 && !(esr & ISS_READ)
           && (key == SYSREG_KEY(0, 0, 7, 5, 4) || key == SYSREG_KEY(0, 0, 7, 10, 4) || key == SYSREG_KEY(0, 0, 7, 10, 5));
}

// CP14: DBGDSCRint is MDCCSR_EL0, DBGDTRTXint and DBGDTRRXint are AArch64's of the same numbers.
static uint64_t cp14_key(uint64_t esr) {
    uint64_t key = esr & ISS_NUMBERS;
    if (ESR_EC(esr) != EC_CP14 || (key != SYSREG_KEY(0, 0, 0, 1, 0) && key != SYSREG_KEY(0, 0, 0, 5, 0))) {
        return 0;
    }
    return (esr & ISS_READ) || key != SYSREG_KEY(0, 0, 0, 1, 0) ? key | SYSREG_KEY(2, 3, 0, 0, 0) : 0;
}

// DBGDIDR (G8.3.14) says what ID_AA64DFR0_EL1 says: WRPs, BRPs, CTX_CMPs, the version, and two bits for EL3.
static uint64_t dbgdidr(void) {
    uint64_t f = READ_SYSREG(id_aa64dfr0_el1), el3 = FIELD(READ_SYSREG(id_aa64pfr0_el1), 15, 12) != 0;
    return FIELD(f, 23, 20) << 28 | FIELD(f, 15, 12) << 24 | FIELD(f, 31, 28) << 20 | FIELD(f, 3, 0) << 16 | BIT(15) | el3 << 14 | el3 << 12;
}

// What only AArch32 has: DBGDIDR; DBGDRAR and DBGDSAR, of 32 and 64 bits, which say that there is no memory mapped
// interface; JIDR of no Jazelle. Read-only.
static bool only_a32(uint64_t esr, uint64_t *value) {
    uint64_t key = esr & ISS_NUMBERS;
    unsigned ec = ESR_EC(esr);
    *value = 0;
    if (!(esr & ISS_READ) || (ec != EC_CP14 && ec != EC_CP14_64)) {
        return false;
    }
    if (ec == EC_CP14_64) {
        unsigned crm = FIELD(esr, 4, 1);
        return FIELD(esr, 19, 16) == 0 && (crm == 1 || crm == 2);
    }
    *value = key == 0 ? dbgdidr() : 0;
    return key == 0 || key == SYSREG_KEY(0, 0, 1, 0, 0) || key == SYSREG_KEY(0, 0, 2, 0, 0) || key == SYSREG_KEY(0, 7, 0, 0, 0);
}

static exit_t read_only(vcpu_t *v, uint64_t value) {
    uint64_t esr = v->exit.esr;
    if ((ESR_EC(esr) == EC_CP14 || ESR_EC(esr) == EC_CP14_64) && (v->debug.mdscr & MDSCR_TDCC)) {
        vcpu_inject_same(v);
        return EXIT_RESUME;
    }
    reg_set(v->regs, (unsigned)FIELD(esr, 9, 5), (uint32_t)value);
    if (is_long(ESR_EC(esr))) {
        reg_set(v->regs, (unsigned)FIELD(esr, 14, 10), value >> 32);
    }
    insn_complete(v);
    return EXIT_RESUME;
}

exit_t coproc_slow(vcpu_t *v) {
    uint64_t esr = v->exit.esr, value;
    unsigned ec = ESR_EC(esr);
    if (!insn_condition_holds(v)) {
        insn_complete(v);
        return EXIT_RESUME;
    }
    if (only_a32(esr, &value)) {
        return read_only(v, value);
    }
    if (is_barrier(esr)) {
        dsb_sy();
        insn_complete(v);
        return EXIT_RESUME;
    }
    uint64_t key = ec == EC_CP15 || ec == EC_CP15_64 ? cp15_key(esr) : cp14_key(esr);
    if (key == 0) {
        // LDC and STC of the debugger's channel too: no debugger is there to have them.
        return trap_nobody(v, ec <= EC_CP15_64 ? policy_changed(v->vm, EL2_HSTR, ~UINT64_C(0)) : policy_changed(v->vm, EL2_CPTR, ~UINT64_C(0)));
    }
    sysreg_op_t a = {
        .key = key, .rt = FIELD(esr, 9, 5), .rt2 = is_long(ec) ? FIELD(esr, 14, 10) : NO_REGISTER, .size = is_long(ec) ? 8 : 4,
        .write = !(esr & ISS_READ),
    };
    return sysreg_do(v, &a);
}
