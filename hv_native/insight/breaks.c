// SPDX-License-Identifier: MIT
// Breakpoints in guests: see breaks.h.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/syndrome.h"
#include "insight/breaks.h"
#include "insight/places.h"
#include "trap/callback.h"
#include "trap/quick.h"
#include "trap/insight.h"
#include "trap/trace.h"
#include "trap/trap.h"
#include "vcpu/a64.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/sched.h"
#include "vcpu/step.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/ram.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

static void (*hold_vm)(vm_t *vm), (*release_vm)(vm_t * vm);

// Stage 1 of the guest, which is live here: what pc is.
static inline uint64_t live_ipa(uint64_t pc) {
    uint64_t before = READ_SYSREG(par_el1);
    __asm__ volatile ("at s1e1r, %0\n isb" : : "r" (pc));
    uint64_t par = READ_SYSREG(par_el1);
    WRITE_SYSREG(par_el1, before);
    return par & 1 ? ~UINT64_C(0) : (par & UINT64_C(0xFFFFFFFFF000)) | (pc & 0xFFF);
}

// ---- Stepping over ------------------------------------------------------------------------------

static uint64_t stack_of(vcpu_t *v) {
    return vcpu_el1_get(v, (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0);
}

// The breakpoint at the PC has been; what stands there has not.
static void set_seen(vcpu_t *v) {
    v->brk.seen = true;
    v->brk.pc = v->regs->pc;
    v->brk.sp = stack_of(v);
}

static bool take_seen(vcpu_t *v) {
    bool seen = v->brk.seen && v->brk.pc == v->regs->pc && v->brk.sp == stack_of(v);
    v->brk.seen &= !seen;
    return seen;
}

// Whether another vCPU may execute the same at this moment.
static bool has_others(const vm_t *vm) {
    return cpus_online > 1 && vm->nvcpus > 1;
}

// What a64_run has not done: of an integer's load or store that may be for the address' sake.
static bool never_by_software(uint32_t word) {
    return (word & BIT(26)) || (FIELD(word, 28, 25) & 5) != 4;
}

static bool in_step(const vcpu_t *v) {
    return v->stepping && (v->brk.ipa != 0 || v->brk.alone);
}

// The step is over, or v has left before: what is planted is in its place again. Boot core, if others are held.
static void end_step(vcpu_t *v) {
    place_t *p = v->brk.ipa == 0 ? NULL : place_at(v->vm, v->brk.ipa);
    step_end(v);
    v->brk.ipa = 0;
    if (p != NULL) {
        place_write(v->vm, p, p->bare ? p->original : p->planted);
    }
    if (v->brk.held) {
        v->brk.held = false;
        release_vm(v->vm);
    }
}

// An exit in the middle: by the instruction itself, an interrupt, or because others want this core. Without PSTATE.SS the
// instruction is over, what has come is before the step's own exception (DDI 0487 D2.12.5).
static void left_step(vcpu_t *v) {
    if (in_step(v)) {
        v->brk.done |= !(v->regs->pstate & PSTATE_SS);
        end_step(v);
        v->kicked |= v->brk.alone;
        if (v->regs->pc == v->step.pc) {
            set_seen(v);
        }
    }
}

static exit_t ask_step(vcpu_t *v) {
    outcome_t out;
    step_pause(v);
    if (v->brk.handler == NULL || v->brk.asked) {
        return EXIT_RESUME;
    }
    v->brk.asked = true;
    v->moved = false;
    if (!callback(v, v->brk.handler, 0, NULL, false, &out)) {
        callback_raised(v, out.exception);
        return EXIT_RAISED;
    }
    return out.action == ACTION_STOP ? EXIT_STOP : EXIT_RESUME;
}

// Behind one of several steps: ask, and go on with the next one, if that is an ordinary instruction. EXIT_KICK: it is not.
static exit_t next_step(vcpu_t *v) {
    guest_regs_t *r = v->regs;
    exit_t why = ask_step(v);
    if (why != EXIT_RESUME || v->brk.steps == 0) {
        return why == EXIT_RESUME ? EXIT_KICK : why;
    }
    uint64_t ipa = live_ipa(r->pc);
    const uint32_t *at = place_at(v->vm, ipa) != NULL ? NULL : vm_ram_there(v->vm, ipa, 4);
    if (at == NULL || a64_is_load_exclusive(*at)) {
        return EXIT_KICK;
    }
    v->brk.steps--;
    v->brk.from = r->pc;
    v->brk.done = v->brk.asked = false;
    v->brk.page = ALIGN_DOWN(ipa, PAGE_SIZE);
    v->brk.host = (const char *)ALIGN_DOWN((uint64_t)at, PAGE_SIZE);
    step_again(v, *at);
    return EXIT_RESUME;
}

static bool stepped(vcpu_t *v, exit_t *why) {
    if (!in_step(v)) {
        return false;
    }
    *why = EXIT_RESUME;
    if (v->brk.alone) {
        v->brk.done = true;
        *why = v->brk.ipa != 0 ? EXIT_KICK : next_step(v);
        if (*why == EXIT_RESUME) {
            return true;
        }
    }
    end_step(v);
    return true;
}

static void hold_others(vcpu_t *v) {
    if (has_others(v->vm)) {
        irq_enable(); // who is to leave may wait for this core
        hold_vm(v->vm);
        irq_disable();
        v->brk.held = true;
    }
}

// By the core itself, with what stood there put back. Where other vCPUs are to be held the boot core does that; on
// another core the exit is finished there.
static exit_t step_over(vcpu_t *v, const place_t *p) {
    uint64_t ipa = p->hook.key;
    if (has_others(v->vm) && !this_pcpu()->python) {
        set_seen(v);
        return EXIT_PYTHON;
    }
    hold_others(v);
    p = place_at(v->vm, ipa);
    if (p == NULL) { // interrupts were on
        return EXIT_RESUME;
    }
    v->brk.ipa = ipa;
    place_write(v->vm, p, p->original);
    step_begin(v, p->original, DEBUG_BREAK_MASK);
    if (this_pcpu()->running == v) {
        return EXIT_RESUME;
    }
    v->brk.alone = true; // it is not running here, its exit is being finished for another core: for one step, it does
    exit_t why = sched_run_slice(v);
    v->brk.alone = false;
    left_step(v);
    return why == EXIT_KICK || why == EXIT_EVENT || why == EXIT_IRQ ? EXIT_RESUME : why;
}

// ---- A hit --------------------------------------------------------------------------------------

static uint64_t count_hit(uint64_t *hits) {
    uint64_t n;
    uint32_t failed;
    __asm__ volatile ("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
        : "=&r" (n), "=&r" (failed) : "r" (hits) : "memory");
    return n;
}

#define TTBR_BADDR UINT64_C(0xFFFFFFFFFFFE)

static bool in_space(vcpu_t *v, uint64_t space) {
    return (vcpu_el1_get(v, EL1_TTBR0_EL1) & TTBR_BADDR) == space || vcpu_el1_get(v, EL1_CONTEXTIDR_EL1) == space;
}

static bool is_about(vcpu_t *v, const brk_t *b) {
    return b->on && (b->cpu < 0 || b->cpu == (int)v->id) && (!b->match_sp || b->sp == stack_of(v)) && (!b->match_space || in_space(v, b->space));
}

void break_log(const vcpu_t *v, const brk_t *b) {
    event_log(&(event_t) { .key = b->ipa, .pc = v->regs->pc, .value = v->regs->x[0], .cpu = v->id, .ec = EC_BRK64, .vmid = v->vmid });
}

// In this order several at one place decide.
typedef enum { GO_ON, GO_SKIP, GO_STOP, GO_ELSEWHERE, GO_LEAVE } go_t;

static go_t ask_function(vcpu_t *v, brk_t *b, exit_t *why) {
    outcome_t out;
    v->moved = v->skip = false;
    if (!callback(v, b->handler, 0, NULL, false, &out)) {
        callback_raised(v, out.exception);
        *why = EXIT_RAISED;
        return GO_LEAVE;
    }
    if (v->moved) {
        *why = out.action == ACTION_STOP ? EXIT_STOP : EXIT_RESUME;
        return GO_ELSEWHERE;
    }
    *why = EXIT_RESUME;
    switch (out.action) {
        case ACTION_STOP:
            return GO_STOP;
        case ACTION_SKIP:
            return GO_SKIP;
        case ACTION_UNDEFINED:
            vcpu_inject_undefined(v);
            return GO_ELSEWHERE;
        case ACTION_ABORT:
            vcpu_inject_abort(v, true, v->regs->pc);
            return GO_ELSEWHERE;
        case ACTION_SERROR:
            vcpu_inject_serror(v);
            return GO_ON;
        default:
            return GO_ON;
    }
}

static void tell_traces(vcpu_t *v, const guest_regs_t *r, const brk_t *b) {
    if (b->action == BREAK_SVC) {
        trace_svc(v, r);
    } else {
        trace_switch(v, b->space >> 32 ? vcpu_el1_get(v, EL1_SP_EL0) : r->x[1], b->space & 0xFFFF, FIELD(b->space, 31, 16));
    }
}

static go_t do_break(vcpu_t *v, brk_t *b, exit_t *why) {
    if (count_hit(&b->hits) < b->from) {
        return GO_ON;
    }
    if (b->once) {
        b->on = false;
    }
    switch (b->action) {
        case BREAK_LOG:
            break_log(v, b);
            return GO_ON;
        case BREAK_COVER:
            b->on = false; // where there are others it stays planted
            breaks_covered++;
            return GO_ON;
        case BREAK_STOP:
            return GO_STOP;
        case BREAK_PYTHON:
            return ask_function(v, b, why);
        case BREAK_SVC:
        case BREAK_SWITCH:
            tell_traces(v, v->regs, b);
            return GO_ON;
        default:
            return GO_ON;
    }
}

static bool wants_python(vcpu_t *v, const place_t *p) {
    for (const brk_t *b = p->first; b != NULL; b = b->next) {
        if (b->action == BREAK_PYTHON && is_about(v, b) && b->hits + 1 >= b->from) {
            return true;
        }
    }
    return false;
}

// False: the boot core finishes this exit.
static bool for_python(vcpu_t *v, const place_t *p, exit_t *why) {
    if (LIKELY(this_pcpu()->python) || !wants_python(v, p)) {
        return true;
    }
    v->exit.pc = v->regs->pc;
    *why = EXIT_PYTHON;
    return false;
}

uint64_t breaks_covered;

// Nobody else's: the original is there from now on.
static void bare(vm_t *vm, place_t *p) {
    const brk_t *b = p->first;
    if (b != NULL && b->action == BREAK_COVER && !b->on && b->next == NULL && p->inside == 0 && p->begins == 0) {
        p->bare = true;
        place_write(vm, p, p->original);
    }
}

// All that are at p. GO_ON: the instruction is next. Otherwise *why is the end of the exit, or of this much of it.
static go_t do_place(vcpu_t *v, place_t *p, exit_t *why) {
    go_t end = GO_ON;
    if (!for_python(v, p, why)) {
        return GO_LEAVE;
    }
    for (brk_t *b = p->first; b != NULL; b = b->next) { // it stays where it is also when a function removes it
        go_t go = is_about(v, b) ? do_break(v, b, why) : GO_ON;
        if (go == GO_LEAVE || go == GO_ELSEWHERE) {
            if (*why == EXIT_RAISED) {
                set_seen(v);
            }
            return go;
        }
        end = go > end ? go : end;
    }
    bare(v->vm, p);
    if (end == GO_STOP) {
        set_seen(v);
        *why = EXIT_STOP;
    } else if (end == GO_SKIP) {
        insn_skip(v, v->regs->pc, ESR_IL);
        *why = EXIT_RESUME;
    }
    return end;
}

static place_t *place_here(vcpu_t *v, uint64_t pc) {
    uint64_t ipa;
    if (LIKELY(this_pcpu()->running == v)) {
        return place_at(v->vm, live_ipa(pc));
    }
    return vcpu_translate_va(v, pc, false, false, &ipa, NULL) != 0 ? NULL : place_at(v->vm, ipa);
}

// What is at the PC, on the way. False: *why is the end.
static bool met(vcpu_t *v, exit_t *why) {
    uint64_t pc = v->regs->pc;
    place_t *hard = pair_at(v, pc), *p = place_here(v, pc);
    if ((hard == NULL && p == NULL) || take_seen(v)) {
        return true;
    }
    if (p != NULL && !for_python(v, p, why)) {
        return false;
    }
    go_t first = hard == NULL ? GO_ON : do_place(v, hard, why), second = GO_ON;
    p = first == GO_ON || first == GO_STOP ? place_here(v, pc) : NULL; // a function may have changed it
    if (p != NULL) {
        second = do_place(v, p, why);
    }
    if (first == GO_STOP && second == GO_ON) {
        *why = EXIT_STOP;
    }
    return first == GO_ON && second == GO_ON;
}

// From a load-exclusive on, until its store: what is planted on the way is met here. From between them, as the load was the
// core's, the store will fail: until the one of the next attempt, so many instructions from here.
static exit_t go_through(vcpu_t *v, unsigned ahead) {
    exit_t why = EXIT_RESUME;
    for (unsigned n = 0; (n < SEQUENCE && v->exclusive.at != NULL) || n < ahead; n++) {
        uint64_t word;
        if (!met(v, &why)) {
            return why;
        }
        if (!insn_fetch(v, v->regs->pc, 4, &word)) {
            break;
        }
        if (!a64_run(v, (uint32_t)word)) {
            if (pair_at(v, v->regs->pc) != NULL || place_here(v, v->regs->pc) != NULL) {
                set_seen(v);
            }
            break;
        }
        if (a64_is_store_exclusive((uint32_t)word) && reg_get(v->regs, FIELD(word, 20, 16)) == 0) {
            break;
        }
    }
    v->exclusive.at = NULL;
    return EXIT_RESUME;
}

// The instruction that stands at p, at v->regs->pc. False: it is an HVC of the guest's, which is to be handled as that.
static bool go_over(vcpu_t *v, const place_t *p, exit_t *why) {
    uint32_t word = p->original;
    *why = EXIT_RESUME;
    if (a64_run(v, word)) {
        *why = v->exclusive.at == NULL || v->vm->replay != NULL ? EXIT_RESUME : go_through(v, 0);
    } else if ((word & ~IMM16) == HVC(0) && ESR_EC(v->exit.esr) == EC_HVC64) {
        set_seen(v); // for as long as it stands here: see call_slow()
        v->exit.esr = (v->exit.esr & ~UINT64_C(0xFFFF)) | FIELD(word, 20, 5);
        return false;
    } else if ((word & ~IMM16) == BRK(0)) { // the guest's: by EL2's leave, or its own
        v->exit.esr = (uint64_t)EC_BRK64 << 26 | ESR_IL | FIELD(word, 20, 5);
        if (FIELD(word, 20, 5) == BREAK_IMM) {
            vcpu_inject_same(v);
        } else {
            set_seen(v);
            *why = trap_finish(v);
        }
    } else {
        if (never_by_software(word)) {
            place_by_core(place_at(v->vm, p->hook.key));
        }
        *why = step_over(v, p);
    }
    return true;
}

static bool place_hit(vcpu_t *v, exit_t *why) {
    uint64_t pc = v->regs->pc = v->exit.pc;
    place_t *p = place_here(v, pc);
    *why = EXIT_RESUME;
    if (p == NULL) {
        uint64_t word; // another core may have taken it away meanwhile
        return insn_fetch(v, pc, 4, &word) && word != HVC(BREAK_IMM) && word != BRK(BREAK_IMM);
    }
    v->exit.ipa = p->hook.key;
    if (!take_seen(v)) {
        if (do_place(v, p, why) != GO_ON) {
            return true;
        }
        p = place_at(v->vm, v->exit.ipa); // a function may have taken it away
        if (p == NULL) {
            return true;
        }
    }
    return go_over(v, p, why);
}

static bool brk_hit(vcpu_t *v, exit_t *why) {
    return v->vm->breaks != NULL && (v->exit.esr & 0xFFFF) == BREAK_IMM && place_hit(v, why);
}

// ---- In a debug register ------------------------------------------------------------------------

// The load-exclusive in front of a VA, or BEGINS_NOWHERE.
static uint64_t sequence_before(vcpu_t *v, uint64_t va) {
    for (uint64_t at = va - 4, word; va - at < 4 * SEQUENCE && insn_fetch(v, at, 4, &word) && !a64_is_store_exclusive((uint32_t)word); at -= 4) {
        if (a64_is_load_exclusive((uint32_t)word)) {
            return at;
        }
    }
    return BEGINS_NOWHERE;
}

// The instruction there. By software where the guest's own debug registers have no say.
static exit_t pass_pair(vcpu_t *v, place_t *p) {
    uint64_t word;
    exit_t why;
    place_t *planted = place_here(v, v->regs->pc);
    if (planted != NULL && go_over(v, planted, &why)) {
        return why;
    }
    if (p != NULL && p->begins == BEGINS_UNKNOWN) {
        p->begins = sequence_before(v, p->hook.key);
    }
    if (!debug_guest_on(v) && insn_fetch(v, v->regs->pc, 4, &word)) {
        bool within = p != NULL && p->begins != BEGINS_NOWHERE;
        if (within) {
            set_seen(v); // it comes by here once more
        }
        if (a64_run(v, (uint32_t)word)) {
            return v->exclusive.at != NULL || within ? go_through(v, within ? 3 * SEQUENCE : 0) : EXIT_RESUME;
        }
    }
    debug_pass(v, DEBUG_BREAK);
    return EXIT_RESUME;
}

static bool pair_hit(vcpu_t *v, int index, exit_t *why) {
    place_t *p = v->vm->breaks == NULL ? NULL : v->vm->breaks->pair[index];
    if (p == NULL) {
        return false;
    }
    v->exit.ipa = p->hook.key;
    if (met(v, why)) {
        *why = pass_pair(v, v->vm->breaks->pair[index] == p ? p : NULL); // a function may have taken it away
    }
    return true;
}

// ---- Steps --------------------------------------------------------------------------------------

// One step, or as many of v->brk.steps besides as are ordinary. A sequence of exclusives is one step, to behind its store.
static exit_t one_step(vcpu_t *v) {
    uint64_t word = 0;
    place_t *p = place_here(v, v->regs->pc);
    v->exit.pc = v->regs->pc;
    if (p != NULL) {
        word = p->original;
    } else {
        insn_fetch(v, v->regs->pc, 4, &word); // not to be had: the guest is told when it tries
    }
    if (p != NULL || a64_is_load_exclusive((uint32_t)word)) {
        if (a64_run(v, (uint32_t)word)) {
            v->brk.done = true;
            return v->exclusive.at == NULL ? EXIT_RESUME : go_through(v, 0);
        }
        if (p != NULL) {
            v->brk.ipa = p->hook.key;
            place_write(v->vm, p, p->original);
        }
    }
    v->brk.alone = true;
    v->step.taken = false;
    step_begin(v, (uint32_t)word, DEBUG_BREAK_MASK);
    exit_t why = sched_run_slice(v);
    left_step(v);
    v->brk.done |= v->step.taken;
    v->brk.alone = v->kicked = false;
    return why == EXIT_KICK || why == EXIT_EVENT || why == EXIT_IRQ || why == EXIT_IDLE ? EXIT_RESUME : why;
}

exit_t break_step(vcpu_t *v) {
    v->brk.from = v->regs->pc;
    v->brk.page = ~UINT64_C(0);
    v->brk.seen = v->brk.done = v->brk.asked = false;
    exit_t why = one_step(v);
    v->brk.done |= v->regs->pc != v->brk.from;
    return why;
}

// ---- In the fast path ---------------------------------------------------------------------------

// ELR_EL2 is behind the instruction already.

// What stood there is put back, and the core does it: v does not leave the guest, and nobody else runs it.
static uint64_t over_by_core(vcpu_t *v, place_t *p, uint64_t pc) {
    uint64_t spsr = READ_SYSREG(spsr_el2);
    v->step.pc = pc;
    v->step.pstate = spsr;
    v->step.word = p->original;
    v->step.over = DEBUG_BREAK_MASK;
    v->brk.ipa = p->hook.key;
    v->brk.place = p;
    *p->at = p->original;
    cache_written((const void *)p->at, 4);
    WRITE_SYSREG(elr_el2, pc);
    WRITE_SYSREG(spsr_el2, spsr | PSTATE_SS | PSTATE_AIF);
    debug_step_on(v);
    return EXIT_RESUME;
}

static uint64_t over_by_core_end(vcpu_t *v) {
    place_t *p = v->brk.place;
    *p->at = p->planted;
    cache_written((const void *)p->at, 4);
    WRITE_SYSREG(spsr_el2, (READ_SYSREG(spsr_el2) & ~PSTATE_AIF) | (v->step.pstate & PSTATE_AIF));
    v->brk.ipa = 0;
    debug_step_off(v);
    return EXIT_RESUME;
}

static inline __attribute__((always_inline)) bool fast_function(vcpu_t *v, handler_t *h) {
    mp_obj_t *at = quick_begin(v, h);
    return at != NULL && quick_answered(v, h, quick_run_store(h, at).what, false);
}

// MOV of registers at hand; SUB SP, SP, #n: of the stack pointer that is selected (PSTATE.SP is SPSR_EL2.M[0]).
static NOINLINE void move(guest_regs_t *r, const place_t *p) {
    uint32_t word = p->original;
    if (p->how == BY_MOVE) {
        r->x[word & 31] = r->x[word >> 16 & 31];
    } else if (READ_SYSREG(spsr_el2) & 1) {
        WRITE_SYSREG(sp_el1, READ_SYSREG(sp_el1) - FIELD(word, 21, 10));
    } else {
        WRITE_SYSREG(sp_el0, READ_SYSREG(sp_el0) - FIELD(word, 21, 10));
    }
}

static inline uint64_t move_or_not(guest_regs_t *r, const place_t *p) {
    if (p->how != BY_NOP) {
        move(r, p);
    }
    return EXIT_RESUME;
}

static NOINLINE uint64_t fast_python(vcpu_t *v, guest_regs_t *r, const place_t *p) {
    if (!fast_function(v, p->function)) {
        return EXIT_TRAP;
    }
    count_hit(&p->plain->hits);
    return move_or_not(r, p);
}

static bool tell_or_ask(vcpu_t *v, guest_regs_t *r, const brk_t *b) {
    if (b->action == BREAK_PYTHON) {
        return fast_function(v, b->handler);
    }
    tell_traces(v, r, b);
    return true;
}

// The original is there from now on.
static uint64_t uncover(place_t *p, uint64_t pc) {
    p->first->hits++;
    p->first->on = false;
    p->bare = true;
    p->plain = NULL;
    p->how = BY_OTHER;
    *p->at = p->original;
    cache_written((const void *)p->at, 4);
    breaks_covered++;
    WRITE_SYSREG(elr_el2, pc);
    return EXIT_RESUME;
}

static NOINLINE uint64_t fast_plain(vcpu_t *v, guest_regs_t *r, place_t *p, uint64_t pc) {
    brk_t *b = p->plain;
    if (b == NULL || (v->brk.seen && v->brk.pc == pc) || (p->how == BY_CORE && (v->debugged || has_others(v->vm)))) {
        return EXIT_TRAP;
    }
    if (b->action == BREAK_COVER) {
        return uncover(p, pc);
    }
    if (b->action != BREAK_COUNT && !tell_or_ask(v, r, b)) {
        return EXIT_TRAP;
    }
    count_hit(&b->hits);
    return p->how == BY_CORE ? over_by_core(v, p, pc) : move_or_not(r, p);
}

static uint64_t breaks_fast(vcpu_t *v, guest_regs_t *r, breaks_t *breaks) {
    uint64_t pc = READ_SYSREG(elr_el2) - 4, ipa = live_ipa(pc);
    const hook_table_t *t = &breaks->table;
    place_t *p = (place_t *)t->slot[hook_hash(ipa) & t->mask];
    if (UNLIKELY(p == NULL || p->hook.key != ipa)) {
        p = (place_t *)hook_find(t, ipa);
        if (p == NULL) {
            return EXIT_TRAP;
        }
    }
    if (UNLIKELY(v->brk.seen)) {
        return fast_plain(v, r, p, pc);
    }
    if (UNLIKELY(p->count == NULL)) {
        return p->function != NULL ? fast_python(v, r, p) : fast_plain(v, r, p, pc);
    }
    count_hit(p->count);
    return EXIT_RESUME;
}

// Of cpu.step(), v alone. Interrupts come to EL2 all the time: what they leave to be done is seen there.
static NOINLINE uint64_t step_on(vcpu_t *v, uint64_t pc) {
    uint32_t word = v->step.word;
    if (v->brk.ipa != 0 || v->brk.steps == 0 || word >> 24 == 0xD5 || word == 0xD69F03E0 || pc == v->step.pc) {
        return EXIT_TRAP; // PSTATE.A, I and F may not be simply as they were, or it is the last one
    }
    if (v->brk.handler != NULL && !v->brk.asked) {
        if (!fast_function(v, v->brk.handler)) {
            return EXIT_TRAP;
        }
        v->brk.asked = true;
    }
    uint64_t ipa = live_ipa(pc);
    if (ALIGN_DOWN(ipa, PAGE_SIZE) != v->brk.page || place_at(v->vm, ipa) != NULL) {
        return EXIT_TRAP;
    }
    word = *(const uint32_t *)(v->brk.host + (pc & (PAGE_SIZE - 1)));
    if (a64_is_load_exclusive(word)) {
        return EXIT_TRAP;
    }
    v->brk.steps--;
    v->brk.from = v->step.pc = pc;
    v->brk.asked = false;
    v->step.word = word;
    WRITE_SYSREG(spsr_el2, READ_SYSREG(spsr_el2) | PSTATE_SS);
    return EXIT_RESUME;
}

static uint64_t fast_step(vcpu_t *v, guest_regs_t *r) {
    uint64_t pc = READ_SYSREG(elr_el2);
    (void)r;
    if ((pc & 0x7F) == 0 && pc - READ_SYSREG(vbar_el1) < 0x800) {
        return EXIT_TRAP; // it may have trapped
    }
    if (v->step.quick) {
        return pc == v->step.pc + 4 ? over_by_core_end(v) : EXIT_TRAP;
    }
    return v->brk.alone ? step_on(v, pc) : EXIT_TRAP;
}

// ---- Beginning and end --------------------------------------------------------------------------

static void rearm(vm_t *vm) {
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        left_step(vm->vcpu[i]);
        vm->vcpu[i]->brk.seen = false;
    }
    for (unsigned i = 0; i < DEBUG_BREAKS && vm->breaks != NULL; i++) {
        if (vm->breaks->pair[i] != NULL) {
            vm->breaks->pair[i]->begins = BEGINS_UNKNOWN;
        }
    }
    for (unsigned i = 0; i < vm->nram && vm->breaks != NULL; i++) {
        breaks_close(vm, vm->ram[i].ipa, vm->ram[i].size);
    }
}

static const insight_t breaks = {
    .step = fast_step, .hit = place_hit, .stepped = stepped, .left = left_step, .rearm = rearm, .written = breaks_close, .free = places_free,
};

void breaks_init(void (*hold)(vm_t *vm), void (*release)(vm_t *vm)) {
    hold_vm = hold;
    release_vm = release;
    trap_insight = &breaks;
    places_fast = breaks_fast;
    debug_brk = brk_hit;
    debug_hit[DEBUG_BREAK] = pair_hit;
}
