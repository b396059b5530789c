// SPDX-License-Identifier: MIT
// Virtual GIC.
// The interrupt controller a guest sees. Everything else injects through this header only, so that
// a machine without a GIC can put another implementation behind it.
//
// Cores talk by an SGI of their own (INTC_SGI_VGIC): a core that gets it brings the list registers of
// the vCPU it has loaded up to date. So whoever waits for another core, and has a vCPU loaded, must
// do so with interrupts on, or call vgic_answer() meanwhile. A device that holds a lock of its own
// while it sets its line takes that by vgic_outer_lock; no other lock may be held by who calls anything
// here but vgic_pending.
#ifndef HV_VGIC_H
#define HV_VGIC_H

#include "core/arch.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

bool vgic_add(vm_t *vm);                // a VM's distributor; false: out of memory
void vgic_init_core(void);              // each core, after its GIC

// As after a reset; the levels of lines stay. No vCPU runs.
void vgic_reset_vm(vm_t *vm);
void vgic_reset_vcpu(vcpu_t *v);        // not loaded anywhere
// Of that, what belongs to the PE and not to the GIC's frames: PSCI CPU_ON resets it.
void vgic_reset_interface(vcpu_t *v);

// v's interrupts are in this core's list registers from here to there. Interrupts masked.
void vgic_load(vcpu_t *v);
void vgic_put(vcpu_t *v);

// The level of an interrupt line: a device's (INTID 32 and up), or a vCPU's own (16 to 31). Any core.
void vgic_set_line(vm_t *vm, unsigned intid, bool level);
void vgic_set_ppi(vcpu_t *v, unsigned intid, bool level);
// An edge.
void vgic_pulse(vm_t *vm, unsigned intid);

// An interrupt would be taken if the vCPU ran with PSTATE.I clear: ends a WFI. v is loaded on this
// core or on none. Takes no lock, so it may be asked with the scheduler's held: whoever makes an
// interrupt pending for a vCPU that is on no core calls vcpu_wake afterwards.
bool vgic_pending(vcpu_t *v);

// What Python sees: VGIC_IS_* of an interrupt, its priority and the vCPU it goes to.
enum {
    VGIC_IS_ENABLED = 1, VGIC_IS_PENDING = 2, VGIC_IS_ACTIVE = 4, VGIC_IS_HIGH = 8, VGIC_IS_EDGE = 16,
    VGIC_IS_HW = 32, // the physical interrupt behind it is active
};
unsigned vgic_state(vcpu_t *v, unsigned intid, uint8_t *priority, uint8_t *cpu);

// Count how often a device's line rises or pulses, and keep it from the guest: always (drop), or until
// vgic_pass, for which the boot core is called. False: no more room (VGIC_WATCHES). Boot core.
bool vgic_watch(vm_t *vm, unsigned intid, bool drop, void *handler);
void vgic_unwatch(vm_t *vm, unsigned intid);
vgic_watch_t *vgic_watched(vm_t *vm, unsigned intid);   // NULL: it is not
uint8_t vgic_asked(vm_t *vm, vgic_watch_t *w);          // what waits for its handler, which takes it over
void vgic_pass(vm_t *vm, unsigned intid, uint8_t asked);

// An SPI of the machine becomes one of the guest's, which ends it by itself. False: it is taken, or no
// more room (VGIC_FORWARDS). Boot core.
bool vgic_forward(vm_t *vm, unsigned intid, unsigned physical);
void vgic_unforward(vm_t *vm, unsigned intid);
void vgic_remove(vm_t *vm);             // before its memory goes

// vgic_save.c, the rows of vm/device.h. No vCPU of it is on a core, or, of a loaded one, vgic_put has been.
struct device_stream;
void vgic_save(vm_t *vm, struct device_stream *s);
void vgic_load_state(vm_t *vm, struct device_stream *s);
bool vgic_forwards(const vm_t *vm);     // an interrupt of it is the machine's

// What other cores ask of this one: see above. Interrupts masked.
void vgic_serve(void);
void vgic_answer(void);                 // the part of it that others wait for
void vgic_outer_lock(spinlock_t *lock); // spin_lock, and answer meanwhile

// vtimer.c: the physical interrupt behind v's `intid` fired on this core, v is loaded here.
void vgic_fired(vcpu_t *v, unsigned intid);
// The guest has ended its last one, or there was none.
bool vgic_over(vcpu_t *v, unsigned intid);
// v's timer may have changed without anyone noticing: look at it, and at the list registers. This core.
void vgic_refresh(vcpu_t *v);

// ---- For vgic_dist.c ----------------------------------------------------------------------------

void vgic_lock_slowly(vm_t *vm);
void vgic_unlock_and_kick(vm_t *vm);

static inline bool vgic_try_lock(spinlock_t *lock) {
    uint32_t seen, failed = 1;
    __asm__ volatile (
        "   ldaxr %w0, [%2]\n"
        "   cbnz %w0, 1f\n"
        "   stxr %w1, %w3, [%2]\n"
        "1:\n"
        : "=&r" (seen), "+&r" (failed) : "r" (&lock->held), "r" (1) : "memory");
    return failed == 0;
}

// Between these two the banks may be looked at and changed. Interrupts masked.
static inline void vgic_lock(vm_t *vm) {
    if (UNLIKELY(!vgic_try_lock(&vm->vgic.lock))) {
        vgic_lock_slowly(vm);
    }
}

void vgic_unlock(vm_t *vm);

// When nothing was settled.
static inline void vgic_unlock_unfolded(vm_t *vm) {
    if (UNLIKELY(vm->vgic.kick != 0)) {
        vgic_unlock_and_kick(vm);
    } else {
        spin_unlock(&vm->vgic.lock);
    }
}

// v sends itself an SGI, with the lock held; and to another one, without.
void vgic_send_sgi(vcpu_t *v, unsigned sgi);
void vgic_sgi_to(vcpu_t *to, unsigned sgi, const vcpu_t *from);
// With the lock held: the SGIs that others have sent v are in its bank, like all that is pending.
void vgic_collect(vcpu_t *v);

// The interrupts in mask of a bank, or all of a vCPU's, are in the bank and in no list register until
// vgic_unlock.
void vgic_settle(vm_t *vm, const vgic_bank_t *b, uint32_t mask);
void vgic_settle_vcpu(vcpu_t *v);
// Bits in mask of a bank (word w; v's own for 0) may have become deliverable.
void vgic_changed(vcpu_t *v, unsigned w, uint32_t mask);
// Physical interrupts behind those in mask that are neither active nor pending any more end.
void vgic_release(vgic_bank_t *b, uint32_t mask);

static inline vgic_bank_t *vgic_bank(vcpu_t *v, unsigned w) {
    return w == 0 ? &v->vgic.bank : &v->vm->vgic.spi[w - 1];
}

// Enabled, and its group is too; and pending as well.
static inline uint32_t vgic_enabled(const vgic_t *g, const vgic_bank_t *b) {
    return b->enabled & ((b->group & g->group1) | (~b->group & g->group0));
}

static inline uint32_t vgic_deliverable(const vgic_t *g, const vgic_bank_t *b) {
    return (b->pending | (b->line & ~b->edge)) & vgic_enabled(g, b);
}

// vgic_script.c, with the lock held: of a watched interrupt.
bool vgic_withheld(vm_t *vm, unsigned intid, bool line);
void vgic_watched_fall(vm_t *vm, unsigned intid);

#endif
