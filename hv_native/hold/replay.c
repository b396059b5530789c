// SPDX-License-Identifier: MIT
// Record and replay: see replay.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/virtio.h"
#include "hold/replay.h"
#include "irq/timer.h"
#include "memory/native.h"
#include "vcpu/a64.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/pmu.h"
#include "vcpu/sched.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/el1_state.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define VERSION 4
#define NOWHERE 2u
#define AT_ONCE 64u         // turns by software, before others have a look

// ---- The log ------------------------------------------------------------------------------------

size_t replay_inputs(const replay_t *p) {
    return p->log.used / sizeof(input_t);
}

static const input_t *input_at(const replay_t *p) {
    return p->at < replay_inputs(p) ? (const input_t *)p->log.at + p->at : NULL;
}

uint64_t replay_count(const vm_t *vm) {
    replay_t *p = vm->record;
    if (p->unfinished && p->v->regs->pc != p->pc) {
        p->unfinished = false; // the boot core has finished it meanwhile
        p->count++;
    }
    return p->count;
}

static void note(replay_t *p, input_t *e, const void *data) {
    e->data = p->data.used;
    stream_put(&p->data, data, e->bytes);
    p->log.bad |= p->data.bad;
    if (!p->log.bad) {
        stream_put(&p->log, e, sizeof(*e));
    }
    p->inexact |= p->log.bad ? REPLAY_SKIPPED : 0;
}

bool replay_lets_in(const vm_t *vm) {
    return vm->replay == NULL || vm->replay->live;
}

static void shift_again(replay_t *p);

static void record(vm_t *vm, input_t *e, const void *data) {
    replay_t *p = vm->replay;
    if (p->live) {
        shift_again(p);
        e->count = replay_count(vm);
        note(p, e, data);
        p->at = replay_inputs(p);
    }
}

void replay_noted(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value) {
    record(vm, &(input_t) { .kind = kind, .what = what, .value = value }, NULL);
}

void replay_wrote(vm_t *vm, const void *at, size_t bytes) {
    uint64_t ipa;
    if (bytes != 0 && vm_ram_ipa(vm, at, &ipa)) {
        record(vm, &(input_t) { .kind = INPUT_WRITE, .value = ipa, .bytes = bytes }, at);
    }
}

// An INTID that such an input can have, as read from a file.
static bool is_line(const vm_t *vm, const input_t *e) {
    if (e->kind == INPUT_PPI) {
        return (e->what & 0xFF) < 32 && e->what >> 8 < vm->nvcpus;
    }
    return (e->kind != INPUT_LINE && e->kind != INPUT_PULSE) || (e->what >= 32 && e->what < VGIC_LINES);
}

bool replay_is_input(const vm_t *vm, const input_t *e) {
    return e->kind < INPUT_KINDS && (e->kind != INPUT_SLEPT || e->value >> 48 == 0) && is_line(vm, e);
}

bool replay_put(replay_t *p, input_t e, const void *data) {
    note(p, &e, data);
    return !p->log.bad;
}

static void write_ram(vm_t *vm, uint64_t ipa, const uint8_t *data, size_t bytes) {
    uint8_t *at = vm_ram(vm, ipa, bytes);
    if (at != NULL) {
        vm_ram_written(vm, at, bytes, false);
        memcpy(at, data, bytes);
        vm_ram_written(vm, at, bytes, true);
        cache_clean_poc(at, bytes); // its driver may have its caches off; and it may be code
        icache_invalidate();
    }
}

// What a virtio device has done.
static void device_did(vm_t *vm, const input_t *e, const uint8_t *data) {
    unsigned slot = e->what & 0xFF, queue = e->what >> 8 & 0xFF;
    virtio_t *d = slot < vm->nvirtio ? vm->virtio[slot] : NULL;
    if (d == NULL) {
        return;
    }
    if (e->kind == INPUT_USED && queue < d->nqueues) {
        virtqueue_push(d, queue, (uint16_t)(e->what >> 16) % VIRTQUEUE_MAX, d->epoch, (uint32_t)e->value);
    } else if (e->kind == INPUT_CONFIG) {
        virtio_configure(d, data, e->bytes);
        virtio_interrupt(d, 2);
    } else if (e->kind == INPUT_BROKEN) {
        virtio_broken(d, d->epoch, "what it did wrong when it was recorded");
    }
}

