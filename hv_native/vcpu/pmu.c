// SPDX-License-Identifier: MIT
// A guest's performance monitors: see pmu.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "irq/irq.h"
#include "vcpu/insn.h"
#include "vcpu/pmu.h"
#include "vgic/vgic.h"
#include "vm/vcpu_state.h"

#define CYCLES BIT(31)                  // the cycle counter, beside the bits of the others
#define PMCR_E BIT(0)
#define PMCR_P BIT(1)
#define PMCR_C BIT(2)
#define PMCR_LC BIT(6)
#define PMCR_BITS UINT64_C(0x79)        // LC, DP, X, D, E
#define PMCR_FIXED UINT64_C(0xFFFFF800) // who made it, and how many there are
#define TYPE_BITS UINT64_C(0xFC0003FF)  // of PMEVTYPER<n>_EL0; PMCCFILTR_EL0 has no event
#define TYPE_EVENT UINT64_C(0x3FF)
#define TYPE_NSH BIT(27)
#define SW_INCR 0u
enum { USER_EN = 1, USER_SW = 2, USER_CR = 4, USER_ER = 8 };

// ---- The core's ---------------------------------------------------------------------------------

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5)

static void load_counter(unsigned n, uint64_t type, uint64_t count) {
    switch (n) {
        #define LOAD(n) case n: \
        WRITE_SYSREG(pmevtyper##n##_el0, type); WRITE_SYSREG(pmevcntr##n##_el0, count); break;
        EACH(LOAD)
    }
}

static uint64_t live_counter(unsigned n) {
    switch (n) {
        #define READ(n) case n: \
        return READ_SYSREG(pmevcntr##n##_el0);
        EACH(READ)
        default:
            return 0;
    }
}

static uint64_t there_are(void) {
    unsigned n = FIELD(READ_SYSREG(pmcr_el0), 15, 11);
    return CYCLES | ((n < PMU_COUNTERS ? BIT(n) : BIT(PMU_COUNTERS)) - 1);
}

static bool has_pmu(void) {
    unsigned version = FIELD(READ_SYSREG(id_aa64dfr0_el1), 11, 8);
    return version != 0 && version != 15;
}

// ---- The interrupt ------------------------------------------------------------------------------

static void update_line(vcpu_t *v) {
    pmu_t *p = &v->pmu;
    bool high = (p->pmcr & PMCR_E) && (p->overflow & p->interrupts);
    if (high != p->line) {
        p->line = high;
        vgic_set_ppi(v, PMU_INTID, high);
    }
}

// The core's overflow flags become the guest's.
static void take_overflow(vcpu_t *v) {
    uint64_t over = READ_SYSREG(pmovsset_el0) & v->pmu.loaded;
    WRITE_SYSREG(pmovsclr_el0, over);
    v->pmu.overflow |= (uint32_t)over;
    isb();
}

// Whose it is has been entered here; else it was left just now, and has its flags.
static void overflowed(void *arg) {
    (void)arg;
    vcpu_t *v = this_pcpu()->running;
    if (v != NULL && v->pmu.loaded != 0) {
        take_overflow(v);
        update_line(v);
    } else {
        WRITE_SYSREG(pmintenclr_el1, ~UINT64_C(0));
        isb();
    }
}

static void attach_here(void) {
    static uint32_t attached; // cores
    uint32_t bit = 1u << this_pcpu()->id;
    if (platform.pmu_irq != 0 && !(__atomic_fetch_or(&attached, bit, __ATOMIC_RELAXED) & bit)) {
        irq_attach(platform.pmu_irq, overflowed, NULL);
    }
}

// ---- In and out ---------------------------------------------------------------------------------

static uint64_t counting(const pmu_t *p) {
    return p->pmcr & PMCR_E ? p->enabled : 0;
}

bool pmu_in_use(const vcpu_t *v) {
    return counting(&v->pmu) != 0 || v->pmu.user != 0;
}

static void load(vcpu_t *v, uint64_t mask) {
    pmu_t *p = &v->pmu;
    attach_here();
    for (unsigned n = 0; n < PMU_COUNTERS; n++) {
        if (mask >> n & 1) {
            load_counter(n, p->type[n] & ~TYPE_NSH, p->count[n]);
        }
    }
    if (mask & CYCLES) {
        WRITE_SYSREG(pmccfiltr_el0, p->filter & ~TYPE_NSH);
        WRITE_SYSREG(pmccntr_el0, p->cycles);
    }
    WRITE_SYSREG(pmovsclr_el0, mask);
    WRITE_SYSREG(pmintenset_el1, p->interrupts & mask);
    WRITE_SYSREG(pmcntenset_el0, mask);
    p->host_pmcr = READ_SYSREG(pmcr_el0) & PMCR_BITS;
    WRITE_SYSREG(pmcr_el0, (p->pmcr & PMCR_BITS) | PMCR_E);
}

void pmu_enter(vcpu_t *v) {
    pmu_t *p = &v->pmu;
    if (p->loaded != 0) {
        return;
    }
    uint64_t mask = UNLIKELY(v->vm->replay != NULL) ? 0 : counting(p);
    if (mask != 0) {
        mask &= ~READ_SYSREG(pmcntenset_el0); // those are EL2's own
    }
    if (mask != 0) {
        load(v, mask);
    }
    if (p->user != 0) {
        // All of EL0's accesses come to EL2 (pmu_el0_may), and none to EL1 first. For what SW, CR and ER allow QEMU 7.2 does
        // not look at TPM, and EL0 would have the core's own counters.
        WRITE_SYSREG(pmuserenr_el0, USER_EN);
    }
    p->loaded = (uint32_t)mask;
    isb();
}

void pmu_leave(vcpu_t *v) {
    pmu_t *p = &v->pmu;
    uint32_t mask = p->loaded;
    if (p->user != 0) {
        WRITE_SYSREG(pmuserenr_el0, 0);
    }
    if (mask == 0) {
        return;
    }
    WRITE_SYSREG(pmcr_el0, p->host_pmcr);
    WRITE_SYSREG(pmcntenclr_el0, mask);
    isb();
    for (unsigned n = 0; n < PMU_COUNTERS; n++) {
        if (mask >> n & 1) {
            p->count[n] = (uint32_t)live_counter(n);
        }
    }
    if (mask & CYCLES) {
        p->cycles = READ_SYSREG(pmccntr_el0);
    }
    take_overflow(v);
    WRITE_SYSREG(pmintenclr_el1, mask);
    p->loaded = 0;
    update_line(v);
}

#define INST_RETIRED 8u

int pmu_count_guests(void) {
    uint64_t free = has_pmu() && (READ_SYSREG(pmceid0_el0) >> INST_RETIRED & 1) ? there_are() & ~CYCLES & ~READ_SYSREG(pmcntenset_el0) : 0;
    if (free == 0) {
        return -1;
    }
    int n = 63 - __builtin_clzll(free);
    load_counter((unsigned)n, INST_RETIRED, 0); // not at EL2: NSH is 0
    WRITE_SYSREG(pmcntenset_el0, BIT(n));
    WRITE_SYSREG(pmcr_el0, READ_SYSREG(pmcr_el0) | PMCR_E);
    isb();
    return n;
}

uint32_t pmu_counted(int n) {
    isb();
    return n < 0 ? 0 : (uint32_t)live_counter((unsigned)n);
}

void pmu_count_end(int n) {
    if (n >= 0) {
        WRITE_SYSREG(pmcntenclr_el0, BIT(n));
        if (READ_SYSREG(pmcntenset_el0) == 0) {
            WRITE_SYSREG(pmcr_el0, READ_SYSREG(pmcr_el0) & ~PMCR_E);
        }
        isb();
    }
}

#define CPU_CYCLES 0x11u

// Neither EL1's nor EL0's: P and NSK differ, and U and NSU.
static bool counts_nothing(uint32_t type) {
    return (type >> 31 ^ type >> 29) & (type >> 30 ^ type >> 28) & 1;
}

// Turns until it overflows, or 0 when nobody is told of that.
static uint64_t until_over(const pmu_t *p, uint64_t bit, uint64_t left, uint64_t before) {
    bool told = (p->interrupts & bit) && !(p->overflow & bit);
    return told && (before == 0 || left < before) ? left : before;
}

uint64_t pmu_turns(vcpu_t *v, uint64_t turns) {
    pmu_t *p = &v->pmu;
    uint64_t mask = counting(p), left = 0;
    for (unsigned n = 0; mask != 0 && n < PMU_COUNTERS; n++) {
        uint32_t event = p->type[n] & TYPE_EVENT;
        if ((mask >> n & 1) && (event == INST_RETIRED || event == CPU_CYCLES) && !counts_nothing(p->type[n])) {
            uint64_t count = p->count[n] + turns;
            p->overflow |= count >> 32 != 0 ? (uint32_t)BIT(n) : 0;
            p->count[n] = (uint32_t)count;
            left = until_over(p, BIT(n), BIT(32) - p->count[n], left);
        }
    }
    if ((mask & CYCLES) && !counts_nothing(p->filter)) {
        uint64_t was = p->cycles, low = p->pmcr & PMCR_LC ? 0 : was >> 32;
        p->cycles += turns;
        bool over = p->pmcr & PMCR_LC ? p->cycles < was : p->cycles >> 32 != low;
        p->overflow |= over ? (uint32_t)CYCLES : 0;
        left = until_over(p, CYCLES, p->pmcr & PMCR_LC ? -p->cycles : BIT(32) - (uint32_t)p->cycles, left);
    }
    if (mask != 0) {
        update_line(v);
    }
    return left;
}

void pmu_init_core(void) {
    if (has_pmu()) {
        WRITE_SYSREG(pmcr_el0, 0);
        WRITE_SYSREG(pmuserenr_el0, 0);
        WRITE_SYSREG(pmcntenclr_el0, ~UINT64_C(0));
        WRITE_SYSREG(pmintenclr_el1, ~UINT64_C(0));
    }
}

void pmu_reset(vcpu_t *v) {
    if (v->pmu.line) {
        vgic_set_ppi(v, PMU_INTID, false);
    }
    memset(&v->pmu, 0, sizeof(v->pmu));
}

// ---- The guest's accesses -----------------------------------------------------------------------

// An event at EL1 is filtered when P and NSK differ, at EL0 when U and NSU do (D7.4).
static bool filtered(const vcpu_t *v, uint32_t type) {
    uint32_t bits = insn_at_el0(v) ? type >> 30 ^ type >> 28 : type >> 31 ^ type >> 29;
    return bits & 1;
}

// EL2 does it, and would not be counted.
static void software_increment(vcpu_t *v, uint64_t mask) {
    pmu_t *p = &v->pmu;
    for (unsigned n = 0; n < PMU_COUNTERS; n++) {
        bool counts = counting(p) & mask & BIT(n);
        if (counts && (p->type[n] & TYPE_EVENT) == SW_INCR && !filtered(v, p->type[n]) && ++p->count[n] == 0) {
            p->overflow |= (uint32_t)BIT(n);
        }
    }
}

static void control(pmu_t *p, uint64_t value) {
    if (value & PMCR_P) {
        memset(p->count, 0, sizeof(p->count));
    }
    if (value & PMCR_C) {
        p->cycles = 0;
    }
    p->pmcr = (uint32_t)(value & PMCR_BITS);
}

// A pair of registers that set and clear the bits of one.
static void bits_access(uint32_t *bits, bool clear, bool write, uint64_t *value) {
    uint32_t mask = (uint32_t)(*value & there_are());
    if (write) {
        *bits = clear ? *bits & ~mask : *bits | mask;
    }
    *value = *bits;
}

static void type_access(pmu_t *p, unsigned n, bool write, uint64_t *value) {
    uint32_t *at = n == 31 ? &p->filter : n < PMU_COUNTERS && (there_are() >> n & 1) ? &p->type[n] : NULL;
    if (at != NULL && write) {
        *at = (uint32_t)(*value & (n == 31 ? TYPE_BITS & ~TYPE_EVENT : TYPE_BITS));
    }
    *value = at == NULL ? 0 : *at;
}

static void count_access(pmu_t *p, unsigned n, bool write, uint64_t *value) {
    bool there = n < PMU_COUNTERS && (there_are() >> n & 1);
    if (there && write) {
        p->count[n] = (uint32_t)*value;
    }
    *value = !there ? 0 : p->loaded >> n & 1 ? live_counter(n) : p->count[n];
}

static void cycles_access(pmu_t *p, bool write, uint64_t *value) {
    if (write) {
        p->cycles = *value;
    }
    *value = p->loaded & CYCLES ? READ_SYSREG(pmccntr_el0) : p->cycles;
}

#define NONE_OF_THEM 0x100u
static unsigned number(uint64_t key) {
    return FIELD(key, 13, 10) == 9 ? FIELD(key, 16, 14) << 7 | FIELD(key, 4, 1) << 3 | FIELD(key, 19, 17) : NONE_OF_THEM;
}
// op1, CRm, op2 of CRn 9.
#define AT(op1, crm, op2) ((op1) << 7 | (crm) << 3 | (op2))

static bool is_event(uint64_t key) {
    return FIELD(key, 16, 14) == 3 && FIELD(key, 13, 10) == 14 && FIELD(key, 4, 1) >= 8;
}

// PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0: CRm 8 and 12 and up have n's upper two bits, op2 the rest.
static void event_access(pmu_t *p, uint64_t key, bool write, uint64_t *value) {
    unsigned crm = FIELD(key, 4, 1), n = (crm & 3) << 3 | FIELD(key, 19, 17);
    if (crm < 12) {
        count_access(p, n, write, value);
    } else {
        type_access(p, n, write, value);
    }
}

static void flags_access(vcpu_t *v, bool clear, bool write, uint64_t *value) {
    if (v->pmu.loaded != 0) {
        take_overflow(v);
    }
    bits_access(&v->pmu.overflow, clear, write, value);
    update_line(v);
}

static bool access(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    pmu_t *p = &v->pmu;
    switch (number(key)) {
        case AT(3, 12, 0): // PMCR_EL0
            if (write) {
                control(p, *value);
            }
            *value = (READ_SYSREG(pmcr_el0) & PMCR_FIXED) | p->pmcr;
            return true;
        case AT(3, 12, 1): // PMCNTENSET_EL0
        case AT(3, 12, 2): // PMCNTENCLR_EL0
            bits_access(&p->enabled, number(key) & 2, write, value);
            return true;
        case AT(3, 12, 3): // PMOVSCLR_EL0
        case AT(3, 14, 3): // PMOVSSET_EL0
            flags_access(v, number(key) == AT(3, 12, 3), write, value);
            return true;
        case AT(3, 12, 4): // PMSWINC_EL0
            if (write) {
                software_increment(v, *value);
            }
            return write;
        case AT(3, 12, 5): // PMSELR_EL0
            p->selected = write ? *value & 31 : p->selected;
            *value = p->selected;
            return true;
        case AT(3, 12, 6): // PMCEID0_EL0
            *value = READ_SYSREG(pmceid0_el0);
            return !write;
        case AT(3, 12, 7): // PMCEID1_EL0
            *value = READ_SYSREG(pmceid1_el0);
            return !write;
        case AT(3, 13, 0): // PMCCNTR_EL0
            cycles_access(p, write, value);
            return true;
        case AT(3, 13, 1): // PMXEVTYPER_EL0
            type_access(p, p->selected, write, value);
            return true;
        case AT(3, 13, 2): // PMXEVCNTR_EL0
            count_access(p, p->selected, write, value);
            return true;
        case AT(3, 14, 0): // PMUSERENR_EL0
            p->user = write ? *value & 15 : p->user;
            *value = p->user;
            return true;
        case AT(0, 14, 1): // PMINTENSET_EL1
        case AT(0, 14, 2): // PMINTENCLR_EL1
            bits_access(&p->interrupts, number(key) & 2, write, value);
            return true;
        default:
            if (is_event(key)) {
                event_access(p, key, write, value);
            }
            return is_event(key);
    }
}

bool pmu_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    unsigned crn = FIELD(key, 13, 10);
    if (FIELD(key, 21, 20) != 3 || (crn != 9 && crn != 14) || !has_pmu()) {
        return false;
    }
    if (!write) {
        return access(v, key, false, value);
    }
    if (this_pcpu()->running == v) {
        pmu_leave(v);
    }
    bool done = access(v, key, true, value);
    update_line(v);
    return done;
}

bool pmu_el0_may(const vcpu_t *v, uint64_t key, bool write) {
    unsigned user = v->pmu.user;
    switch (number(key)) {
        case AT(3, 12, 4):
            return user & (USER_EN | USER_SW);
        case AT(3, 12, 5):
            return user & (USER_EN | USER_ER);
        case AT(3, 13, 0):
            return user & (write ? USER_EN : USER_EN | USER_CR);
        case AT(3, 13, 2):
            return user & (write ? USER_EN : USER_EN | USER_ER);
        default:
            return user & (!write && is_event(key) && FIELD(key, 4, 1) < 12 ? USER_EN | USER_ER : USER_EN);
    }
}
