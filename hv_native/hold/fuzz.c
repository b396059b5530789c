// SPDX-License-Identifier: MIT
// Fuzzing: see fuzz.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "hold/fuzz.h"
#include "hold/unwind.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "trap/callback.h"
#include "trap/insight.h"
#include "vcpu/pmu.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vm/el1_state.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/vm.h"

#define ARENA 0x10000u      // bytes that are had from the allocator at a time
#define OUTER 2u            // frames by which hangs are told apart
#define ANEW 64u            // rounds after which pages that are written no more are not copied any more
#define TICK_HZ 1000u       // how often a round's limits are looked at

// ---- Memory -------------------------------------------------------------------------------------

static void *quota_take(fuzz_t *f, size_t bytes) {
    bytes = ALIGN_UP(bytes, PAGE_SIZE);
    void *p = f->used + bytes > f->quota ? NULL : page_alloc(bytes);
    if (p != NULL) {
        page_zero(p, bytes);
        f->used += bytes;
    }
    return p;
}

static void quota_give(fuzz_t *f, void *p, size_t bytes) {
    if (p != NULL) {
        page_free(p, ALIGN_UP(bytes, PAGE_SIZE));
        f->used -= ALIGN_UP(bytes, PAGE_SIZE);
    }
}

// It stays until the end.
void *fuzz_alloc(fuzz_t *f, size_t bytes) {
    bytes = ALIGN_UP(bytes, 8);
    if (f->arena == NULL || ARENA - f->arena_used < bytes) {
        void *piece = bytes > ARENA - 8 ? NULL : quota_take(f, ARENA);
        if (piece == NULL) {
            return NULL;
        }
        *(void **)piece = f->arena;
        f->arena = piece;
        f->arena_used = 8;
    }
    void *p = (uint8_t *)f->arena + f->arena_used;
    f->arena_used += (uint32_t)bytes;
    return p;
}

static bool list_room(fuzz_t *f, fuzz_list_t *list) {
    if (list->count < list->room) {
        return true;
    }
    uint32_t room = list->room == 0 ? PAGE_SIZE / sizeof(list->at[0]) : 2 * list->room;
    fuzz_input_t **at = quota_take(f, room * sizeof(list->at[0]));
    if (at == NULL) {
        return false;
    }
    memcpy(at, list->at, list->count * sizeof(list->at[0]));
    quota_give(f, list->at, list->room * sizeof(list->at[0]));
    list->at = at;
    list->room = room;
    return true;
}

fuzz_input_t *fuzz_add(fuzz_t *f, fuzz_list_t *list, const uint8_t *data, uint32_t size) {
    fuzz_input_t *in = list_room(f, list) ? fuzz_alloc(f, sizeof(fuzz_input_t) + size) : NULL;
    if (in == NULL) {
        f->full = true;
        return NULL;
    }
    memset(in, 0, sizeof(*in));
    in->size = size;
    in->times = 1;
    memcpy(in->data, data, size);
    list->at[list->count++] = in;
    return in;
}

fuzz_t *fuzz_of(const vm_t *vm) {
    return vm->hold == NULL ? NULL : vm->hold->fuzz;
}

fuzz_t *fuzz_new(vm_t *vm, vcpu_t *v, snapshot_t *s, uint32_t max, uint64_t quota) {
    fuzz_t *f = native_alloc(sizeof(fuzz_t));
    if (f == NULL) {
        return NULL;
    }
    f->vm = vm;
    f->v = v;
    f->s = s;
    f->max = max;
    f->quota = quota;
    f->since = ANEW;
    f->address_register = f->length_register = FUZZ_NO_REGISTER;
    f->counter = -1;
    vm->hold->fuzz = f;
    f->input = quota_take(f, max);
    if (f->input == NULL) {
        fuzz_free(vm);
        return NULL;
    }
    return f;
}

static void free_list(fuzz_t *f, fuzz_list_t *list) {
    quota_give(f, list->at, list->room * sizeof(list->at[0]));
}

static void free_blocks(fuzz_t *f) {
    for (uint32_t i = 0; i < f->blocks; i++) {
        if (f->block[i].brk != NULL) {
            break_remove(f->vm, f->block[i].brk, false);
        }
    }
    f->blocks = 0;
    quota_give(f, f->block, f->room * sizeof(fuzz_block_t));
}

