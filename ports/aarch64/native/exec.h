// SPDX-License-Identifier: MIT
// Where compiled Python runs: nothing is both writable and executable at one address. The code lies in the GC
// heap, which owns it as any other object, and is written there; it is run through a second, read-only mapping of
// the same memory. So it goes when nobody refers to it, by collection or at a soft reset, and there is nothing
// to give back.
#ifndef ELAPID_EXEC_H
#define ELAPID_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXEC_BASE UINT64_C(0x7F00000000) // of the 39 bits, what no RAM or device of a machine reaches

// Map the heap there, once; what is added to it, at the same distance, as far as that is possible.
void exec_init(void *heap, size_t size);
bool exec_add(void *area, size_t size);
void exec_remove(void *area, size_t size);

extern uintptr_t exec_distance;
extern char __frozen_code_start[], __frozen_code_end[];

// The address to call for code at p. What is frozen is in the image and runs where it is.
static inline void *exec_callable(const void *p) {
    bool frozen = (uintptr_t)p - (uintptr_t)__frozen_code_start < (uintptr_t)(__frozen_code_end - __frozen_code_start);
    return (void *)((uintptr_t)p + (frozen ? 0 : exec_distance));
}

// Code has been written at p. Returns p.
void *exec_commit(void *p, size_t len, void *reloc);

// An exception of EL2's own, with these registers: when it was in compiled code, *elr is set to where it ends as a
// Python exception, hv.Fault. False: elsewhere.
bool exec_fault(uint64_t *x, uint64_t *elr, uint64_t esr, uint64_t far);

#endif
