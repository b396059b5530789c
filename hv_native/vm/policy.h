// SPDX-License-Identifier: MIT
// EL2 register policy.
// The bits that must hold while a guest runs, so that it cannot leave its machine, and those EL2 needs
// itself: checked on every value a script gives for these registers, in vm.el2 or in hv.regs. A script
// is told why, and may insist (unsafe=True).
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include "vm/vm.h"

typedef struct {
    uint16_t enc;                       // SYSREG_ENC
    uint64_t must_set, must_clear;      // while a guest runs
    uint64_t host_set, host_clear;      // always
    uint64_t initial;                   // what a VM starts with
} policy_t;

extern const policy_t el2_policy[EL2_COUNT];

// The register of an encoding, EL2_COUNT when a VM has none such.
el2_reg_t el2_find(unsigned enc);

// Whether a script has changed any of these bits from what a VM begins with: what traps by them it has asked for.
bool policy_changed(const vm_t *vm, el2_reg_t reg, uint64_t bits);

typedef struct {
    uint8_t reg, high, low;             // the field
    bool always;                        // EL2 itself needs it, guest or not
    uint16_t value;                     // what it must hold
    const char *name, *why;
} policy_rule_t;

// The first rule that value breaks, or NULL.
const policy_rule_t *policy_broken(el2_reg_t reg, uint64_t value, bool guest);

#endif
