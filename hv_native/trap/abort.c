// SPDX-License-Identifier: MIT
// Stage-2 fault handling and MMIO.
// Aborts from a guest: RAM that is touched for the first time, devices, and what is nowhere.
// A load or store whose syndrome is valid (ISV, DDI 0487 D13.2.37 "ISS encoding for a data abort")
// is described by it; others are decoded from the instruction (mmio_decode.h).

#include "core/arch.h"
#include "core/syndrome.h"
#include "memory/pgtable.h"
#include "trap/ask.h"
#include "trap/callback.h"
#include "trap/mmio_decode.h"
#include "trap/perform.h"
#include "trap/rule.h"
#include "trap/trap.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/hook.h"
#include "vm/policy.h"
#include "vm/ram.h"
#include "vm/stage2.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

static inline unsigned fault_kind(uint64_t esr) {
    return FIELD(esr, 5, 2); // 1 translation, 2 access flag, 3 permission; level in bits 1:0
}

// A byte, halfword or word as the register gets it.
static inline uint64_t extend(uint64_t value, unsigned size, bool sign, bool wide) {
    if (size < 8) {
        unsigned shift = 64 - size * 8;
        value = sign ? (uint64_t)((int64_t)(value << shift) >> shift) : value << shift >> shift;
    }
    return wide ? value : (uint32_t)value;
}

// What device_access looks at.
static inline void access_of_iss(uint64_t esr, access_t *a) {
    a->size = (uint8_t)(1u << FIELD(esr, 23, 22));
    a->write = (esr & ISS_WNR) != 0;
    a->sign = (esr & ISS_SSE) != 0;
    a->wide = (esr & ISS_SF) != 0;
    a->rt = FIELD(esr, 20, 16);
    a->rt2 = NO_REGISTER;
    a->write_back = false;
}

typedef enum {
    END_DONE, END_NOBODY, END_DENIED,
    END_LEAVE,      // a handler has decided otherwise: see *why
    END_GO_ON,      // hooks: ask what is behind them
} access_end_t;

// One access of at most 8 bytes at v->exit.ipa, as far as the hooks from h down know it.
static access_end_t ask_hooks(vcpu_t *v, hook_t *h, uint64_t *value, exit_t *why) {
    bool load = !v->exit.write, passed = false;
    verdict_t verdict;
    for (; (verdict = rule_run(v, &h, passed, !load, value)) == RULE_PYTHON; passed = true) {
        uint64_t raw[2] = { v->exit.ipa - h->key, *value };
        outcome_t out;
        bool done;
        *why = trap_ask(v, h, load ? 1 : 2, raw, load, false, &out, &done);
        if (done) {
            return END_LEAVE;
        }
        if (out.action != ACTION_PASS) {
            *value = load ? out.x[0] : *value;
            return END_DONE;
        }
    }
    if (verdict == RULE_LATER) {
        *why = EXIT_PYTHON;
        return END_LEAVE;
    }
    return verdict == RULE_ANSWERED ? END_DONE : verdict == RULE_DENIED ? END_DENIED : END_GO_ON;
}

static access_end_t access_right(vcpu_t *v, uint64_t *value, exit_t *why) {
    uint64_t ipa = v->exit.ipa;
    hook_t *h = hook_range_find(&v->vm->rules, ipa);
    access_end_t end = h == NULL ? END_GO_ON : ask_hooks(v, h, value, why);
    if (end != END_GO_ON) {
        return end;
    }
    h = hook_range_find(&v->vm->mmio, ipa);
    if (h != NULL && h->kind == HOOK_NATIVE) {
        h->hits++;
        bool aligned = (ipa & (v->exit.size - 1)) == 0;
        return aligned && h->native(v, h, ipa - h->key, v->exit.size, v->exit.write, value) ? END_DONE : END_DENIED;
    }
    end = h == NULL ? END_GO_ON : ask_hooks(v, h, value, why);
    return end == END_GO_ON ? END_NOBODY : end;
}

