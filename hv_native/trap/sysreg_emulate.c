// SPDX-License-Identifier: MIT
// MRS, MSR and system instructions that trap (EC 0x18): a hook's, or the machine's own answer.

#include "arch.h"
#include "cpu.h"
#include "idregs.h"
#include "rule.h"
#include "sysreg_access.h"
#include "sysreg_emulate.h"
#include "trap.h"
#include "vgic.h"
#include "vtimer.h"

#define KEY(op0, op1, crn, crm, op2) ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)

// A register of the EL1 state that traps because a script has set TVM, TRVM or the like; -1 if it is another.
static int el1_index(uint64_t key) {
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
    int index = el1_index(key);
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

// What a guest may look at but not have: the debug registers (op0 2), the PMU (CRn 9, and the event
// registers at op1 3, CRn 14, CRm 8 and up), implementation defined registers (CRn 11 and 15), ACTLR.
static bool reads_as_zero(uint64_t key) {
    unsigned op0 = FIELD(key, 21, 20), op1 = FIELD(key, 16, 14), crn = FIELD(key, 13, 10), crm = FIELD(key, 4, 1);
    return op0 == 2 || (op0 == 3 && (crn == 9 || crn == 11 || crn == 15 || (op1 == 3 && crn == 14 && crm >= 8)))
           || key == KEY(3, 0, 1, 0, 1);
}

bool sysreg_emulate(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    if (vtimer_sysreg(v, key, write, value) || vgic_sysreg(v, key, write, value) || el1_state(v, key, write, value)) {
        return true;
    }
    if (key == KEY(2, 0, 0, 2, 2)) {
        v->mdscr = write ? *value : v->mdscr;
        *value = v->mdscr;
        return true;
    }
    if (key == KEY(2, 0, 1, 1, 4)) {
        *value = 0x8; // OSLSR_EL1: an OS lock exists, and is not set
        return true;
    }
    if (!write && FIELD(key, 21, 20) == 3 && FIELD(key, 13, 10) == 0 && FIELD(key, 16, 14) == 0) {
        *value = id_register(v, (unsigned)FIELD(key, 4, 1), (unsigned)FIELD(key, 19, 17));
        return true;
    }
    if (is_set_way(key) || reads_as_zero(key)) {
        *value = 0;
        return true;
    }
    return false;
}

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
    return sysreg_emulate(v, sysreg_key(enc), write, value);
}

// False: the handler wants what is below it to decide.
static bool ask_python(vcpu_t *v, hook_t *h, unsigned rt, exit_t *why) {
    outcome_t out;
    bool done, write = v->exit.write;
    *why = trap_ask(v, h, write ? 1 : 0, &v->exit.value, !write, 4, &out, &done);
    if (!done && out.action == ACTION_PASS) {
        return false;
    }
    if (!done && !write) {
        reg_set(v->regs, rt, out.x[0]);
    }
    return true;
}

exit_t sysreg_slow(vcpu_t *v) {
    guest_regs_t *r = v->regs;
    uint64_t esr = v->exit.esr, key = esr & ISS_SYSREG_KEY;
    unsigned rt = FIELD(esr, 9, 5);
    bool write = !(esr & 1);
    uint64_t value = write ? reg_get(r, rt) : 0;
    v->exit.write = write;
    v->exit.value = value;
    v->exit.size = 8;
    hook_t *h = hook_find(&v->vm->sysreg, key);
    exit_t why;
    verdict_t verdict;
    for (bool passed = false; (verdict = rule_run(v, &h, passed, write, &value)) == PYTHON; passed = true) {
        if (ask_python(v, h, rt, &why)) {
            return why;
        }
    }
    if (verdict == LATER) {
        return EXIT_PYTHON;
    }
    if (verdict == DENIED) {
        vcpu_inject_undefined(v);
        return EXIT_RESUME;
    }
    if (verdict == PASS && !sysreg_emulate(v, key, write, &value)) {
        return trap_unhandled(v, 4);
    }
    if (!write) {
        reg_set(r, rt, value);
    }
    r->pc = v->exit.pc + 4;
    return EXIT_RESUME;
}
