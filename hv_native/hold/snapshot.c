// SPDX-License-Identifier: MIT
// Snapshots of a VM: see snapshot.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "devices/machine.h"
#include "hold/counters.h"
#include "hold/replay.h"
#include "hold/snapshot.h"
#include "irq/timer.h"
#include "memory/entry.h"
#include "memory/native.h"
#include "vcpu/pmu.h"
#include "vcpu/vcpu.h"
#include "vcpu/vcpu_save.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/shared.h"
#include "vm/state.h"
#include "vm/vm.h"

#define VERSION 1

snapshot_t *snapshot_by_id(const vm_t *vm, uint32_t id) {
    snapshot_t *s = vm->hold == NULL ? NULL : vm->hold->all;
    while (s != NULL && s->id != id) {
        s = s->next;
    }
    return s == NULL || s->dropped || s->lost ? NULL : s;
}

// ---- State --------------------------------------------------------------------------------------

// Between these two, none of its vCPUs is loaded: what was in this core's registers and list registers is in memory.
static void unload(vm_t *vm, vcpu_t *v) {
    uint64_t daif = irq_save();
    if (v != NULL) {
        pmu_leave(v);
    }
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_put(vm->vcpu[i]);
    }
    irq_restore(daif);
}

static void load_again(vcpu_t *v) {
    if (v != NULL && this_pcpu()->running == v) {
        uint64_t daif = irq_save();
        vcpu_load(v);
        if (v->debugged) {
            pmu_enter(v);
        }
        irq_restore(daif);
    }
}

static void save_state(vm_t *vm, device_stream_t *s) {
    s->loads = false;
    devices_save(vm, s);
    size_t begun = stream_begin(s, "vcpus", VERSION);
    vcpus_save(vm, s);
    stream_close(s, begun);
    begun = stream_begin(s, "counters", VERSION);
    counters_save(vm, s);
    stream_close(s, begun);
    replay_save(vm, s);
}

static void load_state(vm_t *vm, device_stream_t *s, vcpu_t *v) {
    s->next = s->end = 0;
    s->loads = true;
    s->bad = false;
    devices_load(vm, s);
    bool fits = stream_open(s, "vcpus") == VERSION;
    if (fits && stream_check(s, !s->bad)) {
        vcpus_load(vm, s, v);
        stream_leave(s);
    }
    fits = fits && stream_open(s, "counters") == VERSION;
    if (fits && s->foreign) {
        s->next = s->end; // of rules that are not here
    } else if (fits) {
        counters_load(vm, s);
    }
    stream_leave(s);
    replay_load(vm, s);
    s->bad = s->bad || !fits;
}

fit_t snapshot_load(vm_t *vm, uint8_t *state, size_t size) {
    device_stream_t s = { .at = state, .used = size, .foreign = true };
    load_state(vm, &s, NULL);
    return s.ahead ? AHEAD_OF_COUNTER : s.bad || s.next != s.used ? MISFIT : FITS;
}

// ---- Taking -------------------------------------------------------------------------------------

static void free_snapshot(snapshot_t *s) {
    stream_free(&s->state);
    native_free(s, sizeof(snapshot_t));
}

static snapshot_t *new_snapshot(vm_t *vm) {
    snapshot_t *s = native_alloc(sizeof(snapshot_t));
    if (s == NULL) {
        return NULL;
    }
    save_state(vm, &s->state);
    if (s->state.bad || !pages_new(vm->hold, s)) {
        free_snapshot(s);
        return NULL;
    }
    s->id = ++vm->hold->ids;
    s->time = timer_now();
    return s;
}

snapshot_t *snapshot_take(vm_t *vm, vcpu_t *v) {
    if (vm->hold == NULL && !pages_begin(vm)) {
        return NULL;
    }
    unload(vm, v);
    snapshot_t *s = new_snapshot(vm);
    hold_t *h = vm->hold;
    if (s != NULL) {
        if (h->at != NULL) {
            h->at->to = s;
            s->behind = 1;
        }
        s->next = h->all;
        h->all = s;
        shared_revoke_all(vm);
        pages_at(vm, s);
        uint64_t daif = irq_save();
        entry_flush(&vm->stage2, 0, BLOCK_1G);
        irq_restore(daif);
    } else if (h->all == NULL) {
        pages_end(vm);
    }
    load_again(v);
    return s;
}

// ---- Going back ---------------------------------------------------------------------------------

