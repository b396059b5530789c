// SPDX-License-Identifier: MIT
// MMIO instruction decoder.
// Loads and stores that trap without a syndrome: with write-back, and of two registers.
#ifndef HV_MMIO_DECODE_H
#define HV_MMIO_DECODE_H

#include "vm/vcpu_state.h"

// HPFAR_EL2 holds IPA[47:12] in bits [39:4]; its other bits are RES0.
static inline uint64_t hpfar_ipa(uint64_t hpfar, uint64_t far) {
    return hpfar << 8 | (far & 0xFFF);
}

#define NO_REGISTER 0xFFu // in rt2

typedef struct {
    uint8_t size;           // bytes of one access
    bool write, sign, wide; // wide: the register is an X register
    uint8_t rt, rt2;        // rt2: of a pair, else NO_REGISTER
    uint8_t base;           // 31 is SP
    bool write_back;        // the base register is to have `moved` added
    int64_t moved;
} access_t;

// Read the instruction at the guest's PC and decode it. False: not one of these, not readable, or what
// faulted is not its first byte.
bool decode_access(vcpu_t *v, access_t *a);
void decode_write_back(vcpu_t *v, const access_t *a);

#endif
