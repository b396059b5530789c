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
    BY,     // not what this rule is about
    SEEN,   // it is, but not the n-th time, or too soon after the last
    ACT, ASK,
} step_t;

static uint64_t now(void) {
    return READ_SYSREG(cntpct_el0);
}

uint32_t rule_load(vcpu_t *v, hook_t *h, uint64_t offset) {
    (void)v;
    (void)offset;
    h->hits++;
    return (uint32_t)h->value;
}

void rule_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value) {
    (void)value;
    rule_load(v, h, offset);
}

// What a hook is going to do, with nothing changed yet.
static step_t step(const hook_t *h, bool write, uint64_t value, uint64_t pc) {
    if (h->kind == HOOK_PYTHON) {
        return ASK;
    }
    if ((h->match_value && !(write && value == h->match)) || (h->match_pc && pc != h->pc)) {
        return BY;
    }
    bool fires = (h->nth == 0 || h->hits + 1 == h->nth) && (h->every == 0 || h->last == 0 || now() - h->last >= h->every);
    if (h->handler != NULL) {
        return fires ? ASK : ACT;
    }
    return fires ? ACT : SEEN;
}

static bool goes_on(hook_kind_t kind) {
    return kind == HOOK_TALLY || kind == HOOK_COUNT || kind == HOOK_LOG;
}

static void log_event(const vcpu_t *v, const hook_t *h, bool write, uint64_t value) {
    event_log(&(event_t) {
        .key = h->key, .pc = v->exit.pc, .value = value, .cpu = v->id, .ec = ESR_EC(v->exit.esr), .write = write, .vmid = v->vmid,
    });
}

// Whether Python will be asked on the way down, before anything else decides.
static bool will_ask(const vcpu_t *v, const hook_t *h, bool write, uint64_t value) {
    for (; h != NULL; h = h->below) {
        step_t s = step(h, write, value, v->exit.pc);
        if (s == ASK || (s == ACT && !goes_on(h->kind))) {
            return s == ASK;
        }
    }
    return false;
}

verdict_t rule_run(vcpu_t *v, hook_t **at, bool passed, bool write, uint64_t *value) {
    if (this_pcpu()->id != 0 && will_ask(v, *at, write, *value)) {
        return LATER;
    }
    for (hook_t *h = *at; h != NULL; h = h->below, passed = false) {
        *at = h;
        step_t s = passed ? ACT : step(h, write, *value, v->exit.pc);
        if (s != BY && !passed) {
            h->hits++;
            h->last = h->every != 0 && (s == ASK || (s == ACT && h->handler == NULL)) ? now() : h->last;
        }
        if (s == ASK) {
            return PYTHON;
        }
        if (s != ACT) {
            continue;
        }
        switch (h->kind) {
            case HOOK_CONST:
            case HOOK_ANSWER:
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
                log_event(v, h, write, *value);
                break;
            default:
                break;
        }
    }
    *at = NULL;
    return PASS;
}