// With the bits that a fault was injected into.
static access_end_t access_part(vcpu_t *v, uint64_t *value, exit_t *why) {
    v->flip = 0;
    access_end_t end = access_right(v, value, why);
    if (end == END_DONE && !v->exit.write) {
        *value ^= v->flip;
    }
    return end;
}

// A script's ACTION_SKIP and ACTION_STOP leave the PC to us: one half of a pair completes nothing.
static exit_t left_by_action(vcpu_t *v, exit_t why) {
    if (why == EXIT_STOP || (why == EXIT_RESUME && v->skip)) {
        insn_complete(v);
    }
    return why;
}

// Where nobody is by a script's doing: it has unmapped the page, or withheld a right.
static bool script_did(vcpu_t *v) {
    vm_t *vm = v->vm;
    if (FIELD(v->exit.esr, 5, 2) != 1) {
        return true;
    }
    uint64_t daif = spin_lock_irq(&vm->lock);
    uint64_t entry = pgtable_walk(&vm->stage2, v->exit.ipa).entry;
    spin_unlock_irq(&vm->lock, daif);
    return entry & S2_PTE_SCRIPT;
}

// An exception whose vector is in nowhere too would go round for ever.
static bool has_vectors(vcpu_t *v) {
    uint64_t ipa, pa, fault = vcpu_translate_va(v, vcpu_el1_get(v, EL1_VBAR_EL1), false, false, &ipa, &pa);
    return !(fault & BIT(9)); // stage 2's; a fault of stage 1 is the guest's own affair
}

// Nothing is at v->exit.ipa. On a machine that is an external abort. What a kernel loads or stores goes to the caller
// of run instead, who may make a device of it; never what a program at its EL0 does.
static exit_t nowhere(vcpu_t *v, bool instruction) {
    exit_t why;
    if (trap_script(v, &why)) {
        return why;
    }
    if (script_did(v) || !(insn_at_el0(v) || (instruction && has_vectors(v)))) {
        return EXIT_TRAP;
    }
    vcpu_inject_abort(v, instruction, v->exit.far);
    return EXIT_RESUME;
}

static exit_t device_access(vcpu_t *v, const access_t *a) {
    guest_regs_t *r = v->regs;
    bool swap = insn_big_endian(v);
    unsigned regs[2] = { a->rt, a->rt2 };
    uint64_t loaded[2] = { 0, 0 };
    for (unsigned i = 0; i < 2 && (i == 0 || a->rt2 != NO_REGISTER); i++) {
        v->exit.size = a->size;
        v->exit.write = a->write;
        loaded[i] = a->write ? extend(reg_get(r, regs[i]), a->size, false, true) : 0;
        v->exit.value = loaded[i] = swap ? insn_swap(loaded[i], a->size) : loaded[i];
        exit_t why = EXIT_RESUME;
        switch (access_part(v, &loaded[i], &why)) {
            case END_LEAVE:
                return left_by_action(v, why);
            case END_NOBODY:
                return nowhere(v, false);
            case END_DENIED:
                vcpu_inject_abort(v, false, v->exit.far);
                return EXIT_RESUME;
            default:
                v->exit.ipa += a->size;
                break;
        }
    }
    // Both halves are in before a register changes, so that a retry sees what the first try saw.
    for (unsigned i = 0; i < 2 && !a->write && regs[i] != NO_REGISTER; i++) {
        uint64_t value = swap ? insn_swap(loaded[i], a->size) : loaded[i];
        reg_set(r, regs[i], extend(value, a->size, a->sign, a->wide));
    }
    if (a->write_back) {
        decode_write_back(v, a);
    }
    insn_complete(v);
    return EXIT_RESUME;
}

