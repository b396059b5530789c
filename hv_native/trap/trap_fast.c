// SPDX-License-Identifier: MIT
// Fast exit paths.
// Exits that end where they began, with only those registers saved that a C function may change (see
// vectors.S): calls, device accesses and system registers that C, a rule that always answers, or the
// beginning of a Python handler can finish. Interrupts are masked all the time. Whatever does not fit is
// left, with the guest untouched, to trap_slow, which has the whole register file.
//
// One file, so that the compiler sees each of these paths as a whole: they are counted in instructions.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/platform.h"
#include "core/psci_ids.h"
#include "core/syndrome.h"
#include "irq/intc.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "trap/callback.h"
#include "trap/insight.h"
#include "trap/mmio_decode.h"
#include "trap/quick.h"
#include "trap/sysreg_emulate.h"
#include "trap/trap.h"
#include "trap/watch.h"
#include "trap/words.h"
#include "vcpu/insn.h"
#include "vcpu/psci.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vgic/vgic_dist.h"
#include "vgic/vgic_irq.h"
#include "vm/fp.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// ---- Calls --------------------------------------------------------------------------------------

// What a viper function has answered. If that took long, interrupts were on.
static inline uint64_t after_words(vcpu_t *v) {
    return UNLIKELY(words_were_long()) && (v->kicked || callback_events_pending()) ? EXIT_IRQ : EXIT_RESUME;
}

uint64_t call_words_watched(vcpu_t *v, guest_regs_t *r, handler_t *h) {
    uint64_t got;
    if (!this_pcpu()->python || !words_watch(v, h, (uint64_t)MP_OBJ_FROM_PTR(v->object), r->x, &got)) {
        return EXIT_TRAP;
    }
    r->x[0] = got;
    return after_words(v);
}

uint64_t call_words(vcpu_t *v, guest_regs_t *r, handler_t *h) {
    quick_t got = words_call(v, h, 7, &r->x[1], false);
    if (got.what == QUICK_VM) {
        return EXIT_TRAP;
    }
    if (got.what == QUICK_VALUE) {
        r->x[0] = got.value;
    }
    return after_words(v);
}

// The last n arguments, with numbers among them that are no small ints.
uint64_t call_boxed(vcpu_t *v, guest_regs_t *r, handler_t *h, mp_obj_t *at, const uint64_t *x, unsigned n) {
    quick_box_t *end = quick_boxes.box;
    for (; n != 0; n--) {
        *--at = quick_number(*x++, &end);
    }
    quick_t got = quick_run_boxed(h, at, end);
    if (got.what == QUICK_VALUE) {
        r->x[0] = got.value;
    } else if (!quick_answered(v, h, got.what, false)) {
        return EXIT_TRAP;
    }
    return EXIT_RESUME;
}

uint64_t call_quick(vcpu_t *v, guest_regs_t *r, handler_t *h) {
    mp_obj_t *at = quick_begin_at(v, h, h->top);
    if (at == NULL) {
        return EXIT_TRAP;
    }
    const uint64_t *x = &r->x[1];
    for (unsigned n = h->nargs; n != 0; n--) {
        if (!quick_fits(*x)) {
            return call_boxed(v, r, h, at, x, n);
        }
        *--at = MP_OBJ_NEW_SMALL_INT((mp_int_t)*x++);
    }
    quick_t got = quick_run_store(h, at);
    if (got.what == QUICK_VALUE) {
        r->x[0] = got.value;
    } else if (!quick_answered(v, h, got.what, false)) {
        return EXIT_TRAP;
    }
    return EXIT_RESUME;
}

// An SMC has not been passed yet.
static NOINLINE uint64_t smc_python(vcpu_t *v, guest_regs_t *r, handler_t *h) {
    uint64_t why = h->top == NULL ? call_words(v, r, h) : call_quick(v, r, h);
    if (why != EXIT_TRAP) {
        skip_instruction();
    }
    return why;
}

