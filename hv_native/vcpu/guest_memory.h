// SPDX-License-Identifier: MIT
// A guest's memory by virtual address, as a debugger sees it: by both stages of a vCPU, and RAM only. What stage 1 and
// stage 2 permit does not matter, only where they lead; nothing that a device would notice is ever read or written.
#ifndef HV_GUEST_MEMORY_H
#define HV_GUEST_MEMORY_H

#include "vm/vcpu_state.h"

// How many bytes it was: fewer than n where the next one is not mapped, or is no RAM. v is stopped, or its exit is
// being handled here. Caches are cleaned as for a guest that has its own off, and what is written may be executed.
size_t guest_read(vcpu_t *v, uint64_t va, void *to, size_t n);
size_t guest_write(vcpu_t *v, uint64_t va, const void *from, size_t n);

#endif
