// SPDX-License-Identifier: MIT
// The ways to a handler: see shortest.h.

#include "trap/quick.h"
#include "trap/shortest.h"
#include "trap/trap.h"
#include "trap/words.h"

// short_calls.S
uint64_t words_hvc(vcpu_t *v, guest_regs_t *r, handler_t *h);
uint64_t native_hvc(vcpu_t *v, guest_regs_t *r, handler_t *h);

// short_quick.S. By how many arguments there are behind cpu, or, of a word of a device, in front of it; an access has both.
uint64_t quick_hvc_1(vcpu_t *v, guest_regs_t *r, handler_t *h);
uint64_t quick_hvc_2(vcpu_t *v, guest_regs_t *r, handler_t *h);
uint64_t quick_hvc_3(vcpu_t *v, guest_regs_t *r, handler_t *h);
uint64_t quick_word_0(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset, unsigned rt);
uint64_t quick_word_1(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset, unsigned rt);
uint64_t quick_load(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset);
uint64_t quick_store(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value);

static handler_call_t shortest_call(const handler_t *h) {
    static const handler_call_t by_number[] = { call_quick, quick_hvc_1, quick_hvc_2, quick_hvc_3 };
    if (h->top != NULL) {
        return h->nfixed == 0 && h->nargs < MP_ARRAY_SIZE(by_number) ? by_number[h->nargs] : call_quick;
    }
    switch (h->words) {
        case WORDS_PLAIN:
            return words_hvc;
        case WORDS_WATCHED:
            return call_words_watched;
        case WORDS_NATIVE:
            return h->nfixed == 0 ? native_hvc : call_words;
        default:
            return call_words;
    }
}

void shortest_ways(handler_t *h) {
    h->call = shortest_call(h);
    if (h->top == NULL) {
        h->load = load_words;
        h->store = store_words;
        h->word = word_words;
    } else if (h->nargs == 2 && h->nfixed <= 1) {
        h->load = quick_load;
        h->store = quick_store;
        h->word = h->nfixed == 0 ? quick_word_0 : quick_word_1;
    } else {
        h->load = load_quick;
        h->store = store_quick;
        h->word = word_quick;
    }
}