static NOINLINE uint64_t call_native(vcpu_t *v, guest_regs_t *r, hook_t *counted, bool smc) {
    if (!psci_fast(v, r) && !psci_unknown(v, r, smc ? EC_SMC64 : EC_HVC64)) {
        return EXIT_TRAP;
    }
    if (counted != NULL) {
        counted->hits++;
    }
    if (smc) {
        skip_instruction();
    }
    return EXIT_RESUME;
}

// Written where it will stand.
static inline void log_call(const vcpu_t *v, const guest_regs_t *r, uint64_t key, uint64_t pc, unsigned ec) {
    event_t *e = event_begin();
    e->key = key;
    e->pc = pc;
    e->value = r->x[1];
    e->cpu = (uint8_t)v->id;
    e->ec = (uint8_t)ec;
    e->write = true;
    e->vmid = (uint8_t)v->vmid;
    event_end();
}

// A rule that writes each down. What cannot be answered here must not be in the log twice.
static NOINLINE uint64_t call_logged_native(vcpu_t *v, guest_regs_t *r, hook_t *h, bool smc) {
    uint64_t pc = READ_SYSREG(elr_el2) - (smc ? 0 : 4);
    if (h->below != NULL || call_native(v, r, h, smc) != EXIT_RESUME) {
        return EXIT_TRAP;
    }
    log_call(v, r, h->key, pc, smc ? EC_SMC64 : EC_HVC64);
    return EXIT_RESUME;
}

static NOINLINE uint64_t call_logged(vcpu_t *v, guest_regs_t *r, hook_t *h, bool smc) {
    if (h->key != PSCI_VERSION || smc || h->below != NULL) {
        return call_logged_native(v, r, h, smc);
    }
    h->hits++;
    r->x[0] = PSCI_1_1;
    log_call(v, r, PSCI_VERSION, READ_SYSREG(elr_el2) - 4, EC_HVC64);
    return EXIT_RESUME;
}

static inline __attribute__((always_inline)) uint64_t fast_call(vcpu_t *v, guest_regs_t *r, hook_table_t *t, uint64_t key, bool native, bool smc) {
    hook_t *h = hook_find_again(t, key);
    if (LIKELY(h != NULL) && h->kind == HOOK_PYTHON) {
        handler_t *handler = h->handler;
        return smc ? smc_python(v, r, handler) : handler->call(v, r, handler);
    }
    if (h == NULL || h->kind == HOOK_TALLY) {
        if (!native || (h != NULL && h->below != NULL)) {
            return EXIT_TRAP;
        }
        if (h == NULL && !smc) {
            return psci_hvc(v, r, (uint32_t)key, v->vm);
        }
        if (key != PSCI_VERSION) {
            return call_native(v, r, h, smc);
        }
        if (h != NULL) {
            h->hits++;
        }
        r->x[0] = PSCI_1_1;
    } else if (h->kind == HOOK_ANSWER) {
        h->hits++;
        r->x[0] = h->value;
    } else {
        return h->kind == HOOK_NOTE && native ? call_logged(v, r, h, smc) : EXIT_TRAP;
    }
    if (smc) {
        skip_instruction();
    }
    return EXIT_RESUME;
}

static NOINLINE uint64_t smc_others(vcpu_t *v, guest_regs_t *r) {
    return fast_call(v, r, &v->vm->smc, (uint32_t)r->x[0], true, true);
}

static NOINLINE uint64_t smc_call(vcpu_t *v, guest_regs_t *r) {
    if (v->vm->smc.hit != NULL || (uint32_t)r->x[0] != PSCI_VERSION) {
        return smc_others(v, r);
    }
    r->x[0] = PSCI_1_1;
    skip_instruction();
    return EXIT_RESUME;
}

static NOINLINE uint64_t hvc_immediate(vcpu_t *v, guest_regs_t *r, uint64_t imm) {
    return fast_call(v, r, &v->vm->imm, imm, false, false);
}

// ---- Device accesses ----------------------------------------------------------------------------