void fuzz_free(vm_t *vm) {
    fuzz_t *f = fuzz_of(vm);
    if (f == NULL) {
        return;
    }
    vm->hold->fuzz = NULL;
    free_blocks(f);
    if (f->steps) {
        quota_give(f, f->map.span->host, FUZZ_STEP_MAP);
    }
    quota_give(f, f->start, FUZZ_STARTS * sizeof(uint64_t));
    while (f->arena != NULL) {
        void *piece = f->arena;
        f->arena = *(void **)piece;
        quota_give(f, piece, ARENA);
    }
    free_list(f, &f->corpus);
    free_list(f, &f->crashes);
    free_list(f, &f->hangs);
    quota_give(f, f->seen, 2 * f->map.bytes);
    quota_give(f, f->input, f->max);
    native_free(f, sizeof(fuzz_t));
}

// ---- The guest's memory -------------------------------------------------------------------------

bool fuzz_place(fuzz_t *f, fuzz_place_t *p, uint64_t va, uint32_t bytes) {
    uint64_t first = ALIGN_DOWN(va, PAGE_SIZE);
    uint32_t n = (uint32_t)((ALIGN_UP(va + bytes, PAGE_SIZE) - first) / PAGE_SIZE);
    p->span = fuzz_alloc(f, n * sizeof(fuzz_span_t));
    p->spans = 0;
    for (uint32_t left = bytes; p->span != NULL && left != 0;) {
        fuzz_span_t *s = &p->span[p->spans++];
        uint32_t room = (uint32_t)(PAGE_SIZE - va % PAGE_SIZE);
        s->bytes = room < left ? room : left;
        if (vcpu_translate_va(f->v, va, false, false, &s->ipa, NULL) != 0 || (s->host = vm_ram(f->vm, s->ipa, s->bytes)) == NULL) {
            return false;
        }
        va += s->bytes;
        left -= s->bytes;
    }
    p->bytes = bytes;
    return p->span != NULL;
}

// The guest may have its caches off: what is in memory is what it reads.
void fuzz_put(fuzz_t *f) {
    uint32_t done = 0;
    for (uint32_t i = 0; i < f->put.spans && done < f->size; i++) {
        const fuzz_span_t *s = &f->put.span[i];
        uint32_t n = f->size - done < s->bytes ? f->size - done : s->bytes;
        rights_store(f->vm, s->ipa, n, false, BY_SCRIPT);
        cache_clean_poc(s->host, n);
        memcpy(s->host, f->input + done, n);
        cache_clean_poc(s->host, n);
        rights_store(f->vm, s->ipa, n, true, BY_SCRIPT);
        done += n;
    }
    if (f->length_register != FUZZ_NO_REGISTER) {
        f->v->regs->x[f->length_register] = f->size;
    }
}

// ---- Coverage: a byte map that the guest fills ------------------------------------------------

bool fuzz_cover_map(fuzz_t *f, uint64_t va, uint32_t bytes) {
    quota_give(f, f->seen, 2 * f->map.bytes);
    f->map.bytes = bytes;
    f->seen = quota_take(f, 2 * bytes);
    return f->seen != NULL && fuzz_place(f, &f->map, va, bytes);
}

// How often an edge was taken: 1, 2, 3, from 4, 8, 16, 32 or 128 on.
static uint8_t class_of(uint8_t n) {
    return n <= 2 ? n : n == 3 ? 4 : n < 32 ? (uint8_t)(1u << (32 - __builtin_clz(n))) : n < 128 ? 64 : 128;
}

static bool word_is_new(uint64_t word, uint8_t *seen, bool hang) {
    bool is_new = false;
    for (; word != 0; word >>= 8, seen++) {
        uint8_t c = hang ? (uint8_t)word != 0 : class_of((uint8_t)word);
        is_new |= (c & ~*seen) != 0;
        *seen |= c;
    }
    return is_new;
}

