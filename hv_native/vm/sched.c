// SPDX-License-Identifier: MIT
// The scheduler: see sched.h.

#include "py/mphal.h"
#include "py/runtime.h"
#include "arch.h"
#include "callback.h"
#include "gic.h"
#include "objects.h"
#include "sched.h"
#include "smp.h"
#include "timer.h"
#include "trap.h"
#include "vgic.h"
#include "virtio.h"

#define SLICE_HZ 100    // slices a second while another vCPU waits

// One lock for all of this. A vCPU's state changes under it only, so that
// - who makes an interrupt pending and then calls vcpu_wake finds the vCPU either IDLE, and wakes it, or
//   not yet, and then settle, which has the lock after that, finds the interrupt;
// - a core that found nothing to run is in `idle` before anybody can enqueue something. The SGI that
//   calls it is pending when it comes to its WFI, which then does not wait.
static struct {
    spinlock_t lock;
    vcpu_t *first, *last;   // READY vCPUs, in the order they became so
    vcpu_t *python;         // vCPUs whose exit the boot core has to finish, newest first
    uint32_t idle;          // cores that sleep, by id
} sched;

static mp_sched_node_t python_node;
static void serve_python(mp_sched_node_t *node);

static uint64_t lock(void) {
    uint64_t daif = irq_save();
    spin_lock(&sched.lock);
    return daif;
}

static void unlock(uint64_t daif) {
    spin_unlock(&sched.lock);
    irq_restore(daif);
}

// The one core it may run on, or -1.
static int place_of(const vcpu_t *v) {
    return v->pin >= 0 ? v->pin : v->home;
}

static bool may_run(const vcpu_t *v, unsigned core) {
    int want = place_of(v);
    return v->vm->held == 0 && (want < 0 || want == (int)core);
}

// ---- The queue; all with the lock held ----------------------------------------------------------

static void enqueue(vcpu_t *v) {
    v->state = VCPU_READY;
    v->queued = true;
    v->next = NULL;
    if (sched.last == NULL) {
        sched.first = v;
    } else {
        sched.last->next = v;
    }
    sched.last = v;
}

// In front of all: it has only made way for what MicroPython had to do.
static void enqueue_first(vcpu_t *v) {
    v->state = VCPU_READY;
    v->queued = true;
    v->next = sched.first;
    sched.first = v;
    if (sched.last == NULL) {
        sched.last = v;
    }
}

static void dequeue(vcpu_t *v) {
    vcpu_t *before = NULL;
    for (vcpu_t *at = sched.first; at != v; at = at->next) {
        before = at;
    }
    if (before == NULL) {
        sched.first = v->next;
    } else {
        before->next = v->next;
    }
    if (sched.last == v) {
        sched.last = before;
    }
    v->queued = false;
}

// The core that is to come for v: one that sleeps. The others look when their slice is over.
static int sleeper_for(const vcpu_t *v) {
    for (unsigned i = platform.ncpus; i-- > 0;) {
        if ((sched.idle & 1u << i) && may_run(v, i)) {
            return (int)i;
        }
    }
    return -1;
}

static void call_sleeper(const vcpu_t *v) {
    int core = sched.idle == 0 ? -1 : sleeper_for(v);
    if (core >= 0) {
        sched.idle &= ~(1u << core);
        if (core != (int)this_pcpu()->id) {
            gic_send_sgi(GIC_SGI_KICK, pcpus[core].mpidr);
        }
    }
}

static void enqueue_and_call(vcpu_t *v) {
    enqueue(v);
    call_sleeper(v);
}

// What this core is to run now; NULL: it may sleep, and is called when there is something.
static vcpu_t *take(void) {
    unsigned core = this_pcpu()->id;
    uint64_t daif = lock();
    vcpu_t *v = sched.first;
    while (v != NULL && !may_run(v, core)) {
        v = v->next;
    }
    if (v != NULL) {
        dequeue(v);
        v->state = VCPU_RUNNING;
        sched.idle &= ~(1u << core);
    } else {
        sched.idle |= 1u << core;
    }
    unlock(daif);
    return v;
}

// This core has something to do that take() does not know of.
static void awake(void) {
    uint64_t daif = lock();
    sched.idle &= ~(1u << this_pcpu()->id);
    unlock(daif);
}

// ---- Running on this core -----------------------------------------------------------------------

typedef struct {
    timer_t timer;  // first: its function finds the vCPU behind it
    vcpu_t *vcpu;
} slice_t;

