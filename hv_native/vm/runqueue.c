// SPDX-License-Identifier: MIT
// Run queue.
// Which vCPUs wait for a core, and which for Python: see runqueue.h.

#include "core/cpu.h"
#include "core/platform.h"
#include "irq/intc.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

runq_t runq;

// The one core it may run on, or -1.
static int core_of(const vcpu_t *v) {
    return v->pin >= 0 ? v->pin : v->affinity;
}

static bool may_run(const vcpu_t *v, unsigned core) {
    int want = core_of(v);
    return v->vm->held == 0 && (want < 0 || want == (int)core);
}

static void append(vcpu_t *v) {
    v->state = VCPU_READY;
    v->queued = true;
    v->next = NULL;
    if (runq.last == NULL) {
        runq.first = v;
    } else {
        runq.last->next = v;
    }
    runq.last = v;
}

static void insert_first(vcpu_t *v) {
    v->state = VCPU_READY;
    v->queued = true;
    v->next = runq.first;
    runq.first = v;
    if (runq.last == NULL) {
        runq.last = v;
    }
}

static void remove_from_queue(vcpu_t *v) {
    vcpu_t *before = NULL;
    for (vcpu_t *at = runq.first; at != v; at = at->next) {
        before = at;
    }
    if (before == NULL) {
        runq.first = v->next;
    } else {
        before->next = v->next;
    }
    if (runq.last == v) {
        runq.last = before;
    }
    v->queued = false;
}

// The core that is to come for v: one that sleeps. The others look when their slice is over.
static int sleeper_for(const vcpu_t *v) {
    for (unsigned i = platform.ncpus; i-- > 0;) {
        if ((runq.idle & 1u << i) && may_run(v, i)) {
            return (int)i;
        }
    }
    return -1;
}

void runq_call_sleeper(const vcpu_t *v) {
    int core = runq.idle == 0 ? -1 : sleeper_for(v);
    if (core >= 0) {
        runq.idle &= ~(1u << core);
        if (core != (int)this_pcpu()->id) {
            intc->send(INTC_SGI_KICK, pcpus[core].mpidr);
        }
    }
}

void runq_add(vcpu_t *v) {
    append(v);
    runq_call_sleeper(v);
}

// In front of all: it has only made way for what MicroPython had to do.
void runq_add_first(vcpu_t *v) {
    insert_first(v);
    runq_call_sleeper(v);
}

void runq_ask_python(vcpu_t *v) {
    v->state = VCPU_PYTHON;
    v->next = runq.python;
    runq.python = v;
    intc->send(INTC_SGI_KICK, pcpus[0].mpidr);
}

// What this core is to run now; NULL: it may sleep, and is called when there is something.
vcpu_t *runq_take(void) {
    unsigned core = this_pcpu()->id;
    spin_lock(&runq.lock);
    vcpu_t *v = runq.first;
    while (v != NULL && !may_run(v, core)) {
        v = v->next;
    }
    if (v != NULL) {
        remove_from_queue(v);
        v->state = VCPU_RUNNING;
        runq.idle &= ~(1u << core);
    } else {
        runq.idle |= 1u << core;
    }
    spin_unlock(&runq.lock);
    return v;
}

vcpu_t *runq_take_background(void) {
    unsigned core = this_pcpu()->id;
    uint64_t daif = runq_lock();
    vcpu_t *v = runq.first;
    while (v != NULL && (v->vm->foreground || !may_run(v, core))) {
        v = v->next;
    }
    if (v != NULL) {
        remove_from_queue(v);
        v->state = VCPU_RUNNING;
    }
    runq_unlock(daif);
    return v;
}

// This core has something to do that runq_take() does not know of.
void runq_awake(void) {
    uint64_t daif = runq_lock();
    runq.idle &= ~(1u << this_pcpu()->id);
    runq_unlock(daif);
}

