// SPDX-License-Identifier: MIT
// The virtual GIC: from pending bits to list registers and back. See vgic.h.
//
// A vCPU's interrupts live in banks of bits. While it is loaded on a core, those that are to be
// delivered move into the core's list registers, and the guest acknowledges and ends them without us.
// `fold_lrs` empties the list registers into the banks, where every question about an interrupt has one
// answer; `fill_lrs` chooses anew what goes in. Those two are always right, and `add_to_lr` is the short way
// for one interrupt more. A core's list registers are touched by that core alone: another one that
// needs them folded asks by an SGI and waits, holding the lock for both.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "irq/intc.h"
#include "irq/irq.h"
#include "vgic/vgic.h"
#include "vgic/vgic_irq.h"
#include "vgic/vgic_lr.h"
#include "vgic/vgic_soft.h"
#include "vgic/vtimer.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

static unsigned lr_count;
static uint32_t lr_all;                 // a bit for each list register
// List registers are in memory (vgic_soft.c): then this bit is always set in vgic_t.kick, so that nobody gives the lock
// back without looking at what they signal.
static uint32_t vgic_soft;

static vgic_bank_t *bank_of(vcpu_t *v, unsigned intid) {
    return vgic_bank(v, intid / 32);
}

static bool here(const vcpu_t *v) {
    return v->vgic.on == this_pcpu();
}

// ---- From the list registers into the banks -----------------------------------------------------

void vgic_release(vgic_bank_t *b, uint32_t mask) {
    mask &= b->hw & ~(b->in_lr | b->active | b->pending | b->line);
    b->hw &= ~mask;
    for (; mask != 0; mask &= mask - 1) {
        intc->set_active(b->phys[__builtin_ctz(mask)], false);
    }
}

static void take_from_lr(vcpu_t *v, unsigned n) {
    vgic_cpu_t *c = &v->vgic;
    unsigned intid = c->intid[n], i = intid % 32;
    vgic_bank_t *b = bank_of(v, intid);
    uint32_t bit = 1u << i;
    uint64_t lr = lr_decode(lr_raw_read(n));
    b->in_lr &= ~bit;
    if (intid == VTIMER_INTID) {
        c->timer_lr = 0;
    }
    if (lr & LR_ACTIVE) {
        b->active |= bit;
        if (intid < 16) {
            c->sgi_active_from[i] = (uint8_t)LR_SOURCE_OF(lr);
        }
    }
    if (UNLIKELY(b->several & bit) && (lr & LR_STATE) == LR_PENDING) {
        v->vm->vgic.kick |= b->route[i] & ~(1u << v->id); // another one may take it, should v not any more
    }
    if ((lr & LR_PENDING) && (c->latched >> n & 1)) {
        b->pending |= bit;
        if (intid < 16 && !gic_is_v3()) {
            c->sgi_from[i] |= (uint8_t)(1u << LR_SOURCE_OF(lr));
        }
    }
    if (!(lr & LR_STATE)) {
        if (lr & LR_HW) {
            b->hw &= ~bit; // the guest has ended the physical one with it
        }
        vgic_release(b, bit);
        if (b->cpu[i] < v->vm->nvcpus && b->cpu[i] != v->id) {
            v->vm->vgic.kick |= 1u << b->cpu[i]; // it had to wait for this
        }
    }
}

// The guest ended interrupts that were active, but in no list register: of those of this vCPU it
// can only have been the ones of highest priority.
static void end_outside_lrs(vcpu_t *v, unsigned count) {
    for (; count > 0; count--) {
        vgic_bank_t *best = NULL;
        unsigned at = 0;
        for (unsigned w = 0; w < VGIC_WORDS; w++) {
            vgic_bank_t *b = vgic_bank(v, w);
            for (uint32_t m = b->active & ~b->in_lr; m != 0; m &= m - 1) {
                unsigned i = (unsigned)__builtin_ctz(m);
                if (b->holder[i] == v->id && (best == NULL || b->priority[i] < best->priority[at])) {
                    best = b;
                    at = i;
                }
            }
        }
        if (best != NULL) {
            best->active &= ~(1u << at);
            vgic_release(best, 1u << at);
        }
    }
}

static void sample_timer(vcpu_t *v) {
    uint32_t bit = 1u << VTIMER_INTID;
    v->vgic.bank.line = vtimer_asserted(v) ? v->vgic.bank.line | bit : v->vgic.bank.line & ~bit;
}

static NOINLINE void empty_lrs(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    if (c->hcr & HCR_LRENPIE) {
        uint32_t hcr = ich_hcr_read();
        ich_hcr_write(c->hcr); // the count starts again from 0
        if (!(ich_vmcr_read() & VMCR_EOIMODE)) { // else GICC_DIR ends them, which traps
            end_outside_lrs(v, HCR_EOI_COUNT(hcr));
        }
    }
    for (uint32_t used = c->used; used != 0; used &= used - 1) {
        unsigned n = (unsigned)__builtin_ctz(used);
        take_from_lr(v, n);
        lr_raw_write(n, 0);
    }
    c->used = c->latched = 0;
}

