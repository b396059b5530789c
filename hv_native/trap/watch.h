// SPDX-License-Identifier: MIT
// Watchpoints.
// A guest's and its devices' accesses to ranges of its RAM, of any size and number, seen by way of stage 2: the rights of
// the pages are taken away (vm/rights.h), each access to them is performed in C (trap/perform.h), and those that touch a
// range count. What else is on the pages costs its exits, and no more.
//
// One that is named by a guest's address, small or a power of two, is in a debug register instead, while there is one that
// the guest does not have (vcpu/debug.h): nothing else costs then. It sees what vCPUs do at that address, if what is there
// is what was there when it was set; devices are told of as above. What is accessed in a way that C cannot follow from
// there (exclusives, AArch32) goes by stage 2 from then on.
#ifndef HV_WATCH_H
#define HV_WATCH_H

#include "core/cpu.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

typedef enum { WATCH_COUNT, WATCH_LOG, WATCH_STOP } watch_action_t; // without a handler; the VM stops behind the access

typedef struct watch {
    uint64_t ipa, size;
    uint64_t named;         // what the script calls ipa
    unsigned rights;        // S2_READ, S2_WRITE
    unsigned action;        // watch_action_t
    void *handler;          // handler_t, or NULL
    uint64_t hits;
    uint64_t rate;          // so many accesses a second went by it on its page; 0: not worth a word
    bool told;              // of that
    uint64_t va;            // by_va: a debug register may be taken for it, at va
    bool by_va;
    int pair;               // which has been; -1: by stage 2
    unsigned blind;         // rights that had to be given up on a page of it: S2_READ, the MMU walks tables there
    uint64_t reach;         // the furthest end of those before it in the list, and its own
} watch_t;

// A device's access, for the handler, on the boot core.
typedef struct {
    watch_t *watch;
    uint64_t ipa, size, old, now;
    bool open;              // about to be made
} watch_event_t;

#define WATCH_EVENTS 16
typedef struct watches {
    watch_t **list;         // by ipa
    unsigned n, room;
    unsigned changes;       // of the list
    uint64_t passed, since; // accesses that were none of theirs
    unsigned nevents;
    uint64_t lost;          // of devices, for want of a place
    watch_event_t event[WATCH_EVENTS];
} watches_t;

// Boot core, VM held. w belongs to the list then. False: no memory, and nothing is changed.
bool watch_add(vm_t *vm, watch_t *w);
void watch_remove(vm_t *vm, watch_t *w);    // and w is free
void watch_free(vm_t *vm);                  // all of them

// From trap_fast: a permission fault of a load or store with a syndrome. If it is only withheld for a watch's sake and goes
// by it, it is made here. Else EXIT_TRAP: nothing has been done.
uint64_t watch_fast(vcpu_t *v, guest_regs_t *r, uint64_t esr);

// The same of a watchpoint: of a load or store of one register, without write-back. saved: x19 to x29 are in memory; EXIT_SAVE: they
// are to be.
uint64_t watch_fast_register(vcpu_t *v, guest_regs_t *r, bool saved);

// Boot core: the oldest access of a device that a handler is to hear of. False: none.
bool watch_event(vm_t *vm, watch_event_t *e);
// A watch of which something is to be said (rate, blind), once; NULL: none.
watch_t *watch_to_tell(vm_t *vm);

#endif