static void input_do(vm_t *vm, const input_t *e, const uint8_t *data) {
    uint8_t c = (uint8_t)e->what;
    switch (e->kind) {
        case INPUT_CONSOLE:
            if (e->value != 0) {
                pl011_type(vm, c);
            } else {
                pl011_send(vm, &c, 1);
            }
            break;
        case INPUT_LINE:
            vgic_set_line(vm, e->what, e->value);
            break;
        case INPUT_PPI:
            vgic_set_ppi(vm->vcpu[e->what >> 8], e->what & 0xFF, e->value);
            break;
        case INPUT_PULSE:
            vgic_pulse(vm, e->what);
            break;
        case INPUT_SLEPT:
            vm->stopped_at += e->value;
            break;
        case INPUT_WRITE:
            write_ram(vm, e->value, data, e->bytes);
            break;
        default:
            device_did(vm, e, data);
            break;
    }
}

bool replay_input_data(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value, const void *data, size_t bytes) {
    input_t e = { .kind = kind, .what = what, .value = value, .bytes = bytes };
    if (LIKELY(vm->replay == NULL)) {
        input_do(vm, &e, data);
        return true;
    }
    uint64_t daif = irq_save();
    bool live = vm->replay->live;
    if (live) {
        record(vm, &e, data);
        input_do(vm, &e, data);
        vcpu_wake(vm->replay->v); // another one's interrupt may end its sleep
    }
    irq_restore(daif);
    return live;
}

void replay_do(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value) {
    input_do(vm, &(input_t) { .kind = kind, .what = what, .value = value }, NULL);
}

bool replay_input(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value) {
    return replay_input_data(vm, kind, what, value, NULL, 0);
}

// ---- Time ---------------------------------------------------------------------------------------

static void sync_time(vm_t *vm) {
    replay_t *p = vm->replay;
    vm->stopped_at += p->count / TURNS_A_TICK - p->synced / TURNS_A_TICK;
    p->synced = p->count;
}

// The turns since the last time are told to the VM's time and to the PMU: after how many it has something, or 0.
static uint64_t pass_turns(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    sync_time(v->vm);
    uint64_t left = pmu_turns(v, p->count - p->counted);
    p->counted = p->count;
    return left;
}

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

// All that goes by turns: ticks to the next deadline, or 0; and at which count the PMU has something.
static uint64_t settle_turns(vcpu_t *v, uint64_t *then) {
    vm_t *vm = v->vm;
    uint64_t left = pass_turns(v), ticks = pl031_settle(vm);
    *then = left != 0 ? vm->replay->count + left : UINT64_MAX;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        ticks = sooner(ticks, vtimer_settle(vm->vcpu[i]));
    }
    return ticks;
}

// v is to look whether it has slept long enough. Who has not yet noted that it sleeps is asked again.
static void wake(timer_t *t) {
    replay_t *p = (replay_t *)((char *)t - offsetof(replay_t, wake));
    if (p->v->state != VCPU_IDLE) {
        timer_arm(t, timer_now() + timer_freq() / 1000, wake);
    }
    vcpu_wake(p->v);
}

static void awake(replay_t *p) {
    p->slept_at = 0;
    timer_cancel(&p->wake);
}

// As it is recorded a sleep takes as long as it does in the world, unless it is stepped over.
static bool slept(replay_t *p, uint64_t ticks) {
    if (!p->live || p->stop != UINT64_MAX) {
        return true;
    }
    uint64_t now = timer_now();
    p->slept_at = p->slept_at == 0 ? now : p->slept_at;
    if (ticks != 0 && now - p->slept_at < ticks) {
        timer_arm(&p->wake, p->slept_at + ticks, wake);
    }
    return ticks != 0 && now - p->slept_at >= ticks;
}

// Somebody has woken it before its deadline.
static void was_woken(vcpu_t *v, uint64_t ticks) {
    replay_t *p = v->vm->replay;
    uint64_t passed = timer_now() - p->slept_at;
    passed = ticks != 0 && passed > ticks ? ticks : passed;
    awake(p);
    replay_input(v->vm, INPUT_SLEPT, 0, passed);
}

// All sleep. To the next deadline, as a turn of its own, or until somebody wakes one.
static exit_t sleep_on(vcpu_t *v, uint64_t ticks) {
    replay_t *p = v->vm->replay;
    if (!slept(p, ticks) || ticks == 0) {
        return p->live ? EXIT_IDLE : EXIT_STOP; // nothing in the log comes to wake it
    }
    awake(p);
    v->vm->stopped_at += ticks;
    p->count++;
    sync_time(v->vm);
    return EXIT_RESUME;
}

