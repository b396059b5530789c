// SPDX-License-Identifier: MIT
// One line a bit, with the reason. The initial values are what a VM starts with.

#include <stddef.h>
#include "arch.h"
#include "policy.h"

typedef struct {
    uint8_t reg, bit;
    bool set;
    const char *name, *why;
} rule_t;

#define SET true
#define CLEAR false

#define RULES(X) \
    X(HCR, 0, SET, "VM", "without stage 2 the guest reaches all of the machine's memory") \
    X(HCR, 1, SET, "SWIO", "a guest's invalidate by set/way would drop the hypervisor's dirty lines") \
    X(HCR, 2, SET, "PTW", "a stage-1 walk in device memory must fault, not read a device") \
    X(HCR, 3, SET, "FMO", "physical FIQs are EL2's") \
    X(HCR, 4, SET, "IMO", "physical interrupts are EL2's: the prompt would be dead while the guest masks them") \
    X(HCR, 5, SET, "AMO", "an SError belongs to EL2 first") \
    X(HCR, 19, SET, "TSC", "an SMC from the guest would reach the firmware: CPU_ON there starts a core in EL2") \
    X(HCR, 20, SET, "TIDCP", "the core's implementation defined registers are the machine's, not the guest's") \
    X(HCR, 21, SET, "TACR", "ACTLR_EL1 may change how the real core behaves") \
    X(HCR, 22, SET, "TSW", "set/way maintenance acts on the whole machine's caches") \
    X(HCR, 27, CLEAR, "TGE", "routes EL0's exceptions to EL2 and makes EL1 unusable") \
    X(HCR, 29, CLEAR, "HCD", "would make HVC undefined") \
    X(HCR, 31, SET, "RW", "EL1 is AArch64: an AArch32 kernel is not supported") \
    X(HCR, 34, CLEAR, "E2H", "the hypervisor is built for E2H=0") \
    X(CPTR, 31, CLEAR, "TCPAC", "only because nothing handles it yet: CPACR_EL1 is the guest's") \
    X(MDCR, 5, CLEAR, "HPMN[5]", "more counters than exist") \
    X(VTCR, 31, SET, "RES1", "reserved, reads as one")

static const rule_t rules[] = {
    #define X_RULE(reg, bit, set, name, why) { EL2_##reg, bit, set, name, why },
    RULES(X_RULE)
    #undef X_RULE
};

// The masks are made from the same lines: what is explained is what is enforced.
#define X_SET(reg, bit, set, name, why) | (EL2_##reg == MASK_REG && (set) ? BIT(bit) : 0)
#define X_CLEAR(reg, bit, set, name, why) | (EL2_##reg == MASK_REG && !(set) ? BIT(bit) : 0)
// Bits of the architecture that are RES1 in these layouts (DDI 0487 D13.2, E2H=0).
#define CPTR_RES1 UINT64_C(0x33FF)

const policy_t el2_policy[EL2_COUNT] = {
    // To the bits above: FB and BSU=inner shareable (a guest's TLBI and barriers reach the core its
    // other vCPUs run on), TWI (an idle guest gives the core back). WFE runs free: it is a spin
    // lock's pause, and trapping it costs more than it gives.
    #define MASK_REG EL2_HCR
    [EL2_HCR] = { 0 RULES(X_SET), 0 RULES(X_CLEAR), UINT64_C(0x80782600) | 0x3F },
    #undef MASK_REG
    #define MASK_REG EL2_CPTR
    [EL2_CPTR] = { CPTR_RES1 RULES(X_SET), 0 RULES(X_CLEAR), CPTR_RES1 },
    #undef MASK_REG
    // TDRA, TDOSA, TDA: debug registers are not the guest's; TPM, TPMCR: neither is the PMU; HPMN 6
    // (never 0: DDI 0487 D13.3.16).
    #define MASK_REG EL2_MDCR
    [EL2_MDCR] = { 0 RULES(X_SET), 0 RULES(X_CLEAR), 0xE66 },
    #undef MASK_REG
    // EL1PCTEN: CNTPCT is read directly, as Linux wants; CNTP_* traps and is emulated.
    [EL2_CNTHCTL] = { 0, 0, 1 },
    // RES1, PS=2 (40-bit), inner shareable write-back walks, SL0=1, T0SZ=24: 40-bit IPA.
    #define MASK_REG EL2_VTCR
    [EL2_VTCR] = { 0 RULES(X_SET), 0 RULES(X_CLEAR), 0x80023558 },
    #undef MASK_REG
    [EL2_HSTR] = { 0, 0, 0 },
};

const char *const el2_names[EL2_COUNT] = {
    [EL2_HCR] = "HCR_EL2", [EL2_CPTR] = "CPTR_EL2", [EL2_MDCR] = "MDCR_EL2",
    [EL2_CNTHCTL] = "CNTHCTL_EL2", [EL2_VTCR] = "VTCR_EL2", [EL2_HSTR] = "HSTR_EL2",
};

const char *policy_reason(el2_reg_t reg, unsigned bit, bool *must_be_set) {
    for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i].reg == reg && rules[i].bit == bit) {
            *must_be_set = rules[i].set;
            return rules[i].why;
        }
    }
    return NULL;
}
