// SPDX-License-Identifier: MIT
// A device's interrupt line and the state that it tells of.
#ifndef HV_WIRE_H
#define HV_WIRE_H

#include "core/arch.h"
#include "vgic/vgic.h"
#include "vm/vm.h"

// A device's state and the interrupt line that tells of it change in one step: whoever changes the state has
// the wire's lock, and gives it back with the level that the state stands for. Between the two nobody else
// sees the one without the other, so that no edge is lost when several cores raise and lower it at once.
typedef struct {
    spinlock_t lock;
    bool high;                  // what the vGIC was told last
    uint16_t intid;
    vm_t *vm;
} wire_t;

void wire_set(wire_t *w, bool level);   // with the lock held

static inline uint64_t wire_lock(wire_t *w) {
    uint64_t daif = irq_save();
    vgic_outer_lock(&w->lock);
    return daif;
}

// Nothing that the level depends on has changed.
static inline void wire_unlock_same(wire_t *w, uint64_t daif) {
    spin_unlock_irq(&w->lock, daif);
}

static inline void wire_unlock(wire_t *w, uint64_t daif, bool level) {
    if (level != w->high) {
        wire_set(w, level);
    }
    wire_unlock_same(w, daif);
}

#endif