static void fold_lrs(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    if (c->folded) {
        return;
    }
    c->folded = true;
    if (c->used != 0 || (c->hcr & HCR_LRENPIE)) {
        empty_lrs(v);
    }
    sample_timer(v);
}

// ---- SGIs of other cores ------------------------------------------------------------------------

static inline bool any_sent(const vgic_cpu_t *c) {
    return (c->sent.word[0] | c->sent.word[1]) != 0;
}

// As a set, of those in one word, a byte for each.
static uint32_t numbers(uint64_t word) {
    uint32_t set = 0;
    for (unsigned i = 0; word != 0; i++, word >>= 8) {
        set |= word & 0xFF ? 1u << i : 0;
    }
    return set;
}

static uint32_t sent_numbers(const vgic_cpu_t *c) {
    return numbers(c->sent.word[0]) | numbers(c->sent.word[1]) << 8;
}

// Into the bank; which they were.
static NOINLINE uint32_t take_sent(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    uint64_t word[2];
    uint32_t taken = 0;
    for (unsigned k = 0; k < 2; k++) {
        word[k] = __atomic_exchange_n(&c->sent.word[k], 0, __ATOMIC_ACQUIRE);
        taken |= numbers(word[k]) << k * 8;
    }
    for (unsigned i = 0; i < 16 && !gic_is_v3(); i++) {
        c->sgi_from[i] |= ((const uint8_t *)word)[i];
    }
    c->bank.pending |= taken;
    return taken;
}

// ---- From the banks into the list registers -----------------------------------------------------

// GICv2: whose SGI goes in, and what that leaves for later.
static uint64_t sgi_source(vcpu_t *v, unsigned sgi, bool active, bool *pending) {
    vgic_cpu_t *c = &v->vgic;
    unsigned from = active ? c->sgi_active_from[sgi] : (unsigned)__builtin_ctz(c->sgi_from[sgi] | 0x100u);
    if (c->sgi_from[sgi] >> from & 1) {
        c->sgi_from[sgi] &= (uint8_t) ~(1u << from);
    } else {
        *pending = false;
    }
    // Another vCPU's SGI of the same number follows when this one ends. A list register in memory with EOI is one that
    // vgic_fast.c leaves alone.
    return LR_SOURCE(from) | (c->sgi_from[sgi] != 0 || vgic_soft ? LR_EOI : 0);
}

// No list register in memory ends a physical interrupt. QEMU 7.2's GICv2 keeps an SPI active when another core than the one that acknowledged it (the boot core)
// ends it by a list register with HW. Then we end it, by a maintenance interrupt.
static bool ends_elsewhere(unsigned intid) {
    return vgic_soft || (intid >= 32 && !gic_is_v3() && this_pcpu()->id != 0);
}

// Into list register n, which is free. It is active, or deliverable to v, or both.
static void write_lr(vcpu_t *v, vgic_bank_t *b, unsigned n, unsigned intid) {
    vgic_cpu_t *c = &v->vgic;
    unsigned i = intid % 32;
    uint32_t bit = 1u << i;
    bool active = (b->active & bit) != 0, latched = (b->pending & bit) != 0;
    bool wanted = (vgic_deliverable(&v->vm->vgic, b) & bit) != 0, pending = wanted && b->cpu[i] == v->id;
    uint64_t lr = intid | LR_PRIORITY(b->priority[i]) | (b->group & bit ? LR_GROUP1 : 0) | (active ? LR_ACTIVE : 0);
    if (b->hw & bit) {
        // Not both active and pending with HW (IHI 0048B 5.3.8). What the line says then, the
        // physical interrupt will say again; a latched one must be kept, and we end the physical one.
        pending = pending && (latched || !active);
        lr |= (pending && active) || ends_elsewhere(intid) ? LR_EOI : LR_HW | LR_PHYSICAL(b->phys[i]);
    } else if (intid < 16 && !gic_is_v3()) {
        lr |= sgi_source(v, intid, active, &pending);
    } else if (wanted && (pending ? !(b->edge & bit) && (b->line & bit) : true)) {
        lr |= LR_EOI; // a level that may still be high at its end, or another vCPU waits for the end
    }
    c->latched &= (uint16_t) ~(1u << n);
    if (pending) {
        lr |= LR_PENDING;
        if (latched) {
            c->latched |= (uint16_t)(1u << n);
            b->pending &= ~bit;
            if (intid < 16 && c->sgi_from[i] != 0) {
                b->pending |= bit;
            }
        }
    }
    b->active &= ~bit;
    b->in_lr |= bit;
    b->at[i] = (uint8_t)n;
    b->holder[i] = (uint8_t)v->id;
    c->intid[n] = (uint16_t)intid;
    c->used |= (uint16_t)(1u << n);
    uint64_t raw = lr_encode(lr);
    lr_raw_write(n, raw);
    if (intid == VTIMER_INTID) {
        c->timer_lr = (lr & LR_HW) && !active && !latched ? raw : 0;
    }
}

