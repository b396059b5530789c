// SPDX-License-Identifier: MIT
// Script access to a guest's interrupts.
// What scripts do to a guest's interrupts: look at one, watch it, keep it from the guest, or let a
// physical one become it. See vgic.h.

#include "core/arch.h"
#include "irq/intc.h"
#include "irq/irq.h"
#include "vgic/vgic.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

unsigned vgic_state(vcpu_t *v, unsigned intid, uint8_t *priority, uint8_t *cpu) {
    vgic_bank_t *b = vgic_bank(v, intid / 32);
    unsigned i = intid % 32;
    uint64_t daif = irq_save();
    vgic_lock(v->vm);
    if (intid < 32) {
        vgic_collect(v);
        vgic_settle_vcpu(v); // its timer's line is known to its core alone
    } else {
        vgic_settle(v->vm, b, 1u << i);
    }
    *priority = b->priority[i];
    *cpu = b->cpu[i];
    uint32_t is[] = { b->enabled, b->pending | (b->line & ~b->edge), b->active, b->line, b->edge, b->hw };
    unsigned all = 0;
    for (unsigned k = 0; k < ARRAY_LEN(is); k++) {
        all |= (is[k] >> i & 1) << k; // in the order of VGIC_IS_*
    }
    vgic_unlock(v->vm);
    irq_restore(daif);
    return all;
}

// ---- Watching -----------------------------------------------------------------------------------

bool vgic_watch(vm_t *vm, unsigned intid, bool drop, void *handler) {
    uint64_t daif = irq_save();
    vgic_lock(vm);
    vgic_bank_t *b = vgic_bank(vm->vcpu[0], intid / 32);
    uint32_t bit = 1u << intid % 32;
    vgic_watch_t *w = vgic_watched(vm, b->watched & bit ? intid : 0);
    if (w != NULL) {
        if (!(b->watched & bit)) {
            *w = (vgic_watch_t) { .intid = intid, .level = (b->line & bit) != 0 };
            b->watched |= bit;
        }
        w->drop = drop;
        w->handler = handler;
        w->asked = 0;
        vgic_release(b, bit);
    }
    vgic_unlock(vm);
    irq_restore(daif);
    return w != NULL;
}

// The guest gets what was kept from it and is still asked for. A physical interrupt it does not get ends.
static void pass_on(vm_t *vm, const vgic_watch_t *w, uint8_t asked) {
    vcpu_t *v = vm->vcpu[0];
    vgic_bank_t *b = vgic_bank(v, w->intid / 32);
    uint32_t bit = 1u << w->intid % 32;
    bool rises = (asked & VGIC_ASKED_LEVEL) && w->level && !(b->line & bit);
    bool fell = (asked & VGIC_ASKED_LEVEL) && !w->level; // while the handler was asked
    b->line |= rises ? bit : 0;
    b->pending |= (asked & VGIC_ASKED_EDGE) || ((rises || fell) && (b->edge & bit)) ? bit : 0;
    vgic_release(b, bit);
    vgic_changed(v, w->intid / 32, bit);
}

void vgic_pass(vm_t *vm, unsigned intid, uint8_t asked) {
    uint64_t daif = irq_save();
    vgic_lock(vm);
    vgic_watch_t *w = vgic_watched(vm, intid);
    if (w != NULL) {
        pass_on(vm, w, asked);
    }
    vgic_unlock(vm);
    irq_restore(daif);
}

uint8_t vgic_asked(vm_t *vm, vgic_watch_t *w) {
    uint64_t daif = irq_save();
    vgic_lock(vm);
    uint8_t asked = w->asked;
    w->asked = 0;
    vgic_unlock(vm);
    irq_restore(daif);
    return asked;
}

void vgic_unwatch(vm_t *vm, unsigned intid) {
    uint64_t daif = irq_save();
    vgic_lock(vm);
    vgic_watch_t *w = vgic_watched(vm, intid);
    if (w != NULL) {
        vgic_bank(vm->vcpu[0], intid / 32)->watched &= ~(1u << intid % 32);
        pass_on(vm, w, w->asked | (w->level ? VGIC_ASKED_LEVEL : 0)); // the guest sees the line as it is
        w->intid = 0;
    }
    vgic_unlock(vm);
    irq_restore(daif);
}

// ---- Physical interrupts ------------------------------------------------------------------------

// The physical interrupt is active now, and stays so until the guest ends its own.
static void forwarded(void *arg) {
    vgic_forward_t *f = arg;
    vm_t *vm = f->vm;
    vgic_bank_t *b = vgic_bank(vm->vcpu[0], f->intid / 32);
    uint32_t bit = 1u << f->intid % 32;
    vgic_lock(vm);
    vgic_settle(vm, b, bit); // the last one has ended: that must not be taken for the end of this one
    b->hw |= bit;
    // One that is dropped stays active: a level would fire again and again.
    if (!(b->watched & bit) || !vgic_withheld(vm, f->intid, false)) {
        b->pending |= bit;
        vgic_changed(vm->vcpu[0], f->intid / 32, bit);
    }
    vgic_unlock(vm);
}

static vgic_forward_t *forward_of(vm_t *vm, unsigned intid) {
    for (unsigned k = 0; k < VGIC_FORWARDS; k++) {
        if (vm->vgic.forward[k].intid == intid) {
            return &vm->vgic.forward[k];
        }
    }
    return NULL;
}

bool vgic_forward(vm_t *vm, unsigned intid, unsigned physical) {
    vgic_unforward(vm, intid);
    vgic_forward_t *f = forward_of(vm, 0);
    if (f == NULL || irq_is_attached(physical)) {
        return false;
    }
    *f = (vgic_forward_t) { vm, intid };
    vgic_bank(vm->vcpu[0], intid / 32)->phys[intid % 32] = (uint16_t)physical;
    irq_attach_forwarded(physical, forwarded, f);
    return true;
}

void vgic_unforward(vm_t *vm, unsigned intid) {
    vgic_forward_t *f = forward_of(vm, intid);
    if (f == NULL) {
        return;
    }
    vgic_bank_t *b = vgic_bank(vm->vcpu[0], intid / 32);
    uint32_t bit = 1u << intid % 32;
    uint64_t daif = irq_save();
    vgic_lock(vm);
    irq_detach(b->phys[intid % 32]);
    vgic_settle(vm, b, bit);
    if (b->hw & bit) {
        intc->set_active(b->phys[intid % 32], false);
    }
    b->hw &= ~bit;
    b->phys[intid % 32] = 0;
    f->intid = 0;
    vgic_unlock(vm);
    irq_restore(daif);
}

void vgic_remove(vm_t *vm) {
    for (unsigned k = 0; k < VGIC_FORWARDS; k++) {
        if (vm->vgic.forward[k].intid != 0) {
            vgic_unforward(vm, vm->vgic.forward[k].intid);
        }
    }
}
