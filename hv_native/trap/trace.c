// SPDX-License-Identifier: MIT
// Tracing of exits: see trace.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/psci_ids.h"
#include "core/syndrome.h"
#include "irq/gic.h"
#include "irq/intc.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "trap/el1trap.h"
#include "trap/mmio_decode.h"
#include "trap/trace.h"
#include "vcpu/debug.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/hook.h"
#include "vm/ram.h"

// An exit as it is being told of: in registers, until it is known who wants it.
typedef struct {
    trace_kind_t kind;
    uint64_t pc, value;
    uint32_t esr;
} exit_event_t;

static inline __attribute__((always_inline)) void put(trace_t *t, exit_event_t e, unsigned cpu, uint64_t core) {
    trace_ring_t *ring = &t->ring[core];
    uint64_t n = ring->written;
    trace_record_t *to = &ring->record[n & ring->mask];
    to->time = READ_SYSREG(cntpct_el0);
    to->pc = e.pc;
    to->value = e.value;
    to->esr = e.esr;
    to->what = (uint32_t)e.kind | cpu << 8 | (uint32_t)core << 16;
    __atomic_store_n(&ring->written, n + 1, __ATOMIC_RELEASE);
}

static inline uint64_t key_of(const trace_t *t, exit_event_t e, unsigned cpu, const guest_regs_t *r) {
    switch (t->key) {
        case TRACE_KEY_PC:
            return e.pc;
        case TRACE_KEY_VALUE:
            return e.kind == TRACE_SWITCH ? e.esr : e.value;
        case TRACE_KEY_CPU:
            return cpu;
        default:
            return r->x[t->key];
    }
}

// A key whose place, and the seven behind it, are others' counts as `others`.
static void count(trace_ring_t *ring, uint64_t key) {
    uint64_t hash = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 54;
    for (unsigned i = 0; i < 8; i++) {
        trace_count_t *c = &ring->count[(hash + i) % TRACE_KEYS];
        if (c->n == 0) {
            c->key = key;
        }
        if (c->key == key) {
            c->n++;
            return;
        }
    }
    ring->others++;
}

// Filters narrow the kinds that have any of theirs.
static NOINLINE bool is_asked_for(const trace_t *t, trace_kind_t kind, uint64_t value, uint32_t esr) {
    bool sysreg = kind == TRACE_SYSREG, any = false;
    if (!sysreg && kind != TRACE_MMIO) {
        return true;
    }
    uint64_t at = sysreg ? (esr & ISS_SYSREG_KEY) : value;
    for (unsigned i = 0; i < t->nfilters; i++) {
        const trace_filter_t *f = &t->filter[i];
        if (f->sysreg == sysreg) {
            any = true;
            if (at - f->first < f->end - f->first) {
                return true;
            }
        }
    }
    return !any;
}

hook_t *trace_hook(const vm_t *vm, uint32_t esr, uint64_t value) {
    unsigned imm = esr & 0xFFFF;
    switch (ESR_EC(esr)) {
        case EC_HVC64:
            return imm == 0 ? hook_find(&vm->hvc, (uint32_t)value) : hook_find(&vm->imm, imm);
        case EC_SMC64:
            return hook_find(&vm->smc, (uint32_t)value);
        case EC_SYSREG:
            return hook_find(&vm->sysreg, esr & ISS_SYSREG_KEY);
        case EC_DABT_LOWER: {
            hook_t *rule = hook_range_find(&vm->rules, value);
            return rule != NULL ? rule : hook_range_find(&vm->mmio, value);
        }
        default:
            return NULL;
    }
}

// Whether a handler may be asked about it: its own, one of its class, or one of a rule on the way.
static bool asks_python(const vm_t *vm, exit_event_t e) {
    const hook_t *h = trace_hook(vm, e.esr, e.value);
    if (h == NULL) {
        h = vm->classes[ESR_EC(e.esr)];
    }
    while (h != NULL && h->kind != HOOK_PYTHON && h->handler == NULL) {
        h = h->below;
    }
    return h != NULL;
}

static void tell_one(trace_t *t, const vcpu_t *v, exit_event_t e, const guest_regs_t *r) {
    unsigned core = this_pcpu()->id;
    if (t->counts) {
        count(&t->ring[core], key_of(t, e, v->id, r));
    } else {
        put(t, e, v->id, core);
    }
}

static NOINLINE void tell_all(const vcpu_t *v, const guest_regs_t *r, uint64_t kind_esr, uint64_t pc, uint64_t value) {
    exit_event_t e = { kind_esr >> 32, pc, value, (uint32_t)kind_esr };
    for (trace_t *t = v->vm->trace; t != NULL; t = t->next) {
        if ((t->kinds >> e.kind & 1) && !t->frozen && (t->nfilters == 0 || is_asked_for(t, e.kind, e.value, e.esr))) {
            tell_one(t, v, e, r);
        }
        if ((t->kinds >> TRACE_PYTHON & 1) && !t->frozen && e.kind < TRACE_ENTER && e.kind != TRACE_IRQ && asks_python(v->vm, e)) {
            e.kind = TRACE_PYTHON;
            tell_one(t, v, e, r);
            e.kind = kind_esr >> 32;
        }
    }
}

