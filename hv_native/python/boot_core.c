// SPDX-License-Identifier: MIT
// The boot core's loop.
// What the boot core does between MicroPython's lines: see boot_core.h.

#include "py/mphal.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "devices/virtio.h"
#include "irq/timer.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/callback.h"
#include "trap/trap.h"
#include "vcpu/sched.h"
#include "vcpu/share.h"
#include "vcpu/smp.h"
#include "vcpu/vcpu.h"
#include "vgic/vtimer.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

static mp_sched_node_t python_node;
static void serve_python(mp_sched_node_t *node);

// The vCPU whose handler is on the boot core's stack. No second guest is run on top of it.
static vcpu_t *nested;

bool boot_core_any_handler(void) {
    return nested != NULL;
}

vcpu_t *boot_core_handler(const vm_t *vm) {
    return nested != NULL && nested->vm == vm ? nested : NULL;
}

bool boot_core_in_handler(const vm_t *vm) {
    return nested != NULL && nested->vm == vm;
}

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

bool boot_core_turn_of_others(void) {
    return turn.others;
}

uint64_t boot_core_turn_ends(void) {
    return turn.end;
}

bool boot_core_turn_over(void) {
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

bool boot_core_turn_begin(void) {
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

void boot_core_turn_end(bool more) {
    turn.depth--;
    turn.left = timer_now();
    if (turn.depth == 0 && more && boot_core_turn_over()) {
        make_way();
    }
}

void boot_core_turn_anew(void) {
    if (turn.depth == 0) {
        turn.end = turn.left = 0;
    }
}

// Nothing is to be done, unless it has only made way for that.
static void sleep(void) {
    if (turn.others && turn.depth == 0) {
        go_on();
    } else {
        share_python_ends();
        wfi();
    }
}

static uint64_t last_slice; // when the last one on the boot core ends, or ended

// While nothing is there for MicroPython, vCPUs follow one another without it. What no interrupt tells of it finds
// within this time all the same.
#define LOOKS_HZ 25
static volatile bool look;  // an interrupt has told: boot_core_kicked

static void run_one(vcpu_t *v, uint64_t end) {
    nested = v;
    turn.owed = false;
    if (share_timer.armed) {
        timer_forget(&share_timer);
    }
    sched_run_until(v, end);
    nested = NULL;
    last_slice = v->slice_end;
}

static bool has_ended(const vcpu_t *v) {
    vcpu_state_t state = v->state;
    return state == VCPU_STOPPED || state == VCPU_OFF;
}

static bool anything_for_python(void) {
    return callback_events_pending() || look || turn.others || runq_python_waits();
}

// Interrupts are on for one moment behind a sleep: what has ended it is served.
static void run_guests(bool stay) {
    uint64_t slice = timer_freq() / SLICE_HZ, end = timer_now() + (stay ? timer_freq() / LOOKS_HZ : 0);
    look = false;
    do {
        vcpu_t *v = runq_take();
        if (v != NULL) {
            run_one(v, end + slice); // one that has begun is not cut short
            if (has_ended(v)) {
                return;
            }
        } else {
            sleep();
            runq_awake();
            if (!stay) {
                return;
            }
            irq_enable();
            isb();
            irq_disable();
        }
    } while (stay && !anything_for_python() && timer_glance() < end);
}

static void step(bool stay) {
    boot_core_turn_anew(); // Python has had a look at what is there for it
    if (turn.others && turn.depth == 0 && !turn.owed) {
        turn.owed = true;
        go_on();
        return;
    }
    if (nested != NULL) {
        if (!share_while_waiting()) { // no second guest's exit is handled on top of the first one's
            sleep();
        }
        return;
    }
    if (runq_python_waits()) {
        boot_core_serve_python();
        irq_disable();
        return;
    }
    run_guests(stay);
}

void boot_core_step(bool stay) {
    step(stay);
    share_python_begins();
}

static bool elsewhere(const vcpu_t *v) {
    return v->state == VCPU_RUNNING && v != nested;
}

void vm_hold(vm_t *vm) {
    uint64_t daif = runq_lock();
    vm->held++;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        if (elsewhere(vm->vcpu[i])) {
            vcpu_kick(vm->vcpu[i]);
        }
    }
    runq_unlock(daif);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        while (elsewhere(vm->vcpu[i])) {
        }
    }
}

