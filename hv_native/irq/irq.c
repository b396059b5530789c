// SPDX-License-Identifier: MIT
// EL2's interrupts: see irq.h.

#include "core/cpu.h"
#include "irq/intc.h"
#include "irq/irq.h"

static void nothing_to_answer(void) {
}

void (*irq_while_waiting)(void) = nothing_to_answer;

typedef struct {
    irq_handler_t fn;
    void *arg;
    bool forwarded;
} __attribute__((aligned(32))) irq_slot_t;

static irq_slot_t slots[IRQ_MAX];

void irq_el2(void);

static void attach(unsigned intid, irq_handler_t fn, void *arg, bool forwarded) {
    if (intid < IRQ_MAX) {
        slots[intid] = (irq_slot_t) { fn, arg, forwarded };
        intc->enable(intid);
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
        intc->disable(intid);
        slots[intid].fn = NULL;
    }
}

// Of a controller that is no GIC.
static NOINLINE void handle_asked(void) {
    uint32_t iar = intc->ack();
    if (iar >= INTC_SPURIOUS) {
        return;
    }
    irq_slot_t *s = &slots[iar & (IRQ_MAX - 1)];
    if (s->fn != NULL) {
        s->fn(s->arg);
    }
    intc->end(iar);
    if (!s->forwarded) {
        intc->deactivate(iar);
    }
}

void irq_handle(uint32_t iar) {
    bool v3 = intc_is_v3();
    unsigned intid = intc_intid(v3, iar);
    if (intid >= INTC_SPURIOUS) {
        if (intid == INTC_ASK) {
            handle_asked();
        }
        return;
    }
    irq_slot_t *s = &slots[intid & (IRQ_MAX - 1)];
    if (s->fn != NULL) {
        s->fn(s->arg);
    }
    intc_end(v3, iar);
    if (!s->forwarded) {
        intc_deactivate(v3, iar);
    }
}

// One at a time: if another is pending it is taken as soon as we return.
void irq_dispatch(void) {
    irq_handle(intc_ack(intc_is_v3()));
}

// From vectors.S: an interrupt while EL2's own code was running.
void irq_el2(void) {
    irq_dispatch();
    pcpu_t *me = this_pcpu();
    if (UNLIKELY(me->after_irq != NULL)) {
        void (*then)(void) = me->after_irq;
        me->after_irq = NULL;
        then();
    }
}

void irq_init_core(void) {
    intc->init_core();
}

void irq_init(void) {
    intc_init();
    irq_init_core();
}
