// SPDX-License-Identifier: MIT
// EL2's interrupts: see irq.h.

#include "core/cpu.h"
#include "core/platform.h"
#include "irq/gic.h"
#include "irq/irq.h"

static void nothing_to_answer(void) {
}

void (*irq_while_waiting)(void) = nothing_to_answer;

typedef struct {
    irq_handler_t fn;
    void *arg;
    bool forwarded;
} irq_slot_t;

static irq_slot_t slots[IRQ_MAX];

void irq_el2(void);

static void attach(unsigned intid, irq_handler_t fn, void *arg, bool forwarded) {
    if (intid < IRQ_MAX && platform.gic_version != 0) {
        slots[intid] = (irq_slot_t) { fn, arg, forwarded };
        gic_enable(intid);
    }
}

void irq_attach(unsigned intid, irq_handler_t fn, void *arg) {
    attach(intid, fn, arg, false);
}

void irq_attach_forwarded(unsigned intid, irq_handler_t fn, void *arg) {
    attach(intid, fn, arg, true);
}

bool irq_is_attached(unsigned intid) {
    return intid >= IRQ_MAX || slots[intid].fn != NULL;
}

void irq_detach(unsigned intid) {
    if (intid < IRQ_MAX) {
        gic_disable(intid);
        slots[intid].fn = NULL;
    }
}

void irq_handle(uint32_t iar) {
    unsigned intid = gic_intid(iar);
    if (intid >= GIC_SPURIOUS) {
        return;
    }
    this_pcpu()->irq_count++;
    irq_slot_t *s = &slots[intid & (IRQ_MAX - 1)];
    if (s->fn != NULL) {
        s->fn(s->arg);
    }
    gic_drop(iar);
    if (!s->forwarded) {
        gic_deactivate(iar);
    }
}

// One at a time: if another is pending it is taken as soon as we return.
void irq_dispatch(void) {
    irq_handle(gic_ack());
}

// From vectors.S: an interrupt while EL2's own code was running.
void irq_el2(void) {
    irq_dispatch();
}

void irq_init_core(void) {
    if (platform.gic_version != 0) {
        gic_init_core();
    }
}

void irq_init(void) {
    if (platform.gic_version != 0) {
        gic_init_distributor();
        irq_init_core();
    }
}