// In place of the level of the fault, for which nobody asks here, so that the masks that are compared anyway find it:
// not 0 in AArch32 (SPSR_EL2.M[4]; M[3] is 0 of a guest) or when SCTLR_EL1.EE or E0E is set. Lengths, IT and byte order
// are trap_slow's then.
#define ISS_UNUSUAL UINT64_C(3)
static inline uint64_t with_unusual(uint64_t esr) {
    uint64_t state = READ_SYSREG(spsr_el2) | READ_SYSREG(sctlr_el1) >> 21;
    return (esr & ~ISS_UNUSUAL) | FIELD(state, 4, 3);
}

#define SAVED BIT(63)   // beside the syndrome, which is in 31:0: the guest's x19 to x29 are in memory

static inline bool not_saved(uint64_t esr, unsigned rt) {
    return UNLIKELY(rt - 19 <= 10) && !(esr & SAVED);
}

static NOINLINE uint64_t sign_extended(uint64_t esr, uint64_t value, unsigned shift) {
    int64_t wide = (int64_t)(value << shift) >> shift;
    return esr & ISS_SF ? (uint64_t)wide : (uint32_t)wide;
}

static inline uint64_t load_done(guest_regs_t *r, uint64_t esr, unsigned rt, uint64_t value) {
    unsigned shift = 64 - (8u << FIELD(esr, 23, 22));
    if (rt != 31) {
        r->x[rt] = UNLIKELY(esr & ISS_SSE) ? sign_extended(esr, value, shift) : value << shift >> shift;
    }
    skip_instruction();
    return EXIT_RESUME;
}

// Viper functions that cannot be left, whatever core this is; then any that is compiled.
static inline bool words_simple(const handler_t *h) {
    return h->words == WORDS_PLAIN || h->words == WORDS_OBJECTS;
}

static NOINLINE uint64_t load_compiled(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset) {
    quick_t got = words_call(v, h, 1, &offset, true);
    if (got.what == QUICK_VM) {
        return EXIT_TRAP;
    }
    load_done(r, esr, FIELD(esr, 20, 16), got.value);
    return after_words(v);
}

// A native function without arguments in front of cpu, with up to two of an exit. MP_OBJ_NULL: it was given up.
static inline mp_obj_t call_native_two(vcpu_t *v, const handler_t *h, mp_obj_t a, mp_obj_t b) {
    const mp_obj_t args[] = { MP_OBJ_FROM_PTR(v->object), a, b };
    return native_enter(h, 1u + h->nargs, args, native_quick_table);
}

static inline bool native_simple(const handler_t *h) {
    return h->words == WORDS_NATIVE && h->nfixed == 0;
}

static NOINLINE uint64_t load_native(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset) {
    mp_obj_t got = call_native_two(v, h, MP_OBJ_NEW_SMALL_INT((mp_int_t)offset), mp_const_none);
    if (!mp_obj_is_small_int(got)) {
        return EXIT_TRAP;
    }
    return load_done(r, esr, FIELD(esr, 20, 16), (uint64_t)MP_OBJ_SMALL_INT_VALUE(got));
}

static NOINLINE uint64_t store_native(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value) {
    mp_obj_t got = call_native_two(v, h, MP_OBJ_NEW_SMALL_INT((mp_int_t)offset), MP_OBJ_NEW_SMALL_INT((mp_int_t)value));
    if (!mp_obj_is_small_int(got) && got != mp_const_none) {
        return EXIT_TRAP;
    }
    skip_instruction();
    return EXIT_RESUME;
}

uint64_t load_words(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset) {
    if (!words_simple(h)) {
        return native_simple(h) ? load_native(v, r, esr, h, offset) : load_compiled(v, r, esr, h, offset);
    }
    uint64_t got = words_enter_three(h, (uint64_t)MP_OBJ_FROM_PTR(v->object), words_number(h, 0, offset), words_none(h, 1));
    return load_done(r, esr, FIELD(esr, 20, 16), got);
}

static NOINLINE uint64_t store_compiled(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value) {
    if (words_call(v, h, 2, (const uint64_t[]) { offset, value }, false).what == QUICK_VM) {
        return EXIT_TRAP;
    }
    skip_instruction();
    return after_words(v);
}

