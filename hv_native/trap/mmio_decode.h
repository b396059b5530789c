// SPDX-License-Identifier: MIT
// Loads and stores that trap without a syndrome, decoded: with write-back and of two registers, as devices take them,
// and all others of A64 (ARMv8.0 and LSE), as they are performed for the guest (perform.h).
#ifndef HV_MMIO_DECODE_H
#define HV_MMIO_DECODE_H

#include "vm/vcpu_state.h"

// HPFAR_EL2 holds IPA[47:12] in bits [39:4]; its other bits are RES0.
static inline uint64_t hpfar_ipa(uint64_t hpfar, uint64_t far) {
    return hpfar << 8 | (far & 0xFFF);
}

#define NO_REGISTER 0xFFu // in rt2

typedef enum {
    ACCESS_PLAIN,       // a load or store of rt, or of rt and rt2
    ACCESS_STRUCTURE,   // of the elements of vector registers from rt on: LD1 to LD4, ST1 to ST4
    ACCESS_LANE,        // the same of one element each
    ACCESS_ZERO,        // DC ZVA
    ACCESS_EXCLUSIVE,   // LDXR, LDXP; with `write`, STXR and STXP, whose result goes to rs
    ACCESS_ATOMIC,      // op: see atomic_value(); what was there goes to rt
    ACCESS_COMPARE,     // CAS, CASP: rs is compared with, and gets what was there
} access_kind_t;

typedef struct {
    uint8_t size;           // bytes of one access, or of an element
    bool write, sign, wide; // wide: the register is an X register
    uint8_t rt, rt2;        // rt2: of a pair, else NO_REGISTER
    uint8_t base;           // 31 is SP
    bool write_back;        // the base register is to have `moved` added
    uint8_t kind;           // access_kind_t
    bool vector;            // rt, rt2: Q registers
    bool el0;               // checked as EL0's: LDTR, STTR
    uint8_t rs, op;
    uint8_t count;          // STRUCTURE, LANE: registers that an element of each is taken from in turn (1 to 4)
    uint8_t times;          // STRUCTURE: and how often that is done with the next registers
    uint8_t lane;           // LANE: which element; REPLICATE
    bool q;                 // STRUCTURE, LANE: 16 bytes of each register
    uint16_t bytes;         // of all of it
    int64_t moved;
    uint64_t va;            // where it begins
} access_t;

#define ALL_LANES 0xFFu

// Decode a word of A64 that v would execute at `pc`. False: no load or store, or one that is not known.
bool decode_word(vcpu_t *v, uint64_t pc, uint32_t word, access_t *a);

// For a device: read the instruction at the guest's PC and decode it. False: not one of registers, not readable, or what
// faulted is not its first byte.
bool decode_access(vcpu_t *v, access_t *a);
void decode_write_back(vcpu_t *v, const access_t *a);

#endif