// One trace that wants it as it is: that is counted in instructions.
static inline __attribute__((always_inline)) void tell(const vcpu_t *v, exit_event_t e, const guest_regs_t *r) {
    trace_t *t = v->vm->trace;
    if (LIKELY(t->plain >> e.kind & 1)) {
        put(t, e, v->id, this_pcpu()->id);
    } else if (t->plain_counts >> e.kind & 1) {
        count(&t->ring[this_pcpu()->id], key_of(t, e, v->id, r));
    } else {
        tell_all(v, r, (uint64_t)e.kind << 32 | e.esr, e.pc, e.value);
    }
}

// ---- What it was --------------------------------------------------------------------------------

static inline exit_event_t call(exit_event_t e, const guest_regs_t *r, bool hvc) {
    uint64_t id = r->x[0];
    e.kind = TRACE_HVC;
    e.value = id;
    if (hvc && (e.esr & 0xFFFF) - EL1_IMM < EL1_WORDS) { // el1trap.c's: the exception is in ESR_EL1
        uint32_t esr = (uint32_t)READ_SYSREG(esr_el1);
        if (ESR_EC(esr) == EC_SVC64) {
            return (exit_event_t) { TRACE_SVC, READ_SYSREG(elr_el1) - 4, r->x[8], esr };
        }
    } else if ((id & 0xBFFFFFE0) == 0x84000000) { // DEN0022F.b, 5.1: function numbers 0 to 0x1F of the standard services
        e.kind = TRACE_PSCI;
    }
    return e;
}

static inline exit_event_t abort_of(const vcpu_t *v, exit_event_t e) {
    e.value = hpfar_ipa(READ_SYSREG(hpfar_el2), READ_SYSREG(far_el2));
    e.kind = vm_ram_at(v->vm, e.value) != NULL ? TRACE_FAULT : TRACE_MMIO;
    return e;
}

// From vectors.S, interrupts masked: an exit begins. Nothing of the guest's is changed.
void trace_exit(const guest_regs_t *r) {
    vcpu_t *v = r->vcpu;
    uint64_t esr = READ_SYSREG(esr_el2);
    if (!(v->vm->traced >> ESR_EC(esr) & 1)) {
        return;
    }
    exit_event_t e = { TRACE_EXIT, READ_SYSREG(elr_el2), 0, (uint32_t)esr };
    switch (ESR_EC(esr)) {
        case EC_HVC64:
            e.pc -= 4;
            e = call(e, r, true);
            break;
        case EC_SMC64:
            e = call(e, r, false);
            break;
        case EC_SYSREG:
            e.kind = TRACE_SYSREG;
            e.value = FIELD(esr, 9, 5) == 31 ? 0 : r->x[FIELD(esr, 9, 5)];
            break;
        case EC_DABT_LOWER:
        case EC_IABT_LOWER:
            e = abort_of(v, e);
            break;
        default:
            break;
    }
    tell(v, e, r);
}

// Before it is acknowledged: which it will be (IHI 0048B 4.4.7, IHI 0069 12.2.9). 1022: there is no GIC.
static uint64_t intid_pending(void) {
    if (intc_is_v3()) {
        return gicv3_pending();
    }
    return platform.gic_version == 2 ? gicv2_pending() : INTC_ASK;
}

void trace_irq(const guest_regs_t *r) {
    vcpu_t *v = r->vcpu;
    if (v->vm->traced_irq) {
        tell(v, (exit_event_t) { TRACE_IRQ, READ_SYSREG(elr_el2), intid_pending(), 0 }, r);
    }
}

static void moved(vcpu_t *v, bool enters) {
    if (v->vm->trace != NULL) {
        tell(v, (exit_event_t) { enters ? TRACE_ENTER : TRACE_LEAVE, v->regs->pc, 0, 0 }, v->regs);
    }
}

void trace_svc(vcpu_t *v, const guest_regs_t *r) {
    uint32_t esr = (uint32_t)vcpu_el1_get(v, EL1_ESR_EL1);
    if (v->vm->trace != NULL && ESR_EC(esr) == EC_SVC64) {
        tell(v, (exit_event_t) { TRACE_SVC, vcpu_el1_get(v, EL1_ELR_EL1) - 4, r->x[8], esr }, r);
    }
}

static bool guest_copy(vcpu_t *v, uint64_t va, void *to, unsigned size) {
    uint64_t ipa;
    const void *at = vcpu_translate_va(v, va, false, false, &ipa, NULL) == 0 ? vm_ram_there(v->vm, ipa, size) : NULL;
    if (at != NULL) {
        memcpy(to, at, size);
    }
    return at != NULL;
}