uint64_t store_words(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value) {
    if (!words_simple(h) || !words_fits(h, 1, value)) {
        return native_simple(h) && quick_fits(value) ? store_native(v, h, offset, value) : store_compiled(v, h, offset, value);
    }
    words_enter_three(h, (uint64_t)MP_OBJ_FROM_PTR(v->object), words_number(h, 0, offset), words_number(h, 1, value));
    skip_instruction();
    return EXIT_RESUME;
}

// No value: hv.SKIP leaves the register of a load as it is.
uint64_t skipped_or_not(vcpu_t *v, handler_t *h, uint64_t what, bool load) {
    if (!quick_answered(v, h, what, load)) {
        return EXIT_TRAP;
    }
    skip_instruction();
    return EXIT_RESUME;
}

NOINLINE uint64_t load_quick(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset) {
    mp_obj_t *at = quick_begin(v, h);
    if (at == NULL) {
        return EXIT_TRAP;
    }
    if (h->nargs > 0) {
        *--at = MP_OBJ_NEW_SMALL_INT((mp_int_t)offset);
    }
    if (h->nargs > 1) {
        *--at = mp_const_none;
    }
    quick_t got = quick_run(h, at);
    if (LIKELY(got.what == QUICK_VALUE)) {
        return load_done(r, esr, FIELD(esr, 20, 16), got.value);
    }
    return skipped_or_not(v, h, got.what, true);
}

static NOINLINE uint64_t store_boxed(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value) {
    if (!quick_answered(v, h, quick_run_numbers(v, h, 2, (const uint64_t[]) { offset, value }, false).what, false)) {
        return EXIT_TRAP;
    }
    skip_instruction();
    return EXIT_RESUME;
}

NOINLINE uint64_t store_quick(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value) {
    mp_obj_t *at = quick_begin(v, h);
    if (at == NULL) {
        return EXIT_TRAP;
    }
    if (UNLIKELY(!quick_fits(value))) {
        return store_boxed(v, h, offset, value);
    }
    if (h->nargs > 0) {
        *--at = MP_OBJ_NEW_SMALL_INT((mp_int_t)offset);
    }
    if (h->nargs > 1) {
        *--at = MP_OBJ_NEW_SMALL_INT((mp_int_t)value);
    }
    if (!quick_answered(v, h, quick_run_store(h, at).what, false)) {
        return EXIT_TRAP;
    }
    skip_instruction();
    return EXIT_RESUME;
}

// handler_t.word, of those without a shorter way.
uint64_t word_words(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset, unsigned rt) {
    return esr & ISS_WNR ? store_words(v, h, offset, (uint32_t)r->x[rt]) : load_words(v, r, esr, h, offset);
}

uint64_t word_quick(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset, unsigned rt) {
    return esr & ISS_WNR ? store_quick(v, h, offset, (uint32_t)r->x[rt]) : load_quick(v, r, esr, h, offset);
}

// What stands at an IPA: a rule, then a device. NULL: nothing here knows.
static NOINLINE hook_t *look_for(vcpu_t *v, uint64_t ipa) {
    const vm_t *vm = v->vm;
    hook_t *h = hook_range_find(&vm->rules, ipa);
    if (h == NULL) {
        h = hook_range_find(&vm->mmio, ipa);
        // Remembered for the next time, unless there are rules over a part of it.
        v->mmio_hit = h != NULL && hook_range_overlap(&vm->rules, h->key, h->size) == NULL ? h : &hook_none;
    } else if (h->kind == HOOK_ANSWER || h->kind == HOOK_KEEP) {
        v->mmio_hit = h;
    } else {
        return NULL;
    }
    return h;
}