// The best so many of what is offered, best first. A lower number is a higher priority; what a
// disabled group of the CPU interface holds back comes last.
typedef struct {
    uint32_t count;
    uint32_t shared;                    // not 0: there are some that another vCPU may take as well
    uint32_t key[VGIC_MAX_LRS]; // group disabled, priority, INTID
} choice_t;

static void offer(choice_t *p, uint32_t key) {
    unsigned at = p->count < lr_count ? p->count : lr_count;
    p->count++;
    while (at > 0 && p->key[at - 1] > key) {
        if (at < lr_count) {
            p->key[at] = p->key[at - 1];
        }
        at--;
    }
    if (at < lr_count) {
        p->key[at] = key;
    }
}

// An SPI with several targets (IHI 0048B 1.4.3, the 1-N model), one of which v is. No vCPU has it listed
// whose CPU interface lets none of its group in.
static NOINLINE bool is_shared(const vgic_bank_t *b, unsigned i, const vcpu_t *v) {
    return (b->several >> i & 1) && (b->route[i] >> v->id & 1);
}

static NOINLINE void offer_shared(const vcpu_t *v, vgic_bank_t *b, unsigned i, uint32_t key, choice_t *pending) {
    pending->shared = 1;
    if (key >> 24 == 0) { // not held back
        b->cpu[i] = (uint8_t)v->id; // the first of its targets that can
        offer(pending, key);
    }
}

// What bank w offers v.
static void choose_in(vcpu_t *v, vgic_bank_t *b, unsigned w, uint32_t vmcr, choice_t *active, choice_t *pending) {
    uint32_t is_active = b->active & ~b->in_lr;
    for (uint32_t m = is_active | (vgic_deliverable(&v->vm->vgic, b) & ~b->in_lr); m != 0; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);
        bool group1 = b->group >> i & 1;
        uint32_t held_back = vmcr & (group1 ? VMCR_GROUP1 : VMCR_GROUP0) ? 0 : 1;
        uint32_t key = (uint32_t)b->priority[i] << 16 | w * 32 | i;
        if (is_active >> i & 1) {
            if (b->holder[i] == v->id) {
                offer(active, key);
            }
        } else if (b->cpu[i] == v->id && !(b->several >> i & 1)) {
            offer(pending, held_back << 24 | key);
        } else if (is_shared(b, i, v)) {
            offer_shared(v, b, i, held_back << 24 | key, pending);
        }
    }
}

static void choose(vcpu_t *v, uint32_t vmcr, choice_t *active, choice_t *pending) {
    for (uint32_t banks = v->vm->vgic.touched | 1; banks != 0; banks &= banks - 1) {
        unsigned w = (unsigned)__builtin_ctz(banks);
        vgic_bank_t *b = vgic_bank(v, w);
        if ((b->active | b->pending | b->line) != 0) {
            choose_in(v, b, w, vmcr, active, pending);
        }
    }
}

static unsigned write_lrs(vcpu_t *v, const choice_t *p, unsigned max, unsigned n) {
    for (unsigned k = 0; k < max; k++, n++) {
        unsigned intid = p->key[k] & 0xFFFF;
        write_lr(v, bank_of(v, intid), n, intid);
    }
    return n;
}

static void set_hcr(vgic_cpu_t *c, uint32_t hcr) {
    if (hcr != c->hcr) {
        c->hcr = hcr;
        ich_hcr_write(hcr);
    }
    c->folded = false;
}

static uint32_t hcr_on(void) {
    return HCR_EN | (gic_is_v3() ? HCR_TDIR : 0);
}

// Active interrupts need a list register so that the guest can end them, but one is kept for the
// pending interrupt of highest priority. What finds no room comes back for more by maintenance
// interrupts: when no pending one is left; for active ones, when the others have ended.
static NOINLINE void fill_from_banks(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    choice_t active, pending;
    uint32_t vmcr = ich_vmcr_read(), hcr = hcr_on();
    active.count = pending.count = pending.shared = 0; // all that has to be set
    if (any_sent(c)) {
        take_sent(v);
    }
    if (c->bank.hw != 0) {
        vgic_release(&c->bank, ~0u);
    }
    choose(v, vmcr, &active, &pending);
    unsigned for_pending = active.count < lr_count ? lr_count - active.count : 1;
    for_pending = pending.count < for_pending ? pending.count : for_pending;
    unsigned for_active = active.count < lr_count - for_pending ? active.count : lr_count - for_pending;
    if (for_active + for_pending != 0) {
        write_lrs(v, &pending, for_pending, write_lrs(v, &active, for_active, 0));
    }
    if (for_pending < pending.count) {
        hcr |= HCR_NPIE;
    }
    if (for_pending < pending.count || pending.shared) {
        hcr |= (vmcr & VMCR_GROUP0 ? HCR_GROUP0_OFF : HCR_GROUP0_ON) | (vmcr & VMCR_GROUP1 ? HCR_GROUP1_OFF : HCR_GROUP1_ON);
    }
    if (for_active < active.count) {
        hcr |= HCR_LRENPIE | (lr_count > 1 ? HCR_UIE : 0);
    }
    set_hcr(c, hcr);
}

