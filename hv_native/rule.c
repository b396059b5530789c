// SPDX-License-Identifier: MIT
// Rules: what a script declared and C does at an exit, with no interpreter. See rule.h.

#include "arch.h"
#include "event.h"
#include "rule.h"

static bool promoted(hook_t *h, bool write, uint64_t value, uint64_t pc) {
    if (h->handler == NULL) {
        return false;
    }
    bool want = (h->match_value && write && value == h->match) || (h->match_pc && pc == h->pc)
        || (h->nth != 0 && h->hits == h->nth);
    if (want && h->every != 0) {
        uint64_t now = READ_SYSREG(cntpct_el0);
        want = now - h->last >= h->every;
        h->last = want ? now : h->last;
    }
    return want;
}

// Follow a hook and what is below it. *at is left on the hook that decided.
verdict_t rule_run(vcpu_t *v, hook_t **at, bool write, uint64_t *value) {
    for (hook_t *h = *at; h != NULL; h = h->below) {
        *at = h;
        h->hits++;
        if (h->kind == HOOK_PYTHON) {
            return PYTHON;
        }
        if (promoted(h, write, *value, v->exit.pc)) {
            return PYTHON;
        }
        switch (h->kind) {
            case HOOK_CONST:
                *value = h->value;
                return ANSWERED;
            case HOOK_SHADOW:
                if (write) {
                    h->value = *value;
                }
                *value = h->value;
                return ANSWERED;
            case HOOK_DENY:
                return DENIED;
            case HOOK_LOG:
                event_log(v, h, write, *value);
                break;
            default:
                break;
        }
    }
    *at = NULL;
    return PASS;
}