static NOINLINE uint64_t native_device(vcpu_t *v, guest_regs_t *r, uint64_t esr, hook_t *h, uint64_t ipa) {
    unsigned rt = FIELD(esr, 20, 16), size = 1u << FIELD(esr, 23, 22), shift = 64 - 8 * size;
    bool write = (esr & ISS_WNR) != 0;
    uint64_t value = write ? reg_get(r, rt) << shift >> shift : 0;
    if ((ipa & (size - 1)) != 0 || !h->native(v, h, ipa - h->key, size, write, &value)) {
        return EXIT_TRAP;
    }
    if (!write) {
        return load_done(r, esr, rt, value);
    }
    skip_instruction();
    return EXIT_RESUME;
}

// A permission fault of such a one.
static NOINLINE uint64_t withheld_access(vcpu_t *v, guest_regs_t *r, uint64_t esr, unsigned rt) {
    if (v->vm->hold != NULL && (esr & (ISS_WNR | ISS_CM | ISS_S1PTW | ISS_KIND)) == (ISS_WNR | ISS_PERMISSION) && trap_dirty(v) == EXIT_RESUME) {
        return EXIT_RESUME;
    }
    if ((esr & (ISS_ISV | ISS_CM | ISS_S1PTW | ISS_KIND | ISS_UNUSUAL)) != (ISS_ISV | ISS_PERMISSION) || v->vm->watches == NULL) {
        return EXIT_TRAP;
    }
    return not_saved(esr, rt) ? EXIT_SAVE : watch_fast(v, r, esr);
}

static inline uint64_t python_access(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset, uint64_t value) {
    return esr & ISS_WNR ? h->store(v, h, offset, value) : h->load(v, r, esr, h, offset);
}

static NOINLINE uint64_t fast_access(vcpu_t *v, guest_regs_t *r, uint64_t esr, hook_t *h, uint64_t ipa) {
    unsigned rt = FIELD(esr, 20, 16);
    // A translation fault of one load or store, not of a walk, with all there is to know in the syndrome.
    if ((esr & (ISS_ISV | ISS_S1PTW | ISS_KIND | ISS_UNUSUAL)) != (ISS_ISV | ISS_TRANSLATION)) {
        return withheld_access(v, r, esr, rt);
    }
    if (not_saved(esr, rt)) {
        return EXIT_SAVE;
    }
    if (ipa - h->key >= h->size) {
        h = look_for(v, ipa);
        if (h == NULL) {
            return EXIT_TRAP;
        }
    }
    if (h->kind == HOOK_NATIVE) {
        return native_device(v, r, esr, h, ipa);
    }
    uint64_t value = 0, offset = ipa - h->key;
    bool write = (esr & ISS_WNR) != 0;
    if (write) {
        unsigned shift = 64 - (8u << FIELD(esr, 23, 22));
        value = reg_get(r, rt) << shift >> shift;
    }
    if (h->kind == HOOK_ANSWER || h->kind == HOOK_KEEP) {
        h->hits++;
        if (write && h->kind == HOOK_KEEP) {
            h->value = value;
        }
        value = h->value;
    } else {
        return python_access(v, r, esr, h->handler, offset, value);
    }
    if (!write) {
        return load_done(r, esr, rt, value);
    }
    skip_instruction();
    return EXIT_RESUME;
}

static NOINLINE uint64_t device_load(vcpu_t *v, hook_t *h, uint64_t offset, uint64_t *x) {
    *x = h->load(v, h, offset);
    skip_instruction();
    return EXIT_RESUME;
}

// From or to x19 to x29, or XZR.
static NOINLINE uint64_t late_device(vcpu_t *v, guest_regs_t *r, uint64_t esr, hook_t *h, uint64_t ipa) {
    unsigned rt = FIELD(esr, 20, 16);
    uint64_t offset = ipa - h->key;
    if (not_saved(esr, rt)) {
        return EXIT_SAVE;
    }
    if (rt == 31 || (offset >= h->python && !hook_has_word(h, ipa))) {
        return fast_access(v, r, esr, h, ipa);
    }
    if (offset < h->python) {
        return python_access(v, r, esr, h->handler, offset, (uint32_t)r->x[rt]);
    }
    if (esr & ISS_WNR) {
        skip_instruction();
        return h->store(v, h, offset, (uint32_t)r->x[rt]);
    }
    return device_load(v, h, offset, &r->x[rt]);
}