static inline bool nothing_in(const vgic_bank_t *b) {
    return ((b->active | b->pending | b->line) & ~b->in_lr) == 0;
}

// Nothing is there that is in no list register and could be.
static inline bool nothing_in_banks(const vcpu_t *v) {
    if (any_sent(&v->vgic) || !nothing_in(&v->vgic.bank)) {
        return false;
    }
    for (uint32_t banks = v->vm->vgic.touched & ~1u; banks != 0; banks &= banks - 1) {
        if (!nothing_in(&v->vm->vgic.spi[__builtin_ctz(banks) - 1])) {
            return false;
        }
    }
    return true;
}

static void fill_lrs(vcpu_t *v) {
    if (v->vgic.bank.hw == 0 && nothing_in_banks(v)) {
        set_hcr(&v->vgic, hcr_on());
    } else {
        fill_from_banks(v);
    }
}

static void refill_lrs(vcpu_t *v) {
    fold_lrs(v);
    fill_lrs(v);
}

static unsigned free_lr(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    uint32_t left = lr_all & ~c->used;
    if (left == 0) {
        for (uint32_t ended = c->used & (vgic_soft ? vgic_soft_elrsr() : ich_elrsr_read()); ended != 0; ended &= ended - 1) {
            unsigned n = (unsigned)__builtin_ctz(ended);
            take_from_lr(v, n);
            c->used &= (uint16_t) ~(1u << n);
        }
        left = lr_all & ~c->used;
    }
    return left == 0 ? VGIC_MAX_LRS : (unsigned)__builtin_ctz(left);
}

// The interrupt in list register n has ended and is pending once more. It looks as it did: what it
// is made of changes only after it has been folded.
static bool lr_pending_again(vcpu_t *v, vgic_bank_t *b, unsigned n, unsigned intid) {
    vgic_cpu_t *c = &v->vgic;
    unsigned i = intid % 32;
    uint32_t bit = 1u << i;
    uint64_t raw = lr_raw_read(n);
    if (b->holder[i] != v->id || b->cpu[i] != v->id || lr_raw_busy(raw) || (b->hw & bit)) {
        return false;
    }
    if (intid < 16 && !gic_is_v3()) {
        unsigned from = c->sgi_from[intid];
        if (from == 0 || (from & (from - 1)) != 0) {
            write_lr(v, b, n, intid); // from several vCPUs
            return true;
        }
        raw = (raw & ~(uint64_t)GICH_LR_PHYSICAL) | (uint64_t)__builtin_ctz(from) << 10;
        c->sgi_from[intid] = 0;
    }
    if (b->pending & bit) {
        b->pending &= ~bit;
        c->latched |= (uint16_t)(1u << n);
    } else {
        raw = lr_raw_eoi(raw); // a level
        c->latched &= (uint16_t) ~(1u << n);
    }
    lr_raw_write(n, lr_raw_pending(raw));
    return true;
}

// One interrupt became deliverable to v, which is loaded here.
static inline void add_to_lr(vcpu_t *v, vgic_bank_t *b, unsigned intid) {
    vgic_cpu_t *c = &v->vgic;
    uint32_t bit = 1u << intid % 32;
    if (UNLIKELY(c->folded)) {
        return; // all of them go in when the lock is given back
    }
    if (b->in_lr & bit) {
        if (lr_pending_again(v, b, b->at[intid % 32], intid)) {
            return;
        }
    } else if (!(b->active & bit) && !(c->hcr & (HCR_NPIE | HCR_LRENPIE))) {
        unsigned n = free_lr(v);
        if (n != VGIC_MAX_LRS) {
            write_lr(v, b, n, intid);
            return;
        }
    }
    refill_lrs(v);
}

// ---- Between cores ------------------------------------------------------------------------------

// Another core holds the lock of this core's vCPU and waits for its list registers.
void vgic_answer(void) {
    vcpu_t *v = this_pcpu()->loaded;
    if (v != NULL && v->vgic.asked && here(v)) {
        fold_lrs(v);
        dmb_ish();
        v->vgic.asked = false;
    }
}

