// SPDX-License-Identifier: MIT
// Interception of a guest's own exceptions.
// A guest's own exceptions, by way of EL2: see el1trap.h.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "memory/mem.h"
#include "trap/callback.h"
#include "trap/el1trap.h"
#include "trap/insight.h"
#include "vcpu/a64.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/step.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/hook.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/shared.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define MSR_VBAR_EL1 0xD518C000u    // | Rt
#define VECTOR_BYTES 128u

#define TURNS 7 // so often has a page become writable again when it stays so, and executable too

static uint32_t *host_word(vm_t *vm, uint64_t ipa) {
    return vm_ram(vm, ipa & ~UINT64_C(3), 4);
}

// ---- Putting HVCs in ----------------------------------------------------------------------------

static bool is_ours(const el1trap_t *t, uint32_t word) {
    return (word & 0xFFE0001F) == HVC(0u) && FIELD(word, 20, 5) - EL1_IMM < t->nwords;
}

// An immediate that a script answers (vm.hvc(imm=...)) is left to it, with an HVC of itself as what stood there.
static unsigned next_immediate(vm_t *vm) {
    el1trap_t *t = vm->el1;
    unsigned i = t->nwords;
    while (i < EL1_WORDS && hook_find(&vm->imm, EL1_IMM + i) != NULL) {
        t->word[i] = HVC(EL1_IMM + i);
        i++;
    }
    return i;
}

bool el1_uses(const vm_t *vm, uint64_t imm) {
    const el1trap_t *t = vm->el1;
    uint64_t i = imm - EL1_IMM;
    return t != NULL && i < t->nwords && t->word[i] != HVC(imm);
}

static void el1_plant(vm_t *vm, uint64_t ipa, uint32_t *at) {
    el1trap_t *t = vm->el1;
    unsigned i = 0;
    while (i < t->nwords && t->word[i] != *at) {
        i++;
    }
    if (i == EL1_WORDS || is_ours(t, *at)) {
        return;
    }
    if (i == t->nwords) {
        i = next_immediate(vm);
        if (i == EL1_WORDS) {
            return;
        }
        t->word[i] = *at;
        t->nwords = i + 1;
    }
    if (t->nplaces < EL1_PLACES) {
        t->place[t->nplaces++] = ipa;
    }
    *at = HVC(EL1_IMM + i);
}

// The vectors this vCPU has now, if they are in RAM.
static void plant_vectors(vcpu_t *v) {
    uint64_t ipa;
    if (vcpu_translate_va(v, vcpu_el1_get(v, EL1_VBAR_EL1), false, false, &ipa, NULL) != 0) {
        return;
    }
    uint32_t *table = vm_ram(v->vm, ipa, 16 * VECTOR_BYTES);
    if (table == NULL) {
        return;
    }
    cache_clean_poc(table, 16 * VECTOR_BYTES);
    uint64_t daif = spin_lock_irq(&v->vm->lock);
    for (unsigned slot = 0; slot < 16; slot++) {
        el1_plant(v->vm, ipa + slot * VECTOR_BYTES, table + slot * VECTOR_BYTES / 4);
    }
    spin_unlock_irq(&v->vm->lock, daif);
    cache_written(table, 16 * VECTOR_BYTES);
}

static void plant_in_page(vm_t *vm, uint64_t ipa, uint32_t *page) {
    cache_clean_poc(page, PAGE_SIZE);
    for (unsigned i = 0; i < PAGE_SIZE / 4; i++) {
        if ((page[i] & ~0x1Fu) == MSR_VBAR_EL1) {
            el1_plant(vm, ipa + 4 * i, &page[i]);
        }
    }
    cache_written(page, PAGE_SIZE);
}

// ---- Written or executed ------------------------------------------------------------------------

// Rights that only this here withholds: see rights.h.

static void to_code(vm_t *vm, uint64_t page) {
    uint32_t *host = vm_ram(vm, page, PAGE_SIZE);
    rights_set(vm, RIGHTS_EL1TRAP, page, PAGE_SIZE, S2_WRITE); // first: what is written from now on faults
    plant_in_page(vm, page, host);
}

static void to_data(vm_t *vm, uint64_t page, bool own_code) {
    unsigned turns = rights_taken(vm, RIGHTS_TURNS, page);
    bool both = own_code || turns == TURNS;
    rights_set(vm, RIGHTS_EL1TRAP, page, PAGE_SIZE, both ? 0 : S2_EXEC);
    rights_set(vm, RIGHTS_TURNS, page, PAGE_SIZE, both ? turns : turns + 1);
}