// A word, to or from a register that is in memory, of what was accessed last, if that is a native device
// or a rule that answers, or Python. An unaligned one is any_access's, which denies it.
static NOINLINE uint64_t fast_device(vcpu_t *v, guest_regs_t *r, uint64_t esr) {
    esr = with_unusual(esr);
    hook_t *h = v->mmio_hit;
    uint64_t far = READ_SYSREG(far_el2), ipa = hpfar_ipa(READ_SYSREG(hpfar_el2), far);
    unsigned rt = FIELD(esr, 20, 16);
    // In two parts, which need no constants: ISV, the size, SSE; and the rest.
    if (FIELD(esr, 24, 21) != FIELD(ISS_ISV | ISS_SAS_WORD, 24, 21) || (esr & (ISS_S1PTW | ISS_KIND | ISS_UNUSUAL)) != ISS_TRANSLATION) {
        return fast_access(v, r, esr, h, ipa);
    }
    if (rt > 18) {
        return late_device(v, r, esr, h, ipa);
    }
    uint64_t offset = ipa - h->key;
    if (!hook_has_word(h, ipa)) {
        if (offset >= h->python) {
            return fast_access(v, r, esr, h, ipa);
        }
        handler_t *handler = h->handler;
        return handler->word(v, r, esr, handler, offset, rt);
    }
    if (esr & ISS_WNR) {
        skip_instruction();
        return h->store(v, h, offset, (uint32_t)r->x[rt]);
    }
    return device_load(v, h, offset, &r->x[rt]);
}

// ---- System registers ---------------------------------------------------------------------------

static NOINLINE uint64_t sysreg_compiled(vcpu_t *v, guest_regs_t *r, unsigned rt, bool write, handler_t *h) {
    uint64_t value = reg_get(r, rt);
    quick_t got = words_call(v, h, write, &value, !write);
    if (got.what == QUICK_VM) {
        return EXIT_TRAP;
    }
    if (!write) {
        reg_set(r, rt, got.value);
    }
    skip_instruction();
    return after_words(v);
}

static NOINLINE uint64_t sysreg_words(vcpu_t *v, guest_regs_t *r, unsigned rt, bool write, handler_t *h) {
    uint64_t value = reg_get(r, rt);
    if (!words_simple(h) || !words_fits(h, 0, value)) {
        return sysreg_compiled(v, r, rt, write, h);
    }
    uint64_t got = words_enter_three(h, (uint64_t)MP_OBJ_FROM_PTR(v->object), write ? words_number(h, 0, value) : words_none(h, 0), 0);
    if (!write) {
        reg_set(r, rt, got);
    }
    skip_instruction();
    return EXIT_RESUME;
}

static NOINLINE uint64_t store_number(vcpu_t *v, handler_t *h, uint64_t value) {
    if (!quick_answered(v, h, quick_run_numbers(v, h, 1, &value, false).what, false)) {
        return EXIT_TRAP;
    }
    skip_instruction();
    return EXIT_RESUME;
}

static NOINLINE uint64_t sysreg_quick(vcpu_t *v, guest_regs_t *r, unsigned rt, bool write, handler_t *h, mp_obj_t *at) {
    uint64_t value = reg_get(r, rt);
    at = quick_begin_at(v, h, at);
    if (at == NULL) {
        return EXIT_TRAP;
    }
    if (UNLIKELY(write && !quick_fits(value))) {
        return store_number(v, h, value);
    }
    if (h->nargs > 0) {
        *--at = write ? MP_OBJ_NEW_SMALL_INT((mp_int_t)value) : mp_const_none;
    }
    quick_t got = quick_run(h, at);
    if (UNLIKELY(got.what != QUICK_VALUE)) {
        return skipped_or_not(v, h, got.what, !write);
    }
    if (!write) {
        reg_set(r, rt, got.value);
    }
    skip_instruction();
    return EXIT_RESUME;
}