// ---- Shifts -------------------------------------------------------------------------------------

#define NO_CORE 0x7FFF  // runq_take() gives it to nobody

static bool sleeps(const vcpu_t *v) {
    return v->vm->replay->asleep >> v->id & 1;
}

static bool has_work(vcpu_t *v) {
    return v->state != VCPU_OFF && (!sleeps(v) || vgic_pending(v));
}

static void give_shift(replay_t *p, vcpu_t *v) {
    if (p->v != v) {
        p->v->pin = NO_CORE;
        v->pin = 0;
        p->v = v;
        vcpu_wake(v);
    }
}

// After v comes the next one that has work; v itself is last, NULL: it is nobody's.
static vcpu_t *next_with_work(vcpu_t *v) {
    vm_t *vm = v->vm;
    vcpu_t *w = v;
    do {
        w = vm->vcpu[(w->id + 1) % vm->nvcpus];
    } while (w != v && !has_work(w));
    return has_work(w) ? w : NULL;
}

// v's shift may be over. Nobody's exclusive lasts longer: who is next may store there. True: it is another one's.
static bool shift_over(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    vcpu_t *w = sleeps(v) || p->count >= p->shift_end ? next_with_work(v) : NULL;
    if (w == NULL) {
        return false;
    }
    p->before.count = p->count;
    p->before.shift_end = p->shift_end;
    p->before.v = v;
    p->before.asleep = p->asleep;
    p->asleep &= ~(1u << w->id);
    p->shift_end = p->count + TURNS_A_SHIFT;
    if (v->vm->nvcpus > 1) {
        v->exclusive.at = NULL;
    }
    give_shift(p, w);
    return w != v;
}

// Something is noted for this count: as it is fed again it comes before the shift's end, which is to see it.
static void shift_again(replay_t *p) {
    if (p->before.v != NULL && p->before.count == p->count && p->ahead) {
        give_shift(p, p->before.v);
        p->asleep = p->before.asleep;
        p->shift_end = p->before.shift_end;
    }
    p->before.v = NULL;
}

// v is off. False: it was the last one.
static bool leaves_shift(vcpu_t *v) {
    vm_t *vm = v->vm;
    vcpu_t *w = next_with_work(v);
    for (unsigned n = 1; n < vm->nvcpus && (w == NULL || w == v); n++) {
        w = vm->vcpu[(v->id + n) % vm->nvcpus]; // they sleep
        w = w->state != VCPU_OFF ? w : NULL;
    }
    if (w == NULL || w == v) {
        return false;
    }
    vm->replay->shift_end = vm->replay->count + TURNS_A_SHIFT;
    vm->replay->before.v = NULL;
    give_shift(vm->replay, w);
    return true;
}

static bool at_end(replay_t *p) {
    if (!p->live && p->count >= p->length) {
        p->live = true; // from here on, as it comes
        return true;
    }
    return p->count >= p->stop;
}

// What is to be done in front of a turn, in the same order each time; list registers are filled as if it were for the first
// time, since of two interrupts of one priority the first register's comes first.
static exit_t due(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    exit_t why = EXIT_RESUME;
    const input_t *e;
    uint64_t ticks, counter;
    do {
        ticks = settle_turns(v, &counter);
        bool moved = false; // time, by more than turns
        for (; (e = input_at(p)) != NULL && e->count <= p->count; p->at++) {
            input_do(v->vm, e, p->data.at + e->data);
            moved |= e->kind == INPUT_SLEPT;
        }
        if (moved) {
            ticks = settle_turns(v, &counter);
        }
        if (at_end(p)) {
            return EXIT_STOP;
        }
        if (p->slept_at != 0 && next_with_work(v) != NULL) {
            was_woken(v, ticks);
            continue;
        }
        if (shift_over(v)) {
            return EXIT_KICK;
        }
        why = sleeps(v) ? sleep_on(v, ticks) : EXIT_STOP;
    } while (why == EXIT_RESUME);
    if (sleeps(v)) {
        return why;
    }
    vgic_refresh(v);
    p->next = p->live || p->length > p->stop ? p->stop : p->length;
    if (ticks != 0 && ticks < p->next / TURNS_A_TICK) {
        uint64_t then = (p->count / TURNS_A_TICK + ticks) * TURNS_A_TICK;
        p->next = then < p->next ? then : p->next;
    }
    p->next = counter < p->next ? counter : p->next;
    p->next = v->vm->nvcpus > 1 && p->shift_end < p->next ? p->shift_end : p->next;
    p->next = e != NULL && e->count < p->next ? e->count : p->next;
    return EXIT_RESUME;
}