// The page the vCPU executes in.
static bool executes_in(vcpu_t *v, uint64_t page) {
    uint64_t ipa;
    return vcpu_translate_va(v, v->exit.pc, false, false, &ipa, NULL) == 0 && ALIGN_DOWN(ipa, PAGE_SIZE) == page;
}

static bool el1_permission_fault(vcpu_t *v, uint64_t ipa, unsigned needed, exit_t *why) {
    (void)why;
    vm_t *vm = v->vm;
    uint64_t page = ALIGN_DOWN(ipa, PAGE_SIZE);
    bool instruction = needed == S2_EXEC;
    if (vm_ram(vm, page, PAGE_SIZE) == NULL) {
        return false;
    }
    bool own_code = !instruction && executes_in(v, page);
    uint64_t daif = spin_lock_irq(&vm->lock);
    bool ours = rights_taken(vm, RIGHTS_EL1TRAP, page) & needed; // it may have changed on another core
    if (ours && instruction) {
        to_code(vm, page);
    } else if (ours) {
        to_data(vm, page, own_code);
    }
    spin_unlock_irq(&vm->lock, daif);
    if (instruction) {
        plant_vectors(v);
    }
    return true;
}

// ---- An HVC of ours has been executed -----------------------------------------------------------

static void el1_put(vcpu_t *v, uint64_t ipa, uint32_t word) {
    uint32_t *at = host_word(v->vm, ipa);
    if (at != NULL) {
        *at = word;
        cache_written(at, 4);
    }
}

// What the guest had there. Most are done by software; others are put back, stepped over, and
// replaced again (el1_step).
static void run_original(vcpu_t *v, unsigned i) {
    uint32_t word = v->vm->el1->word[i];
    uint64_t ipa;
    v->regs->pc = v->exit.pc;
    if (!a64_run(v, word) && vcpu_translate_va(v, v->regs->pc, false, false, &ipa, NULL) == 0) {
        v->step_ipa = ipa;
        v->step_word = i;
        el1_put(v, ipa, word);
        step_begin(v, word, DEBUG_BREAK_MASK);
    }
}

bool el1_step(vcpu_t *v) {
    if (v->step_ipa == 0) {
        return false;
    }
    if (v->vm->el1->on) {
        el1_put(v, v->step_ipa, HVC(EL1_IMM + v->step_word));
    }
    if (v->vm->breaks != NULL) {
        trap_insight->written(v->vm, v->step_ipa, 4); // a breakpoint stood over it
    }
    v->step_ipa = 0;
    step_end(v);
    return true;
}

// As if the guest's handler had returned.
static bool return_from_el1(vcpu_t *v, int advance) {
    uint64_t pstate = vcpu_el1_get(v, EL1_SPSR_EL1);
    bool legal = pstate_is_legal(pstate);
    if (legal) {
        v->regs->pc = vcpu_el1_get(v, EL1_ELR_EL1) + advance;
        v->regs->pstate = pstate & ~PSTATE_SS;
    }
    return legal;
}

// ELR_EL1 is behind an SVC and its like, at what faulted, and between two instructions for an interrupt.
// at: how far the instruction is from there.
static exit_t el1_act(vcpu_t *v, const outcome_t *out, unsigned i, uint64_t esr, unsigned kind) {
    unsigned ec = ESR_EC(esr);
    bool call = kind == 0 && ec >= 0x11 && ec <= EC_SMC64;
    int at = call ? (esr & ESR_IL ? -4 : -2) : 0;
    switch (out->action) {
        case ACTION_NONE:
            if (out->n == 0) {
                break; // nothing to answer: the guest's own handler is next
            }
            for (unsigned n = 0; n < out->n; n++) {
                v->regs->x[n] = out->x[n];
            }
            return_from_el1(v, 0);
            return EXIT_RESUME;
        case ACTION_RETRY:
            return_from_el1(v, 0);
            return EXIT_RESUME;
        case ACTION_SKIP:
            if (return_from_el1(v, 0) && !call && kind == 0) {
                insn_skip(v, v->regs->pc, esr);
            }
            return EXIT_RESUME;
        case ACTION_UNDEFINED:
            return_from_el1(v, at);
            vcpu_inject_undefined(v);
            return EXIT_RESUME;
        case ACTION_ABORT:
            return_from_el1(v, at);
            vcpu_inject_abort(v, false, vcpu_el1_get(v, EL1_FAR_EL1));
            return EXIT_RESUME;
        case ACTION_SERROR:
            return_from_el1(v, 0);
            vcpu_inject_serror(v);
            return EXIT_RESUME;
        default: // PASS, STOP
            break;
    }
    run_original(v, i);
    return out->action == ACTION_STOP ? EXIT_STOP : EXIT_RESUME;
}