static inline uint64_t sysreg_python(vcpu_t *v, guest_regs_t *r, unsigned rt, bool write, handler_t *h) {
    mp_obj_t *at = h->top;
    return at == NULL ? sysreg_words(v, r, rt, write, h) : sysreg_quick(v, r, rt, write, h, at);
}

static NOINLINE uint64_t sysreg_native(vcpu_t *v, guest_regs_t *r, uint64_t esr, hook_t *counted) {
    unsigned rt = FIELD(esr, 9, 5);
    bool write = !(esr & 1);
    uint64_t value = write ? reg_get(r, rt) : 0;
    if (!sysreg_emulate(v, esr & ISS_SYSREG_KEY, write, &value)) {
        return EXIT_TRAP;
    }
    if (counted != NULL) {
        counted->hits++;
    }
    if (!write) {
        reg_set(r, rt, value);
    }
    skip_instruction();
    return EXIT_RESUME;
}

#define ICC_SGI1R_EL1 SYSREG_KEY(3, 0, 12, 11, 5)

static NOINLINE uint64_t sysreg_sgi(vcpu_t *v, guest_regs_t *r, uint64_t esr) {
    if ((esr & 1) || !gic_is_v3()) {
        return sysreg_native(v, r, esr, NULL);
    }
    vgic_icc_sgi1r(v, reg_get(r, FIELD(esr, 9, 5)));
    skip_instruction();
    return EXIT_RESUME;
}

static NOINLINE uint64_t fast_sysreg(vcpu_t *v, guest_regs_t *r, uint64_t esr) {
    unsigned rt = FIELD(esr, 9, 5);
    bool write = !(esr & 1);
    uint64_t key = esr & ISS_SYSREG_KEY;
    if (not_saved(esr, rt)) {
        return EXIT_SAVE;
    }
    hook_t *h = hook_find_again(&v->vm->sysreg, key);
    if (h == NULL && key == ICC_SGI1R_EL1) {
        return sysreg_sgi(v, r, esr);
    }
    if (h == NULL || (h->kind == HOOK_TALLY && h->below == NULL)) {
        return sysreg_native(v, r, esr, h);
    }
    if (h->kind != HOOK_ANSWER) {
        return h->kind == HOOK_PYTHON ? sysreg_python(v, r, rt, write, h->handler) : EXIT_TRAP;
    }
    h->hits++;
    if (!write) {
        reg_set(r, rt, h->value);
    }
    skip_instruction();
    return EXIT_RESUME;
}

// ---- All of them --------------------------------------------------------------------------------

static NOINLINE uint64_t floating_point(vcpu_t *v) {
    if (v->vm->el2[EL2_CPTR] & CPTR_TFP) {
        return EXIT_TRAP; // a script wants to see these
    }
    fp_take_for_guest(v);
    return EXIT_RESUME;
}

// ESR_EL2 of HVC #0: the class and IL.
#define ESR_HVC_0 ((uint32_t)EC_HVC64 << 26 | 1u << 25)

uint64_t trap_fast(guest_regs_t *r) {
    uint64_t esr = READ_SYSREG(esr_el2);
    vcpu_t *v = r->vcpu;
    if (LIKELY((uint32_t)esr == ESR_HVC_0)) {
        vm_t *vm = v->vm;
        uint32_t function = (uint32_t)r->x[0];
        v->counts[EC_HVC64]++;
        return vm->hvc.hit == NULL ? psci_hvc(v, r, function, vm) : fast_call(v, r, &vm->hvc, function, true, false);
    }
    unsigned ec = ESR_EC(esr);
    if (LIKELY(ec == EC_DABT_LOWER)) {
        v->counts[EC_DABT_LOWER]++;
        return fast_device(v, r, esr);
    }
    if (ec == EC_HVC64) {
        struct breaks *b = v->vm->breaks;
        uint64_t imm = esr & 0xFFFF;
        v->counts[EC_HVC64]++;
        return imm == BREAK_IMM && b != NULL ? ((const break_entry_t *)b)->fast(v, r, b) : hvc_immediate(v, r, imm);
    }
    if (ec == EC_SYSREG) {
        v->counts[EC_SYSREG]++;
        return fast_sysreg(v, r, esr);
    }
    v->counts[ec]++;
    if (ec == EC_SMC64) {
        return smc_call(v, r);
    }
    if (ec == EC_WATCHPOINT_LOWER) {
        return watch_fast_register(v, r, false);
    }
    return ec == EC_FP ? floating_point(v) : EXIT_TRAP;
}

