// SPDX-License-Identifier: MIT
// System register emulation.
// MRS, MSR and system instructions that trap (EC 0x18): a hook's, or the machine's own answer.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "trap/ask.h"
#include "trap/callback.h"
#include "trap/mmio_decode.h"
#include "trap/rule.h"
#include "trap/sysreg_emulate.h"
#include "trap/trap.h"
#include "vcpu/debug.h"
#include "vcpu/insn.h"
#include "vcpu/pmu.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic_dist.h"
#include "vgic/vtimer.h"
#include "vm/el1_state.h"
#include "vm/hook.h"
#include "vm/idregs.h"
#include "vm/policy.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define KEY(op0, op1, crn, crm, op2) ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)

// A register of the EL1 state that traps because a script has set TVM, TRVM or the like; -1 if it is another.
static int el1_of_key(uint64_t key) {
    switch (key) {
        case KEY(3, 0, 1, 0, 0):
            return EL1_SCTLR_EL1;
        case KEY(3, 0, 1, 0, 2):
            return EL1_CPACR_EL1;
        case KEY(3, 0, 2, 0, 0):
            return EL1_TTBR0_EL1;
        case KEY(3, 0, 2, 0, 1):
            return EL1_TTBR1_EL1;
        case KEY(3, 0, 2, 0, 2):
            return EL1_TCR_EL1;
        case KEY(3, 0, 5, 1, 0):
            return EL1_AFSR0_EL1;
        case KEY(3, 0, 5, 1, 1):
            return EL1_AFSR1_EL1;
        case KEY(3, 0, 5, 2, 0):
            return EL1_ESR_EL1;
        case KEY(3, 0, 6, 0, 0):
            return EL1_FAR_EL1;
        case KEY(3, 0, 10, 2, 0):
            return EL1_MAIR_EL1;
        case KEY(3, 0, 10, 3, 0):
            return EL1_AMAIR_EL1;
        case KEY(3, 0, 13, 0, 1):
            return EL1_CONTEXTIDR_EL1;
        default:
            return -1;
    }
}

static bool el1_state(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    int index = el1_of_key(key);
    if (index < 0) {
        return false;
    }
    if (write) {
        vcpu_el1_set(v, (unsigned)index, *value);
    } else {
        *value = vcpu_el1_get(v, (unsigned)index);
    }
    return true;
}

// Cache maintenance by set/way cannot be virtualised; the host's caches are coherent with the
// guest's view as long as nothing is switched off, so it is allowed to do nothing.
static bool is_set_way(uint64_t key) {
    return key == KEY(1, 0, 7, 6, 2) || key == KEY(1, 0, 7, 10, 2) || key == KEY(1, 0, 7, 14, 2);
}

static bool is_pmu(uint64_t key) {
    unsigned crn = FIELD(key, 13, 10);
    return FIELD(key, 21, 20) == 3 && (crn == 9 || (FIELD(key, 16, 14) == 3 && crn == 14 && FIELD(key, 4, 1) >= 8));
}

static bool is_implementation_defined(uint64_t key) {
    unsigned crn = FIELD(key, 13, 10);
    return FIELD(key, 21, 20) == 3 && (crn == 11 || crn == 15);
}

// What a guest may look at but not have: the debug registers (op0 2), the PMU (CRn 9, and the event
// registers at op1 3, CRn 14, CRm 8 and up), implementation defined registers (CRn 11 and 15). ACTLR_EL1 too.
#define ACTLR_EL1 KEY(3, 0, 1, 0, 1)
static bool reads_as_zero(uint64_t key) {
    return FIELD(key, 21, 20) == 2 || is_pmu(key) || is_implementation_defined(key);
}

// EL0 can name these (op1 3), by the leave of registers that are not in the hardware: see el0_answer.
static bool is_el0s(uint64_t key) {
    return FIELD(key, 16, 14) == 3;
}

bool sysreg_emulate(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    if (vtimer_sysreg(v, key, write, value) || vgic_sysreg(v, key, write, value) || el1_state(v, key, write, value)) {
        return true;
    }
    if (key == ACTLR_EL1) {
        *value = 0;
        return true;
    }
    if (FIELD(key, 21, 20) == 2 && debug_sysreg(v, key, write, value)) {
        return true;
    }
    if (key == KEY(3, 0, 12, 12, 5) && platform.gic_version == 3) {
        *value = 0x7; // ICC_SRE_EL1: system registers only (gicv3.c)
        return true;
    }
    if (!write && FIELD(key, 21, 20) == 3 && FIELD(key, 13, 10) == 0 && FIELD(key, 16, 14) == 0) {
        *value = id_register(v, (unsigned)FIELD(key, 4, 1), (unsigned)FIELD(key, 19, 17));
        return true;
    }
    if (is_set_way(key) || (!is_el0s(key) && reads_as_zero(key) && !is_pmu(key))) {
        *value = 0;
        return true;
    }
    return false;
}

