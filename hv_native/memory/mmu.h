// SPDX-License-Identifier: MIT
// EL2's own address space: identity-mapped, caches on, nothing both writable and executable.
#ifndef HV_MMU_H
#define HV_MMU_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    MMU_DEVICE, // Device-nGnRE, read-write, never executed
    MMU_DATA,   // normal write-back, read-write, never executed
    MMU_RO,     // normal write-back, read-only, never executed
    MMU_CODE,   // normal write-back, read-only, executable
    MMU_NC,     // normal non-cacheable, read-write, never executed
} mmu_type_t;

void mmu_init(void);    // build the tables and turn the MMU on; once, on the boot core
void mmu_enable(void *pcpu); // turn it on with the same tables on another core

// Multiples of 4 KB, virtual address = physical address unless said otherwise. False: out of pages.
bool mmu_map(uint64_t va, uint64_t pa, uint64_t size, mmu_type_t type);
bool mmu_unmap(uint64_t va, uint64_t size);
bool mmu_protect(uint64_t va, uint64_t size, mmu_type_t type); // what is mapped there already
// Map a device's registers, in whole 2 MB blocks.
bool mmu_map_device(uint64_t base, uint64_t size);

// True when [va, va + size) holds code, constants, data or stacks of the hypervisor itself.
bool mmu_is_image(uint64_t va, uint64_t size);

// The reserve below the boot core's stack (core/cpu.h). Open a page more of it, or as many as 16 bytes below
// sp need; false: it does not reach so far. Close all of it: nothing there may be in use.
bool mmu_stack_open(uint64_t sp);
void mmu_stack_close(void);
// Where the mapped part of the stack ends.
uint64_t mmu_stack_end(void);

struct pgtable *mmu_tables(void);
uint64_t mmu_attributes(mmu_type_t type);

#endif
