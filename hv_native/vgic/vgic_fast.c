// SPDX-License-Identifier: MIT
// The virtual GIC's fast paths.
// The virtual GIC's short ways, for what guests do all the time: the timer's next interrupt, an SGI
// to oneself, and the distributor's commonest registers. Each does what the long way in vgic_lr.c or
// vgic_dist.c would have done, or says that it cannot.
//
// No lock is needed for a list register of this core. What it is made of (priority, group, enables)
// changes only after the interrupt has been folded, on this core; so one that is listed, has ended
// and is pending once more looks as it did.

#include "core/arch.h"
#include "irq/gic.h"
#include "vgic/vgic.h"
#include "vgic/vgic_dist.h"
#include "vgic/vgic_irq.h"
#include "vgic/vgic_lr.h"
#include "vgic/vtimer.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

bool vgic_sgi_again(vcpu_t *v, unsigned sgi) {
    vgic_cpu_t *c = &v->vgic;
    if (!(c->bank.in_lr >> sgi & 1)) {
        return false;
    }
    unsigned n = c->bank.at[sgi];
    if (gic_is_v3()) {
        uint64_t raw = ich_lr_read(n);
        if (raw >> 60 != LR_GROUP1 >> 60) {
            return false; // not ended, or in group 0, which ICC_SGI1R_EL1 is not for
        }
        ich_lr_write(n, raw | LR_PENDING);
    } else {
        uint32_t raw = gich_lr_read(n);
        if (raw & (GICH_LR_STATE | GICH_LR_EOI)) {
            return false; // not ended, or another vCPU's of the same number is next
        }
        gich_lr_write(n, (raw & ~GICH_LR_PHYSICAL) | v->id << 10 | GICH_LR_PENDING);
    }
    c->latched |= (uint16_t)(1u << n);
    return true;
}

static NOINLINE void sgir(vcpu_t *v, uint32_t value) {
    bool to_self = value >> 16 == 0x200 || value >> 16 == 1u << v->id;
    if (!to_self || !vgic_sgi_again(v, value & 15)) {
        vgic_dist_sgir(v, value);
    }
}

// One target, which is in cluster 0 like everybody: all but INTID 27:24 and the list 15:0 is zero.
void vgic_icc_sgi1r(vcpu_t *v, uint64_t value) {
    uint64_t list = value & ~(UINT64_C(0xF) << 24);
    unsigned id = list == 0 ? 64 : (unsigned)__builtin_ctzll(list), sgi = FIELD(value, 27, 24);
    if ((list & (list - 1)) == 0 && id < v->vm->nvcpus) {
        vcpu_t *to = v->vm->vcpu[id];
        if (to == v && vgic_sgi_again(v, sgi)) {
            return;
        }
        if (to != v && (to->vgic.bank.group >> sgi & 1)) {
            vgic_sgi_by(to, sgi, v, true);
            return;
        }
    }
    vgic_icc_sgi(v, value, true);
}

// GICD_ISENABLERn and GICD_ICENABLERn.
static inline vgic_bank_t *enables(vcpu_t *v, uint64_t offset) {
    unsigned w = (unsigned)(offset - GICD_ISENABLER) % 0x80 / 4;
    if (offset - GICD_ISENABLER >= GICD_ISPENDR - GICD_ISENABLER || w >= VGIC_WORDS) {
        return NULL;
    }
    return LIKELY(w > 0) ? &v->vm->vgic.spi[w - 1] : gic_is_v3() ? NULL : &v->vgic.bank;
}

uint32_t vgic_dist_load(vcpu_t *v, hook_t *h, uint64_t offset) {
    if (offset == GICD_TYPER) {
        return (uint32_t)h->value;
    }
    const vgic_bank_t *b = enables(v, offset);
    return b != NULL ? b->enabled : vgic_dist_read(v, offset);
}

static NOINLINE void dist_store(vcpu_t *v, uint64_t offset, uint32_t value) {
    vm_t *vm = v->vm;
    vgic_bank_t *b = enables(v, offset);
    if (b != NULL) {
        vgic_lock(vm);
        uint32_t enabled = b->enabled, hold = b->pending | b->line | b->in_lr | b->hw;
        bool on = offset < GICD_ICENABLER;
        // Neither one more that waits to be delivered, nor one that has to be taken back, nor GICv2's
        // SGIs, which are always enabled.
        hold = on ? hold & ~enabled : b == &v->vgic.bank ? hold | 0xFFFF : hold;
        if (!(value & hold)) {
            b->enabled = on ? enabled | value : enabled & ~value;
            vgic_unlock_unfolded(vm);
            return;
        }
        vgic_unlock_unfolded(vm);
    }
    vgic_dist_write(v, offset, value);
}

uint64_t vgic_dist_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value) {
    (void)h;
    dist_store(v, offset, value);
    return 0;
}

// Most SGIs that are written to GICD_SGIR have one target, in the list (bits 23:16, filter 25:24 zero).
uint64_t vgic_dist_store_v2(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value) {
    uint32_t list = value >> 16;
    unsigned id = list == 0 ? 32 : (unsigned)__builtin_ctz(list);
    if (offset != GICD_SGIR) {
        return vgic_dist_store(v, h, offset, value);
    }
    if ((list & (list - 1)) == 0 && id < v->vm->nvcpus && id != v->id) {
        vgic_sgi_by(v->vm->vcpu[id], value & 15, v, false);
    } else {
        sgir(v, value);
    }
    return 0;
}
