// SPDX-License-Identifier: MIT
// EL2 register policy.
// One line a field (named by its lowest bit), with what it must hold and why. "always": EL2 itself needs it, guest or not.

#include "core/arch.h"
#include "core/syndrome.h"
#include "vm/policy.h"
#include "vm/vm.h"

#define RULES(X) \
    X(HCR, 0, 0, 1, false, "VM", "without stage 2 the guest reaches all of the machine's memory") \
    X(HCR, 1, 1, 1, false, "SWIO", "an invalidate by set/way would drop the hypervisor's dirty lines") \
    X(HCR, 2, 2, 1, false, "PTW", "a stage-1 walk in device memory must fault, not read a device") \
    X(HCR, 3, 3, 1, true, "FMO", "physical FIQs are EL2's") \
    X(HCR, 4, 4, 1, true, "IMO", "physical interrupts are EL2's: without them the prompt is dead") \
    X(HCR, 5, 5, 1, true, "AMO", "an SError belongs to EL2 first") \
    X(HCR, 19, 19, 1, false, "TSC", "a guest's SMC CPU_ON would start a core in EL2, at an address of its choice") \
    X(HCR, 20, 20, 1, false, "TIDCP", "the implementation defined registers are the machine's") \
    X(HCR, 21, 21, 1, false, "TACR", "ACTLR_EL1 changes how the real core behaves") \
    X(HCR, 22, 22, 1, false, "TSW", "set/way maintenance acts on the whole machine's caches") \
    X(HCR, 27, 27, 0, true, "TGE", "routes EL0's exceptions to EL2 and makes EL1 unusable") \
    X(HCR, 29, 29, 0, false, "HCD", "makes HVC undefined") \
    X(HCR, 31, 31, 1, false, "RW", "EL1 is AArch64: an AArch32 kernel is not supported") \
    X(HCR, 34, 34, 0, true, "E2H", "the hypervisor is built for E2H=0") \
    X(HCR, 43, 42, 0, false, "NV1, NV", "nested virtualisation is not supported") \
    X(HCR, 46, 45, 0, false, "FWB, NV2", "stage 2 holds memory types as without FWB") \
    X(CPTR, 9, 0, 0x3FF, true, "RES1", "reserved: DDI 0487 D13.2.30") \
    X(CPTR, 13, 12, 3, true, "RES1", "reserved: DDI 0487 D13.2.30") \
    X(MDCR, 4, 0, 6, false, "HPMN", "the guest's share of the counters; 0 is unpredictable") \
    X(MDCR, 6, 5, 3, false, "TPM, TPMCR", "the counters are not switched between guests") \
    X(MDCR, 11, 9, 7, false, "TDRA, TDOSA, TDA", "breakpoints are not switched between guests") \
    X(VTCR, 5, 0, 24, true, "T0SZ", "stage-2 tables are built for 40-bit addresses") \
    X(VTCR, 7, 6, 1, true, "SL0", "stage-2 tables start at level 1") \
    X(VTCR, 13, 8, 0x35, true, "SH0, ORGN0, IRGN0", "stage-2 tables are written through the caches") \
    X(VTCR, 15, 14, 0, true, "TG0", "stage-2 tables have a 4 KB granule") \
    X(VTCR, 18, 16, 2, true, "PS", "physical addresses have 40 bits") \
    X(VTCR, 19, 19, 0, true, "VS", "VMIDs have 8 bits") \
    X(VTCR, 31, 31, 1, true, "RES1", "reserved: DDI 0487 D13.2.151")

#define RULE(reg, high, low, value, always, name, why) { EL2_##reg, high, low, always, value, name, why },
static const policy_rule_t rules[] = { RULES(RULE) };

// The masks are made from the same lines: what is explained is what is enforced.
#define MASK(high, low) (((UINT64_C(2) << ((high) - (low))) - 1) << (low))
#define WANT(low, value) ((uint64_t)(value) << (low))
#define SET(reg, high, low, value, always, ...) | (EL2_##reg == REG ? WANT(low, value) : 0)
#define CLEAR(reg, high, low, value, always, ...) | (EL2_##reg == REG ? MASK(high, low) & ~WANT(low, value) : 0)
#define HOST_SET(reg, high, low, value, always, ...) | (EL2_##reg == REG && (always) ? WANT(low, value) : 0)
#define HOST_CLEAR(reg, high, low, value, always, ...) \
    | (EL2_##reg == REG && (always) ? MASK(high, low) & ~WANT(low, value) : 0)
#define MASKS 0 RULES(SET), 0 RULES(CLEAR), 0 RULES(HOST_SET), 0 RULES(HOST_CLEAR)

const policy_t el2_policy[EL2_COUNT] = {
    // To the bits above: FB and BSU=inner shareable (a guest's TLBI and barriers reach the core its
    // other vCPUs run on), TWI (an idle guest gives the core back). WFE runs free: it is a spin
    // lock's pause, and trapping it costs more than it gives.
    #define REG EL2_HCR
    [EL2_HCR] = { SYSREG_ENC(3, 4, 1, 1, 0), MASKS, UINT64_C(0x80782600) | 0x3F },
#undef REG
    #define REG EL2_CPTR
    [EL2_CPTR] = { SYSREG_ENC(3, 4, 1, 1, 2), MASKS, CPTR_HOST },
#undef REG
    #define REG EL2_MDCR
    [EL2_MDCR] = { SYSREG_ENC(3, 4, 1, 1, 1), MASKS, 0xE66 },
#undef REG
    // EL1PCTEN: CNTPCT is read directly, as Linux wants; CNTP_* traps and is emulated.
    [EL2_CNTHCTL] = { SYSREG_ENC(3, 4, 14, 1, 0), 0, 0, 0, 0, 1 },
    #define REG EL2_VTCR
    [EL2_VTCR] = { SYSREG_ENC(3, 4, 2, 1, 2), MASKS, 0x80023558 },
#undef REG
    [EL2_HSTR] = { SYSREG_ENC(3, 4, 1, 1, 3), 0, 0, 0, 0, 0 },
};

el2_reg_t el2_find(unsigned enc) {
    el2_reg_t reg = 0;
    while (reg < EL2_COUNT && el2_policy[reg].enc != enc) {
        reg++;
    }
    return reg;
}

bool policy_changed(const vm_t *vm, el2_reg_t reg, uint64_t bits) {
    return ((vm->el2[reg] ^ el2_policy[reg].initial) & bits) != 0;
}

const policy_rule_t *policy_broken(el2_reg_t reg, uint64_t value, bool guest) {
    const policy_t *p = &el2_policy[reg];
    uint64_t set = guest ? p->must_set : p->host_set, clear = guest ? p->must_clear : p->host_clear;
    uint64_t wrong = (~value & set) | (value & clear);
    for (const policy_rule_t *r = rules; r < &rules[ARRAY_LEN(rules)]; r++) {
        if (r->reg == reg && (wrong & MASK(r->high, r->low))) {
            return r;
        }
    }
    return NULL;
}