// The guest is at the vector, with ESR_EL1, ELR_EL1 and SPSR_EL1 as hardware set them.
static exit_t el1_exception(vcpu_t *v, unsigned i, uint64_t offset) {
    el1trap_t *t = v->vm->el1;
    unsigned kind = offset / VECTOR_BYTES & 3; // 0 synchronous
    uint64_t esr = kind == 1 || kind == 2 ? 0 : vcpu_el1_get(v, EL1_ESR_EL1);
    bool wanted = kind == 0 ? t->classes >> ESR_EC(esr) & 1 : t->kinds >> kind & 1;
    if (!t->on || !wanted) {
        run_original(v, i);
        return EXIT_RESUME;
    }
    if (!this_pcpu()->python) {
        return EXIT_PYTHON;
    }
    t->hits++;
    uint64_t raw[2] = { esr, offset };
    outcome_t out;
    v->moved = v->skip = false;
    if (!callback(v, t->handler, 2, raw, false, &out)) {
        callback_raised(v, out.exception);
        return EXIT_RAISED;
    }
    return v->moved ? EXIT_RESUME : el1_act(v, &out, i, esr, kind);
}

bool el1_hvc(vcpu_t *v, unsigned imm, exit_t *why) {
    el1trap_t *t = v->vm->el1;
    guest_regs_t *r = v->regs;
    unsigned i = imm - EL1_IMM;
    if (!el1_uses(v->vm, imm)) {
        return false;
    }
    *why = EXIT_RESUME;
    r->pc = v->exit.pc;
    uint64_t offset = r->pc - vcpu_el1_get(v, EL1_VBAR_EL1);
    if ((t->word[i] & ~0x1Fu) == MSR_VBAR_EL1) {
        vcpu_el1_set(v, EL1_VBAR_EL1, reg_get(r, t->word[i] & 31));
        r->pc += 4;
        if (t->on) {
            plant_vectors(v);
        }
    } else if (offset < 16 * VECTOR_BYTES && offset % VECTOR_BYTES == 0 && (r->pstate & 0x1F) == PSTATE_EL1H) {
        *why = el1_exception(v, i, offset);
    } else {
        run_original(v, i);
    }
    return true;
}

// ---- On and off ---------------------------------------------------------------------------------

static void protect_ram(vm_t *vm, unsigned taken) {
    uint64_t daif = spin_lock_irq(&vm->lock);
    for (unsigned i = 0; i < vm->nram; i++) {
        rights_set(vm, RIGHTS_TURNS, vm->ram[i].ipa, vm->ram[i].size, 0);
        rights_set(vm, RIGHTS_EL1TRAP, vm->ram[i].ipa, vm->ram[i].size, taken);
    }
    spin_unlock_irq(&vm->lock, daif);
}

void el1_rearm(vm_t *vm) {
    if (vm->el1 != NULL && vm->el1->on) {
        vm->el1->nplaces = 0;
        protect_ram(vm, S2_EXEC);
    }
}

bool el1_start(vm_t *vm, uint64_t classes, unsigned kinds, void *handler) {
    el1trap_t *t = vm->el1;
    if (t == NULL) {
        t = page_alloc(sizeof(el1trap_t));
        if (t == NULL) {
            return false;
        }
        page_zero(t, ALIGN_UP(sizeof(el1trap_t), PAGE_SIZE));
        vm->el1 = t;
    }
    t->classes = classes;
    t->kinds = kinds;
    t->handler = handler;
    rights_hooks[RIGHTS_EL1TRAP].fault = el1_permission_fault;
    if (!t->on) {
        t->on = vm->exec_xor_write = true;
        shared_revoke_all(vm); // what is planted is not for its forks
        el1_rearm(vm);
    }
    return true;
}

void el1_stop(vm_t *vm) {
    el1trap_t *t = vm->el1;
    if (t == NULL || !t->on) {
        return;
    }
    t->on = vm->exec_xor_write = false;
    t->handler = NULL;
    for (unsigned i = 0; i < t->nplaces; i++) {
        uint32_t *at = host_word(vm, t->place[i]);
        if (at != NULL && is_ours(t, *at)) {
            *at = t->word[FIELD(*at, 20, 5) - EL1_IMM];
            cache_written(at, 4);
        }
    }
    t->nplaces = 0;
    protect_ram(vm, 0);
}

void el1_free(vm_t *vm) {
    if (vm->el1 != NULL) {
        page_free(vm->el1, sizeof(el1trap_t));
    }
}
