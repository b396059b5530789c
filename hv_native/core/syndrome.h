// SPDX-License-Identifier: MIT
// Exception syndromes, PSTATE and the EL2 control bits, by the ARM ARM's names (DDI 0487).
#ifndef HV_SYNDROME_H
#define HV_SYNDROME_H

#include "core/arch.h"

// Exception classes, ESR_EL2 bits [31:26] (DDI 0487 D13.2.37).
enum {
    EC_UNKNOWN = 0x00, EC_WFX = 0x01, EC_CP15 = 0x03, EC_CP15_64 = 0x04, EC_CP14 = 0x05, EC_LDC = 0x06, EC_FP = 0x07,
    EC_VMRS = 0x08, EC_PAC = 0x09, EC_CP14_64 = 0x0C, EC_ILLEGAL = 0x0E, EC_SVC32 = 0x11, EC_SVC64 = 0x15, EC_HVC64 = 0x16,
    EC_SMC64 = 0x17, EC_SYSREG = 0x18, EC_SVE = 0x19, EC_SME = 0x1D, EC_IABT_LOWER = 0x20, EC_IABT = 0x21, EC_PC_ALIGN = 0x22,
    EC_DABT_LOWER = 0x24, EC_DABT = 0x25, EC_SP_ALIGN = 0x26, EC_FP_A32 = 0x28,
    EC_FP_A64 = 0x2C, EC_SERROR = 0x2F, EC_BREAKPOINT_LOWER = 0x30,
    EC_STEP_LOWER = 0x32, EC_WATCHPOINT_LOWER = 0x34, EC_BKPT32 = 0x38, EC_VECTOR32 = 0x3A, EC_BRK64 = 0x3C,
};
#define ESR_EC(esr) ((unsigned)FIELD(esr, 31, 26))
#define ESR_IL BIT(25)

// PSTATE as SPSR_EL2 holds it.
#define PSTATE_EL1H UINT64_C(0x5)
#define PSTATE_EL1T UINT64_C(0x4)
#define PSTATE_A32 BIT(4)
#define PSTATE_E BIT(9)         // big-endian, in AArch32
#define PSTATE_BTYPE (UINT64_C(3) << 10)
#define PSTATE_SS BIT(21)
#define PSTATE_NZCV (UINT64_C(0xF) << 28)
#define PSTATE_DAIF UINT64_C(0x3C0)
#define PSTATE_D BIT(9)
#define PSTATE_AIF UINT64_C(0x1C0)
#define MDSCR_SS BIT(0)         // of MDSCR_EL1: step; EL0 has no debugger's channel; debug exceptions of EL1's own code;
#define MDSCR_TDCC BIT(12)      // breakpoints and watchpoints are on
#define MDSCR_KDE BIT(13)
#define MDSCR_MDE BIT(15)
#define SCTLR_M BIT(0)          // of SCTLR_EL1: stage 1 is on
#define SCTLR_EE BIT(25)        // of SCTLR_EL1: EL1 is big-endian, EL0 is
#define SCTLR_E0E BIT(24)

// What ERET from EL2 may load: EL0t, EL1t, EL1h, or EL0 in AArch32. Of anything else the result is an
// illegal return: it stays in EL2 (DDI 0487 D1.10.3).
static inline bool pstate_is_legal(uint64_t pstate) {
    unsigned m = pstate & 0x1F;
    return m == 0 || m == PSTATE_EL1T || m == PSTATE_EL1H || m == PSTATE_A32;
}

// ISS of a data abort (DDI 0487 D13.2.37).
#define ISS_ISV BIT(24)
#define ISS_SAS (UINT64_C(3) << 22)
#define ISS_SAS_WORD (UINT64_C(2) << 22)
#define ISS_SSE BIT(21)
#define ISS_SF BIT(15)
#define ISS_CM BIT(8)
#define ISS_S1PTW BIT(7)
#define ISS_WNR BIT(6)
#define ISS_KIND UINT64_C(0x3C)         // of fault, without the level
#define ISS_TRANSLATION UINT64_C(0x04)
#define ISS_PERMISSION UINT64_C(0x0C)

// The key of a system register in vm_t.sysreg: the ISS of its trap, less Rt and direction.
#define ISS_SYSREG_KEY UINT64_C(0x3FFC1E)
#define SYSREG_KEY(op0, op1, crn, crm, op2) (UINT64_C(op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define SYSREG_OP2 UINT64_C(0xE0000)
static inline uint32_t sysreg_key(unsigned enc) {
    unsigned op0 = enc >> 14, op1 = enc >> 11 & 7, crn = enc >> 7 & 15, crm = enc >> 3 & 15, op2 = enc & 7;
    return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1;
}

// op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2: the bits of the instruction, and of a trap's ISS less Rt.
#define SYSREG_ENC(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

// What EL2 itself runs with, between guests. VM (bit 0) stays on: what a core does of
// EL1&0's translation meanwhile, as by a speculative AT (erratum 1530924), is bound to stage 2 all the same.
// SCTLR_EL2_OFF: every RES1 bit; MMU and caches off; A, for all memory is Device then, where an access that is not aligned
// faults anyway, but for QEMU before 8 (B2.5.2, D13.2.119). HCR_HOST: RW, and IMO, FMO, AMO,
// without which EL2 takes no physical interrupt. CPTR_HOST: RES1 bits only, so FP is usable (D13.2.30).
// CNTHCTL_HOST: EL1PCTEN, EL1PCEN, for guests that a VM does not say otherwise for.
#define SCTLR_EL2_OFF UINT64_C(0x30C50832)
#define CNTHCTL_HOST UINT64_C(3)
#define HCR_FB BIT(9)
#define HCR_HOST UINT64_C(0x80000039)
#define HCR_VF BIT(6)
#define HCR_VI BIT(7)
#define HCR_VSE BIT(8)
#define HCR_TSC BIT(19)
#define HCR_TID3 BIT(18)
#define HCR_TEA BIT(37)
#define CPTR_HOST UINT64_C(0x33FF)
#define CPTR_TFP BIT(10)
#define MDCR_HOST UINT64_C(6)
#define MDCR_TDE BIT(8)

#endif
