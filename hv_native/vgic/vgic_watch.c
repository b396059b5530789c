// SPDX-License-Identifier: MIT
// Interrupts that a script watches, as the virtual GIC asks for them (vgic_state.h).

#include "core/cpu.h"
#include "irq/intc.h"
#include "vgic/vgic.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

vgic_watch_t *vgic_watched(vm_t *vm, unsigned intid) {
    for (unsigned k = 0; k < VGIC_WATCHES; k++) {
        if (vm->vgic.watch[k].intid == intid) {
            return &vm->vgic.watch[k];
        }
    }
    return NULL;
}

// With the lock held: it rises or pulses. True: not for the guest now.
bool vgic_withheld(vm_t *vm, unsigned intid, bool line) {
    vgic_watch_t *w = vgic_watched(vm, intid);
    if (line && w->level) {
        return true; // as it is already
    }
    w->level |= line;
    w->hits++;
    if (w->handler != NULL && !w->drop) {
        w->asked |= line ? VGIC_ASKED_LEVEL : VGIC_ASKED_EDGE;
        intc->send(INTC_SGI_KICK, pcpus[0].mpidr);
    }
    return w->drop || w->handler != NULL;
}

void vgic_watched_fall(vm_t *vm, unsigned intid) {
    vgic_watch_t *w = vgic_watched(vm, intid);
    w->level = false;
    if ((w->asked & VGIC_ASKED_LEVEL) && (vgic_bank(vm->vcpu[0], intid / 32)->edge >> intid % 32 & 1)) {
        w->asked |= VGIC_ASKED_EDGE; // that it has risen is not forgotten
    }
    w->asked &= (uint8_t) ~VGIC_ASKED_LEVEL;
}
