// SPDX-License-Identifier: MIT
// Guest RAM: zeroed and mapped when it is first touched.
#ifndef HV_RAM_H
#define HV_RAM_H

#include "vm/vm.h"

// The RAM or flash that ipa is in, or NULL.
static inline ram_t *vm_ram_at(vm_t *vm, uint64_t ipa) {
    for (unsigned i = 0; i < vm->nram; i++) {
        if (ipa - vm->ram[i].ipa < vm->ram[i].size) {
            return &vm->ram[i];
        }
    }
    return NULL;
}

bool vm_add_ram(vm_t *vm, uint64_t ipa, uint64_t size);

// Host address of guest RAM [ipa, ipa + size), zeroed and contiguous, or NULL when it is not all RAM.
void *vm_ram(vm_t *vm, uint64_t ipa, uint64_t size);
// The same in two steps, for what is long: where it is, and, of a part of that, that it is there.
void *vm_ram_place(vm_t *vm, uint64_t ipa, uint64_t size);
// As vm_ram_place, for who may only read there what the guest has touched already: of a fork, that is not yet here (shared.h).
static inline void *vm_ram_there(vm_t *vm, uint64_t ipa, uint64_t size) {
    return UNLIKELY(vm->forked) ? vm_ram(vm, ipa, size) : vm_ram_place(vm, ipa, size);
}
// The other way: which IPA it is. False: not RAM.
bool vm_ram_ipa(const vm_t *vm, const volatile void *place, uint64_t *ipa);
bool vm_ram_touch(vm_t *vm, const void *place, uint64_t size);
// A device is about to write to it there, or (after) has: rights.h.
void vm_ram_written_slow(vm_t *vm, const volatile void *place, uint64_t size, bool after);
static inline void vm_ram_written(vm_t *vm, const volatile void *place, uint64_t size, bool after) {
    if (UNLIKELY(vm->rights != NULL)) {
        vm_ram_written_slow(vm, place, size, after);
    }
}
// It has read there. True: what lies there is not what the guest has there, which vm_ram_show makes of a copy.
bool vm_ram_read_slow(vm_t *vm, const volatile void *place, uint64_t size);
static inline bool vm_ram_read(vm_t *vm, const volatile void *place, uint64_t size) {
    return UNLIKELY(vm->rights != NULL) && vm_ram_read_slow(vm, place, size);
}
void vm_ram_show(vm_t *vm, const volatile void *place, uint64_t size, void *copy);
// Somebody may keep the address of RAM at ipa: see lent.h.
void vm_show_ram(vm_t *vm, uint64_t ipa);
// A stage-2 fault in RAM that was not touched before: true when it is there now.
bool vm_ram_fault(vm_t *vm, uint64_t ipa, bool write);
bool vm_ram_missing(vm_t *vm, uint64_t ipa);    // after that: whether it was for want of memory
bool vm_ram_is_shared_slow(vm_t *vm, uint64_t ipa);
// Of a fork: not its own yet, so that it must not be written.
static inline bool vm_ram_is_shared(vm_t *vm, uint64_t ipa) {
    return UNLIKELY(vm->forked) && vm_ram_is_shared_slow(vm, ipa);
}
// Before C writes there: it becomes its own. False: there is no memory for it.
static inline bool vm_ram_own(vm_t *vm, uint64_t ipa) {
    return LIKELY(!vm_ram_is_shared(vm, ipa)) || vm_ram_fault(vm, ipa, true);
}
// The part of that which there is time for in a turn of the boot core (sched.h). True: all of it.
bool vm_ram_zero_some(vm_t *vm, uint64_t until);    // until then, by CNTPCT

// Whether a granule of it has been touched.
static inline bool vm_ram_present(const ram_t *r, uint64_t granule) {
    return r->present[granule / 32] >> (granule % 32) & 1;
}

#endif
