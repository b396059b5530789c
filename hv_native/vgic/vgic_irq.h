// SPDX-License-Identifier: MIT
// Interrupts that only have to go into their list register once more: the virtual timer's, and the one by which
// another core says that a vCPU of its own has sent an SGI; and how that core does. Inline, for who knows the GIC's
// version by then. vgic_fast.c says why no lock is taken.
#ifndef HV_VGIC_IRQ_H
#define HV_VGIC_IRQ_H

#include "core/arch.h"
#include "core/cpu.h"
#include "irq/gic.h"
#include "irq/intc.h"
#include "vgic/vgic_lr.h"
#include "vgic/vtimer.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"

// Its list register is empty: the physical interrupt could not fire before the guest had ended the
// one in it.
static inline bool vgic_timer_again(vcpu_t *v) {
    uint64_t raw = v->vgic.timer_lr;
    if (raw == 0) {
        return false;
    }
    unsigned n = v->vgic.bank.at[VTIMER_INTID];
    if (gic_is_v3()) {
        ich_lr_write(n, raw);
    } else {
        write32(platform.gich.base + GICH_LR + n * 4, (uint32_t)raw); // in memory, timer_lr is 0 (vgic_soft.c)
    }
    return true;
}

// One SGI is under way, and it looks as in vgic_sgi_again. Taken out of `sent` it is nowhere until the list register is
// written, which nobody sees: who wants to know asks this core first (vgic_settle_vcpu).
static inline bool vgic_claim(vgic_cpu_t *c, uint64_t sent) {
    return __atomic_compare_exchange_n(&c->sent.word[0], &sent, 0, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline bool vgic_sgi_arrives(vcpu_t *v, bool v3) {
    vgic_cpu_t *c = &v->vgic;
    uint64_t sent = c->sent.word[0];
    unsigned bit = (unsigned)__builtin_ctzll(sent), sgi = bit / 8;
    if (sent == 0 || (sent & (sent - 1)) != 0 || c->sent.word[1] != 0 || c->called || !(c->bank.in_lr >> sgi & 1)) {
        return false;
    }
    unsigned n = c->bank.at[sgi];
    if (v3) {
        uint64_t raw = ich_lr_read(n);
        if (raw >> 60 != LR_GROUP1 >> 60 || !vgic_claim(c, sent)) {
            return false;
        }
        ich_lr_write(n, raw | LR_PENDING);
    } else {
        uint32_t raw = gich_lr_read(n);
        if ((raw & (GICH_LR_STATE | GICH_LR_EOI)) || !vgic_claim(c, sent)) {
            return false;
        }
        gich_lr_write(n, (raw & ~GICH_LR_PHYSICAL) | (bit % 8) << 10 | GICH_LR_PENDING);
    }
    c->latched |= (uint16_t)(1u << n);
    return true;
}

// Who finds that it is under way already, from somebody else, leaves the calling to him. Between the bit and the look
// at `on` is a barrier, as there is one in vgic_load and in vgic_pending: a vCPU that is loaded after that look finds
// the bit, and one that is put before it is woken.
static inline void vgic_sgi_by(vcpu_t *to, unsigned sgi, const vcpu_t *from, bool v3) {
    if (__atomic_fetch_or(&to->vgic.sent.by[sgi], (uint8_t)(1u << from->id), __ATOMIC_RELEASE) != 0) {
        return;
    }
    dsb_ish();
    const pcpu_t *on = to->vgic.on;
    if (UNLIKELY(on == NULL)) {
        vcpu_wake(to);
    } else if (v3) {
        gicv3_call(on->vgic_call);
    } else if (UNLIKELY(on->vgic_call == 0)) {
        intc->send(INTC_SGI_VGIC, on->mpidr); // no GIC
    } else {
        gicv2_call(on->vgic_call);
    }
}

#endif