void vm_release(vm_t *vm) {
    uint64_t daif = runq_lock();
    vm->held--;
    for (unsigned i = 0; i < vm->nvcpus && vm->held == 0; i++) {
        if (vm->vcpu[i]->queued) {
            runq_call_sleeper(vm->vcpu[i]);
        }
    }
    runq_unlock(daif);
}

void boot_core_serve_python(void) {
    vcpu_t *v;
    do {
        if (nested != NULL || (v = runq_take_python()) == NULL) {
            return;
        }
        nested = v;
        irq_disable();
        exit_t why = trap_finish(v);
        sched_leave_core(v);
        sched_settle(v, why);
        irq_enable();
        nested = NULL;
        share_python_begins();
    } while (!boot_core_turn_over());
}

exit_t boot_core_alone(vcpu_t *v, exit_t (*run)(vcpu_t *v)) {
    v->vm->stopping = true; // what it starts waits with the others
    nested = v;
    irq_disable();
    exit_t why = run(v);
    v->kicked = false;
    sched_leave_core(v);
    irq_enable();
    nested = NULL;
    share_python_begins();
    vtimer_stopped(v->vm);
    return why;
}

static mp_sched_node_t slice_node;

static void serve_python(mp_sched_node_t *node) {
    (void)node;
    if (!boot_core_turn_begin()) {
        return;
    }
    boot_core_serve_python();
    hv_irq_serve();
    hv_watch_serve();
    hv_vm_report_ended();
    boot_core_turn_end(runq_python_waits() || hv_vm_any_ended());
}

// A slice for guests in the middle of a script. What the HAL waits for is not lost over it.
static void serve_guests(mp_sched_node_t *node) {
    (void)node;
    bool woken = mp_hal_woken;
    mp_hal_woken = false;
    irq_disable();
    if (!runq_empty()) {
        boot_core_step(false);
    }
    irq_enable();
    mp_hal_woken |= woken;
    mp_sched_schedule_node(&python_node, serve_python);
}

static timer_t slices_timer;

void boot_core_reset(void) {
    timer_cancel(&slices_timer);
    share_stop();
    share_set(SHARE_DEFAULT);
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

// With hv.share(0): between two of MicroPython's instructions.
static void slices(timer_t *t) {
    uint64_t now = timer_now(), slice = timer_freq() / SLICE_HZ;
    if (share_get() != 0) {
        return;
    }
    if (now < last_slice + slice) {
        timer_arm(t, now + 3 * slice, slices); // guests have theirs: nobody has to make room for them
        return;
    }
    if (!runq_empty() && this_pcpu()->running == NULL) {
        mp_sched_schedule_node(&slice_node, serve_guests);
    }
    if (any_in_background()) {
        timer_arm(t, now + slice, slices);
    }
}

void boot_core_share(void) {
    bool native = share_get() != 0;
    if (native && any_in_background()) {
        share_start();
    } else if (!native && !slices_timer.armed) {
        timer_arm(&slices_timer, timer_now() + timer_freq() / SLICE_HZ, slices);
    }
}

// The kick's interrupt: its coming alone made the core leave the guest or its sleep. On the boot core
// there may also be work that only MicroPython's own thread of control can do.
static void boot_core_kicked(void *arg) {
    (void)arg;
    pcpu_t *p = this_pcpu();
    if (p->id == 0) {
        look = true;
        if (!turn.others) {
            mp_sched_schedule_node(&python_node, serve_python);
        }
        virtio_schedule();
    }
}

void boot_core_start(vm_t *vm, const vcpu_t *only) {
    smp_start(boot_core_kicked);
    vm->ended_by = NULL;
    vm->stopping = false;
    vm->running = true;
    vm->zeroed = 0;
    vm->starts += only == NULL; // another one is first each time, or many short runs would all be the same one's
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[(vm->starts + i) % vm->nvcpus];
        if (v->state == VCPU_STOPPED && (only == NULL || v == only)) {
            v->kicked = false;
            if (cpus_online > 1 && v->on == this_pcpu()) {
                uint64_t daif = irq_save();
                vcpu_put(v);
                irq_restore(daif);
            }
            vcpu_start(v);
        }
    }
    virtio_started(vm);
}