static void slice_over(timer_t *t) {
    vcpu_t *v = ((slice_t *)t)->vcpu;
    // The boot core has Python to come back to, whoever else waits.
    if (sched.first != NULL || this_pcpu()->id == 0) {
        v->kicked = true;
    } else {
        timer_arm(t, timer_now() + timer_freq() / SLICE_HZ, slice_over);
    }
}

// It may be the last one that the boot core, asleep, waits for.
static void stopped(vcpu_t *v) {
    v->state = VCPU_STOPPED;
    if (this_pcpu()->id != 0) {
        gic_send_sgi(GIC_SGI_KICK, pcpus[0].mpidr);
    }
}

// With the lock held.
static void stop(vm_t *vm) {
    vm->stopping = true;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[i];
        if (v->queued) {
            dequeue(v);
            v->state = VCPU_STOPPED;
        } else if (v->state == VCPU_IDLE) {
            v->state = VCPU_STOPPED;
        } else if (v->state == VCPU_RUNNING) {
            vcpu_kick(v);
        }
    }
    if (vm->running) {
        gic_send_sgi(GIC_SGI_KICK, pcpus[0].mpidr); // who waits for the VM's end looks again
    }
}

// With the lock held. The VM may be gone as soon as that is given back: all have stopped.
static void end(vcpu_t *v, exit_t why) {
    vm_t *vm = v->vm;
    stopped(v);
    if (vm->ended_by == NULL) {
        vm->ended_by = v;
        v->exit.reason = why;
        stop(vm);
    }
}

static bool last_one(const vcpu_t *v) {
    for (unsigned i = 0; i < v->vm->nvcpus; i++) {
        if (v->vm->vcpu[i] != v && v->vm->vcpu[i]->state != VCPU_OFF) {
            return false;
        }
    }
    return true;
}

// Where a vCPU goes when it has left the guest on this core.
static void settle(vcpu_t *v, exit_t why) {
    bool again = why == EXIT_RESUME || why == EXIT_KICK || why == EXIT_EVENT || why == EXIT_IRQ;
    uint64_t daif = lock();
    v->kicked = false;
    if (!again && why != EXIT_IDLE && why != EXIT_PYTHON && why != EXIT_CPU_OFF) {
        end(v, why);
    } else if (why == EXIT_CPU_OFF && last_one(v)) {
        end(v, EXIT_OFF);
    } else if (why == EXIT_CPU_OFF) {
        v->state = VCPU_OFF;
    } else if (why == EXIT_PYTHON) {
        v->state = VCPU_PYTHON;
        v->next = sched.python;
        sched.python = v;
        gic_send_sgi(GIC_SGI_KICK, pcpus[0].mpidr);
    } else if (v->vm->stopping) {
        stopped(v);
    } else if (why == EXIT_IDLE && !vgic_pending(v)) {
        v->state = VCPU_IDLE;
    } else if (why == EXIT_EVENT && timer_now() < v->slice_end) {
        enqueue_first(v);
        call_sleeper(v);
    } else {
        enqueue_and_call(v);
    }
    if (v->vm->stopping && this_pcpu()->id != 0) {
        gic_send_sgi(GIC_SGI_KICK, pcpus[0].mpidr); // this may be the last one that it waits for
    }
    unlock(daif);
}

// Only one core: nobody else will want its registers, so they stay loaded.
static void leave_core(vcpu_t *v) {
    if (smp_online() > 1) {
        vcpu_put(v);
    }
}

static void run_slice(vcpu_t *v) {
    slice_t slice = { .vcpu = v };
    uint64_t now = timer_now();
    if (v->slice_end <= now) {
        v->slice_end = now + timer_freq() / SLICE_HZ;
    }
    timer_arm(&slice.timer, v->slice_end, slice_over);
    exit_t why = vcpu_run(v);
    timer_cancel(&slice.timer);
    leave_core(v);
    settle(v, why);
}

// The vCPU whose handler is on the boot core's stack. No second guest is run on top of it.
static vcpu_t *nested;

bool sched_any_handler(void) {
    return nested != NULL;
}

bool sched_in_handler(const vm_t *vm) {
    return nested != NULL && nested->vm == vm;
}

// ---- Turns of the boot core ---------------------------------------------------------------------

// What guests can have Python do (requests of devices, exits of other cores, watched interrupts, resets) is done
// for a turn at a time. Then it is the turn of others, for as long, or until they have nothing to do: the
// prompt and whatever else Python is at work on, and the guests of this core. MicroPython's scheduler would never
// come back to them by itself: it goes on as long as its nodes are scheduled anew.
#define TURNS_HZ 500