// ---- Turns --------------------------------------------------------------------------------------

// What is not left to the core: the timers (CRn 14), exclusives, of which an exit drops the monitor; and what may ask for the
// time by other ways: HVCs, also those that stand for another instruction. In a step QEMU takes a WFI for a NOP.
#define YIELD 0xD503203Fu
#define WFE 0xD503205Fu
#define WFI 0xD503207Fu
static inline bool is_special(uint32_t word) {
    return word == WFI || word == WFE || word == YIELD || (word & 0xFFD8F000) == 0xD518E000 || (word & 0x3F800000) == 0x08000000 || (word & 0xFFE0001F) == 0xD4000002;
}

// The page of RAM that the guest, which is live here, has at pc; odd: none.
static inline uint64_t live_page(uint64_t pc) {
    uint64_t before = READ_SYSREG(par_el1);
    __asm__ volatile ("at s1e1r, %0\n isb" : : "r" (pc));
    uint64_t par = READ_SYSREG(par_el1);
    WRITE_SYSREG(par_el1, before);
    return par & 1 ? 1 : par & UINT64_C(0xFFFFFFFFF000);
}

// Behind a step, registers in the core: what most turns are.
static uint64_t turn_fast(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    uint64_t pc = READ_SYSREG(elr_el2), spsr = READ_SYSREG(spsr_el2);
    if (p->ahead || p->count + 1 >= p->next || (spsr & PSTATE_A32) || ((pc & 0x7F) == 0 && pc - READ_SYSREG(vbar_el1) < 0x800)) {
        return EXIT_TRAP;
    }
    if (live_page(pc) != p->page || is_special(*(const uint32_t *)(p->host + (pc & (PAGE_SIZE - 1))))) {
        return EXIT_TRAP;
    }
    p->count++;
    p->pc = pc;
    WRITE_SYSREG(spsr_el2, spsr | PSTATE_SS);
    return EXIT_RESUME;
}