// From where the VM is to s, one step after the other; the way from s is known.
static void go_to(vm_t *vm, snapshot_t *s) {
    pages_undo(vm);
    if (vm->hold->at != s) {
        shared_revoke_all(vm);
    }
    while (vm->hold->at != s) {
        snapshot_t *next = s;
        while (next->to != vm->hold->at) {
            next = next->to;
        }
        pages_move(vm, next);
    }
    pages_settle(vm);
}

bool snapshot_back(vm_t *vm, snapshot_t *s, vcpu_t *v, bool guest_clock) {
    if (vm->hold->full || vm->hold->nram != vm->nram) {
        return false;
    }
    unload(vm, v);
    go_to(vm, s);
    s->state.guest_clock = guest_clock;
    load_state(vm, &s->state, v);
    load_again(v);
    return true;
}

void snapshot_again(vm_t *vm, snapshot_t *s) {
    unload(vm, NULL);
    pages_again(vm);
    pages_settle(vm);
    s->state.guest_clock = true;
    load_state(vm, &s->state, NULL);
}

// ---- Dropping -----------------------------------------------------------------------------------

static void unlink(hold_t *h, const snapshot_t *s) {
    snapshot_t **at = &h->all;
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
}

static snapshot_t *behind_of(const hold_t *h, const snapshot_t *s) {
    snapshot_t *b = h->all;
    while (b->to != s) {
        b = b->next;
    }
    return b;
}

// s has at most one behind it, which then stands where it stood.
static void take_out(vm_t *vm, snapshot_t *s) {
    hold_t *h = vm->hold;
    shared_revoke_all(vm);
    if (s->behind == 1) {
        snapshot_t *b = behind_of(h, s);
        pages_merge(h, s, b);
        b->to = s->to;
        h->at = h->at == s ? b : h->at;
    } else if (s->to != NULL && !s->lost) {
        s->to->behind--;
    }
    pages_free(h, s);
    unlink(h, s);
    free_snapshot(s);
}

// Those that are dropped, and that nobody stands on, go.
static void sweep(vm_t *vm) {
    hold_t *h = vm->hold;
    for (snapshot_t *at = h->all; at != NULL;) {
        if (at->dropped && at->behind <= 1 && at->forks == 0) {
            bool last = at->behind == 0 && h->at == at;
            take_out(vm, at);
            if (last) {
                pages_end(vm);
                return;
            }
            at = h->all; // what was in front of it may go as well
        } else {
            at = at->next;
        }
    }
}

void snapshot_drop(vm_t *vm, snapshot_t *s) {
    s->dropped = true;
    sweep(vm);
}

static void snapshots_free(vm_t *vm) {
    hold_t *h = vm->hold;
    while (h != NULL && h->all != NULL) {
        snapshot_t *s = h->all;
        h->all = s->next;
        pages_free(h, s);
        free_snapshot(s);
    }
    if (h != NULL) {
        pages_end(vm);
    }
}

// ---- Forks --------------------------------------------------------------------------------------

bool snapshot_fork(vm_t *vm, snapshot_t *s, vm_t *to) {
    source_t *source = native_alloc(sizeof(source_t));
    if (source == NULL) {
        return false;
    }
    uint64_t daif = spin_lock_irq(&vm->lock);
    *source = (source_t) { .vm = to, .from = vm, .s = s, .next = vm->forks };
    vm->forks = to->source = source;
    s->forks++;
    spin_unlock_irq(&vm->lock, daif);
    device_stream_t state = s->state;
    load_state(to, &state, NULL);
    return true;
}

// vm, whose memory has gone, needs that of the other one no more.
static void leave_source(source_t *source) {
    vm_t *from = source->from;
    uint64_t daif = spin_lock_irq(&from->lock);
    source_t **at = &from->forks;
    while (*at != source) {
        at = &(*at)->next;
    }
    *at = source->next;
    source->s->forks--;
    spin_unlock_irq(&from->lock, daif);
    native_free(source, sizeof(source_t));
    if (!from->closed) {
        sweep(from);
    } else {
        snapshots_end(from);
    }
}

void snapshots_end(vm_t *vm) {
    vm->closed = true;
    for (snapshot_t *s = vm->hold == NULL ? NULL : vm->hold->all; s != NULL; s = s->next) {
        s->dropped = true;
    }
    if (vm->forks != NULL) {
        sweep(vm);
        return;
    }
    source_t *source = vm->source;
    snapshots_free(vm);
    vm_free(vm);
    if (source != NULL) {
        leave_source(source);
    }
}