void vgic_lock_slowly(vm_t *vm) {
    do {
        vgic_answer();
    } while (!vgic_try_lock(&vm->vgic.lock));
    vcpu_t *v = this_pcpu()->loaded;
    if (v != NULL && v->vm == vm && v->vgic.folded) {
        fill_lrs(v);
    }
}

void vgic_outer_lock(spinlock_t *lock) {
    while (!vgic_try_lock(lock)) {
        vgic_answer();
    }
}

static void kick_vcpu(vcpu_t *v) {
    pcpu_t *on = v->vgic.on;
    if (on != NULL && on != this_pcpu()) {
        v->vgic.dirty = true;
        intc->send(INTC_SGI_VGIC, on->mpidr);
    }
    if (on == NULL || v->state == VCPU_IDLE) {
        vcpu_wake(v); // it sleeps, or is about to
    }
}

void vgic_unlock_and_kick(vm_t *vm) {
    uint32_t who = vm->vgic.kick & ~vgic_soft;
    vm->vgic.kick = vgic_soft;
    vcpu_t *v = this_pcpu()->loaded;
    if (UNLIKELY(vgic_soft != 0) && v != NULL && v->vm == vm) {
        vgic_soft_update(v);
    }
    spin_unlock(&vm->vgic.lock);
    dmb_ish();
    for (; who != 0; who &= who - 1) {
        kick_vcpu(vm->vcpu[__builtin_ctz(who)]);
    }
}

void vgic_unlock(vm_t *vm) {
    vcpu_t *v = this_pcpu()->loaded;
    if (v != NULL && v->vgic.folded && v->vm == vm) {
        fill_lrs(v);
    }
    vgic_unlock_unfolded(vm);
}

void vgic_settle_vcpu(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    if (c->on == NULL || c->folded) {
        return;
    }
    if (here(v)) {
        fold_lrs(v);
        return;
    }
    c->asked = true;
    intc->send(INTC_SGI_VGIC, c->on->mpidr);
    while (c->asked) {
        vgic_answer();
    }
    dmb_ish();
}

void vgic_settle(vm_t *vm, const vgic_bank_t *b, uint32_t mask) {
    while ((mask &= b->in_lr) != 0) {
        vgic_settle_vcpu(vm->vcpu[b->holder[__builtin_ctz(mask)]]);
    }
}

void vgic_serve(void) {
    vcpu_t *v = this_pcpu()->loaded;
    if (v == NULL) {
        return;
    }
    vgic_answer();
    vgic_lock(v->vm);
    if (here(v)) {
        v->vgic.dirty = false;
        refill_lrs(v);
    }
    vgic_unlock_unfolded(v->vm);
}

// All that other cores did was to send v some.
static void take_sgis(vcpu_t *v) {
    vgic_lock(v->vm);
    vgic_collect(v);
    vgic_unlock_unfolded(v->vm);
}

// Another core's SGI.
static void core_called(void *arg) {
    vcpu_t *v = this_pcpu()->loaded;
    (void)arg;
    if (v == NULL) {
        return;
    }
    if (v->vgic.called || v->vgic.folded) {
        vgic_serve();
    } else if (any_sent(&v->vgic)) {
        take_sgis(v);
    }
}

// The list registers want attention; if nobody owns them, they must be quiet.
static void maintenance(void *arg) {
    (void)arg;
    if (this_pcpu()->loaded == NULL) {
        ich_hcr_write(0);
    }
    vgic_serve();
}

// ---- Lines --------------------------------------------------------------------------------------

static inline void deliver_irq(vcpu_t *v, vgic_bank_t *b, unsigned intid) {
    bool loaded = here(v);
    if (loaded) {
        add_to_lr(v, b, intid);
    }
    if (!loaded || v->state == VCPU_IDLE) {
        v->vm->vgic.kick |= 1u << v->id;
    }
}

// Who has it decides: one that is active goes on only when it ends there.
static vcpu_t *receiver(vm_t *vm, const vgic_bank_t *b, unsigned i) {
    unsigned id = (b->in_lr | b->active) >> i & 1 ? b->holder[i] : b->cpu[i];
    return id < vm->nvcpus ? vm->vcpu[id] : NULL;
}

// All the targets of interrupt i look at it; the first that can takes it.
static void share_one(vm_t *vm, const vgic_bank_t *b, unsigned i) {
    bool held = (b->in_lr | b->active) >> i & 1;
    uint32_t targets = held ? 1u << b->holder[i] : b->route[i];
    for (; targets != 0 && (held || !(b->in_lr >> i & 1)); targets &= targets - 1) {
        vcpu_t *v = vm->vcpu[__builtin_ctz(targets)];
        if (here(v) && !v->vgic.folded) {
            refill_lrs(v);
        }
        if (!here(v) || v->state == VCPU_IDLE) {
            vm->vgic.kick |= 1u << v->id;
        }
    }
}

