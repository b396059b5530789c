// SPDX-License-Identifier: MIT
// Rules: what a script declared and C does at an exit, with no interpreter. See rule.h.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/syndrome.h"
#include "trap/rule.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"

typedef enum {
    STEP_BY,     // not what this rule is about
    STEP_SEEN,   // it is, but not the n-th time, or too soon after the last
    STEP_ACT, STEP_ASK,
} step_t;

static uint64_t count_now(void) {
    return READ_SYSREG(cntpct_el0);
}

uint32_t rule_load(vcpu_t *v, hook_t *h, uint64_t offset) {
    (void)v;
    (void)offset;
    h->hits++;
    return (uint32_t)h->value;
}

uint64_t rule_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value) {
    (void)value;
    rule_load(v, h, offset);
    return 0;
}

uint64_t rule_keep(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value) {
    h->value = value;
    rule_load(v, h, offset);
    return 0;
}

// What a hook is going to do, with nothing changed yet.
static step_t rule_step(const hook_t *h, bool write, uint64_t value, uint64_t pc) {
    if (h->kind == HOOK_PYTHON) {
        return STEP_ASK;
    }
    if ((h->match_value && !(write && value == h->match)) || (h->match_pc && pc != h->pc)) {
        return STEP_BY;
    }
    bool fires = (h->nth == 0 || h->hits + 1 == h->nth) && (h->every == 0 || h->last == 0 || count_now() - h->last >= h->every);
    if (h->handler != NULL) {
        return fires ? STEP_ASK : STEP_ACT;
    }
    return fires ? STEP_ACT : STEP_SEEN;
}

static bool goes_on(hook_kind_t kind) {
    return kind == HOOK_TALLY || kind == HOOK_COUNT || kind == HOOK_LOG || kind == HOOK_NOTE || kind == HOOK_FLIP;
}

static void log_event(const vcpu_t *v, const hook_t *h, bool write, uint64_t value) {
    event_log(&(event_t) {
        .key = h->key, .pc = v->exit.pc, .value = value, .cpu = v->id, .ec = ESR_EC(v->exit.esr), .write = write, .vmid = v->vmid,
    });
}

// By dice (xorshift32) that fall in the same way for the same seed.
static void flip(vcpu_t *v, hook_t *h) {
    uint32_t x = (uint32_t)h->last;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    h->last = x;
    if (x <= h->match) {
        v->flip ^= h->value;
        log_event(v, h, false, h->hits);
    }
}

// Whether Python will be asked on the way down, before anything else decides.
static bool will_ask(const vcpu_t *v, const hook_t *h, bool write, uint64_t value) {
    for (; h != NULL; h = h->below) {
        step_t s = rule_step(h, write, value, v->exit.pc);
        if (s == STEP_ASK || (s == STEP_ACT && !goes_on(h->kind))) {
            return s == STEP_ASK;
        }
    }
    return false;
}

verdict_t rule_run(vcpu_t *v, hook_t **at, bool passed, bool write, uint64_t *value) {
    if (!this_pcpu()->python && will_ask(v, *at, write, *value)) {
        return RULE_LATER;
    }
    for (hook_t *h = *at; h != NULL; h = h->below, passed = false) {
        *at = h;
        step_t s = passed ? STEP_ACT : rule_step(h, write, *value, v->exit.pc);
        if (s != STEP_BY && !passed) {
            h->hits++;
            h->last = h->every != 0 && (s == STEP_ASK || (s == STEP_ACT && h->handler == NULL)) ? count_now() : h->last;
        }
        if (s == STEP_ASK) {
            return RULE_PYTHON;
        }
        if (s != STEP_ACT) {
            continue;
        }
        switch (h->kind) {
            case HOOK_CONST:
            case HOOK_ANSWER:
                *value = h->value;
                return RULE_ANSWERED;
            case HOOK_SHADOW:
            case HOOK_KEEP:
                if (write) {
                    h->value = *value;
                }
                *value = h->value;
                return RULE_ANSWERED;
            case HOOK_DENY:
                return RULE_DENIED;
            case HOOK_LOG:
            case HOOK_NOTE:
                log_event(v, h, write, *value);
                break;
            case HOOK_FLIP:
                if (!write) {
                    flip(v, h);
                }
                break;
            default:
                break;
        }
    }
    *at = NULL;
    return RULE_PASS;
}