void trace_switch(vcpu_t *v, uint64_t task, unsigned number, unsigned name) {
    exit_event_t e = { .kind = TRACE_SWITCH };
    uint64_t text[2];
    if (v->vm->trace != NULL && guest_copy(v, task + number, &e.esr, 4) && guest_copy(v, task + name, text, 16)) {
        e.pc = text[0];
        e.value = text[1];
        tell(v, e, v->regs);
    }
}

// ---- On and off ---------------------------------------------------------------------------------

static size_t ring_bytes(const trace_t *t) {
    return ALIGN_UP(t->counts ? TRACE_KEYS * sizeof(trace_count_t) : t->records *sizeof(trace_record_t), PAGE_SIZE);
}

static void free_rings(trace_t *t) {
    for (unsigned i = 0; i < PLATFORM_MAX_CPUS; i++) {
        if (t->ring[i].record != NULL) {
            page_free(t->ring[i].record, ring_bytes(t));
            t->ring[i].record = NULL;
        }
    }
}

#define KIND(kind) (1u << TRACE_##kind)
#define CALLS (BIT(EC_HVC64) | BIT(EC_SMC64))
#define ABORTS (BIT(EC_DABT_LOWER) | BIT(EC_IABT_LOWER))

static uint64_t classes(const trace_t *t) {
    return (t->kinds & KIND(EXIT) ? ~(CALLS | ABORTS | BIT(EC_SYSREG)) : 0) | (t->kinds & (KIND(SVC) | KIND(HVC) | KIND(PSCI)) ? CALLS : 0)
           | (t->kinds & KIND(PYTHON) ? ~UINT64_C(0) : 0) | (t->kinds & KIND(SYSREG) ? BIT(EC_SYSREG) : 0) | (t->kinds & (KIND(MMIO) | KIND(FAULT)) ? ABORTS : 0);
}

// A plain trace is the only one, and puts down each: without filters, and no handler is looked for.
static void settle(vm_t *vm) {
    for (trace_t *t = vm->trace; t != NULL; t = t->next) {
        bool plain = vm->trace->next == NULL && !t->frozen && t->nfilters == 0 && !(t->kinds & KIND(PYTHON));
        t->plain = plain && !t->counts ? t->kinds : 0;
        t->plain_counts = plain && t->counts ? t->kinds : 0;
    }
}

void trace_freeze(vm_t *vm, trace_t *t, bool frozen) {
    t->frozen = frozen;
    settle(vm);
}

static void changed(vm_t *vm) {
    settle(vm);
    vm->traced = 0;
    vm->traced_irq = false;
    for (const trace_t *t = vm->trace; t != NULL; t = t->next) {
        vm->traced |= classes(t);
        vm->traced_irq |= (t->kinds & KIND(IRQ)) != 0;
    }
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        debug_changed(vm->vcpu[i]);
    }
}

bool trace_add(vm_t *vm, trace_t *t) {
    for (unsigned i = 0; i < platform.ncpus; i++) {
        t->ring[i].record = page_alloc(ring_bytes(t));
        if (t->ring[i].record == NULL) {
            free_rings(t);
            return false;
        }
        memset(t->ring[i].record, 0, ring_bytes(t));
        t->ring[i].mask = t->records - 1;
    }
    vcpu_moved = moved;
    t->next = vm->trace;
    vm->trace = t;
    changed(vm);
    return true;
}

void trace_remove(vm_t *vm, trace_t *t) {
    trace_t **at = &vm->trace;
    while (*at != NULL && *at != t) {
        at = &(*at)->next;
    }
    if (*at == t) {
        *at = t->next;
        changed(vm);
        free_rings(t);
        native_free(t, sizeof(trace_t));
    }
}

void trace_free(vm_t *vm) {
    while (vm->trace != NULL) {
        trace_remove(vm, vm->trace);
    }
}

// ---- Reading ------------------------------------------------------------------------------------

uint64_t trace_overwritten(const trace_t *t, unsigned core) {
    const trace_ring_t *ring = &t->ring[core];
    uint64_t unread = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE) - ring->read, whole = t->records - 1;
    return unread > whole ? unread - whole : 0;
}

// The next to be written takes the place of the oldest: that one may be half of each.
bool trace_next(trace_t *t, unsigned core, trace_record_t *record) {
    trace_ring_t *ring = &t->ring[core];
    uint64_t gone;
    do {
        gone = trace_overwritten(t, core);
        ring->lost += gone;
        ring->read += gone;
        if (ring->read == ring->written) {
            return false;
        }
        *record = ring->record[ring->read & (t->records - 1)];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (trace_overwritten(t, core) != 0);
    ring->read++;
    return true;
}