static struct {
    unsigned depth;         // who is at work is inside another one
    volatile bool others;   // it is their turn, until `next`
    bool owed;              // to the guests of this core, who had none since the turn before
    uint64_t end, left;     // when it is to end; when somebody last did
    timer_t next;
} turn;

bool sched_turn_of_others(void) {
    return turn.others;
}

bool sched_turn_over(void) {
    return READ_SYSREG(cntpct_el0) >= turn.end;
}

static void go_on(void) {
    turn.others = false;
    mp_sched_schedule_node(&python_node, serve_python);
    virtio_schedule();
}

static void next_turn(timer_t *t) {
    (void)t;
    if (turn.others) {
        go_on();
    }
}

static void make_way(void) {
    turn.others = true;
    timer_arm(&turn.next, timer_now() + timer_freq() / TURNS_HZ, next_turn);
}

bool sched_turn_begin(void) {
    uint64_t now = timer_now(), length = timer_freq() / TURNS_HZ;
    if (turn.others) {
        return false;
    }
    if (turn.depth == 0 && now >= turn.end) {
        if (now < turn.left + length / 16) {
            make_way(); // nobody else has had the time to do anything
            return false;
        }
        turn.end = now + length;
    }
    turn.depth++;
    return true;
}

void sched_turn_end(bool more) {
    turn.depth--;
    turn.left = timer_now();
    if (turn.depth == 0 && more && sched_turn_over()) {
        make_way();
    }
}

void sched_turn_anew(void) {
    if (turn.depth == 0) {
        turn.end = turn.left = 0;
    }
}

// Nothing is to be done, unless it has only made way for that.
static void sleep(void) {
    if (turn.others && turn.depth == 0) {
        go_on();
    } else {
        wfi();
    }
}

// ---- The boot core's steps ----------------------------------------------------------------------

static uint64_t last_slice; // when the last one on the boot core ends, or ended

void sched_step(void) {
    sched_turn_anew(); // Python has had a look at what is there for it
    if (turn.others && turn.depth == 0 && !turn.owed) {
        turn.owed = true;
        go_on();
        return;
    }
    if (nested != NULL) {
        sleep();
        return;
    }
    if (sched.python != NULL) {
        sched_serve_python();
        irq_disable();
        return;
    }
    vcpu_t *v = take();
    if (v == NULL) {
        sleep();
        awake();
        return;
    }
    nested = v;
    turn.owed = false;
    run_slice(v);
    nested = NULL;
    last_slice = v->slice_end;
}

void sched_secondary(void) {
    for (;;) {
        irq_disable();
        vcpu_t *v = take();
        if (v != NULL) {
            run_slice(v);
        } else {
            wfi(); // a masked interrupt ends it, and is taken below
        }
        irq_enable();
        isb();
    }
}

// ---- Holding a VM -------------------------------------------------------------------------------

static bool elsewhere(const vcpu_t *v) {
    return v->state == VCPU_RUNNING && v != nested;
}

void vm_hold(vm_t *vm) {
    uint64_t daif = lock();
    vm->held++;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        if (elsewhere(vm->vcpu[i])) {
            vcpu_kick(vm->vcpu[i]);
        }
    }
    unlock(daif);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        while (elsewhere(vm->vcpu[i])) {
        }
    }
}

void vm_release(vm_t *vm) {
    uint64_t daif = lock();
    vm->held--;
    for (unsigned i = 0; i < vm->nvcpus && vm->held == 0; i++) {
        if (vm->vcpu[i]->queued) {
            call_sleeper(vm->vcpu[i]);
        }
    }
    unlock(daif);
}

// ---- Exits that wait for Python -----------------------------------------------------------------

static vcpu_t *take_python(void) {
    uint64_t daif = lock();
    vcpu_t *v = sched.python, *before = NULL;
    while (v != NULL && v->next != NULL) { // the oldest is last
        before = v;
        v = v->next;
    }
    if (before != NULL) {
        before->next = NULL;
    } else {
        sched.python = NULL;
    }
    unlock(daif);
    return v;
}

void sched_serve_python(void) {
    vcpu_t *v;
    do {
        if (nested != NULL || (v = take_python()) == NULL) {
            return;
        }
        nested = v;
        irq_disable();
        exit_t why = trap_finish(v);
        leave_core(v);
        settle(v, why);
        irq_enable();
        nested = NULL;
    } while (!sched_turn_over());
}

void sched_drop_python(vm_t *vm) {
    uint64_t daif = lock();
    for (vcpu_t **at = &sched.python; *at != NULL;) {
        if ((*at)->vm == vm) {
            (*at)->state = VCPU_STOPPED;
            *at = (*at)->next;
        } else {
            at = &(*at)->next;
        }
    }
    unlock(daif);
}