static NOINLINE void share_among_targets(vm_t *vm, const vgic_bank_t *b, uint32_t mask) {
    for (; mask != 0; mask &= mask - 1) {
        share_one(vm, b, (unsigned)__builtin_ctz(mask));
    }
}

void vgic_changed(vcpu_t *v, unsigned w, uint32_t mask) {
    vm_t *vm = v->vm;
    vgic_bank_t *b = vgic_bank(v, w);
    mask &= vgic_deliverable(&vm->vgic, b);
    if (mask == 0) {
        return;
    }
    vm->vgic.touched |= 1u << w;
    if (UNLIKELY(mask & b->several)) {
        share_among_targets(vm, b, mask & b->several);
        mask &= ~b->several;
    }
    for (; mask != 0; mask &= mask - 1) {
        unsigned i = (unsigned)__builtin_ctz(mask);
        vcpu_t *to = receiver(vm, b, i);
        if (to != NULL) {
            deliver_irq(to, b, w * 32 + i);
        }
    }
}

void vgic_send_sgi(vcpu_t *v, unsigned sgi) {
    v->vgic.bank.pending |= 1u << sgi;
    if (!gic_is_v3()) {
        v->vgic.sgi_from[sgi] |= (uint8_t)(1u << v->id);
    }
    vgic_changed(v, 0, 1u << sgi);
}

void vgic_sgi_to(vcpu_t *to, unsigned sgi, const vcpu_t *from) {
    vgic_sgi_by(to, sgi, from, gic_is_v3());
}

void vgic_collect(vcpu_t *v) {
    if (any_sent(&v->vgic)) {
        vgic_changed(v, 0, take_sent(v));
    }
}

static void raise_line(vcpu_t *v, unsigned intid, bool line) {
    vgic_bank_t *b = bank_of(v, intid);
    uint32_t bit = 1u << intid % 32;
    if (UNLIKELY(b->watched & bit) && vgic_withheld(v->vm, intid, line)) {
        return;
    }
    if (line && (b->line & bit)) {
        return;
    }
    if (line) {
        b->line |= bit;
    }
    if (!line || (b->edge & bit)) {
        b->pending |= bit;
    }
    vgic_changed(v, intid / 32, bit);
}

// A level that falls before it was acknowledged is pending no more, and one that has fallen when it
// ends needs no second look.
static void lower_line(vcpu_t *v, unsigned intid) {
    vgic_bank_t *b = bank_of(v, intid);
    unsigned i = intid % 32;
    uint32_t bit = 1u << i;
    if (UNLIKELY(b->watched & bit)) {
        vgic_watched_fall(v->vm, intid);
    }
    if (!(b->line & bit)) {
        return;
    }
    b->line &= ~bit;
    if (!(b->in_lr & bit) || (b->edge & bit)) {
        return;
    }
    vcpu_t *holder = v->vm->vcpu[b->holder[i]];
    unsigned n = b->at[i];
    if (!here(holder)) {
        v->vm->vgic.kick |= 1u << holder->id;
        return;
    }
    uint64_t lr = lr_decode(lr_raw_read(n));
    if ((lr & (LR_HW | LR_PENDING)) || ((b->hw | b->pending) & bit)) {
        refill_lrs(holder);
    } else {
        lr_raw_write(n, lr_encode(lr & ~LR_EOI));
    }
}

static void set_level(vcpu_t *v, unsigned intid, bool level) {
    uint64_t daif = irq_save();
    vgic_lock(v->vm);
    if (level) {
        raise_line(v, intid, true);
    } else {
        lower_line(v, intid);
    }
    vgic_unlock_unfolded(v->vm);
    irq_restore(daif);
}

void vgic_set_line(vm_t *vm, unsigned intid, bool level) {
    if (intid >= 32 && intid < VGIC_LINES && vm->vcpu[0] != NULL) {
        set_level(vm->vcpu[0], intid, level);
    }
}

void vgic_set_ppi(vcpu_t *v, unsigned intid, bool level) {
    set_level(v, intid, level);
}

void vgic_pulse(vm_t *vm, unsigned intid) {
    if (intid < 32 || intid >= VGIC_LINES) {
        return;
    }
    uint64_t daif = irq_save();
    vgic_lock(vm);
    raise_line(vm->vcpu[0], intid, false);
    vgic_unlock_unfolded(vm);
    irq_restore(daif);
}

bool vgic_over(vcpu_t *v, unsigned intid) {
    const vgic_bank_t *b = bank_of(v, intid);
    uint32_t bit = 1u << intid % 32;
    return b->in_lr & bit ? !lr_raw_busy(lr_raw_read(b->at[intid % 32])) : !(b->hw & bit);
}

