// SPDX-License-Identifier: MIT
// The bits that must hold while a guest runs, so that it cannot leave its machine: applied to every
// value a script gives for these registers. A script may see why, and may insist (unsafe=True).
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include "vm.h"

typedef struct {
    uint64_t must_set, must_clear;
    uint64_t initial;
} policy_t;

extern const policy_t el2_policy[EL2_COUNT];
extern const char *const el2_names[EL2_COUNT];

// value with what must be set or clear put right.
static inline uint64_t policy_apply(el2_reg_t reg, uint64_t value) {
    return (value | el2_policy[reg].must_set) & ~el2_policy[reg].must_clear;
}

// The reason for one bit (0..63) of a register's policy, or NULL when it is free.
const char *policy_reason(el2_reg_t reg, unsigned bit, bool *must_be_set);

#endif
