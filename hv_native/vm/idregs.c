// SPDX-License-Identifier: MIT
// Guest ID registers.
// What a guest is told about the core: what it has, but for what is not switched between guests. A
// Cortex-A53 has nothing to hide, so there the guest reads its ID registers itself.

#include "core/arch.h"
#include "vm/idregs.h"
#include "vm/vcpu_state.h"

#define BITS(high, low) (((UINT64_C(2) << ((high) - (low))) - 1) << (low))

// CRm, op2, the register, and what is hidden: fields of DDI 0487 D13.2.
#define ID_REGISTERS(X) \
    X(4, 0, id_aa64pfr0_el1, BITS(35, 32) /* SVE */ | BITS(47, 40) /* MPAM, AMU */ | BITS(55, 52) /* RME */ | BITS(59, 57) /* SCXTNUM */) \
    X(4, 1, id_aa64pfr1_el1, ~BITS(7, 0)) /* MTE, SME and later; BT and SSBS stay */ \
    X(5, 0, id_aa64dfr0_el1, BITS(7, 4) | BITS(35, 32) | BITS(55, 40)) /* trace, SPE, BRBE */ \
    X(5, 1, id_aa64dfr1_el1, 0) \
    X(6, 0, id_aa64isar0_el1, 0) \
    X(6, 1, id_aa64isar1_el1, BITS(11, 4) | BITS(31, 24) | BITS(63, 60)) /* pointer authentication, LS64 */ \
    X(7, 0, id_aa64mmfr0_el1, 0) \
    X(7, 1, id_aa64mmfr1_el1, 0) \
    X(7, 2, S3_0_C0_C7_2, BITS(27, 24)) /* ID_AA64MMFR2_EL1: nested virtualisation */ \
    X(1, 0, id_pfr0_el1, 0) \
    X(1, 1, id_pfr1_el1, 0) \
    X(1, 2, id_dfr0_el1, 0) \
    X(1, 4, id_mmfr0_el1, 0) \
    X(1, 5, id_mmfr1_el1, 0) \
    X(1, 6, id_mmfr2_el1, 0) \
    X(1, 7, id_mmfr3_el1, 0) \
    X(2, 0, id_isar0_el1, 0) \
    X(2, 1, id_isar1_el1, 0) \
    X(2, 2, id_isar2_el1, 0) \
    X(2, 3, id_isar3_el1, 0) \
    X(2, 4, id_isar4_el1, 0) \
    X(2, 5, id_isar5_el1, 0) \
    X(3, 0, mvfr0_el1, 0) \
    X(3, 1, mvfr1_el1, 0) \
    X(3, 2, mvfr2_el1, 0)

#define ANSWER(m, n, name, hidden) if (crm == (m) && op2 == (n)) { return READ_SYSREG(name) & ~(hidden); }
#define HIDES(crm, op2, name, hidden) || ((hidden) != 0 && (READ_SYSREG(name) & (hidden)) != 0)

// Those that are not listed, later ones too, read as zero.
uint64_t id_register(vcpu_t *v, unsigned crm, unsigned op2) {
    if (crm == 0) {
        return op2 == 0 ? READ_SYSREG(midr_el1) : op2 == 5 ? v->vmpidr : 0;
    }
    ID_REGISTERS(ANSWER)
    return 0;
}

bool id_registers_hide(void) {
    return false ID_REGISTERS(HIDES);
}
