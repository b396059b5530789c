// SPDX-License-Identifier: MIT
// What RAM was: pages that have been written since a snapshot, as they were then.
//
// RAM is where a VM is; its snapshots stand in a tree around it. Each knows the next one on the way to RAM (`to`; NULL:
// RAM itself, which is so of the one that the VM is at), and keeps its own pages where they differ from that one's. A page
// is kept before it is first written: its right to be written is taken away until then (RIGHTS_DIRTY), and what
// devices and scripts write in C says so before (rights_store).
#ifndef HV_PAGES_H
#define HV_PAGES_H

#include "core/arch.h"
#include "vm/state.h"
#include "vm/vm.h"

// 2 MB. A page that is kept, but not of the bits, is what RAM has as well: it is not copied again when it is written again.
typedef struct {
    uint64_t written[8];
    uint8_t **page;     // 512 of them, or NULL
} chunk_t;

typedef struct snapshot {
    uint32_t id;
    bool dropped;       // only kept for those behind it
    bool history;       // the first to go when memory runs out
    bool lost;          // and it has
    unsigned behind;    // how many have this as `to`
    unsigned forks;     // how many VMs' RAM was this at first (vm/shared.h)
    struct snapshot *to;
    struct snapshot *next;  // all of the VM's, newest first
    chunk_t *chunk;
    device_stream_t state;
    uint64_t time;      // CNTPCT
} snapshot_t;

typedef struct hold {
    snapshot_t *at;     // RAM is this, but for what has been written since
    snapshot_t *all;
    unsigned nram, chunks, first[VM_MAX_RAM];   // chunks of all RAM, and where each range's begin
    uint64_t pages, quota;  // kept; at most so many
    uint8_t *spare;     // pages at hand, each with the next one in its first word
    uint32_t ids;
    struct fuzz *fuzz;  // who goes back to one of them all the time (fuzz.h), or NULL
    bool full;          // there was no memory for what a device was to write over: nothing can be gone back to
} hold_t;

// The VM is held, or does not run. False: no memory.
bool pages_begin(vm_t *vm);             // the first snapshot
bool pages_new(hold_t *h, snapshot_t *s);
void pages_end(vm_t *vm);               // there is none any more
// s is where the VM is from now on, and RAM as it is is s.
void pages_at(vm_t *vm, snapshot_t *s);
// RAM is again what it was at h->at; then, at s, which is next to it.
void pages_undo(vm_t *vm);
void pages_again(vm_t *vm);             // the first, and what has been written may be written from now on without that being noted anew
void pages_move(vm_t *vm, snapshot_t *s);
// s is not wanted: free its pages, or, if there is one behind it, leave it what that needs.
void pages_free(hold_t *h, snapshot_t *s);
void pages_merge(hold_t *h, snapshot_t *s, snapshot_t *behind);
// The guest's own code and tables have changed.
void pages_settle(vm_t *vm);

// The address of page i of a chunk. False: beyond RAM.
bool pages_ipa(const vm_t *vm, unsigned chunk, unsigned i, uint64_t *ipa);
// What RAM was at s, or with s NULL is, from ipa on, which is of whole pages. False: nothing of it has been touched, or, but for flash, it is all zeros.
bool pages_read(vm_t *vm, const snapshot_t *s, uint64_t ipa, uint8_t *to, size_t size);

#endif