// With the lock held.
static void stop_all(vm_t *vm) {
    vm->stopping = true;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[i];
        if (v->queued) {
            remove_from_queue(v);
            v->state = VCPU_STOPPED;
        } else if (v->state == VCPU_IDLE) {
            v->state = VCPU_STOPPED;
        } else if (v->state == VCPU_RUNNING) {
            vcpu_kick(v);
        }
    }
    if (vm->running) {
        intc->send(INTC_SGI_KICK, pcpus[0].mpidr); // who waits for the VM's end looks again
    }
}

// With the lock held. The VM may be gone as soon as that is given back: all have stopped.
void runq_end(vcpu_t *v, exit_t why) {
    vm_t *vm = v->vm;
    v->state = VCPU_STOPPED;
    if (vm->ended_by == NULL) {
        vm->ended_by = v;
        v->exit.reason = why;
        stop_all(vm);
    }
}

bool runq_last_on(const vcpu_t *v) {
    for (unsigned i = 0; i < v->vm->nvcpus; i++) {
        if (v->vm->vcpu[i] != v && v->vm->vcpu[i]->state != VCPU_OFF) {
            return false;
        }
    }
    return true;
}

vcpu_t *runq_take_python(void) {
    uint64_t daif = runq_lock();
    vcpu_t **oldest = NULL; // which is last
    for (vcpu_t **at = &runq.python; *at != NULL; at = &(*at)->next) {
        oldest = (*at)->vm->held == 0 ? at : oldest; // what is held waits
    }
    vcpu_t *v = oldest == NULL ? NULL : *oldest;
    if (v != NULL) {
        *oldest = v->next;
    }
    runq_unlock(daif);
    return v;
}

void runq_drop_python(vm_t *vm) {
    uint64_t daif = runq_lock();
    for (vcpu_t **at = &runq.python; *at != NULL;) {
        if ((*at)->vm == vm) {
            (*at)->state = VCPU_STOPPED;
            *at = (*at)->next;
        } else {
            at = &(*at)->next;
        }
    }
    runq_unlock(daif);
}

unsigned runq_before(const vcpu_t *v) {
    unsigned n = 0;
    uint64_t daif = runq_lock();
    for (const vcpu_t *at = v->queued ? runq.first : v; at != v; at = at->next) {
        n++;
    }
    runq_unlock(daif);
    return n;
}

void runq_place(vcpu_t *v, vcpu_state_t state, bool pending) {
    uint64_t daif = runq_lock();
    bool runs = v->vm->running && !v->vm->stopping;
    if (v->queued) {
        remove_from_queue(v);
    }
    v->state = state == VCPU_OFF ? VCPU_OFF : runs ? VCPU_IDLE : VCPU_STOPPED;
    if (v->state == VCPU_IDLE && (state == VCPU_READY || pending)) {
        runq_add(v);
    }
    runq_unlock(daif);
}

void vcpu_start(vcpu_t *v) {
    uint64_t daif = runq_lock();
    if (v->vm->stopping) {
        v->state = VCPU_STOPPED;
    } else {
        runq_add(v);
    }
    runq_unlock(daif);
}

void vm_stop(vm_t *vm) {
    uint64_t daif = runq_lock();
    stop_all(vm);
    runq_unlock(daif);
}

// Under the lock: the core that made it so is done with the VM then, and its memory may go.
bool vm_is_stopped(const vm_t *vm) {
    uint64_t daif = runq_lock();
    bool stopped = vm->stopping || !vm->running;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_state_t state = vm->vcpu[i]->state;
        stopped = stopped && (state == VCPU_OFF || state == VCPU_STOPPED);
    }
    runq_unlock(daif);
    return stopped;
}

void vcpu_kick(vcpu_t *v) {
    v->kicked = true;
    pcpu_t *on = v->on;
    if (on != NULL && on != this_pcpu()) {
        intc->send(INTC_SGI_KICK, on->mpidr);
    }
}

void vcpu_wake(vcpu_t *v) {
    uint64_t daif = runq_lock();
    if (v->state == VCPU_IDLE) {
        runq_add(v);
    } else if (v->state == VCPU_RUNNING && v->on != NULL && v->on != this_pcpu()) {
        intc->send(INTC_SGI_KICK, v->on->mpidr); // it looks at its interrupts on the way back
    }
    runq_unlock(daif);
}