static uint64_t stored_at(vcpu_t *v, uint32_t word) {
    unsigned rn = FIELD(word, 9, 5);
    unsigned sp = (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0;
    return rn == 31 ? vcpu_el1_get(v, sp) : v->regs->x[rn];
}

// A load-exclusive of RAM that nobody has touched before would be the core's, and its store fail: only the first time.
static void may_read(vcpu_t *v, uint32_t word) {
    uint64_t page = live_page(stored_at(v, word));
    if (!(page & 1)) {
        vm_ram(v->vm, page, PAGE_SIZE);
    }
}

// By the core a store-exclusive would fail, and not be told that its page is first to be kept (hold/pages.c).
static void may_write(vcpu_t *v, uint32_t word) {
    uint64_t page = live_page(stored_at(v, word));
    if (!(page & 1) && v->vm->hold != NULL) {
        rights_hooks[RIGHTS_DIRTY].store(v->vm, page, 1, false);
    }
}

// Nor would EL1 be, of one of EL0's whose page it has to copy first: who has failed is not looked up. True: it is.
static bool aborts(vcpu_t *v, uint32_t word) {
    if (v->exclusive.at == NULL) {
        return false; // it may fail
    }
    bool el0 = insn_at_el0(v);
    uint64_t va = stored_at(v, word), ipa, par = vcpu_translate_va(v, va, true, el0, &ipa, NULL);
    if (par == 0 || (par & BIT(9))) {
        return false; // no fault, or one of stage 2
    }
    uint64_t ec = el0 ? EC_DABT_LOWER : EC_DABT;
    vcpu_inject_sync(v, ec << 26 | ESR_IL | ISS_WNR | FIELD(par, 6, 1), va, true); // FST is DFSC
    return true;
}

static exit_t fall_asleep(vcpu_t *v) {
    v->vm->replay->asleep |= 1u << v->id;
    return EXIT_RESUME;
}

// Unless a script has asked for it. A WFE waits for another vCPU, most likely: its shift is over.
static bool waits_by_software(vcpu_t *v, uint32_t word) {
    if (insn_at_el0(v) || v->vm->classes[EC_WFX] != NULL || (word != WFI && v->vm->nvcpus == 1)) {
        return false;
    }
    v->regs->pc += 4;
    if (word == WFI) {
        fall_asleep(v);
    } else {
        v->vm->replay->shift_end = 0;
    }
    return true;
}

// True: it has been done. Where the next one is, is noted for turn_fast.
static bool by_software(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    guest_regs_t *r = v->regs;
    p->page = NOWHERE;
    if (r->pstate & PSTATE_A32) {
        p->inexact |= REPLAY_AARCH32; // it may read CNTVCT
        return false;
    }
    uint64_t page = r->pc & 3 ? 1 : live_page(r->pc);
    p->host = page & 1 ? NULL : vm_ram(v->vm, page, PAGE_SIZE);
    if (p->host == NULL) {
        return false;
    }
    p->page = page;
    uint32_t word = *(const uint32_t *)(p->host + (r->pc & (PAGE_SIZE - 1)));
    if (a64_is_load_exclusive(word)) {
        may_read(v, word);
    } else if (a64_is_store_exclusive(word)) {
        may_write(v, word);
    }
    if (word == WFI || word == WFE || word == YIELD) {
        return waits_by_software(v, word);
    }
    return is_special(word) && (a64_run(v, word) || (a64_is_store_exclusive(word) && aborts(v, word)));
}

// EL1 has taken an exception: what it goes back to was not in a step, as far as it can tell.
static void at_vector(vcpu_t *v) {
    uint64_t pc = v->regs->pc;
    if ((pc & 0x7F) == 0 && pc - vcpu_el1_get(v, EL1_VBAR_EL1) < 0x800) {
        vcpu_el1_set(v, EL1_SPSR_EL1, vcpu_el1_get(v, EL1_SPSR_EL1) & ~PSTATE_SS);
    }
}

static exit_t turn(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    at_vector(v);
    for (unsigned n = 0; n < AT_ONCE; n++) {
        exit_t why = due(v);
        if (why != EXIT_RESUME) {
            return why;
        }
        if (!by_software(v)) {
            p->pc = v->regs->pc;
            v->regs->pstate |= PSTATE_SS;
            return EXIT_RESUME;
        }
        p->count++;
    }
    return EXIT_KICK;
}

// The breakpoint at the PC has been, and what stands there has not.
static bool before_it(const vcpu_t *v) {
    return v->brk.seen && v->brk.pc == v->regs->pc;
}

// What an exception changes that EL1 takes.
static const uint8_t taken[] = { EL1_ESR_EL1, EL1_FAR_EL1, EL1_ELR_EL1, EL1_SPSR_EL1 };

// As it was before begin_again(). An abort of EL1's own, of the fetch, comes before a step of nothing: that is for the turn.
static void nothing_done(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    for (unsigned n = 0; n < ARRAY_LEN(taken) && v->regs->pc != p->pc; n++) {
        vcpu_el1_set(v, taken[n], p->el1[n]);
    }
    v->regs->pc = p->pc;
    v->regs->pstate = p->pstate;
}

// EL1 cannot fetch at its own vector, and has been in that abort for a slice (sched_run_slice). By each a turn ends.
static bool no_vector(vcpu_t *v, exit_t why) {
    uint64_t pc = v->regs->pc, ec = ESR_EC(vcpu_el1_get(v, EL1_ESR_EL1));
    return why == EXIT_KICK && pc - vcpu_el1_get(v, EL1_VBAR_EL1) < 0x800 && pc == vcpu_el1_get(v, EL1_ELR_EL1) && ec == EC_IABT;
}

// It may be for the time, or for what has been counted.
static void trapped(vcpu_t *v) {
    v->vm->replay->trapped = true;
    pass_turns(v);
}

static exit_t after(vcpu_t *v, exit_t why) {
    replay_t *p = v->vm->replay;
    guest_regs_t *r = v->regs;
    if (v->stepping && why == EXIT_RESUME) {
        return why;
    }
    bool stepped = !(r->pstate & PSTATE_SS) && !p->trapped, moved = v->step.taken || r->pc != p->pc;
    bool over = p->ahead || ((stepped || moved) && !before_it(v));
    p->trapped = v->step.taken = false;
    p->unfinished = why == EXIT_PYTHON;
    if (p->ahead && !no_vector(v, why)) {
        nothing_done(v);
    } else if (over && !p->unfinished) {
        p->count++;
    }
    p->ahead = false;
    if (why == EXIT_CPU_OFF) {
        leaves_shift(v);
    }
    if (why == EXIT_RESUME) {
        r->pstate |= over ? 0 : PSTATE_SS; // once more
        why = over ? turn(v) : why;
    }
    if (why != EXIT_RESUME) {
        p->live = p->live || p->count >= p->length; // it has stopped by itself where the record ends
        p->ahead = true;
        r->pstate &= ~PSTATE_SS;
        v->exit.pc = why == EXIT_STOP ? r->pc : v->exit.pc;
    }
    return why;
}

// PSTATE.SS is clear: it leaves at once, by a step of nothing, for turn() to look at what is next. An interrupt would be taken
// before that.
static void begin_again(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    guest_regs_t *r = v->regs;
    replay_count(v->vm);
    p->unfinished = v->step.taken = false;
    p->ahead = !v->stepping;
    if (p->ahead) {
        p->pc = r->pc;
        p->pstate = r->pstate & ~PSTATE_SS;
        r->pstate = p->pstate | PSTATE_AIF;
        for (unsigned n = 0; n < ARRAY_LEN(taken); n++) {
            p->el1[n] = vcpu_el1_get(v, taken[n]);
        }
    }
}

static const replay_calls_t calls = { .enter = begin_again, .fast = turn_fast, .trapped = trapped, .after = after, .wait = fall_asleep };

exit_t replay_run(vcpu_t *v) {
    const replay_t *p = v->vm->replay;
    exit_t why;
    do {
        why = sched_run_slice(v);
    } while (why == EXIT_KICK && !v->kicked && p->count < p->stop && p->v == v);
    if (why == EXIT_CPU_OFF) {
        bool last = runq_last_on(v);
        why = last ? EXIT_OFF : EXIT_RESUME;
        v->state = last ? v->state : VCPU_OFF;
    }
    return why == EXIT_KICK || why == EXIT_EVENT || why == EXIT_IRQ ? EXIT_RESUME : why;
}

exit_t replay_step(vcpu_t *v) {
    replay_t *p = v->vm->replay;
    v->brk.done = v->brk.asked = false;
    p->stop = p->count + 1;
    exit_t why = replay_run(v);
    v->brk.done = p->count >= p->stop;
    p->stop = UINT64_MAX;
    return why == EXIT_STOP && v->brk.done ? EXIT_RESUME : why;
}

// ---- Beginning and end --------------------------------------------------------------------------

static void put(vm_t *vm) {
    uint64_t daif = irq_save();
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_put(vm->vcpu[i]);
    }
    irq_restore(daif);
}