void vgic_fired(vcpu_t *v, unsigned intid) {
    vgic_bank_t *b = bank_of(v, intid);
    uint32_t bit = 1u << intid % 32;
    vgic_lock(v->vm);
    if ((b->in_lr & bit) && here(v->vm->vcpu[b->holder[intid % 32]])) {
        unsigned n = b->at[intid % 32];
        if (!lr_raw_busy(lr_raw_read(n))) {
            lr_raw_write(n, 0); // that one the guest has ended: what it says of `hw` is about the last time
        }
    }
    b->hw |= bit;
    if (intid < 32) {
        sample_timer(v);
    } else {
        b->pending |= bit;
    }
    vgic_changed(v, intid / 32, bit);
    vgic_unlock_unfolded(v->vm);
}

void vgic_refresh(vcpu_t *v) {
    vgic_lock(v->vm);
    refill_lrs(v);
    vgic_unlock_unfolded(v->vm);
}

// ---- A vCPU on a core ---------------------------------------------------------------------------

void vgic_load(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    vgic_bank_t *b = &c->bank;
    if (lr_count == 0) {
        return;
    }
    vgic_lock(v->vm);
    c->on = this_pcpu();
    dmb_ish(); // from here on who sends an SGI calls this core, and what was sent before is seen below
    c->dirty = false;
    sample_timer(v);
    // The physical timer interrupt of this core is the vCPU's now: active for as long as its own is.
    if ((b->line | b->active) & 1u << VTIMER_INTID) {
        intc->set_active(b->phys[VTIMER_INTID], true);
        b->hw |= 1u << VTIMER_INTID;
    }
    ich_load(c->vmcr, c->apr);
    c->hcr = 0;
    fill_lrs(v);
    if (UNLIKELY(vgic_soft != 0)) {
        vgic_soft_update(v); // it is not called loaded yet
    }
    vgic_unlock_unfolded(v->vm);
}

void vgic_put(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    vgic_bank_t *b = &c->bank;
    if (c->on == NULL) {
        return;
    }
    vgic_lock(v->vm);
    fold_lrs(v);
    ich_put(&c->vmcr, c->apr);
    if (b->hw & 1u << VTIMER_INTID) {
        intc->set_active(b->phys[VTIMER_INTID], false);
        b->hw &= ~(1u << VTIMER_INTID);
    }
    c->folded = false;
    c->on = NULL;
    // With one core a vCPU that sleeps stays loaded until another one runs. Its timer may have fired since
    // interrupts were masked for that: the line is high now and will not rise again, so this is the wake.
    if (v->state == VCPU_IDLE && vgic_pending(v)) {
        v->vm->vgic.kick |= 1u << v->id;
    }
    vgic_unlock_unfolded(v->vm);
}

// Would interrupt i of a bank get through the CPU interface?
static bool passes(const vgic_bank_t *b, unsigned i, uint32_t vmcr, uint32_t running) {
    uint32_t enabled = vmcr & (b->group >> i & 1 ? VMCR_GROUP1 : VMCR_GROUP0);
    return enabled != 0 && b->priority[i] < vmcr >> 24 && b->priority[i] < running;
}

// One of those in mask is v's, or may be.
static inline bool pending_in(const vcpu_t *v, const vgic_bank_t *b, uint32_t mask, uint32_t vmcr, uint32_t running) {
    for (; mask != 0; mask &= mask - 1) {
        unsigned i = (unsigned)__builtin_ctz(mask);
        if ((b->cpu[i] == v->id || is_shared(b, i, v)) && passes(b, i, vmcr, running)) {
            return true;
        }
    }
    return false;
}

// In the banks as they are: what is listed is looked at elsewhere.
static NOINLINE bool pending_in_banks(vcpu_t *v, uint32_t vmcr, uint32_t running) {
    for (uint32_t banks = v->vm->vgic.touched | 1; banks != 0; banks &= banks - 1) {
        unsigned w = (unsigned)__builtin_ctz(banks);
        vgic_bank_t *b = vgic_bank(v, w);
        uint32_t sent = w == 0 && any_sent(&v->vgic) ? sent_numbers(&v->vgic) : 0;
        uint32_t mask = (vgic_deliverable(&v->vm->vgic, b) | (sent & vgic_enabled(&v->vm->vgic, b))) & ~(b->active | b->in_lr);
        if (mask != 0 && pending_in(v, b, mask, vmcr, running)) {
            return true;
        }
    }
    return false;
}

// Which of those that are used say so.
static uint32_t pending_lrs(const vcpu_t *v) {
    uint32_t found = 0;
    for (uint32_t used = v->vgic.used; used != 0; used &= used - 1) {
        unsigned n = (unsigned)__builtin_ctz(used);
        found |= lr_raw_read(n) & lr_raw_pending(0) ? 1u << n : 0;
    }
    return found;
}