// Of a hang, how often is a matter of when it was ended.
static bool map_is_new(fuzz_t *f, bool hang) {
    bool is_new = false;
    uint8_t *seen = f->seen + (hang ? f->map.bytes : 0);
    for (uint32_t i = 0; i < f->map.spans; i++) {
        const fuzz_span_t *s = &f->map.span[i];
        cache_clean_poc(s->host, s->bytes);
        uint32_t at = 0;
        for (; at + 8 <= s->bytes; at += 8) {
            uint64_t word = *(const volatile uint64_t *)(s->host + at);
            is_new |= UNLIKELY(word != 0) && word_is_new(word, seen + at, hang);
        }
        for (; at < s->bytes; at++) {
            is_new |= word_is_new(s->host[at], seen + at, hang);
        }
        seen += s->bytes;
    }
    return is_new;
}

bool fuzz_is_new(fuzz_t *f) {
    bool block = breaks_covered != f->covered_before;
    return f->end.verdict == FUZZ_OK && (block || (f->map.spans != 0 && map_is_new(f, false)));
}

// ---- Coverage: one-shot breakpoints -------------------------------------------------------------

bool fuzz_cover_blocks(fuzz_t *f, uint32_t n) {
    f->block = quota_take(f, n * sizeof(fuzz_block_t));
    f->room = f->block == NULL ? 0 : n;
    return f->block != NULL;
}

// Where rounds begin every round comes by.
bool fuzz_cover_block(fuzz_t *f, uint64_t va) {
    fuzz_block_t *block = &f->block[f->blocks];
    vcpu_t *v = f->v;
    uint64_t ipa;
    bool el0 = (v->regs->pstate & 0xF) == 0;
    if (f->blocks == f->room || vcpu_translate_va(v, va, false, el0, &ipa, NULL) != 0 || vm_ram(f->vm, ipa, 4) == NULL) {
        return false;
    }
    block->va = va;
    block->brk = va == v->regs->pc ? NULL : native_alloc(sizeof(brk_t));
    f->full = va != v->regs->pc && block->brk == NULL;
    if (block->brk != NULL) {
        *block->brk = (brk_t) { .ipa = ipa, .action = BREAK_COVER, .from = 1, .cpu = -1, .on = true, .el0 = el0 };
        if (!break_add(f->vm, block->brk)) {
            native_free(block->brk, sizeof(brk_t));
            f->full = true;
        }
    }
    f->blocks += !f->full;
    return !f->full;
}

// ---- Coverage: single steps ---------------------------------------------------------------------

bool fuzz_cover_steps(fuzz_t *f) {
    uint8_t *map = quota_take(f, FUZZ_STEP_MAP);
    f->start = quota_take(f, FUZZ_STARTS * sizeof(uint64_t));
    f->seen = quota_take(f, 2 * FUZZ_STEP_MAP);
    f->map.span = fuzz_alloc(f, sizeof(fuzz_span_t));
    f->map.bytes = FUZZ_STEP_MAP; // of which `seen` is given back, also when something else is not there
    if (map == NULL || f->start == NULL || f->seen == NULL || f->map.span == NULL) {
        quota_give(f, map, FUZZ_STEP_MAP);
        return false;
    }
    *f->map.span = (fuzz_span_t) { .host = map, .bytes = FUZZ_STEP_MAP };
    f->map.spans = 1;
    f->steps = true;
    return true;
}

static vcpu_t *stepping;    // whose steps are looked at
static insight_t watching;  // what stands above, with this in front
static uint64_t (*step_as_before)(vcpu_t *v, guest_regs_t *r);

// An edge: where a step did not end behind its instruction.
static void note_step(fuzz_t *f, uint64_t pc) {
    if (pc != f->at + 4 && pc != f->at) {
        uint32_t i = (uint32_t)(pc >> 2 ^ f->at >> 1 ^ pc >> 14) % FUZZ_STEP_MAP;
        if (f->map.span->host[i]++ == 0 && f->seen[i] == 0 && f->starts < FUZZ_STARTS) {
            f->start[f->starts++] = pc;
        }
    }
    f->at = pc;
}

static uint64_t step_seen(vcpu_t *v, guest_regs_t *r) {
    if (v == stepping) {
        note_step(fuzz_of(v->vm), READ_SYSREG(elr_el2));
    }
    return step_as_before(v, r);
}

static void watch_steps(fuzz_t *f) {
    if (f->steps && trap_insight != &watching) {
        watching = *trap_insight;
        step_as_before = watching.step;
        watching.step = step_seen;
        trap_insight = &watching;
    }
    stepping = f->steps ? f->v : NULL;
}

