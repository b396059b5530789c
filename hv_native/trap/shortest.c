// SPDX-License-Identifier: MIT
// The ways to a handler: see shortest.h.

#include "trap/quick.h"
#include "trap/shortest.h"
#include "trap/trap.h"
#include "trap/words.h"

// short_calls.S
uint64_t words_hvc(vcpu_t *v, guest_regs_t *r, handler_t *h);
uint64_t native_hvc(vcpu_t *v, guest_regs_t *r, handler_t *h);

handler_call_t shortest_call(const handler_t *h) {
    if (h->top != NULL) {
        static const handler_call_t by_number[] = { call_quick, quick_hvc_1, quick_hvc_2, quick_hvc_3 };
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