static bool pending_in_lrs(vcpu_t *v, uint32_t lrs, uint32_t vmcr, uint32_t running) {
    for (; lrs != 0; lrs &= lrs - 1) {
        unsigned n = (unsigned)__builtin_ctz(lrs), intid = v->vgic.intid[n];
        uint64_t lr = lr_decode(lr_raw_read(n));
        // The timer may have been set anew before its interrupt was taken.
        bool stale = intid == VTIMER_INTID && (lr & LR_HW) && !vtimer_asserted(v);
        if ((lr & LR_STATE) == LR_PENDING && !stale && passes(bank_of(v, intid), intid % 32, vmcr, running)) {
            return true;
        }
    }
    return false;
}

static NOINLINE bool pending_past(vcpu_t *v, bool loaded, uint32_t lrs) {
    vgic_cpu_t *c = &v->vgic;
    uint32_t apr[2] = { c->apr[0], c->apr[1] }, vmcr = c->vmcr;
    if (loaded) {
        vmcr = ich_vmcr_read();
        ich_apr_read(apr);
    }
    // The running priority: that of the lowest bit set, 8 levels each.
    uint32_t levels = apr[0] | apr[1], running = levels == 0 ? 0x100 : (uint32_t)__builtin_ctz(levels) << 3;
    return pending_in_lrs(v, lrs, vmcr, running) || pending_in_banks(v, vmcr, running);
}

// Without the lock: whoever makes something pending that is overlooked here calls vcpu_wake next.
bool vgic_pending(vcpu_t *v) {
    uint64_t daif = irq_save();
    dmb_ish();
    bool loaded = here(v);
    uint32_t lrs = loaded ? pending_lrs(v) : 0;
    bool yes = (lrs != 0 || !nothing_in_banks(v)) && pending_past(v, loaded, lrs);
    irq_restore(daif);
    return yes;
}

// ---- Beginning and end --------------------------------------------------------------------------

static void reset_bank(vgic_bank_t *b, uint8_t cpu) {
    b->enabled = b->group = b->edge = b->pending = b->active = b->in_lr = b->several = 0;
    for (unsigned i = 0; i < 32; i++) {
        b->priority[i] = 0;
        b->route[i] = 0;
        b->cpu[i] = cpu;
    }
}

void vgic_reset_vcpu(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    reset_bank(&c->bank, (uint8_t)v->id);
    c->bank.enabled = gic_is_v3() ? 0 : 0xFFFF;
    c->bank.edge = 0xFFFF; // SGIs
    c->bank.line = 0;
    c->bank.phys[VTIMER_INTID] = (uint16_t)platform.virt_timer_irq;
    for (unsigned i = 0; i < 16; i++) {
        c->sgi_from[i] = c->sgi_active_from[i] = 0;
    }
    c->sent.word[0] = c->sent.word[1] = 0;
    c->asleep = true;
    vgic_reset_interface(v);
}

void vgic_reset_interface(vcpu_t *v) {
    vgic_cpu_t *c = &v->vgic;
    c->apr[0] = c->apr[1] = 0;
    c->vmcr = gic_is_v3() ? VMCR_FIQEN : 0;
    c->used = c->latched = 0;
}

void vgic_reset_vm(vm_t *vm) {
    vgic_t *g = &vm->vgic;
    uint64_t daif = irq_save();
    vgic_lock(vm);
    for (unsigned i = 0; i < vm->nvcpus && vm->vcpu[i] != NULL; i++) {
        vgic_settle_vcpu(vm->vcpu[i]);
    }
    // Without affinity routing a lone CPU gets everything; with it, IROUTER's reset value is vCPU 0.
    uint8_t cpu = gic_is_v3() || vm->nvcpus == 1 ? 0 : VGIC_NOBODY;
    g->group0 = g->group1 = 0;
    for (unsigned w = 1; w < VGIC_WORDS; w++) {
        reset_bank(&g->spi[w - 1], cpu);
        vgic_release(&g->spi[w - 1], ~0u);
    }
    vgic_unlock(vm);
    irq_restore(daif);
}

void vgic_init_core(void) {
    if (!platform_has_intc()) {
        return;
    }
    this_pcpu()->gich = platform.gich.base;
    if (vgic_is_soft()) {
        vgic_soft = BIT(31);
        vgic_soft_init_core();
    }
    lr_count = (ich_vtr_read() & 0x3F) + 1;
    lr_count = lr_count < VGIC_MAX_LRS ? lr_count : VGIC_MAX_LRS;
    lr_all = (1u << lr_count) - 1;
    ich_hcr_write(0);
    if (!vgic_soft) {
        irq_attach(platform.maintenance_irq, maintenance, NULL);
    }
    if (platform.gic_version != 0) {
        this_pcpu()->vgic_call = (gic_is_v3() ? gicv3_sgi : gicv2_sgi)(INTC_SGI_VGIC, this_pcpu()->mpidr);
    }
    irq_attach(INTC_SGI_VGIC, core_called, NULL);
    irq_while_waiting = vgic_answer;
}