static mp_sched_node_t slice_node;

static void serve_python(mp_sched_node_t *node) {
    (void)node;
    if (!sched_turn_begin()) {
        return;
    }
    sched_serve_python();
    hv_irq_serve();
    hv_vm_report_ended();
    sched_turn_end(sched.python != NULL || hv_vm_any_ended());
}

// A slice for guests in the middle of a script. What the HAL waits for is not lost over it.
static void serve_guests(mp_sched_node_t *node) {
    (void)node;
    bool woken = mp_hal_woken;
    mp_hal_woken = false;
    irq_disable();
    if (sched.first != NULL) {
        sched_step();
    }
    irq_enable();
    mp_hal_woken |= woken;
    mp_sched_schedule_node(&python_node, serve_python);
}

static timer_t share_timer;

void sched_reset(void) {
    timer_cancel(&share_timer);
    timer_cancel(&turn.next);
    turn.depth = 0;
    turn.end = turn.left = 0;
    turn.others = false;
    virtio_session();
    // The scheduler's nodes may still be queued: they run in the next session, and find nothing to do.
}

static bool any_in_background(void) {
    for (vm_t *vm = vms; vm != NULL; vm = vm->next) {
        if (vm->running && !vm->foreground) {
            return true;
        }
    }
    return false;
}

static void share(timer_t *t) {
    uint64_t now = timer_now(), slice = timer_freq() / SLICE_HZ;
    if (now < last_slice + slice) {
        timer_arm(t, now + 3 * slice, share); // guests have theirs: nobody has to make room for them
        return;
    }
    if (sched.first != NULL && this_pcpu()->running == NULL) {
        mp_sched_schedule_node(&slice_node, serve_guests);
    }
    if (any_in_background()) {
        timer_arm(t, now + slice, share);
    }
}

void sched_share_core(void) {
    if (!share_timer.armed) {
        timer_arm(&share_timer, timer_now() + timer_freq() / SLICE_HZ, share);
    }
}

// The kick's interrupt: its coming alone made the core leave the guest or its sleep. On the boot core
// there may also be work that only MicroPython's own thread of control can do.
void sched_kicked(void *arg) {
    (void)arg;
    pcpu_t *p = this_pcpu();
    if (p->id == 0) {
        if (!turn.others) {
            mp_sched_schedule_node(&python_node, serve_python);
        }
        virtio_schedule();
    }
}

// ---- Starting and stopping ----------------------------------------------------------------------

void sched_start_vcpu(vcpu_t *v) {
    uint64_t daif = lock();
    if (v->vm->stopping) {
        v->state = VCPU_STOPPED;
    } else {
        enqueue_and_call(v);
    }
    unlock(daif);
}

void sched_start(vm_t *vm) {
    smp_start();
    vm->ended_by = NULL;
    vm->stopping = false;
    vm->running = true;
    vm->zeroed = 0;
    vm->starts++; // another one is first each time, or many short runs would all be the same one's
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[(vm->starts + i) % vm->nvcpus];
        if (v->state == VCPU_STOPPED) {
            v->kicked = false;
            if (smp_online() > 1 && v->on == this_pcpu()) {
                uint64_t daif = irq_save();
                vcpu_put(v);
                irq_restore(daif);
            }
            sched_start_vcpu(v);
        }
    }
    virtio_started(vm);
}

void sched_stop(vm_t *vm) {
    uint64_t daif = lock();
    stop(vm);
    unlock(daif);
}

// Under the lock: the core that made it so is done with the VM then, and its memory may go.
bool sched_is_stopped(const vm_t *vm) {
    uint64_t daif = lock();
    bool stopped = vm->stopping || !vm->running;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_state_t state = vm->vcpu[i]->state;
        stopped = stopped && (state == VCPU_OFF || state == VCPU_STOPPED);
    }
    unlock(daif);
    return stopped;
}

void vcpu_kick(vcpu_t *v) {
    v->kicked = true;
    pcpu_t *on = v->on;
    if (on != NULL && on != this_pcpu()) {
        gic_send_sgi(GIC_SGI_KICK, on->mpidr);
    }
}

void vcpu_wake(vcpu_t *v) {
    uint64_t daif = lock();
    if (v->state == VCPU_IDLE) {
        enqueue_and_call(v);
    } else if (v->state == VCPU_RUNNING && v->on != NULL && v->on != this_pcpu()) {
        gic_send_sgi(GIC_SGI_KICK, v->on->mpidr); // it looks at its interrupts on the way back
    }
    unlock(daif);
}
