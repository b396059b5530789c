// SPDX-License-Identifier: MIT
// Memory accesses that may fault, and the code that reads a system register by number (access.S).
#ifndef HV_ACCESS_H
#define HV_ACCESS_H

#include <stdint.h>

// One volatile access of exactly size bytes (1, 2, 4 or 8). 0, or the ESR_EL2 of the fault.
int64_t peek(uint64_t addr, unsigned size, uint64_t *out);
int64_t poke(uint64_t addr, unsigned size, uint64_t value);
// Clean and invalidate the data cache's line of addr to the point of coherency; the same answer.
int64_t clean_line(uint64_t addr);

// What python/sysreg_access.c copies into its page of code, and writes an encoding into before it runs.
extern const uint32_t patch_template[], patch_template_msr[], patch_template_end[];

// Go on in fn(arg), which does not return, with that stack pointer.
__attribute__((noreturn)) void stack_leave(uint64_t sp, void *arg, void (*fn)(void *arg));

#endif
