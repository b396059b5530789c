// SPDX-License-Identifier: MIT
// RAM of a fork: pages of a snapshot that it reads and executes where they are, until either side writes them.
//
// A fork's RAM is a window (memory/window.h), whose pages come when they are first written, or looked at in C: a copy each,
// which is mapped as RAM is. What its guest only reads and executes is mapped where the snapshot has it, without the right to be
// written, and no longer when that page is to become another (shared_revoke): it is looked for anew then.
// A VM's lock is taken before those of its forks.
#ifndef HV_SHARED_H
#define HV_SHARED_H

#include "vm/vm.h"

typedef struct shared {
    size_t bytes;
    uint64_t *here; // a bit for each page: it has one of its own
    uint64_t *own;  // whether it has or not, it is not the snapshot's any more: zeros, until it has
} shared_t;

// Of a fork; its vCPUs, and those of its own forks, go by it with the locks of all VMs on the way.
typedef struct source {
    vm_t *vm, *from;
    struct snapshot *s;     // of `from`
    struct source *next;    // of from->forks
} source_t;

// Where a page is. at NULL: nowhere, it is what RAM is at first. ram: it is in that VM's RAM, with what is planted there, which
// must not be executed by others; NULL: it is not.
typedef struct {
    const uint8_t *at;
    vm_t *ram;
    bool planted;
} seen_t;
extern seen_t (*shared_seen)(const source_t *source, uint64_t ipa);     // hold/pages.c

bool shared_alloc(ram_t *r);
void shared_free(ram_t *r);
void shared_lock(vm_t *vm);     // with interrupts masked: its own, and first those of whom it was forked from
void shared_unlock(vm_t *vm);

// [offset, offset + size) of it becomes its own. False: no memory.
bool shared_touch(vm_t *vm, ram_t *r, uint64_t offset, uint64_t size);
// A stage-2 fault there: true when it is mapped. write: it is to be its own.
bool shared_fault(vm_t *vm, ram_t *r, uint64_t offset, bool write);
bool shared_here(const ram_t *r, uint64_t offset);
bool shared_own(const ram_t *r, uint64_t offset);
// Of what is not here: where the snapshot has it.
seen_t shared_see(const vm_t *vm, const ram_t *r, uint64_t offset);
// All of it is from now on what RAM is at first, but for what is here. The VM has no snapshots and does not run.
void shared_cut(vm_t *vm);

// With vm's lock: a page of it is about to become another, for who was forked from it. All: its forks are held (vm_hold).
void shared_revoke(vm_t *vm, uint64_t ipa);
void shared_revoke_all(vm_t *vm);

#endif
