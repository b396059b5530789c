// SPDX-License-Identifier: MIT
// A vCPU's state: reset, loading and saving on a core, and exceptions delivered to its EL1.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "vcpu/debug.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/el1_state.h"
#include "vm/fp.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/stage2.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"


// SCTLR_EL1: RES1 bits, MMU and caches off, little-endian. All others may be 0.
#define SCTLR_EL1_RESET 0x30D00800

void vcpu_forget_tlbs(vm_t *vm) {
    for (unsigned i = 0; i < PLATFORM_MAX_CPUS; i++) {
        vm->ran[i] = NULL;
    }
}

void vcpu_reset(vcpu_t *v, uint64_t pc, uint64_t x0) {
    guest_regs_t *r = &v->parked;
    vcpu_forget_tlbs(v->vm);
    memset(r->x, 0, sizeof(r->x));
    memset(&v->fp, 0, sizeof(v->fp));
    r->x[0] = x0;
    r->pc = pc;
    r->pstate = PSTATE_EL1H | PSTATE_DAIF;
    v->regs = r;
    memset(v->el1, 0, sizeof(v->el1));
    v->el1[EL1_SCTLR_EL1] = SCTLR_EL1_RESET;
    debug_reset(v);
    v->step_ipa = v->brk.ipa = 0;
    v->stepping = v->brk.seen = false;
    v->exclusive.at = NULL;
    v->kicked = v->off = false;
    memset(&v->exit, 0, sizeof(v->exit));
    vtimer_reset(v);
    vgic_reset_interface(v);
}

#define SYSREG_S(op0, op1, crn, crm, op2) S##op0##_##op1##_C##crn##_C##crm##_##op2

// ---- The world switch between vCPUs -------------------------------------------------------------

// Two at a time, for LDP and STP, whose offsets reach 504 bytes; the last one is alone.
static inline uint64_t *el1_of(const vcpu_t *v) {
    const uint64_t *el1 = v->el1;
    __asm__ ("" : "+r" (el1));
    return (uint64_t *)el1;
}