// ---- Beginning a round --------------------------------------------------------------------------

// Half of them are of the latest, whose neighbours have been looked at least; of two the shorter one, where a change is
// more likely to hit something.
static const fuzz_input_t *any_of(fuzz_t *f, random_t *r) {
    const fuzz_input_t *best = NULL;
    for (unsigned tries = 0; tries < 8 && (best == NULL || best->dead || tries < 2); tries++) {
        uint32_t n = f->corpus.count, last = n < 8 ? n : 8, i = random_below(r, 2) ? n - 1 - random_below(r, last) : random_below(r, n);
        const fuzz_input_t *in = f->corpus.at[i];
        if (best == NULL || (best->dead && !in->dead) || (!in->dead && in->size < best->size)) {
            best = in;
            f->parent = i;
        }
    }
    return best;
}

// By the number of the round: one that did not come to its end is made again.
static void make_input(fuzz_t *f) {
    random_t r = random_of(f->seed, f->rounds);
    mutate_from_t from = { .word = f->word, .words = f->words };
    while (f->cursor < f->corpus.count && !f->corpus.at[f->cursor]->fresh) {
        f->cursor++;
    }
    f->as_is = f->cursor < f->corpus.count;
    f->parent = f->cursor;
    f->walks = false;
    f->size = 0;
    const fuzz_input_t *in = f->as_is ? f->corpus.at[f->cursor] : f->corpus.count == 0 ? NULL : any_of(f, &r);
    if (in != NULL) {
        f->size = in->size;
        memcpy(f->input, in->data, in->size);
    }
    f->walks = !f->as_is && in != NULL && random_below(&r, 4) != 0 && mutate_walk(f->input, f->size, in->walked);
    if (!f->as_is && !f->walks) {
        const fuzz_input_t *other = f->corpus.count == 0 ? NULL : f->corpus.at[random_below(&r, f->corpus.count)];
        from.other = other == NULL ? (bytes_t) { NULL, 0 } : (bytes_t) { other->data, other->size };
        f->size = mutate(&r, f->input, f->size, f->max, &from);
    }
}

void fuzz_back(fuzz_t *f) {
    bool anew = f->vm->hold->at != f->s || f->since >= ANEW;
    f->since = anew ? 0 : f->since + 1;
    if (anew) {
        snapshot_back(f->vm, f->s, NULL, true);
    } else {
        snapshot_again(f->vm, f->s);
    }
}

void fuzz_begin(fuzz_t *f) {
    fuzz_back(f);
    make_input(f);
    memset(&f->end, 0, sizeof(f->end));
    f->inside = true;
    f->covered_before = breaks_covered;
    f->stepped = 0;
    f->at = f->v->regs->pc;
    if (f->steps) {
        memset(f->map.span->host, 0, FUZZ_STEP_MAP);
    }
    f->began = f->away = timer_now();
    f->began_count = pmu_counted(f->counter);
}

// ---- Running ------------------------------------------------------------------------------------

static void tick(timer_t *t) {
    fuzz_t *f = (fuzz_t *)((char *)t - offsetof(fuzz_t, tick));
    f->v->kicked = true;
    timer_arm(t, timer_now() + timer_freq() / TICK_HZ, tick);
}

static hang_t over_limit(const fuzz_t *f) {
    if (f->steps && f->instructions != 0 && f->stepped > f->instructions) {
        return HANG_INSTRUCTIONS;
    }
    if (f->counter >= 0 && f->instructions != 0 && (uint32_t)(pmu_counted(f->counter) - f->began_count) > f->instructions) {
        return HANG_INSTRUCTIONS;
    }
    return f->ticks != 0 && timer_now() - f->began > f->ticks ? HANG_TIME : HANG_NONE;
}

// It waits for an interrupt, in which case a limit of time is the only one.
static bool wait_for_interrupt(fuzz_t *f) {
    while (!vgic_pending(f->v)) {
        if (callback_events_pending()) {
            f->left = EXIT_EVENT;
            return false;
        }
        if (over_limit(f) != HANG_NONE) {
            f->end.hang = HANG_IDLE;
            return false;
        }
        irq_enable();
        isb();
        irq_disable();
    }
    return true;
}

