// SPDX-License-Identifier: MIT
// The run queue: vCPUs that wait for a core, those that wait for Python, cores that sleep.
// Any core; the race is argued beside runq_t.
#ifndef HV_RUNQUEUE_H
#define HV_RUNQUEUE_H

#include "core/arch.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// One lock for all of this. A vCPU's state changes under it only, so that
// - who makes an interrupt pending and then calls vcpu_wake finds the vCPU either IDLE, and wakes it, or
//   not yet, and then settle, which has the lock after that, finds the interrupt;
// - a core that found nothing to run is in `idle` before anybody can enqueue something. The SGI that
//   calls it is pending when it comes to its WFI, which then does not wait.
typedef struct {
    spinlock_t lock;
    vcpu_t *first, *last;   // READY vCPUs, in the order they became so
    vcpu_t *python;         // vCPUs whose exit the boot core has to finish, newest first
    uint32_t idle;          // cores that sleep, by id
} runq_t;
extern runq_t runq;

// With this held a vCPU's state may be looked at and changed; it goes with interrupts masked.
static inline uint64_t runq_lock(void) {
    return spin_lock_irq(&runq.lock);
}

static inline void runq_unlock(uint64_t daif) {
    spin_unlock_irq(&runq.lock, daif);
}

// Without it, as a hint.
static inline bool runq_empty(void) {
    return runq.first == NULL;
}

static inline bool runq_python_waits(void) {
    return runq.python != NULL;
}

// With the lock held. A vCPU becomes READY, at the end of the queue or in front of all (it has only made way for
// what MicroPython had to do), and a core that sleeps is called for it.
void runq_add(vcpu_t *v);
void runq_add_first(vcpu_t *v);
void runq_call_sleeper(const vcpu_t *v);    // for one that is READY already
void runq_ask_python(vcpu_t *v);            // the boot core has to finish its exit
void runq_end(vcpu_t *v, exit_t why);       // it has left its core, and its VM ends with it. That may be gone when the lock is given back
bool runq_last_on(const vcpu_t *v);         // all other vCPUs of its VM are off

// Interrupts masked: what this core is to run now; NULL: it may sleep, and is called when there is something.
vcpu_t *runq_take(void);
vcpu_t *runq_take_background(void);         // of a VM that nobody waits for; NULL says nothing about sleep
void runq_awake(void);                      // it has something to do that runq_take does not know of

// Boot core: the vCPU that has waited longest for Python, or NULL; and forget those of a VM, which stay before
// their instructions.
vcpu_t *runq_take_python(void);
void runq_drop_python(vm_t *vm);

// Ask for all vCPUs of a VM to leave. Returns at once: see vm_is_stopped.
void vm_stop(vm_t *vm);
// No vCPU of it runs, and none waits for Python.
bool vm_is_stopped(const vm_t *vm);

// v has gone back to when it was OFF, IDLE or READY; it is on no core. If its VM does not run it waits for that.
void runq_place(vcpu_t *v, vcpu_state_t state, bool pending);
unsigned runq_before(const vcpu_t *v);      // how many are READY in front of it; 0: it is not

// Start a vCPU that was off (PSCI CPU_ON); its registers are set.
void vcpu_start(vcpu_t *v);
// From any core. Make a vCPU leave the guest soon, to look again at what is asked of it.
void vcpu_kick(vcpu_t *v);
// From any core: an interrupt is there for a vCPU that may sleep in WFI.
void vcpu_wake(vcpu_t *v);

#endif