static replay_t *new_replay(vm_t *vm) {
    replay_t *p = native_alloc(sizeof(replay_t));
    if (p != NULL) {
        p->calls = &calls;
        p->live = true;
        p->stop = UINT64_MAX;
        p->page = NOWHERE;
        for (unsigned i = vm->nvcpus; i-- > 0;) {
            p->v = p->v == NULL || vm->vcpu[i]->state != VCPU_OFF ? vm->vcpu[i] : p->v;
        }
        vm->record = p;
        pl031_by_count(vm, pl031_seconds(vm));
    }
    return p;
}

static void begin_vcpu(replay_t *p, vcpu_t *v) {
    vtimer_remove(v);
    v->vtimer.r_ctl = v->vtimer.ctl;
    v->vtimer.r_cval = v->vtimer.cval;
    v->vtimer.ctl = 0;
    p->pin[v->id] = v->pin;
    v->pin = v == p->v ? 0 : NO_CORE;
}

bool replay_begin(vm_t *vm) {
    replay_t *p = vm->record != NULL ? vm->record : new_replay(vm);
    if (p == NULL) {
        return false;
    }
    if (vm->replay != NULL) {
        return true; // the timers' registers are where they belong
    }
    put(vm);
    uint64_t count = vtimer_count(vm), physical = vtimer_physical(vm);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        begin_vcpu(p, vm->vcpu[i]);
    }
    p->stopped_time = vm->stop_time;
    vm->stop_time = vm->stopped = true;
    vm->stopped_at = timer_now();
    p->synced = p->count;
    p->ahead = true;
    vm->replay = p;
    vtimer_go_back(vm, count, physical);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        debug_changed(vm->vcpu[i]);
    }
    return true;
}