// ---- EL0 ----------------------------------------------------------------------------------------

typedef enum { EL0_MAY, EL0_TRAPS, EL0_UNDEFINED } el0_t;

// CNTKCTL_EL1: EL0PCTEN 0, EL0VCTEN 1, EL0VTEN 8, EL0PTEN 9. The hardware has looked at them before it trapped to EL2
// in AArch64 (DDI 0487 D1.14.1: EL1's own traps come first); here they count for all.
static el0_t el0_timer(vcpu_t *v, uint64_t key) {
    unsigned crm = FIELD(key, 4, 1), op2 = FIELD(key, 19, 17);
    unsigned bit = crm == 2 ? 9 : crm == 3 ? 8 : op2 == 1 ? 0 : 1;
    return vcpu_el1_get(v, EL1_CNTKCTL_EL1) >> bit & 1 ? EL0_MAY : EL0_TRAPS;
}

// What EL0 may do with a register that has trapped: MDSCR_EL1.TDCC is emulated; PMUSERENR_EL0 EL0 may always read.
static el0_t el0_permission(vcpu_t *v, uint64_t key, bool write) {
    if (!is_el0s(key) || is_implementation_defined(key)) {
        return EL0_UNDEFINED;
    }
    if (FIELD(key, 21, 20) == 2) {
        return v->debug.mdscr & MDSCR_TDCC ? EL0_TRAPS : EL0_MAY;
    }
    if (is_pmu(key)) {
        bool enable = key == KEY(3, 3, 9, 14, 0);
        return enable ? (write ? EL0_UNDEFINED : EL0_MAY) : pmu_el0_may(v, key, write) ? EL0_MAY : EL0_TRAPS;
    }
    return FIELD(key, 13, 10) == 14 ? el0_timer(v, key) : EL0_MAY;
}

// Registers that EL0 has without leave, and which trap when a script has said so (HSTR_EL2.T13).
static int thread_index(uint64_t key) {
    return key == KEY(3, 3, 13, 0, 2) ? EL1_TPIDR_EL0 : key == KEY(3, 3, 13, 0, 3) ? EL1_TPIDRRO_EL0 : -1;
}

// What sysreg_emulate leaves to here because of who asks: trap_fast does not.
static bool el0s_emulate(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    if (is_pmu(key) && debug_sysreg(v, key, write, value)) {
        return true;
    }
    int index = thread_index(key);
    if (index < 0) {
        *value = write ? *value : 0;
        return reads_as_zero(key);
    }
    if (write && index == EL1_TPIDRRO_EL0 && insn_at_el0(v)) {
        return false;
    }
    if (write) {
        vcpu_el1_set(v, (unsigned)index, *value);
    } else {
        *value = vcpu_el1_get(v, (unsigned)index);
    }
    return true;
}

// ---- From Python --------------------------------------------------------------------------------

// The hardware's timer registers are v's while it is loaded.
static uint64_t virtual_timer(vcpu_t *v, bool control, bool write, uint64_t value) {
    uint64_t daif = irq_save();
    vcpu_t *running = this_pcpu()->running;
    vcpu_load(v);
    if (write && control) {
        WRITE_SYSREG(cntv_ctl_el0, value);
    } else if (write) {
        WRITE_SYSREG(cntv_cval_el0, value);
    }
    isb();
    value = control ? READ_SYSREG(cntv_ctl_el0) : READ_SYSREG(cntv_cval_el0);
    if (running != NULL && running != v) {
        vcpu_load(running);
    }
    irq_restore(daif);
    return value;
}

bool sysreg_view(vcpu_t *v, unsigned enc, bool write, uint64_t *value) {
    if (enc == SYSREG_ENC(3, 3, 14, 3, 1) || enc == SYSREG_ENC(3, 3, 14, 3, 2)) {
        *value = virtual_timer(v, enc == SYSREG_ENC(3, 3, 14, 3, 1), write, *value);
        return true;
    }
    return sysreg_emulate(v, sysreg_key(enc), write, value) || el0s_emulate(v, sysreg_key(enc), write, value);
}

// ---- The exit -----------------------------------------------------------------------------------

// PC as the destination is APSR: the flags (DDI 0487 F5.1.129, MRC p14 to APSR_nzcv).
static void load_flags(guest_regs_t *r, uint64_t value) {
    r->pstate = (r->pstate & ~PSTATE_NZCV) | (value & PSTATE_NZCV);
}

