// SPDX-License-Identifier: MIT
// Rights of a VM's pages: what a script gives a page, less what others take away.
//
// The script's rights (stage2.map, stage2.protect; what RAM is mapped with) are in the page's entry. Each owner below
// takes rights away from it and gives back its own only, so that none needs to know of the others. What they have taken
// is kept beside the tables, and only once somebody has taken anything; an entry is made of both in rights_entry(), and
// nowhere else. The rights of the script that are withheld now are in the entry's software bits.
#ifndef HV_RIGHTS_H
#define HV_RIGHTS_H

#include "core/arch.h"
#include "vm/vm.h"

#define S2_READ 1u
#define S2_WRITE 2u
#define S2_EXEC 4u

#define S2_AP_READ BIT(6)
#define S2_AP_WRITE BIT(7)
#define S2_XN BIT(54)
#define S2_PERMISSIONS (S2_AP_READ | S2_AP_WRITE | S2_XN)
#define S2_PTE_SOFTWARE (UINT64_C(15) << 55)    // bits the architecture leaves to software
#define S2_PTE_SCRIPT BIT(55)                   // a script said so: see stage2.h
#define S2_PTE_WITHHELD_SHIFT 56
#define S2_PTE_WITHHELD (UINT64_C(7) << S2_PTE_WITHHELD_SHIFT)

typedef enum {
    RIGHTS_EL1TRAP,     // el1trap.c: written or executed, not both
    RIGHTS_BREAK,       // planted instructions: not read as they are, not overwritten
    RIGHTS_WATCH,       // watchpoints
    RIGHTS_DIRTY,       // what is written is noted
    RIGHTS_OWNERS,
    RIGHTS_TURNS = RIGHTS_OWNERS,   // no owner: three bits of el1trap.c's for a page
} rights_owner_t;

// Take rights (S2_READ and the like) of [ipa, ipa + size) away for this owner, besides those that it has taken already,
// and give all of its back. Multiples of 4 KB. False: no memory, and a part may be taken. The VM's lock is not held: it
// is, for one table at a time.
bool rights_take(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size, unsigned taken);
void rights_give(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size);
// These and no others. The VM's lock is held.
bool rights_set(vm_t *vm, rights_owner_t owner, uint64_t ipa, uint64_t size, unsigned taken);
// The same of one page. flush: else the TLBs may still give more than is left, until somebody flushes them (stage2.h).
bool rights_page(vm_t *vm, rights_owner_t owner, uint64_t ipa, unsigned taken, bool flush);
// Of several of 512, 64 a word, from ipa on, which is their lowest; without a flush.
bool rights_pages(vm_t *vm, rights_owner_t owner, uint64_t ipa, const uint64_t *pages, unsigned taken);
// What it has taken of a page, and which owners (a bit for each) have taken one of `needed`. The VM's lock is held.
unsigned rights_taken(const vm_t *vm, rights_owner_t owner, uint64_t ipa);
unsigned rights_takers(const vm_t *vm, uint64_t ipa, unsigned needed);
// Whether it has taken `needed`, and nobody else has. The same.
bool rights_only(const vm_t *vm, rights_owner_t owner, uint64_t ipa, unsigned needed);
void rights_free(vm_t *vm);
// From now on what is written and read in C is told of (rights_store, rights_read_slow). False: no memory.
bool rights_begin(vm_t *vm);

// What all owners have taken, alike from ipa on to *end (not beyond the one given).
unsigned rights_run(const vm_t *vm, uint64_t ipa, uint64_t *end);

// The entry with that taken away, and with what was and is not any more. The only place where one is made.
uint64_t rights_entry(uint64_t entry, uint64_t taken);

// The rights that a script has given, of which the page may have less.
static inline unsigned rights_base(uint64_t entry) {
    return FIELD(entry, 7, 6) | (entry & S2_XN ? 0 : S2_EXEC) | FIELD(entry, 58, 56);
}

// ---- What owners do about it --------------------------------------------------------------------

// Set at start by each owner that has something to say; NULL: nothing.
typedef struct {
    // v, whose exit is a permission fault at ipa for want of `needed` (one of S2_READ, WRITE, EXEC), lacks what this owner
    // has taken. True: it has given that back, so that the guest may try again. False: it keeps it, and the access is
    // performed for the guest (trap/perform.h); not of S2_EXEC, which has to be given. *why: v leaves the guest.
    bool (*fault)(vcpu_t *v, uint64_t ipa, unsigned needed, exit_t *why);
    // [ipa, ipa + size), which is at va for v, is about to be accessed for v, with these bytes in it before and
    // after; those of a load are alike. False: not now, and v leaves the guest in front of the instruction with *why. True:
    // go on, and let v leave behind it if *why is not EXIT_RESUME.
    bool (*access)(vcpu_t *v, uint64_t va, uint64_t ipa, unsigned size, bool write, const uint8_t *old, const uint8_t *now, exit_t *why);
    // A guest or a device is about to get these bytes, or to be told that they were there: change what it is not to see.
    void (*load)(vm_t *vm, uint64_t ipa, unsigned size, uint8_t *data);
    // Memory is about to be written in C, for a guest or by a device, and (after) has been.
    void (*store)(vm_t *vm, uint64_t ipa, uint64_t size, bool after);
    // A device has read these.
    void (*read)(vm_t *vm, uint64_t ipa, uint64_t size);
    // It has been made. True: v is to leave the guest behind it.
    bool (*made)(vcpu_t *v, uint64_t ipa, unsigned size, bool write);
    // It has had to give up these rights of a page, for good: the MMU reads tables there, or exclusives cannot be followed.
    void (*gave_up)(vm_t *vm, uint64_t page, unsigned rights);
} rights_hooks_t;
extern rights_hooks_t rights_hooks[RIGHTS_OWNERS];

// For who writes to guest RAM in C: around that. BY_SCRIPT: of no interest to a watch, as what perform.c writes, which a
// watch has seen. Nothing to do as long as nobody has taken any rights.
#define BY_DEVICE 0u
#define BY_SCRIPT (1u << RIGHTS_WATCH)
void rights_store_slow(vm_t *vm, uint64_t ipa, uint64_t size, bool after, unsigned but);
static inline void rights_store(vm_t *vm, uint64_t ipa, uint64_t size, bool after, unsigned but) {
    if (UNLIKELY(vm->rights != NULL)) {
        rights_store_slow(vm, ipa, size, after, but);
    }
}

// For a device that has read guest RAM: of interest to a watch. True: what lies there is not what the guest has there.
bool rights_read_slow(vm_t *vm, uint64_t ipa, uint64_t size);

// For who reads guest RAM in C for the guest, or to show it: what was read, as the guest is to see it. Always true.
bool rights_load_slow(vm_t *vm, uint64_t ipa, size_t size, void *data);
static inline bool rights_load(vm_t *vm, uint64_t ipa, size_t size, void *data) {
    return LIKELY(vm->rights == NULL) || rights_load_slow(vm, ipa, size, data);
}

#endif