void replay_end(vm_t *vm) {
    replay_t *p = vm->replay;
    put(vm);
    awake(p);
    replay_count(vm);
    pass_turns(p->v);
    uint64_t count = vtimer_count(vm), physical = vtimer_physical(vm);
    p->length = p->live ? p->count : p->length;
    vm->replay = NULL;
    vm->stop_time = p->stopped_time;
    vm->stopped_at = timer_now();
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[i];
        v->pin = p->pin[i];
        v->vtimer.ctl = v->vtimer.r_ctl;
        v->vtimer.cval = v->vtimer.r_cval;
        v->vtimer.r_ctl = 0;
    }
    vtimer_go_back(vm, count, physical);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vtimer_changed(vm->vcpu[i]);
        debug_changed(vm->vcpu[i]);
    }
    pl031_by_clock(vm);
}

void replay_free(vm_t *vm) {
    replay_t *p = vm->record;
    if (p != NULL) {
        stream_free(&p->log);
        stream_free(&p->data);
        native_free(p, sizeof(replay_t));
        vm->record = vm->replay = NULL;
    }
}

// ---- Snapshots ----------------------------------------------------------------------------------

typedef struct {
    uint64_t count, at, counted, shift_end;
    uint64_t exclusive, value, second;  // of whose shift it is: where in RAM, from its beginning; or ~0
    uint32_t asleep;
    uint8_t size, id;
} kept_t;

void replay_save(vm_t *vm, device_stream_t *s) {
    const replay_t *p = vm->replay;
    if (p == NULL) {
        return;
    }
    const vcpu_t *v = p->v;
    replay_count(vm);
    sync_time(vm);
    kept_t kept;
    memset(&kept, 0, sizeof(kept));
    kept.count = p->count;
    kept.at = p->at;
    kept.counted = p->counted;
    kept.shift_end = p->shift_end;
    kept.exclusive = v->exclusive.at == NULL ? ~UINT64_C(0) : (uint64_t)((uint8_t *)v->exclusive.at - vm->ram[0].host);
    kept.value = v->exclusive.value;
    kept.second = v->exclusive.second;
    kept.size = v->exclusive.size;
    kept.asleep = p->asleep;
    kept.id = (uint8_t)v->id;
    size_t begun = stream_begin(s, "replay", VERSION);
    STREAM_PUT(s, kept);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        STREAM_PUT(s, vm->vcpu[i]->vtimer.r_ctl);
        STREAM_PUT(s, vm->vcpu[i]->vtimer.r_cval);
    }
    stream_close(s, begun);
}

// From before it was recorded.
static void load_unrecorded(vm_t *vm) {
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[i];
        v->vtimer.r_ctl = v->vtimer.ctl;
        v->vtimer.r_cval = v->vtimer.cval;
    }
    replay_end(vm);
}

static void load_timer(vcpu_t *v, device_stream_t *s) {
    uint64_t ctl, cval;
    STREAM_GET(s, ctl);
    STREAM_GET(s, cval);
    v->vtimer.ctl = v->vm->replay == NULL ? ctl : 0;
    v->vtimer.cval = cval;
    v->vtimer.r_ctl = ctl;
    v->vtimer.r_cval = cval;
    v->exclusive.at = NULL;
    v->regs->pstate &= ~PSTATE_SS;
    if (v->vm->replay == NULL) {
        vtimer_changed(v);
    }
}

void replay_load(vm_t *vm, device_stream_t *s) {
    replay_t *p = vm->replay;
    kept_t kept;
    if (stream_open(s, "replay") != VERSION) {
        if (p != NULL) {
            load_unrecorded(vm);
        }
        return;
    }
    STREAM_GET(s, kept);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        load_timer(vm->vcpu[i], s);
    }
    stream_leave(s);
    if (p == NULL) {
        return;
    }
    p->length = p->live ? p->count : p->length;
    p->count = p->synced = kept.count;
    p->live = p->count >= p->length;
    p->at = kept.at;
    p->counted = kept.counted;
    p->asleep = kept.asleep;
    p->shift_end = kept.shift_end;
    p->before.v = NULL;
    awake(p);
    p->ahead = true;
    p->unfinished = false;
    vcpu_t *v = vm->vcpu[kept.id % vm->nvcpus];
    give_shift(p, v);
    v->exclusive.at = kept.exclusive >= vm->ram[0].size ? NULL : vm->ram[0].host + kept.exclusive;
    v->exclusive.value = kept.value;
    v->exclusive.second = kept.second;
    v->exclusive.size = kept.size;
}
