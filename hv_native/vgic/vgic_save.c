// SPDX-License-Identifier: MIT
// A virtual GIC's state, to keep and to go back to. Its vCPUs are on no core, so all of it is in the banks.

#include <string.h>
#include "core/arch.h"
#include "vgic/vgic.h"
#include "vm/state.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

// What stands for a physical interrupt, and what scripts watch, is as it is now.
static void load_bank(const vm_t *vm, device_stream_t *s, vgic_bank_t *b) {
    vgic_bank_t was = *b;
    STREAM_GET(s, *b);
    for (unsigned i = 0; s->foreign && i < 32; i++) {
        b->cpu[i] = b->cpu[i] < vm->nvcpus ? b->cpu[i] : VGIC_NOBODY;
        b->holder[i] = b->holder[i] < vm->nvcpus ? b->holder[i] : 0;
    }
    b->hw = was.hw;
    b->watched = was.watched;
    b->in_lr = 0;
    memcpy(b->phys, was.phys, sizeof(b->phys));
}

static void pass_cpu(device_stream_t *s, vgic_cpu_t *c) {
    STREAM_PASS(s, c->sgi_from);
    STREAM_PASS(s, c->sgi_active_from);
    STREAM_PASS(s, c->vmcr);
    STREAM_PASS(s, c->apr);
    STREAM_PASS(s, c->asleep);
    stream_pass(s, (void *)&c->sent, sizeof(c->sent));
}

void vgic_save(vm_t *vm, device_stream_t *s) {
    vgic_t *g = &vm->vgic;
    uint32_t words[3] = { g->group0, g->group1, g->touched };
    STREAM_PUT(s, words);
    for (unsigned w = 0; w < VGIC_WORDS - 1; w++) {
        STREAM_PUT(s, g->spi[w]);
    }
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        STREAM_PUT(s, vm->vcpu[i]->vgic.bank);
        pass_cpu(s, &vm->vcpu[i]->vgic);
    }
    for (unsigned k = 0; k < VGIC_WATCHES; k++) {
        STREAM_PUT(s, g->watch[k].intid);
        STREAM_PUT(s, g->watch[k].level);
        STREAM_PUT(s, g->watch[k].asked);
    }
}

static void load_cpu(const vm_t *vm, device_stream_t *s, vgic_cpu_t *c) {
    load_bank(vm, s, &c->bank);
    pass_cpu(s, c);
    for (unsigned i = 0, all = (1u << vm->nvcpus) - 1; s->foreign && i < 16; i++) {
        c->sgi_from[i] &= all;
        c->sgi_active_from[i] &= all;
        c->sent.by[i] &= all;
    }
    c->used = c->latched = 0;
    c->timer_lr = 0;
    c->folded = false;
}

// What was kept from the guest, for a handler, is kept again; and of one that is not watched any more it gets it.
static void load_watches(vm_t *vm, device_stream_t *s) {
    for (unsigned k = 0; k < VGIC_WATCHES; k++) {
        vgic_watch_t was;
        STREAM_GET(s, was.intid);
        STREAM_GET(s, was.level);
        STREAM_GET(s, was.asked);
        vgic_watch_t *w = was.intid == 0 || was.intid >= VGIC_LINES ? NULL : &vm->vgic.watch[k];
        if (w != NULL && w->intid == was.intid) {
            w->level = was.level;
            w->asked = was.asked;
        } else if (w != NULL) {
            vgic_bank_t *b = vgic_bank(vm->vcpu[0], was.intid / 32);
            b->line |= was.level ? 1u << was.intid % 32 : 0;
            b->pending |= was.asked & VGIC_ASKED_EDGE ? 1u << was.intid % 32 : 0;
        }
    }
}

void vgic_load_state(vm_t *vm, device_stream_t *s) {
    vgic_t *g = &vm->vgic;
    uint32_t words[3];
    uint64_t daif = irq_save();
    vgic_lock(vm);
    STREAM_GET(s, words);
    g->group0 = words[0];
    g->group1 = words[1];
    g->touched = words[2] & ((1u << VGIC_WORDS) - 1);
    for (unsigned w = 0; w < VGIC_WORDS - 1; w++) {
        load_bank(vm, s, &g->spi[w]);
    }
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        load_cpu(vm, s, &vm->vcpu[i]->vgic);
    }
    load_watches(vm, s);
    vgic_unlock(vm);
    irq_restore(daif);
}

bool vgic_forwards(const vm_t *vm) {
    for (unsigned k = 0; k < VGIC_FORWARDS; k++) {
        if (vm->vgic.forward[k].intid != 0) {
            return true;
        }
    }
    return false;
}