static void save_el1(vcpu_t *v) {
    uint64_t first = 0, value, *el1 = el1_of(v);
    #define EL1_ROW(name, op0, op1, crn, crm, op2) \
    value = READ_SYSREG(SYSREG_S(op0, op1, crn, crm, op2)); \
    if (EL1_##name % 2 == 0 && EL1_##name != EL1_COUNT - 1) { \
        first = value; \
    } else if (EL1_##name % 2 == 0) { \
        el1[EL1_##name] = value; \
    } else { \
        el1[EL1_##name - 1] = first; \
        el1[EL1_##name] = value; \
    }
    #include "vm/el1_rows.def"
}

static void load_el1(const vcpu_t *v) {
    const uint64_t *el1 = el1_of(v);
    uint64_t value, second = 0;
    #define EL1_ROW(name, op0, op1, crn, crm, op2) \
    if (EL1_##name % 2 == 0) { \
        value = el1[EL1_##name]; \
        second = EL1_##name != EL1_COUNT - 1 ? el1[EL1_##name + 1] : 0; \
        __asm__ volatile ("" : "+r" (value), "+r" (second)); \
    } else { \
        value = second; \
    } \
    WRITE_SYSREG(SYSREG_S(op0, op1, crn, crm, op2), value);
    #include "vm/el1_rows.def"
}

static void put_loaded(pcpu_t *p, vcpu_t *v) {
    stage2_leave(p);
    save_el1(v);
    if (p->fp_owner == v) {
        fp_save(v);
    }
    vtimer_put(v);
    vgic_put(v);
    v->on = NULL;
    p->loaded = NULL;
}

void vcpu_put(vcpu_t *v) {
    pcpu_t *p = this_pcpu();
    if (p->loaded == v) {
        put_loaded(p, v);
    }
}

// The identification registers of the real core, so that a guest takes the workarounds it needs.
static void load_identity(const vcpu_t *v) {
    WRITE_SYSREG(vpidr_el2, READ_SYSREG(midr_el1));
    WRITE_SYSREG(vmpidr_el2, v->vmpidr);
}

// vCPUs of one VM share a VMID: what another one has cached here of its own tables must go. Of v's own it has missed
// nothing meanwhile, if what it invalidates reaches all cores (HCR_EL2.FB). Its entry is a synchronisation.
static inline void flush_others(const pcpu_t *p, vcpu_t *v) {
    vm_t *vm = v->vm;
    if (UNLIKELY(vm->ran[p->id] != v || !(vm->el2[EL2_HCR] & HCR_FB))) {
        vm->ran[p->id] = v;
        __asm__ volatile ("isb\n tlbi vmalle1\n dsb nsh\n isb" : : : "memory");
    }
}

void vcpu_load(vcpu_t *v) {
    pcpu_t *p = this_pcpu();
    if (p->loaded == v) {
        return;
    }
    if (p->loaded != NULL) {
        put_loaded(p, p->loaded);
    }
    load_identity(v);
    load_el1(v);
    vtimer_load(v);
    vgic_load(v);
    isb(); // its stage 1 first: until then nobody's stage 2 (erratum 1530924)
    stage2_use(v->vm);
    flush_others(p, v);
    __asm__ volatile ("clrex" : : : "memory");
    p->loaded = v;
    v->on = p;
}

void (*vcpu_moved)(vcpu_t *v, bool enters);

static NOINLINE uint64_t enter_debugged(vcpu_t *v) {
    if (v->vm->trace != NULL) {
        vcpu_moved(v, true);
    }
    if (v->vm->replay != NULL) {
        replay_calls(v->vm)->enter(v);
    }
    return debug_enter(v);
}

static NOINLINE void leave_debugged(vcpu_t *v) {
    debug_leave(v);
    if (v->vm->trace != NULL) {
        vcpu_moved(v, false);
    }
}

exit_t vcpu_run(vcpu_t *v) {
    pcpu_t *p = this_pcpu();
    vm_t *vm = v->vm;
    vcpu_load(v);
    WRITE_SYSREG(hcr_el2, vm->el2[EL2_HCR] | v->vgic.lines | (v->serror ? HCR_VSE : 0));
    WRITE_SYSREG(mdcr_el2, vm->el2[EL2_MDCR] | (UNLIKELY(v->debugged) ? enter_debugged(v) : 0));
    WRITE_SYSREG(hstr_el2, vm->el2[EL2_HSTR]);
    WRITE_SYSREG(cnthctl_el2, vm->el2[EL2_CNTHCTL]);
    WRITE_SYSREG(cptr_el2, vm->el2[EL2_CPTR] | (p->fp_owner == v ? 0 : CPTR_TFP));
    vtimer_enter(v);
    p->running = v;
    v->on_pending = false;
    exit_t why = guest_enter(v);
    p->running = NULL;
    if (UNLIKELY(v->debugged)) {
        leave_debugged(v);
    }
    if (UNLIKELY(v->serror)) {
        v->serror = (READ_SYSREG(hcr_el2) & HCR_VSE) != 0; // until the guest has taken it
    }
    WRITE_SYSREG(cptr_el2, CPTR_HOST | (p->fp_owner == NULL ? 0 : CPTR_TFP));
    WRITE_SYSREG(hcr_el2, HCR_HOST);
    WRITE_SYSREG(mdcr_el2, MDCR_HOST);
    isb();
    v->exit.reason = why;
    return why;
}

// *FORMAT-OFF*
static uint64_t read_live(unsigned index) {
    switch (index) {
        #define EL1_ROW(name, op0, op1, crn, crm, op2) case EL1_##name: return READ_SYSREG(SYSREG_S(op0, op1, crn, crm, op2));
        #include "vm/el1_rows.def"
        default: return 0;
    }
}

static void write_live(unsigned index, uint64_t value) {
    switch (index) {
        #define EL1_ROW(name, op0, op1, crn, crm, op2) case EL1_##name: WRITE_SYSREG(SYSREG_S(op0, op1, crn, crm, op2), value); break;
        #include "vm/el1_rows.def"
    }
    isb();
}
// *FORMAT-ON*

uint64_t vcpu_el1_get(vcpu_t *v, unsigned index) {
    return this_pcpu()->loaded == v ? read_live(index) : v->el1[index];
}

void vcpu_el1_set(vcpu_t *v, unsigned index, uint64_t value) {
    if (this_pcpu()->loaded == v) {
        write_live(index, value);
    } else {
        v->el1[index] = value;
        vcpu_forget_tlbs(v->vm);
    }
}

static uint64_t at(uint64_t va, bool write, bool el0, bool both) {
    switch (both << 2 | el0 << 1 | write) {
        case 0:
            __asm__ volatile ("at s1e1r, %0" : : "r" (va));
            break;
        case 1:
            __asm__ volatile ("at s1e1w, %0" : : "r" (va));
            break;
        case 2:
            __asm__ volatile ("at s1e0r, %0" : : "r" (va));
            break;
        case 3:
            __asm__ volatile ("at s1e0w, %0" : : "r" (va));
            break;
        case 4:
            __asm__ volatile ("at s12e1r, %0" : : "r" (va));
            break;
        case 5:
            __asm__ volatile ("at s12e1w, %0" : : "r" (va));
            break;
        case 6:
            __asm__ volatile ("at s12e0r, %0" : : "r" (va));
            break;
        case 7:
            __asm__ volatile ("at s12e0w, %0" : : "r" (va));
            break;
    }
    isb();
    return READ_SYSREG(par_el1);
}

// Stage 2 by its tables, with what others than the script have taken away of a page (rights.h), which is not missing to us; as
// PAR_EL1 has a fault. QEMU 10 ends itself when AT meets a page without the right.
static NOINLINE uint64_t stage2_walk(vm_t *vm, uint64_t ipa, bool write, uint64_t *pa) {
    uint64_t daif = spin_lock_irq(&vm->lock);
    pgwalk_t w = pgtable_walk(&vm->stage2, ipa);
    spin_unlock_irq(&vm->lock, daif);
    *pa = (w.entry & PTE_ADDR_MASK) + (ipa & (w.size - 1));
    bool valid = w.entry & PTE_VALID, granted = valid && (rights_base(w.entry) & (write ? S2_WRITE : S2_READ));
    return granted ? 0 : 1 | ((valid ? 12 : 4) + w.level) << 1 | BIT(9);
}

static uint64_t stage12(vm_t *vm, uint64_t va, bool write, bool el0, uint64_t ipa, uint64_t *pa) {
    if (vm->rights != NULL) {
        return stage2_walk(vm, ipa, write, pa);
    }
    uint64_t par = at(va, write, el0, true);
    *pa = (par & UINT64_C(0xFFFFFFFFF000)) | (va & 0xFFF);
    return par & 1 ? par : 0;
}

// For AT: the registers of v's EL1, and what was there.
typedef struct {
    uint64_t daif, hcr, par;
    vcpu_t *running;
} tables_t;

static inline tables_t tables_enter(vcpu_t *v) {
    tables_t t = { .daif = irq_save(), .running = this_pcpu()->running };
    vcpu_load(v);
    t.hcr = READ_SYSREG(hcr_el2);
    t.par = READ_SYSREG(par_el1);
    WRITE_SYSREG(hcr_el2, v->vm->el2[EL2_HCR]);
    isb();
    return t;
}

static inline void tables_leave(vcpu_t *v, const tables_t *t) {
    WRITE_SYSREG(par_el1, t->par);
    WRITE_SYSREG(hcr_el2, t->hcr);
    isb();
    if (t->running != NULL && t->running != v) {
        vcpu_load(t->running); // a handler asked about another vCPU than the one it goes back to
    }
    irq_restore(t->daif);
}

// The guest's tables may be where stage 2 has not mapped a fork's RAM yet, and AT does not say where that is. Where its
// registers are the core's.
static void touch_tables(vm_t *vm, uint64_t va) {
    static const uint8_t tg0[] = { 12, 16, 14, 12 }, tg1[] = { 12, 14, 12, 16 };
    bool high = va >> 55 & 1;
    uint64_t tcr = READ_SYSREG(tcr_el1), table = (high ? READ_SYSREG(ttbr1_el1) : READ_SYSREG(ttbr0_el1)) & UINT64_C(0xFFFFFFFFFFC0);
    unsigned page = high ? tg1[FIELD(tcr, 31, 30)] : tg0[FIELD(tcr, 15, 14)], bits = page - 3;
    unsigned size = 64 - (unsigned)(high ? FIELD(tcr, 21, 16) : FIELD(tcr, 5, 0));
    if (size <= page || size > 48) {
        return;
    }
    va &= BIT(size) - 1;
    for (unsigned shift = page + bits * ((size - page - 1) / bits); shift >= page; shift -= bits) {
        const uint64_t *entry = vm_ram(vm, table + (va >> shift & (BIT(bits) - 1)) * 8, 8);
        if (entry == NULL || (*entry & 3) != 3) {
            return;
        }
        table = *entry & UINT64_C(0xFFFFFFFFFFFF) & ~(BIT(page) - 1);
    }
}

static uint64_t at_stage1(vm_t *vm, uint64_t va, bool write, bool el0) {
    uint64_t par = at(va, write, el0, false);
    if (UNLIKELY(vm->forked) && (par & 1) && (par & BIT(9))) {
        touch_tables(vm, va);
        par = at(va, write, el0, false);
    }
    return par;
}

uint64_t vcpu_translate_va(vcpu_t *v, uint64_t va, bool write, bool el0, uint64_t *ipa, uint64_t *pa) {
    tables_t t = tables_enter(v);
    uint64_t fault = 0, par = at_stage1(v->vm, va, write, el0);
    if (par & 1) {
        fault = par;
    } else {
        *ipa = (par & UINT64_C(0xFFFFFFFFF000)) | (va & 0xFFF);
    }
    if (fault == 0 && pa != NULL) {
        fault = stage12(v->vm, va, write, el0, *ipa, pa);
        if (fault != 0 && vm_ram_fault(v->vm, *ipa, true)) { // RAM nobody has touched yet is RAM all the same
            fault = stage12(v->vm, va, write, el0, *ipa, pa);
        }
    }
    tables_leave(v, &t);
    return fault;
}

uint64_t vcpu_translate_range(vcpu_t *v, uint64_t va, uint64_t size, uint64_t *ipa) {
    uint64_t done = 0, most = size < TRANSLATE_MOST ? size : TRANSLATE_MOST;
    tables_t t = tables_enter(v);
    while (done < most) {
        uint64_t par = at_stage1(v->vm, va + done, false, false), page = par & UINT64_C(0xFFFFFFFFF000);
        if ((par & 1) || (done != 0 && page != ((*ipa + done) & ~(PAGE_SIZE - 1)))) {
            break;
        }
        *ipa = done != 0 ? *ipa : page | (va & (PAGE_SIZE - 1));
        done += PAGE_SIZE - ((va + done) & (PAGE_SIZE - 1));
    }
    tables_leave(v, &t);
    return done < most ? done : most;
}

// ---- Exceptions for the guest -------------------------------------------------------------------

// Which quarter of the vector table: by where the guest was (DDI 0487 Table D1-7).
static uint64_t vector_offset(uint64_t pstate) {
    if (pstate & PSTATE_A32) {
        return 0x600; // EL0, AArch32
    }
    switch (pstate & 0xF) {
        case PSTATE_EL1H:
            return 0x200;
        case PSTATE_EL1T:
            return 0x000;
        default:
            return 0x400; // EL0, AArch64
    }
}

#define PSTATE_PAN BIT(22)
#define PSTATE_DIT BIT(24)
#define PSTATE_SSBS BIT(12)
#define PSTATE_TCO BIT(25)
#define SCTLR_SPAN BIT(23)
#define SCTLR_DSSBS BIT(44)

// DDI 0487 AArch64.TakeException: flags, PAN and DIT stay, the rest is set by what the core has and SCTLR_EL1 says.
// From AArch32 these bits are in the same places.
static uint64_t entry_pstate(vcpu_t *v) {
    uint64_t sctlr = vcpu_el1_get(v, EL1_SCTLR_EL1), features = READ_SYSREG(id_aa64pfr1_el1);
    bool pan = FIELD(READ_SYSREG(id_aa64mmfr1_el1), 23, 20) != 0, ssbs = FIELD(features, 7, 4) != 0, mte = FIELD(features, 11, 8) > 1;
    return (v->regs->pstate & (PSTATE_NZCV | PSTATE_PAN | PSTATE_DIT)) | PSTATE_EL1H | PSTATE_DAIF
           | (pan && !(sctlr & SCTLR_SPAN) ? PSTATE_PAN : 0) | (ssbs && (sctlr & SCTLR_DSSBS) ? PSTATE_SSBS : 0) | (mte ? PSTATE_TCO : 0);
}

void vcpu_inject_sync(vcpu_t *v, uint64_t esr, uint64_t far, bool far_valid) {
    guest_regs_t *r = v->regs;
    vcpu_el1_set(v, EL1_ELR_EL1, r->pc);
    vcpu_el1_set(v, EL1_SPSR_EL1, r->pstate);
    vcpu_el1_set(v, EL1_ESR_EL1, esr);
    if (far_valid) {
        vcpu_el1_set(v, EL1_FAR_EL1, far);
    }
    r->pc = vcpu_el1_get(v, EL1_VBAR_EL1) + vector_offset(r->pstate);
    r->pstate = entry_pstate(v);
    v->step.taken = true;
}

void vcpu_inject_undefined(vcpu_t *v) {
    vcpu_inject_sync(v, (uint64_t)EC_UNKNOWN << 26 | ESR_IL, 0, false);
}

#define ISS_ABORT_EL1 (ESR_IL | UINT64_C(0x1F7F)) // of an abort, what EL1 gets: SET, FnV, EA, CM, WnR and the status

// Classes that come in pairs, "from a lower Exception level" and "from the same": the second is the odd one.
static bool in_pairs(unsigned ec) {
    return ec == EC_IABT_LOWER || ec == EC_DABT_LOWER || ec == EC_BREAKPOINT_LOWER || ec == EC_STEP_LOWER || ec == EC_WATCHPOINT_LOWER;
}

void vcpu_inject_same(vcpu_t *v) {
    uint64_t esr = v->exit.esr & 0xFFFFFFFF;
    unsigned ec = ESR_EC(esr);
    bool from_el0 = (v->regs->pstate & PSTATE_A32) || (v->regs->pstate & 0xF) == 0, abort = ec == EC_IABT_LOWER || ec == EC_DABT_LOWER;
    if (abort) {
        esr &= ISS_ABORT_EL1 | (UINT64_C(0x3F) << 26);
    }
    if (in_pairs(ec) && !from_el0) {
        esr |= BIT(26);
    }
    vcpu_inject_sync(v, esr, v->exit.far, abort || ec == EC_PC_ALIGN || ec == EC_WATCHPOINT_LOWER);
}

// HCR_EL2.VSE makes it pending; the bit clears when the guest takes it, so it is read back at exits.
void vcpu_inject_serror(vcpu_t *v) {
    v->serror = true;
    if (this_pcpu()->running == v) {
        WRITE_SYSREG(hcr_el2, READ_SYSREG(hcr_el2) | HCR_VSE);
    }
}

// A synchronous external abort, not on a walk (DFSC 0x10), from the level the guest is at.
void vcpu_inject_abort(vcpu_t *v, bool instruction, uint64_t far) {
    bool from_el0 = (v->regs->pstate & PSTATE_A32) || (v->regs->pstate & 0xF) == 0;
    uint64_t ec = instruction ? EC_IABT : EC_DABT;
    if (from_el0) {
        ec--; // "from a lower Exception level"
    }
    uint64_t write = !instruction && ESR_EC(v->exit.esr) == EC_DABT_LOWER ? v->exit.esr & BIT(6) : 0; // WnR
    vcpu_inject_sync(v, ec << 26 | ESR_IL | write | 0x10, far, true);
}