static void load_done(vcpu_t *v, const sysreg_op_t *a, uint64_t value) {
    guest_regs_t *r = v->regs;
    if (a->size == 8 && a->rt2 == NO_REGISTER) {
        reg_set(r, a->rt, value);
    } else if ((r->pstate & PSTATE_A32) && a->rt2 == NO_REGISTER && (a->rt == 31 || a->rt == 15)) {
        load_flags(r, value);
    } else {
        reg_set(r, a->rt, (uint32_t)value);
        if (a->rt2 != NO_REGISTER) {
            reg_set(r, a->rt2, value >> 32);
        }
    }
}

static uint64_t stored(const guest_regs_t *r, const sysreg_op_t *a) {
    uint64_t low = reg_get(r, a->rt);
    return a->rt2 != NO_REGISTER ? (uint32_t)low | reg_get(r, a->rt2) << 32 : a->size == 4 ? (uint32_t)low : low;
}

// False: the handler wants what is below it to decide.
static bool sysreg_ask_python(vcpu_t *v, hook_t *h, const sysreg_op_t *a, exit_t *why) {
    outcome_t out;
    bool done;
    *why = trap_ask(v, h, a->write ? 1 : 0, &v->exit.value, !a->write, true, &out, &done);
    if (!done && out.action == ACTION_PASS) {
        return false;
    }
    if (!done && !a->write) {
        load_done(v, a, out.x[0]);
    }
    return true;
}

// Whether it is a script that makes this one trap: HCR_EL2's bits for identification, cache and TLB maintenance, keys,
// error records and LORegions, and the timers'.
static bool script_traps(const vm_t *vm, uint64_t key) {
    unsigned op0 = FIELD(key, 21, 20), crn = FIELD(key, 13, 10);
    uint64_t hcr = 0;
    if (op0 == 1) {
        hcr = BIT(23) | BIT(24) | BIT(25) | BIT(50) | BIT(52) | BIT(54) | BIT(55); // TPC, TPU, TTLB, TICAB, TOCU, TTLBIS, TTLBOS
    } else if (crn == 0) {
        hcr = BIT(15) | BIT(16) | BIT(17) | BIT(49) | BIT(58);                     // TID0, 1, 2, 4, 5
    } else if (crn == 2) {
        hcr = BIT(40);                                                             // APK
    } else if (crn == 5) {
        hcr = BIT(36);                                                             // TERR
    } else if (crn == 10) {
        hcr = BIT(35);                                                             // TLOR
    }
    return policy_changed(vm, EL2_HCR, hcr) || (crn == 14 && policy_changed(vm, EL2_CNTHCTL, ~UINT64_C(0)));
}

// Neither a hook nor sysreg_emulate has an answer.
static exit_t el0_answer(vcpu_t *v, const sysreg_op_t *a, uint64_t value) {
    if (!el0s_emulate(v, a->key, a->write, &value)) {
        return trap_nobody(v, script_traps(v->vm, a->key));
    }
    if (!a->write) {
        load_done(v, a, value);
    }
    insn_complete(v);
    return EXIT_RESUME;
}

static exit_t native(vcpu_t *v, const sysreg_op_t *a, uint64_t value) {
    switch (insn_at_el0(v) ? el0_permission(v, a->key, a->write) : EL0_MAY) {
        case EL0_TRAPS:
            vcpu_inject_same(v);
            return EXIT_RESUME;
        case EL0_UNDEFINED:
            return trap_nobody(v, script_traps(v->vm, a->key));
        default:
            break;
    }
    if (!sysreg_emulate(v, a->key, a->write, &value)) {
        return el0_answer(v, a, value);
    }
    if (!a->write) {
        load_done(v, a, value);
    }
    insn_complete(v);
    return EXIT_RESUME;
}

exit_t sysreg_do(vcpu_t *v, const sysreg_op_t *a) {
    uint64_t value = a->write ? stored(v->regs, a) : 0;
    v->exit.write = a->write;
    v->exit.value = value;
    v->exit.size = a->size;
    hook_t *h = hook_find(&v->vm->sysreg, a->key);
    exit_t why;
    verdict_t verdict;
    for (bool passed = false; (verdict = rule_run(v, &h, passed, a->write, &value)) == RULE_PYTHON; passed = true) {
        if (sysreg_ask_python(v, h, a, &why)) {
            return why;
        }
    }
    switch (verdict) {
        case RULE_LATER:
            return EXIT_PYTHON;
        case RULE_DENIED:
            vcpu_inject_undefined(v);
            return EXIT_RESUME;
        case RULE_PASS:
            return native(v, a, value);
        default:
            break;
    }
    if (!a->write) {
        load_done(v, a, value);
    }
    insn_complete(v);
    return EXIT_RESUME;
}

exit_t sysreg_slow(vcpu_t *v) {
    uint64_t esr = v->exit.esr;
    sysreg_op_t a = {
        .key = esr & ISS_SYSREG_KEY, .rt = FIELD(esr, 9, 5), .rt2 = NO_REGISTER, .size = 8, .write = !(esr & 1),
    };
    return sysreg_do(v, &a);
}
