// SPDX-License-Identifier: MIT
// Rules.
// The tier between native code and Python: hooks that count, log, answer, deny or, on a match,
// promote an exit to a Python handler.
#ifndef HV_RULE_H
#define HV_RULE_H

#include "vm/hook.h"
#include "vm/vcpu_state.h"

typedef enum {
    RULE_ANSWERED,   // *value is what a load, an MRS or a call gets
    RULE_DENIED,     // the guest gets an undefined instruction or an external abort
    RULE_PYTHON,     // *at has a handler to ask
    RULE_LATER,      // it has, and this core has no Python: nothing has been counted or logged yet
    RULE_PASS,       // nothing stands here: do what would be done without hooks
} verdict_t;

// Follow the hook *at and what is below it; *at is left on the one that decided. v->exit.pc is set.
// `passed`: the handler of *at has been asked and returned hv.PASS.
verdict_t rule_run(vcpu_t *v, hook_t **at, bool passed, bool write, uint64_t *value);

// What a HOOK_ANSWER over addresses does, and a HOOK_KEEP: native_load_t and native_store_t.
uint32_t rule_load(vcpu_t *v, hook_t *h, uint64_t offset);
uint64_t rule_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value);
uint64_t rule_keep(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value);

#endif
