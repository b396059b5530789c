// SPDX-License-Identifier: MIT
// Who called, by frame records (AAPCS64, "The Frame Pointer"), in so far as it is plain.
#ifndef HV_UNWIND_H
#define HV_UNWIND_H

#include "vm/vcpu_state.h"

// Addresses that are returned to, innermost first: at most `most`. One that is behind no call ends it. link: x30, where it is one
// that is not in the chain yet; or 0.
uint32_t unwind(vcpu_t *v, uint64_t link, uint64_t fp, uint64_t *to, uint32_t most);
bool unwind_is_code(vcpu_t *v, uint64_t va);    // there is RAM

// FNV-1a, of words.
static inline uint64_t unwind_mix(uint64_t key, uint64_t word) {
    for (unsigned i = 0; i < 8; i++, word >>= 8) {
        key = (key ^ (word & 0xFF)) * UINT64_C(0x100000001B3);
    }
    return key;
}

#endif