// A step's exception is before the abort of the next fetch (DDI 0487 D1.13.1). QEMU 7.2 fetches first: it is made the step's.
static unsigned step_first(const vcpu_t *v, unsigned ec) {
    if (ec != EC_IABT_LOWER || (READ_SYSREG(spsr_el2) & PSTATE_SS) || !(v->stepping || v->vm->replay != NULL)) {
        return ec;
    }
    WRITE_SYSREG(esr_el2, (uint64_t)EC_STEP_LOWER << 26 | ESR_IL | 0x22);
    return EC_STEP_LOWER;
}

// Of a vCPU that steps. An HVC has been stepped when it comes here (DDI 0487 AArch64.CallHypervisor); FP is done again.
uint64_t trap_stepping(guest_regs_t *r) {
    unsigned ec = ESR_EC(READ_SYSREG(esr_el2));
    vcpu_t *v = r->vcpu;
    if (LIKELY(ec == EC_STEP_LOWER) || step_first(v, ec) == EC_STEP_LOWER) {
        v->counts[EC_STEP_LOWER]++;
        if (!v->stepping && v->vm->replay != NULL) {
            return replay_calls(v->vm)->fast(v);
        }
        return trap_insight != NULL ? trap_insight->step(v, r) : EXIT_TRAP;
    }
    if (v->vm->replay != NULL && ec != EC_FP) {
        replay_calls(v->vm)->trapped(v);
    } else if (ec == EC_HVC64 || ec == EC_FP) {
        return trap_fast(r);
    }
    v->counts[ec]++;
    return EXIT_TRAP;
}

// What returned EXIT_SAVE, once more.
uint64_t trap_saved(guest_regs_t *r) {
    uint64_t esr = READ_SYSREG(esr_el2) | SAVED;
    if (LIKELY(ESR_EC(esr) == EC_DABT_LOWER)) {
        return fast_device(r->vcpu, r, esr);
    }
    return ESR_EC(esr) == EC_SYSREG ? fast_sysreg(r->vcpu, r, esr) : watch_fast_register(r->vcpu, r, true);
}

// The rest of what came, a slice's end most often; and what else there is to do is found after it.
static NOINLINE uint64_t irq_any(vcpu_t *v, uint32_t iar, bool v3) {
    if (LIKELY(iar == platform.hyp_timer_irq)) {
        timer_expired(NULL);
        intc_end(v3, iar);
        intc_deactivate(v3, iar);
    } else {
        irq_handle(iar);
    }
    return v->kicked || (this_pcpu()->python && callback_events_pending()) ? EXIT_IRQ : EXIT_RESUME;
}

// The two that come all the time leave nothing behind that a guest would have to make way for.
static inline __attribute__((always_inline)) uint64_t irq_by(vcpu_t *v, bool v3) {
    uint32_t iar = intc_ack(v3);
    if (LIKELY(iar == platform.virt_timer_irq) && vgic_timer_again(v)) {
        intc_end(v3, iar);
        return EXIT_RESUME;
    }
    if (intc_intid(v3, iar) != INTC_SGI_VGIC || !vgic_sgi_arrives(v, v3)) {
        return irq_any(v, iar, v3);
    }
    intc_end(v3, iar);
    intc_deactivate(v3, iar);
    return EXIT_RESUME;
}

uint64_t irq_fast(guest_regs_t *r) {
    vcpu_t *v = r->vcpu;
    v->irq_exits++;
    return intc_is_v3() ? irq_by(v, true) : irq_by(v, false);
}