static uint64_t stack_of(vcpu_t *v) {
    return vcpu_el1_get(v, (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0);
}

static int stop_at(const fuzz_t *f, uint64_t pc) {
    for (unsigned i = 0; i < f->stops; i++) {
        if (f->stop[i].va == pc && (f->stop[i].sp == 0 || f->stop[i].sp == stack_of(f->v))) {
            return (int)i;
        }
    }
    return -1;
}

// A system call of a program comes by the same vector as its faults.
static bool is_call(fuzz_t *f) {
    int i = stop_at(f, f->v->regs->pc);
    unsigned ec = i < 0 || f->stop[i].verdict != FUZZ_FAULT ? 0 : ESR_EC(vcpu_el1_get(f->v, EL1_ESR_EL1));
    return ec == EC_SVC32 || ec == EC_SVC64;
}

// True: it goes on.
static bool again(fuzz_t *f, exit_t why) {
    switch (why) {
        case EXIT_RESUME:
        case EXIT_KICK:
        case EXIT_IRQ:
            f->v->kicked = false;
            f->end.hang = over_limit(f);
            return f->end.hang == HANG_NONE;
        case EXIT_IDLE:
            return wait_for_interrupt(f);
        case EXIT_STOP:
            return is_call(f);
        default:
            return false;
    }
}

static void ended(fuzz_t *f, exit_t why) {
    fuzz_end_t *e = &f->end;
    f->inside = false;
    e->why = why;
    e->hang = e->hang == HANG_NONE ? over_limit(f) : e->hang; // the same for one that ended between two looks at it
    e->stop = why == EXIT_STOP ? stop_at(f, f->v->regs->pc) : -1;
    if (e->stop >= 0 && f->stop[e->stop].verdict != FUZZ_OK) {
        e->verdict = FUZZ_CRASH;
    } else if (e->hang == HANG_INSTRUCTIONS || (e->hang != HANG_NONE && why != EXIT_STOP)) {
        e->verdict = FUZZ_HANG;
    } else {
        e->verdict = why == EXIT_STOP || why == EXIT_OFF || why == EXIT_CPU_OFF ? FUZZ_OK : FUZZ_CRASH;
    }
}

#define STEPS 1000u     // at a time

// Several steps; where a round ends something is planted, in front of which they end.
static exit_t step(fuzz_t *f) {
    vcpu_t *v = f->v;
    v->brk.handler = NULL;
    v->brk.steps = STEPS - 1;
    exit_t why = break_step(v);
    f->stepped += STEPS - 1 - v->brk.steps + v->brk.done;
    note_step(f, v->regs->pc);
    return why == EXIT_RESUME && stop_at(f, v->regs->pc) >= 0 ? EXIT_STOP : why == EXIT_RESUME && callback_events_pending() ? EXIT_EVENT : why;
}

static exit_t enter(fuzz_t *f) {
    vcpu_t *v = f->v;
    exit_t why;
    uint64_t now = timer_now();
    f->began += now - f->away;
    f->left = EXIT_RESUME;
    do {
        why = f->steps ? step(f) : vcpu_run(v);
    } while (again(f, why));
    if (why == EXIT_EVENT || f->left == EXIT_EVENT || why == EXIT_RAISED || why == EXIT_MEMORY || why == EXIT_PYTHON) {
        f->left = f->left == EXIT_EVENT ? EXIT_EVENT : why;
    } else {
        ended(f, why);
    }
    f->away = timer_now();
    return f->left;
}

// ---- What came of it ----------------------------------------------------------------------------

// What tells it from others, wherever its input has led: a fault by where it was and who called, a hang by who called.
static void describe(fuzz_t *f) {
    fuzz_end_t *e = &f->end;
    vcpu_t *v = f->v;
    bool fault = e->stop >= 0 && f->stop[e->stop].verdict == FUZZ_FAULT;
    e->pc = fault ? vcpu_el1_get(v, EL1_ELR_EL1) : e->why == EXIT_STOP ? v->regs->pc : v->exit.pc;
    e->pc = e->verdict == FUZZ_HANG ? v->regs->pc : e->pc;
    e->esr = fault ? vcpu_el1_get(v, EL1_ESR_EL1) : e->why == EXIT_TRAP ? v->exit.esr : 0;
    e->far = fault ? vcpu_el1_get(v, EL1_FAR_EL1) : e->why == EXIT_TRAP ? v->exit.far : 0;
    // A function that has only begun has no record of its own yet.
    uint64_t link = e->why == EXIT_STOP && !fault ? v->regs->x[30] : 0;
    e->frames = unwind(v, link, v->regs->x[29], e->frame, FUZZ_FRAMES);
    uint64_t key = UINT64_C(0xCBF29CE484222325), at = e->verdict == FUZZ_HANG || !unwind_is_code(v, e->pc) ? 0 : e->pc;
    key = unwind_mix(unwind_mix(unwind_mix(key, at), e->why), ESR_EC(e->esr));
    uint32_t inner = e->verdict == FUZZ_HANG && e->frames > OUTER ? e->frames - OUTER : 0;
    for (uint32_t i = inner; i < e->frames; i++) {
        key = unwind_mix(key, e->frame[i]);
    }
    e->key = key;
}

// A hang is found wherever it is when it is looked at: it is told from others by its coverage, or by where it began.
static bool is_known(fuzz_t *f, fuzz_list_t *list) {
    bool by_map = list == &f->hangs && f->map.spans != 0;
    for (uint32_t i = 0; i < list->count && !by_map; i++) {
        if (list->at[i]->end->key == f->end.key) {
            list->at[i]->times++;
            return true;
        }
    }
    return by_map && !map_is_new(f, true);
}

static void keep_end(fuzz_t *f, fuzz_list_t *list) {
    describe(f);
    if (is_known(f, list)) {
        return;
    }
    fuzz_end_t *end = fuzz_alloc(f, sizeof(fuzz_end_t));
    fuzz_input_t *in = end == NULL ? NULL : fuzz_add(f, list, f->input, f->size);
    if (in == NULL) {
        f->full = true;
        return;
    }
    *end = f->end;
    in->end = end;
    in->round = f->rounds;
    in->parent = f->parent;
    f->new_crashes += list == &f->crashes;
}

void fuzz_judge(fuzz_t *f, bool is_new) {
    f->inside = false;
    f->rounds++;
    if (f->as_is) {
        f->corpus.at[f->parent]->fresh = false;
        f->corpus.at[f->parent]->dead = f->end.verdict != FUZZ_OK;
    }
    if (f->walks) {
        f->corpus.at[f->parent]->walked++;
    }
    if (f->end.verdict != FUZZ_OK) {
        keep_end(f, f->end.verdict == FUZZ_HANG ? &f->hangs : &f->crashes);
    } else if (is_new && !f->as_is) {
        uint32_t parent = f->parent;
        fuzz_input_t *in = fuzz_add(f, &f->corpus, f->input, f->size);
        if (in != NULL) {
            in->round = f->rounds;
            in->parent = parent;
            f->found++;
        }
    }
}

// ---- Many rounds --------------------------------------------------------------------------------

static exit_t rounds(fuzz_t *f) {
    while (f->rounds < f->goal && f->new_crashes < f->goal_crashes && !f->full) {
        if (!f->inside) {
            if (timer_now() >= f->until || callback_events_pending()) {
                return EXIT_EVENT;
            }
            fuzz_begin(f);
            fuzz_put(f);
        }
        exit_t left = enter(f);
        if (left != EXIT_RESUME) {
            return left;
        }
        fuzz_judge(f, fuzz_is_new(f));
    }
    return EXIT_RESUME;
}

// A part of a round may be behind it already: so many instructions.
static void begin_here(fuzz_t *f) {
    watch_steps(f);
    f->counter = f->instructions == 0 || f->steps ? -1 : pmu_count_guests();
    timer_arm(&f->tick, timer_now() + timer_freq() / TICK_HZ, tick);
}

static exit_t end_here(fuzz_t *f) {
    timer_cancel(&f->tick);
    f->began_count -= pmu_counted(f->counter);
    pmu_count_end(f->counter);
    f->counter = -1;
    f->v->kicked = false;
    stepping = NULL;
    return f->left;
}

exit_t fuzz_run(vcpu_t *v) {
    fuzz_t *f = fuzz_of(v->vm);
    begin_here(f);
    f->left = rounds(f);
    return end_here(f);
}

exit_t fuzz_one(vcpu_t *v) {
    fuzz_t *f = fuzz_of(v->vm);
    begin_here(f);
    enter(f);
    return end_here(f);
}
