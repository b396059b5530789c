// SPDX-License-Identifier: MIT
// Watchpoints: see watch.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/syndrome.h"
#include "irq/intc.h"
#include "irq/timer.h"
#include "memory/native.h"
#include "memory/pgtable.h"
#include "trap/callback.h"
#include "trap/perform.h"
#include "trap/quick.h"
#include "trap/watch.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define HOT_AFTER 0x4000    // accesses that went by, between two looks at the clock
#define HOT_HZ 20000        // so many a second are worth a word

// ---- The list -----------------------------------------------------------------------------------

// The last one that begins below end, from which on downwards those are that a range may touch: behind it, 0: none.
static unsigned below(const watches_t *ws, uint64_t end) {
    unsigned low = 0, high = ws->n;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (ws->list[mid]->ipa < end) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

// The next one downwards from *at that [ipa, end) touches, with one of these rights; NULL: none.
static watch_t *next_touched(const watches_t *ws, unsigned *at, uint64_t ipa, uint64_t end, unsigned rights) {
    while (*at > 0 && ws->list[*at - 1]->reach > ipa) {
        watch_t *w = ws->list[--*at];
        if (w->ipa < end && w->ipa + w->size > ipa && (w->rights & rights)) {
            return w;
        }
    }
    return NULL;
}

static void list_changed(watches_t *ws) {
    uint64_t reach = 0;
    for (unsigned i = 0; i < ws->n; i++) {
        uint64_t end = ws->list[i]->ipa + ws->list[i]->size;
        ws->list[i]->reach = reach = end > reach ? end : reach;
    }
    ws->changes++;
}

static bool list_room(watches_t *ws) {
    if (ws->n < ws->room) {
        return true;
    }
    unsigned room = ws->room == 0 ? 8 : 2 * ws->room;
    watch_t **list = native_alloc(room * sizeof(list[0]));
    if (list == NULL) {
        return false;
    }
    if (ws->n != 0) {
        memcpy(list, ws->list, ws->n * sizeof(list[0]));
    }
    native_free(ws->list, ws->room * sizeof(list[0]));
    ws->list = list;
    ws->room = room;
    return true;
}

static void list_remove(watches_t *ws, const watch_t *w) {
    for (unsigned i = 0, to = 0, n = ws->n; i < n; i++) {
        ws->list[to] = ws->list[i];
        to += ws->list[i] != w;
        ws->n = to;
    }
    for (unsigned i = 0, to = 0, n = ws->nevents; i < n; i++) {
        ws->event[to] = ws->event[i];
        to += ws->event[i].watch != w;
        ws->nevents = to;
    }
    list_changed(ws);
}

// ---- A guest's access ---------------------------------------------------------------------------

static uint64_t number(const uint8_t *at, unsigned size) {
    uint64_t value = 0;
    memcpy(&value, at, size);
    return value;
}

// Its handler, of at most 8 bytes. False: the access is not made now (rights.h).
static bool ask(vcpu_t *v, watch_t *w, uint64_t ipa, unsigned size, const uint8_t *old, const uint8_t *now, exit_t *why) {
    uint64_t raw[4] = { w->named + (ipa - w->ipa), size, number(old, size), number(now, size) };
    outcome_t out;
    v->moved = v->skip = false;
    if (!callback(v, w->handler, 4, raw, false, &out)) {
        callback_raised(v, out.exception);
        *why = EXIT_RAISED;
        return false;
    }
    if (v->moved) {
        return false;
    }
    switch (out.action) {
        case ACTION_STOP:
            *why = EXIT_STOP;
            return true;
        case ACTION_SKIP:
            insn_complete(v);
            return false;
        case ACTION_ABORT:
            vcpu_inject_abort(v, false, v->exit.far);
            return false;
        case ACTION_UNDEFINED:
            vcpu_inject_undefined(v);
            return false;
        case ACTION_SERROR:
            vcpu_inject_serror(v);
            return true;
        default:
            return true;
    }
}

// What an access and a watch have in common, in parts of at most 8 bytes if it is more.
static bool hit(vcpu_t *v, watch_t *w, uint64_t ipa, unsigned size, const uint8_t *old, const uint8_t *now, exit_t *why) {
    const watches_t *ws = v->vm->watches;
    unsigned changes = ws->changes;
    uint64_t from = ipa > w->ipa ? ipa : w->ipa, end = ipa + size < w->ipa + w->size ? ipa + size : w->ipa + w->size;
    while (w->handler != NULL && from < end) {
        uint64_t to = end - from > 8 && ALIGN_DOWN(from, 8) + 8 < end ? ALIGN_DOWN(from, 8) + 8 : end;
        if (!ask(v, w, from, (unsigned)(to - from), old + (from - ipa), now + (from - ipa), why)) {
            return false;
        }
        if (ws->changes != changes) {
            return true; // it may be gone
        }
        from = to;
    }
    return true;
}

static void call_boot_core(void) {
    intc->send(INTC_SGI_KICK, pcpus[0].mpidr);
}

// An access that was none of them: now and then, how often that is.
static void went_by(watches_t *ws, uint64_t ipa) {
    uint64_t now = timer_now(), took = now - ws->since;
    ws->since = now;
    uint64_t rate = ws->passed / HOT_AFTER < 2 || took == 0 ? 0 : HOT_AFTER *timer_freq() / took;
    if (rate < HOT_HZ) {
        return;
    }
    uint64_t page = ALIGN_DOWN(ipa, PAGE_SIZE);
    unsigned at = below(ws, page + PAGE_SIZE);
    for (watch_t *w; (w = next_touched(ws, &at, page, page + PAGE_SIZE, S2_READ | S2_WRITE)) != NULL;) {
        if (w->rate == 0 && w->pair < 0) {
            w->rate = rate;
            call_boot_core();
        }
    }
}

static bool watch_access(vcpu_t *v, uint64_t va, uint64_t ipa, unsigned size, bool write, const uint8_t *old, const uint8_t *now, exit_t *why) {
    watches_t *ws = v->vm->watches;
    (void)va;
    if (ws == NULL) {
        return true;
    }
    unsigned at = below(ws, ipa + size), rights = write ? S2_WRITE : S2_READ, first = at;
    watch_t *w = next_touched(ws, &at, ipa, ipa + size, rights);
    if (w == NULL) {
        if ((++ws->passed & (HOT_AFTER - 1)) == 0) {
            went_by(ws, ipa);
        }
        return true;
    }
    for (unsigned k = first; !this_pcpu()->python && (w = next_touched(ws, &k, ipa, ipa + size, rights)) != NULL;) {
        if (w->handler != NULL) {
            *why = EXIT_PYTHON;
            return false;
        }
    }
    unsigned changes = ws->changes;
    for (at = first; ws->changes == changes && (w = next_touched(ws, &at, ipa, ipa + size, rights)) != NULL;) {
        if (!hit(v, w, ipa, size, old, now, why)) {
            return false;
        }
    }
    return true;
}

// Any core.
static void count(watch_t *w) {
    uint64_t hits;
    uint32_t failed;
    __asm__ volatile ("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
        : "=&r" (hits), "=&r" (failed) : "r" (&w->hits) : "memory");
}

static uint64_t memory_at(vm_t *vm, uint64_t ipa, uint64_t size) {
    const void *host = vm_ram_there(vm, ipa, size); // who writes has touched it
    uint64_t value = host == NULL ? 0 : number(host, (unsigned)size);
    rights_load(vm, ipa, size, &value);
    return value;
}

// With what its first bytes are now.
static void log_it(const vcpu_t *v, const watch_t *w, uint64_t ipa, unsigned size, bool write) {
    uint64_t from = ipa > w->ipa ? ipa : w->ipa, end = ipa + size < w->ipa + w->size ? ipa + size : w->ipa + w->size;
    event_log(&(event_t) {
        .key = w->named + (from - w->ipa), .pc = v->exit.pc, .value = memory_at(v->vm, from, end - from < 8 ? end - from : 8),
        .cpu = (uint8_t)v->id, .ec = EC_DABT_LOWER, .write = write, .vmid = (uint8_t)v->vmid,
    });
}

static bool watch_made(vcpu_t *v, uint64_t ipa, unsigned size, bool write) {
    watches_t *ws = v->vm->watches;
    unsigned at = ws == NULL ? 0 : below(ws, ipa + size);
    bool stop = false;
    for (watch_t *w; ws != NULL && (w = next_touched(ws, &at, ipa, ipa + size, write ? S2_WRITE : S2_READ)) != NULL;) {
        count(w);
        stop |= w->action == WATCH_STOP;
        if (w->action == WATCH_LOG) {
            log_it(v, w, ipa, size, write);
        }
    }
    return stop;
}

// ---- Those that go by ---------------------------------------------------------------------------

// Memory, as a guest with its caches off looks at it.
static void clean(const void *host) {
    __asm__ volatile ("dc civac, %0\n dsb sy" : : "r" (host) : "memory");
}

static uint64_t ipa_of(uint64_t far) {
    uint64_t before = READ_SYSREG(par_el1);
    __asm__ volatile ("at s1e1r, %0\n isb" : : "r" (far));
    uint64_t par = READ_SYSREG(par_el1);
    WRITE_SYSREG(par_el1, before);
    return par;
}

// Host address of a page that nobody but watches withholds; NULL. The last answer is kept until stage 2 changes.
#define NOT_TAKEN 4u // beside the right: nobody withholds it
static NOINLINE char *look_for_page(vcpu_t *v, uint64_t page, unsigned key) {
    vm_t *vm = v->vm;
    unsigned needed = key & ~NOT_TAKEN;
    if (!vm_ram_own(vm, page)) {
        return NULL;
    }
    spin_lock(&vm->lock);
    pgwalk_t w = pgtable_walk(&vm->stage2, page);
    bool only = key & NOT_TAKEN ? rights_takers(vm, page, needed) == 0 : rights_only(vm, RIGHTS_WATCH, page, needed);
    uint32_t changes = vm->stage2.changes;
    spin_unlock(&vm->lock);
    bool normal = FIELD(w.entry, 5, 4) != 0;
    if (!only || !normal || !(w.entry & PTE_VALID) || !(rights_base(w.entry) & needed)) {
        return NULL;
    }
    v->watched.key = page | key;
    v->watched.changes = changes;
    return v->watched.host = (char *)(w.entry & PTE_ADDR_MASK) + (page & (w.size - 1));
}

static inline char *page_host(vcpu_t *v, uint64_t page, unsigned key) {
    bool same = v->watched.key == (page | key) && v->watched.changes == v->vm->stage2.changes;
    return LIKELY(same) ? v->watched.host : look_for_page(v, page, key);
}

// The handler of the only watch that is touched, if it can be called as trap_fast.c calls others. False: nothing has been
// done, or v->asked says that ask() is to go on with it.
static bool quick_ask(vcpu_t *v, handler_t *h, const uint64_t *raw) {
    mp_obj_t *at = this_pcpu()->python ? quick_begin(v, h) : NULL;
    for (unsigned i = 0; at != NULL && i < h->nargs; i++) {
        if (!quick_fits(raw[i])) {
            return false;
        }
        *--at = MP_OBJ_NEW_SMALL_INT((mp_int_t)raw[i]);
    }
    return at != NULL && quick_answered(v, h, quick_run_store(h, at).what, false);
}

static NOINLINE bool fast_hit(vcpu_t *v, watch_t *w, unsigned from, uint64_t ipa, unsigned size, bool write, uint64_t old, uint64_t now) {
    unsigned rights = write ? S2_WRITE : S2_READ;
    if (w->action != WATCH_COUNT || ipa < w->ipa || ipa + size > w->ipa + w->size || next_touched(v->vm->watches, &from, ipa, ipa + size, rights) != NULL) {
        return false;
    }
    uint64_t raw[4] = { w->named + (ipa - w->ipa), size, old, write ? now : old };
    if (w->handler != NULL && !quick_ask(v, w->handler, raw)) {
        return false;
    }
    count(w);
    return true;
}

// esr describes it, as that of a data abort does. key: NOT_TAKEN, or 0.
static inline __attribute__((always_inline)) uint64_t fast_access(vcpu_t *v, guest_regs_t *r, uint64_t esr, uint64_t far, unsigned key) {
    watches_t *ws = v->vm->watches;
    unsigned log = FIELD(esr, 23, 22), size = 1u << log, at = far & (PAGE_SIZE - 1), rt = FIELD(esr, 20, 16);
    // One that may have begun on the page before, or ends on the next, is perform.c's.
    if (at < 8 || at + size > PAGE_SIZE || ((ws->passed + 1) & (HOT_AFTER - 1)) == 0) {
        return EXIT_TRAP;
    }
    bool write = (esr & ISS_WNR) != 0;
    uint64_t par = ipa_of(far), page = par & UINT64_C(0xFFFFFFFFF000), ipa = page | at;
    char *host = par & 1 ? NULL : page_host(v, page, key | (write ? S2_WRITE : S2_READ));
    if (host == NULL) {
        return EXIT_TRAP;
    }
    host += at;
    bool cached = par >> 56 == 0xFF; // PAR_EL1.ATTR
    if (!cached) {
        clean(host);
    }
    unsigned from = below(ws, ipa + size), shift = 64 - 8 * size;
    uint64_t value = reg_get(r, rt) << shift >> shift;
    watch_t *w = next_touched(ws, &from, ipa, ipa + size, write ? S2_WRITE : S2_READ);
    if (w == NULL && key != 0) {
        return EXIT_TRAP;
    } else if (w == NULL) {
        ws->passed++;
    } else if (!fast_hit(v, w, from, ipa, size, write, load_sized(host, size), value)) {
        return EXIT_TRAP;
    }
    dmb_ish(); // it may have been with acquire or release
    if (write) {
        store_sized(host, size, value);
        if (!cached) {
            clean(host);
        }
    } else {
        value = load_sized(host, size);
        value = esr & ISS_SSE ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
        reg_set(r, rt, esr & ISS_SF ? value : (uint32_t)value);
    }
    dmb_ish();
    skip_instruction();
    return EXIT_RESUME;
}

uint64_t watch_fast(vcpu_t *v, guest_regs_t *r, uint64_t esr) {
    return fast_access(v, r, esr, READ_SYSREG(far_el2), 0);
}

// LDR, STR and the like (DDI 0487 C4.1.66), by an unsigned or unscaled offset, as a syndrome; 0: something else.
static uint64_t syndrome_of(uint32_t word, int64_t *offset) {
    unsigned log = word >> 30, opc = FIELD(word, 23, 22);
    if ((word & 0x3F000000) == 0x39000000) {
        *offset = (int64_t)(FIELD(word, 21, 10) << log);
    } else if ((word & 0x3F200C00) == 0x38000000) {
        *offset = (int64_t)((uint64_t)word << 43) >> 55;
    } else {
        return 0;
    }
    bool wide = log == 3 || opc == 2;
    return (opc >= 2 && log + (opc == 3) >= 3 ? 0 : ISS_ISV) | (uint64_t)log << 22 | (opc >= 2 ? ISS_SSE : 0) | (uint64_t)(word & 31) << 16
           | (wide ? ISS_SF : 0) | (opc == 0 ? ISS_WNR : 0);
}

static bool is_late(unsigned n) {
    return n - 19 <= 10;
}

uint64_t watch_fast_register(vcpu_t *v, guest_regs_t *r, bool saved) {
    uint64_t pc = READ_SYSREG(elr_el2), par = ipa_of(pc), far = READ_SYSREG(far_el2);
    bool unusual = ((READ_SYSREG(spsr_el2) >> 4) & 1) || (READ_SYSREG(sctlr_el1) & (SCTLR_EE | SCTLR_E0E));
    if (v->vm->hard_watches == 0 || unusual || (par & 1) || (v->debug.mdscr & MDSCR_MDE)) {
        return EXIT_TRAP;
    }
    const uint32_t *text = vm_ram_there(v->vm, (par & UINT64_C(0xFFFFFFFFF000)) | (pc & 0xFFC), 4);
    int64_t offset;
    uint64_t esr = text == NULL ? 0 : syndrome_of(*text, &offset);
    unsigned rn = esr == 0 ? 31 : FIELD(*text, 9, 5);
    if (!(esr & ISS_ISV) || rn == 31) {
        return EXIT_TRAP;
    }
    if (!saved && (is_late(rn) || is_late(*text & 31))) {
        return EXIT_SAVE;
    }
    uint64_t va = r->x[rn] + (uint64_t)offset;
    return va - far + 8 <= 16 ? fast_access(v, r, esr, va, NOT_TAKEN) : EXIT_TRAP;
}

// ---- A device's ---------------------------------------------------------------------------------

// Those that were noted before it was made, in the parts in which that was. False: there were none.
static bool close_events(vm_t *vm, const watch_t *w, uint64_t ipa, uint64_t size) {
    watches_t *ws = vm->watches;
    bool any = false;
    for (unsigned i = 0; i < ws->nevents; i++) {
        watch_event_t *e = &ws->event[i];
        if (e->watch == w && e->open && e->ipa - ipa < size) {
            e->now = e->size <= 8 ? memory_at(vm, e->ipa, e->size) : 0;
            e->open = false;
            any = true;
        }
    }
    return any;
}

// Before: what was there. After: what is, and the handler hears of it soon.
static void device_hit(vm_t *vm, watch_t *w, uint64_t ipa, uint64_t size, bool after, bool read) {
    watches_t *ws = vm->watches;
    if (after) {
        count(w);
    }
    if (w->handler == NULL) {
        return;
    }
    if (read || !(after && close_events(vm, w, ipa, size))) {
        if (ws->nevents == WATCH_EVENTS) {
            ws->lost += after;
            return;
        }
        uint64_t value = size <= 8 ? memory_at(vm, ipa, size) : 0;
        ws->event[ws->nevents++] = (watch_event_t) { .watch = w, .ipa = ipa, .size = size, .old = value, .now = value, .open = !after };
    }
    if (after) {
        call_boot_core();
    }
}

static void watch_store(vm_t *vm, uint64_t ipa, uint64_t size, bool after) {
    watches_t *ws = vm->watches;
    if (ws == NULL) {
        return;
    }
    uint64_t daif = spin_lock_irq(&vm->lock);
    unsigned at = below(ws, ipa + size);
    for (watch_t *w; (w = next_touched(ws, &at, ipa, ipa + size, S2_WRITE)) != NULL;) {
        uint64_t from = ipa > w->ipa ? ipa : w->ipa, end = ipa + size < w->ipa + w->size ? ipa + size : w->ipa + w->size;
        device_hit(vm, w, from, end - from, after, false);
    }
    spin_unlock_irq(&vm->lock, daif);
}

// It has been: what is told is what is there.
static void watch_read(vm_t *vm, uint64_t ipa, uint64_t size) {
    watches_t *ws = vm->watches;
    uint64_t daif = spin_lock_irq(&vm->lock);
    unsigned at = ws == NULL ? 0 : below(ws, ipa + size);
    for (watch_t *w; ws != NULL && (w = next_touched(ws, &at, ipa, ipa + size, S2_READ)) != NULL;) {
        uint64_t from = ipa > w->ipa ? ipa : w->ipa, end = ipa + size < w->ipa + w->size ? ipa + size : w->ipa + w->size;
        device_hit(vm, w, from, end - from, true, true);
    }
    spin_unlock_irq(&vm->lock, daif);
}

static void watch_gave_up(vm_t *vm, uint64_t page, unsigned rights) {
    watches_t *ws = vm->watches;
    unsigned at = ws == NULL ? 0 : below(ws, page + PAGE_SIZE);
    for (watch_t *w; ws != NULL && (w = next_touched(ws, &at, page, page + PAGE_SIZE, rights)) != NULL;) {
        w->blind |= rights;
        call_boot_core();
    }
}

bool watch_event(vm_t *vm, watch_event_t *e) {
    watches_t *ws = vm->watches;
    bool found = false;
    uint64_t daif = spin_lock_irq(&vm->lock);
    for (unsigned i = 0; ws != NULL && !found && i < ws->nevents; i++) {
        found = !ws->event[i].open;
        if (found) {
            *e = ws->event[i];
            memmove(&ws->event[i], &ws->event[i + 1], (--ws->nevents - i) * sizeof(*e));
        }
    }
    spin_unlock_irq(&vm->lock, daif);
    return found;
}

watch_t *watch_to_tell(vm_t *vm) {
    watches_t *ws = vm->watches;
    for (unsigned i = 0; ws != NULL && i < ws->n; i++) {
        watch_t *w = ws->list[i];
        if (!w->told && (w->rate != 0 || w->blind != 0)) {
            w->told = true;
            return w;
        }
    }
    return NULL;
}

// ---- Setting and removing -----------------------------------------------------------------------

static uint64_t first_page(const watch_t *w) {
    return ALIGN_DOWN(w->ipa, PAGE_SIZE);
}

static uint64_t page_bytes(const watch_t *w) {
    return ALIGN_UP(w->ipa + w->size, PAGE_SIZE) - first_page(w);
}

static bool take_rights(vm_t *vm, const watch_t *w) {
    return w->pair >= 0 || rights_take(vm, RIGHTS_WATCH, first_page(w), page_bytes(w), w->rights);
}

// ---- In debug registers -------------------------------------------------------------------------

// DBGWCR: MASK, BAS, LSC, which is S2_READ and S2_WRITE, and PAC for EL1 and EL0. False: there is none for such a range.
static bool register_of(const watch_t *w, uint64_t *value, uint64_t *control) {
    unsigned at = w->va & 7;
    bool power = (w->size & (w->size - 1)) == 0 && (w->va & (w->size - 1)) == 0 && w->size <= BIT(31);
    *value = w->va - at;
    if (w->size <= 8 - at) {
        *control = (BIT(w->size) - 1) << at << 5;
    } else if (power) {
        *control = UINT64_C(0xFF) << 5 | (uint64_t)__builtin_ctzl(w->size) << 24;
    } else {
        return false;
    }
    *control |= w->rights << 3 | UINT64_C(3) << 1;
    return true;
}

static void take_register(vm_t *vm, watch_t *w) {
    uint64_t value, control;
    if (w->by_va && register_of(w, &value, &control) && debug_spare(vm, DEBUG_WATCH) && rights_begin(vm)) {
        w->pair = debug_take(vm, DEBUG_WATCH, value, control);
        vm->hard_watches += w->pair >= 0;
    }
}

// From the exit of a vCPU, on any core.
static void give_register(vm_t *vm, watch_t *w) {
    int pair = __atomic_exchange_n(&w->pair, -1, __ATOMIC_RELAXED);
    if (pair >= 0) {
        __atomic_fetch_sub(&vm->hard_watches, 1, __ATOMIC_RELAXED);
        debug_give(vm, DEBUG_WATCH, pair);
    }
}

static watch_t *in_register(const watches_t *ws, int pair) {
    for (unsigned i = 0; ws != NULL && i < ws->n; i++) {
        if (ws->list[i]->pair == pair) {
            return ws->list[i];
        }
    }
    return NULL;
}

static bool is_exclusive(vcpu_t *v) {
    uint64_t word;
    return (v->regs->pstate & PSTATE_A32) || (insn_fetch(v, v->exit.pc, 4, &word) && (word & 0x3F800000) == 0x08000000);
}

// v is before the access, of which FAR is any byte (D2.10.5). In another space there may be something else at that address.
static bool register_hit(vcpu_t *v, int pair, exit_t *why) {
    watch_t *w = in_register(v->vm->watches, pair);
    if (w == NULL) {
        return false;
    }
    uint64_t at = v->exit.far < w->va ? w->va : v->exit.far, ipa;
    at = at - w->va < w->size ? at : w->va + w->size - 1;
    *why = EXIT_RESUME;
    if (vcpu_translate_va(v, at, false, insn_at_el0(v), &ipa, NULL) != 0 || ipa - w->ipa != at - w->va) {
        debug_pass(v, DEBUG_WATCH);
    } else if (is_exclusive(v) || !perform(v, false, why)) {
        rights_take(v->vm, RIGHTS_WATCH, first_page(w), page_bytes(w), w->rights);
        give_register(v->vm, w);
    }
    return true;
}

// ---- Adding and removing ------------------------------------------------------------------------

bool watch_add(vm_t *vm, watch_t *w) {
    rights_hooks[RIGHTS_WATCH] = (rights_hooks_t) { .access = watch_access, .made = watch_made, .store = watch_store, .read = watch_read, .gave_up = watch_gave_up };
    if (vm->watches == NULL) {
        vm->watches = native_alloc(sizeof(watches_t));
    }
    watches_t *ws = vm->watches;
    if (ws == NULL || !list_room(ws)) {
        return false;
    }
    unsigned at = below(ws, w->ipa + 1);
    memmove(&ws->list[at + 1], &ws->list[at], (ws->n - at) * sizeof(ws->list[0]));
    ws->list[at] = w;
    ws->n++;
    list_changed(ws);
    ws->passed = 0;
    w->pair = -1;
    debug_hit[DEBUG_WATCH] = register_hit;
    take_register(vm, w);
    if (take_rights(vm, w)) {
        return true;
    }
    list_remove(ws, w);
    rights_give(vm, RIGHTS_WATCH, first_page(w), page_bytes(w));
    return false;
}

void watch_remove(vm_t *vm, watch_t *w) {
    watches_t *ws = vm->watches;
    list_remove(ws, w);
    uint64_t from = first_page(w), end = from + page_bytes(w);
    give_register(vm, w);
    rights_give(vm, RIGHTS_WATCH, from, end - from);
    unsigned at = below(ws, end);
    for (watch_t *other; (other = next_touched(ws, &at, from, end, S2_READ | S2_WRITE)) != NULL;) {
        take_rights(vm, other); // on the pages that they share
    }
    native_free(w, sizeof(watch_t));
}

void watch_free(vm_t *vm) {
    watches_t *ws = vm->watches;
    for (unsigned i = 0; ws != NULL && i < ws->n; i++) {
        native_free(ws->list[i], sizeof(watch_t));
    }
    if (ws != NULL) {
        native_free(ws->list, ws->room * sizeof(ws->list[0]));
        native_free(ws, sizeof(watches_t));
        vm->watches = NULL;
    }
}
