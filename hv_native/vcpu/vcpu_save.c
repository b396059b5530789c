// SPDX-License-Identifier: MIT
// vCPUs' state, to keep and to go back to. None of them is loaded on a core: see hold/snapshot.c.

#include "core/arch.h"
#include "core/syndrome.h"
#include "irq/timer.h"
#include "vcpu/debug.h"
#include "vcpu/vcpu.h"
#include "vcpu/vcpu_save.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/runqueue.h"
#include "vm/state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// What a script's breakpoints know of it: the one at `pc` has been.
typedef struct {
    uint64_t pc, sp;
    bool seen;
} seen_t;

// As they are. Its debug registers and counters come behind these.
static void pass_registers(vcpu_t *v, device_stream_t *s) {
    guest_regs_t *r = v->regs;
    stream_pass(s, (void *)&v->on_pending, sizeof(v->on_pending));
    STREAM_PASS(s, v->serror);
    STREAM_PASS(s, r->x);
    STREAM_PASS(s, r->pc);
    STREAM_PASS(s, r->pstate);
    STREAM_PASS(s, v->el1);
    STREAM_PASS(s, v->fp);
    STREAM_PASS(s, v->vtimer.cval);
    STREAM_PASS(s, v->vtimer.ctl);
    STREAM_PASS(s, v->vtimer.p_cval);
    STREAM_PASS(s, v->vtimer.p_ctl);
}

static void save_vcpu(vcpu_t *v, device_stream_t *s) {
    // An exit that waits for Python has its instruction before it, and will come again.
    vcpu_state_t state = v->state == VCPU_OFF || v->off ? VCPU_OFF : v->state == VCPU_IDLE ? VCPU_IDLE : VCPU_READY;
    seen_t seen = { v->brk.pc, v->brk.sp, v->brk.seen };
    uint32_t before = runq_before(v);
    int64_t slice = (int64_t)(v->slice_end - timer_now());
    STREAM_PUT(s, state);
    STREAM_PUT(s, before);
    STREAM_PUT(s, slice);
    pass_registers(v, s);
    STREAM_PUT(s, v->debug);
    STREAM_PUT(s, v->pmu);
    STREAM_PUT(s, seen);
}

void vcpus_save(vm_t *vm, device_stream_t *s) {
    uint64_t counts[2] = { vtimer_count(vm), vtimer_physical(vm) };
    STREAM_PUT(s, counts);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        save_vcpu(vm->vcpu[i], s);
    }
}

// Whose registers these are stays, and what the hypervisor itself has set.
static void load_debug(vcpu_t *v, device_stream_t *s) {
    uint64_t host_pmcr = v->pmu.host_pmcr;
    STREAM_GET(s, v->debug);
    STREAM_GET(s, v->pmu);
    v->pmu.host_pmcr = host_pmcr;
    v->pmu.loaded = 0;
    v->debug.blind = v->debug.passing = v->debug.hit = false;
    v->debug.changed = true;
}

// Where it goes, in which order: each has its turn, however often they all go back.
typedef struct {
    vcpu_state_t state;
    uint32_t before;
} place_t;

#define MOST_BEFORE 0x10000u    // in the queue, of all VMs

static place_t load_vcpu(vcpu_t *v, device_stream_t *s) {
    place_t to;
    seen_t seen;
    int64_t slice;
    STREAM_GET(s, to.state);
    STREAM_GET(s, to.before);
    STREAM_GET(s, slice);
    v->slice_end = timer_now() + (slice > 0 ? (uint64_t)slice : 0);
    pass_registers(v, s);
    load_debug(v, s);
    STREAM_GET(s, seen);
    v->brk.pc = seen.pc;
    v->brk.sp = seen.sp;
    v->brk.seen = seen.seen;
    v->exclusive.at = NULL;
    v->watched.key = 0;
    v->off = false;
    return to;
}

static void place_all(vm_t *vm, const place_t *to, const vcpu_t *here) {
    for (uint32_t before = 0, left = vm->nvcpus; left != 0; before++) {
        for (unsigned i = 0; i < vm->nvcpus; i++) {
            if (to[i].before == before) {
                left--;
                if (vm->vcpu[i] != here) {
                    runq_place(vm->vcpu[i], to[i].state, vgic_pending(vm->vcpu[i]));
                }
            }
        }
    }
}

// From a file: nothing that would stay in EL2, nor a place that is never reached.
static bool is_sane(const vm_t *vm, const place_t *to) {
    bool ok = true;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        ok = ok && pstate_is_legal(vm->vcpu[i]->regs->pstate) && to[i].before <= MOST_BEFORE;
    }
    return ok;
}

void vcpus_load(vm_t *vm, device_stream_t *s, vcpu_t *here) {
    uint64_t counts[2];
    place_t to[VM_MAX_CPUS];
    STREAM_GET(s, counts);
    s->ahead = s->foreign && !vtimer_can_be(counts[0]);
    if (!stream_check(s, !s->ahead)) {
        return;
    }
    vtimer_go_back(vm, counts[0], counts[1]);
    vcpu_forget_tlbs(vm);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        to[i] = load_vcpu(vm->vcpu[i], s);
    }
    if (!stream_check(s, !s->foreign || is_sane(vm, to))) {
        return;
    }
    runq_drop_python(vm);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vtimer_changed(vm->vcpu[i]);
        debug_changed(vm->vcpu[i]);
    }
    if (here != NULL) {
        here->off = to[here->id].state == VCPU_OFF;
        here->moved = here->kicked = true; // it enters the guest anew
    }
    place_all(vm, to, here);
}