// A stage-1 walk that stage 2 stopped is never a device access: the guest's tables lie nowhere. Tell
// it as hardware does, by a synchronous external abort on the walk (DFSC 0b0101LL).
static exit_t walk_fault(vcpu_t *v, bool instruction) {
    vcpu_inject_abort(v, instruction, v->exit.far);
    uint64_t level = v->exit.esr & 3;
    vcpu_el1_set(v, EL1_ESR_EL1, (vcpu_el1_get(v, EL1_ESR_EL1) & ~UINT64_C(0x3F)) | 0x14 | level);
    return EXIT_RESUME;
}

// HPFAR_EL2 is UNKNOWN for a permission fault that is not on a walk (D13.2.55): ask the MMU again, as a read
// by EL1, which every mapping allows. False: there is none any more, so the guest may try once more.
static bool find_ipa(vcpu_t *v, bool permission) {
    if (!permission) {
        v->exit.ipa = hpfar_ipa(v->exit.hpfar, v->exit.far);
        return true;
    }
    return vcpu_translate_va(v, v->exit.far, false, false, &v->exit.ipa, NULL) == 0;
}

#define FSC_TLB_CONFLICT 0x30

// An abort that is not about who may access what: an external one, alignment, an exclusive that memory does not take.
// HCR_EL2.TEA sends them here when a script says so; stage 2's own are EL1's to hear of, by the same code.
static exit_t other_abort(vcpu_t *v) {
    exit_t why;
    if (trap_script(v, &why)) {
        return why;
    }
    if ((v->exit.esr & 0x3F) == FSC_TLB_CONFLICT) {
        __asm__ volatile ("tlbi vmalls12e1is\n dsb ish\n isb" : : : "memory");
        return EXIT_RESUME;
    }
    if (policy_changed(v->vm, EL2_HCR, HCR_TEA)) {
        return EXIT_TRAP;
    }
    vcpu_inject_same(v);
    return EXIT_RESUME;
}

exit_t abort_slow(vcpu_t *v) {
    uint64_t esr = v->exit.esr;
    bool instruction = ESR_EC(esr) == EC_IABT_LOWER, walk = (esr & ISS_S1PTW) != 0;
    unsigned kind = fault_kind(esr);
    if (kind < 1 || kind > 3) {
        return other_abort(v);
    }
    v->exit.write = !instruction && (esr & ISS_WNR) != 0;
    if (!find_ipa(v, kind == 3 && !walk)) {
        return EXIT_RESUME;
    }
    if (kind == 1 && vm_ram_fault(v->vm, v->exit.ipa, v->exit.write)) {
        return EXIT_RESUME;
    }
    if (kind == 3 && vm_ram_is_shared(v->vm, v->exit.ipa)) {
        return vm_ram_fault(v->vm, v->exit.ipa, true) ? EXIT_RESUME : EXIT_MEMORY;
    }
    if (kind == 1 && vm_ram_missing(v->vm, v->exit.ipa)) {
        return EXIT_MEMORY; // the same again, once a script has made room
    }
    exit_t why;
    if (kind == 3 && withheld(v, walk ? S2_READ : instruction ? S2_EXEC : v->exit.write ? S2_WRITE : S2_READ, walk, &why)) {
        return why;
    }
    if (walk) {
        return walk_fault(v, instruction);
    }
    if (instruction) {
        return nowhere(v, true);
    }
    access_t a;
    if (esr & ISS_CM) {
        insn_complete(v); // cache maintenance of what is not memory: nothing to do
        return EXIT_RESUME;
    }
    if (esr & ISS_ISV) {
        access_of_iss(esr, &a);
    } else if (!decode_access(v, &a)) {
        if (hook_range_find(&v->vm->mmio, v->exit.ipa) == NULL) {
            return nowhere(v, false);
        }
        vcpu_inject_abort(v, false, v->exit.far); // an exclusive, a vector: no device takes those
        return EXIT_RESUME;
    }
    return device_access(v, &a);
}
