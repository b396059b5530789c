// SPDX-License-Identifier: MIT
// The debug registers' owner: see debug.h. DDI 0487 D2 (self-hosted debug), D13.3.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "vcpu/debug.h"
#include "vcpu/pmu.h"
#include "vm/el1_state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// DBGBCR<n>_EL1 and DBGWCR<n>_EL1.
#define CONTROL_E BIT(0)
#define CONTROL_EL1 BIT(1)          // of PMC and PAC
#define CONTROL_ELS UINT64_C(6)
#define CONTROL_HMC_SSC (UINT64_C(7) << 13)
#define CONTROL_LBN(c) ((unsigned)FIELD(c, 19, 16))
#define BREAK_BITS UINT64_C(0x00FFE1E7)
#define WATCH_BITS UINT64_C(0x1F1FFFFF)
#define BREAK_LINKED BIT(20)
#define BREAK_CONTEXT BIT(21)
#define BREAK_OTHERS (UINT64_C(3) << 22)    // BT 4 to 15: mismatches, which are AArch32's, and EL2's VMIDs
#define WATCH_LINKED BIT(20)

// MDSCR_EL1: what is writable, and what only while the OS lock is set (D13.3.20).
#define MDSCR_BITS (MDSCR_SS | MDSCR_TDCC | MDSCR_KDE | MDSCR_MDE)
#define MDSCR_BITS_LOCKED UINT64_C(0x6CE04040)

static bool is_break(unsigned i) {
    return i < DEBUG_BREAKS;
}

// ---- What is in force ---------------------------------------------------------------------------

// OSLSR_EL1.OSLK and OSDLR_EL1.DLK keep all debug exceptions away but BRK's (D2.5).
static bool locked(const debug_t *d) {
    return d->oslock || (d->doublelock && !(d->prcr & 1));
}

bool debug_is_locked(const vcpu_t *v) {
    return locked(&v->debug);
}

static uint64_t guest_mdscr(const debug_t *d) {
    return locked(d) ? 0 : d->mdscr & (MDSCR_SS | MDSCR_KDE | MDSCR_MDE);
}

// Debug exceptions are EL2's for the hypervisor's own sake.
static bool host_uses(const vcpu_t *v) {
    return v->vm->taken_mask != 0 || v->vm->debug_el2 || v->stepping || v->debug.blind || v->vm->replay != NULL;
}

bool debug_is_ours(const vcpu_t *v) {
    return host_uses(v) && !(v->vm->el2[EL2_MDCR] & MDCR_TDE);
}

uint32_t debug_host_on(const vcpu_t *v) {
    return v->vm->taken_mask & ~(v->stepping ? v->step.over : 0);
}

bool debug_guest_on(const vcpu_t *v) {
    return (guest_mdscr(&v->debug) & (MDSCR_SS | MDSCR_MDE)) != 0;
}

static bool in_use(const vcpu_t *v) {
    return host_uses(v) || debug_guest_on(v) || pmu_in_use(v) || v->vm->trace != NULL;
}

// KDE would have EL2 step itself while the exceptions are EL2's (D2.4.1).
static uint64_t real_mdscr(const vcpu_t *v, bool tde) {
    uint64_t mdscr = guest_mdscr(&v->debug);
    if (tde) {
        mdscr &= ~MDSCR_KDE;
    }
    return mdscr | (v->vm->taken_mask != 0 ? MDSCR_MDE : 0) | (v->stepping || v->debug.blind || v->vm->replay != NULL ? MDSCR_SS : 0);
}

// What the guest wrote, without what would reach beyond its EL1 and EL0 (HMC, SSC; VMIDs). While EL2 has the exceptions,
// EL1's own code must not hit where KDE does not allow it.
static uint64_t guest_control(const vcpu_t *v, unsigned i) {
    const debug_t *d = &v->debug;
    uint64_t c = d->pair[i].control;
    bool context = is_break(i) && (c & BREAK_CONTEXT);
    if (!(c & CONTROL_E) || FIELD(c, 15, 14) == 2 || (is_break(i) && (c & BREAK_OTHERS))) {
        return 0;
    }
    c &= ~CONTROL_HMC_SSC;
    if (context && (c & BREAK_LINKED)) {
        return c;
    }
    if (debug_is_ours(v) && !(d->mdscr & MDSCR_KDE)) {
        c &= ~CONTROL_EL1;
    }
    bool linked = c & (is_break(i) ? BREAK_LINKED : WATCH_LINKED);
    if (linked && is_break(CONTROL_LBN(c)) && (v->vm->taken_mask >> CONTROL_LBN(c) & 1)) {
        return 0; // what it is linked to is the hypervisor's now
    }
    return c & CONTROL_ELS ? c : 0;
}

// A register for what the hypervisor has displaced: any that nobody uses. None: it waits.
static unsigned elsewhere(const vcpu_t *v, unsigned i, const debug_pair_t *out) {
    unsigned first = is_break(i) ? 0 : DEBUG_BREAKS, end = is_break(i) ? DEBUG_BREAKS : DEBUG_PAIRS;
    for (unsigned n = first; n < end; n++) {
        if (!(v->vm->taken_mask >> n & 1) && out[n].control == 0) {
            return n;
        }
    }
    return DEBUG_PAIRS;
}

static void place_guests(const vcpu_t *v, debug_pair_t *out) {
    uint32_t displaced = 0;
    for (unsigned i = 0; i < DEBUG_PAIRS; i++) {
        uint64_t c = guest_control(v, i);
        if (c != 0 && (v->vm->taken_mask >> i & 1)) {
            displaced |= 1u << i;
        } else if (c != 0) {
            out[i] = (debug_pair_t) { v->debug.pair[i].value, c };
        }
    }
    for (unsigned i = 0; i < DEBUG_PAIRS; i++) {
        unsigned n = displaced >> i & 1 ? elsewhere(v, i, out) : DEBUG_PAIRS;
        if (n < DEBUG_PAIRS && !(is_break(i) && (v->debug.pair[i].control & BREAK_CONTEXT))) {
            out[n] = (debug_pair_t) { v->debug.pair[i].value, guest_control(v, i) };
        }
    }
}

// ---- The core's registers -----------------------------------------------------------------------

#define EACH_BREAK(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define EACH_WATCH(X) X(0) X(1) X(2) X(3)

static void write_pairs(const debug_pair_t *p) {
    #define WRITE_BREAK(n) WRITE_SYSREG(dbgbvr##n##_el1, p[n].value); WRITE_SYSREG(dbgbcr##n##_el1, p[n].control);
    EACH_BREAK(WRITE_BREAK)
    p += DEBUG_BREAKS;
    #define WRITE_WATCH(n) WRITE_SYSREG(dbgwvr##n##_el1, p[n].value); WRITE_SYSREG(dbgwcr##n##_el1, p[n].control);
    EACH_WATCH(WRITE_WATCH)
}

static void load_pairs(vcpu_t *v) {
    static uint64_t versions;
    pcpu_t *p = this_pcpu();
    if (v->debug.changed) {
        v->debug.version = __atomic_add_fetch(&versions, 1, __ATOMIC_RELAXED);
        v->debug.changed = false;
    }
    if (p->debug_version == v->debug.version) {
        return;
    }
    debug_pair_t out[DEBUG_PAIRS];
    memset(out, 0, sizeof(out));
    if (!v->debug.blind && (guest_mdscr(&v->debug) & MDSCR_MDE)) {
        place_guests(v, out);
    }
    for (uint32_t i, left = debug_host_on(v); left != 0; left &= left - 1) {
        i = (uint32_t)__builtin_ctz(left);
        out[i] = v->vm->taken[i];
    }
    write_pairs(out);
    p->debug_version = v->debug.version;
}

// Who changes something for a vCPU that is on another core sets `debugged` last: it is looked at first here.
uint64_t debug_enter(vcpu_t *v) {
    v->debugged = v->step.quick = false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t tde = host_uses(v) ? MDCR_TDE : 0, mdscr = real_mdscr(v, (tde | v->vm->el2[EL2_MDCR]) & MDCR_TDE);
    WRITE_SYSREG(mdscr_el1, mdscr);
    if (mdscr & MDSCR_MDE) {
        load_pairs(v);
    }
    uint64_t vectors = READ_SYSREG(vbar_el2) & ~(uint64_t)(STEPPING_VECTORS | TRACED_VECTORS);
    WRITE_SYSREG(vbar_el2, vectors | (mdscr & MDSCR_SS ? STEPPING_VECTORS : 0) | (v->vm->trace != NULL ? TRACED_VECTORS : 0));
    pmu_enter(v);
    isb();
    if (in_use(v)) {
        v->debugged = true;
    }
    return tde;
}

void debug_leave(vcpu_t *v) {
    pmu_leave(v);
    WRITE_SYSREG(vbar_el2, READ_SYSREG(vbar_el2) & ~(uint64_t)(STEPPING_VECTORS | TRACED_VECTORS));
}

void debug_changed(vcpu_t *v) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    v->debugged = true;
    if (this_pcpu()->running == v) {
        WRITE_SYSREG(mdcr_el2, v->vm->el2[EL2_MDCR] | debug_enter(v));
        isb();
    }
}

// QEMU 7.2 does not look at the OS lock; a core that does would keep every debug exception away, from reset on.
void debug_init_core(void) {
    WRITE_SYSREG(mdscr_el1, 0);
    WRITE_SYSREG(oslar_el1, 0);
    WRITE_SYSREG(osdlr_el1, 0);
    pmu_init_core();
    isb();
}

void debug_reset(vcpu_t *v) {
    memset(&v->debug, 0, sizeof(v->debug));
    v->debug.oslock = v->debug.changed = true;
    pmu_reset(v);
    v->debugged |= v->vm->taken_mask != 0 || v->vm->debug_el2;
}

// ---- The guest's accesses -----------------------------------------------------------------------

// D13.3.2: bits 63:49 are copies of bit 48; bits 1:0 do not exist, but of those that hold a context too.
static uint64_t address(unsigned i, uint64_t value) {
    uint64_t low = i == 4 || i == 5 ? 0 : 3;
    return (uint64_t)((int64_t)(value << 15) >> 15) & ~low;
}

static void pair_access(vcpu_t *v, unsigned i, bool control, bool write, uint64_t *value) {
    debug_pair_t *p = &v->debug.pair[i];
    uint64_t *at = control ? &p->control : &p->value;
    if (!write) {
        *value = *at;
        return;
    }
    *at = !control ? address(i, *value) : *value & (is_break(i) ? BREAK_BITS : WATCH_BITS);
    v->debug.changed = true;
    if (guest_mdscr(&v->debug) & MDSCR_MDE) {
        debug_changed(v);
    }
}

// DBGBVR<n>_EL1 to DBGWCR<n>_EL1: op1 0, CRn 0, CRm n, op2 4 to 7.
static bool pair_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    unsigned n = FIELD(key, 4, 1), op2 = FIELD(key, 19, 17);
    if ((key & ~(SYSREG_OP2 | 0x1E)) != SYSREG_KEY(2, 0, 0, 0, 0) || op2 < 4) {
        return false;
    }
    bool watch = op2 >= 6;
    if (n >= (watch ? DEBUG_WATCHES : DEBUG_BREAKS)) {
        return false;
    }
    pair_access(v, watch ? DEBUG_BREAKS + n : n, op2 & 1, write, value);
    return true;
}

static void put(vcpu_t *v, uint64_t before) {
    if (guest_mdscr(&v->debug) != before) {
        v->debug.changed = true;
        debug_changed(v);
    }
}

static uint64_t mdscr_access(debug_t *d, bool write, uint64_t value) {
    uint64_t bits = MDSCR_BITS | (d->oslock ? MDSCR_BITS_LOCKED : 0);
    if (write) {
        d->mdscr = (uint32_t)((d->mdscr & ~bits) | (value & bits));
    }
    return d->mdscr;
}

// What there is besides the pairs, of op1 0.
static bool other_access(debug_t *d, uint64_t key, bool write, uint64_t *value) {
    switch (key) {
        case SYSREG_KEY(2, 0, 0, 2, 2):
            *value = mdscr_access(d, write, *value);
            return true;
        case SYSREG_KEY(2, 0, 0, 2, 0): // MDCCINT_EL1
            d->mdccint = write ? (uint32_t)(*value & (UINT64_C(3) << 29)) : d->mdccint;
            *value = d->mdccint;
            return true;
        case SYSREG_KEY(2, 0, 1, 0, 4): // OSLAR_EL1
            d->oslock = write ? *value & 1 : d->oslock;
            return write;
        case SYSREG_KEY(2, 0, 1, 1, 4): // OSLSR_EL1: OSLM says that there is a lock
            *value = 8 | (d->oslock ? 2 : 0);
            return true;
        case SYSREG_KEY(2, 0, 1, 3, 4): // OSDLR_EL1
            d->doublelock = write ? *value & 1 : d->doublelock;
            *value = d->doublelock;
            return true;
        case SYSREG_KEY(2, 0, 1, 4, 4): // DBGPRCR_EL1
            d->prcr = write ? *value & 1 : d->prcr;
            *value = d->prcr;
            return true;
        case SYSREG_KEY(2, 0, 7, 8, 6): // DBGCLAIMSET_EL1
            d->claim |= write ? (uint8_t)*value : 0;
            *value = 0xFF;
            return true;
        case SYSREG_KEY(2, 0, 7, 9, 6): // DBGCLAIMCLR_EL1
            d->claim &= write ? (uint8_t) ~*value : 0xFF;
            *value = d->claim;
            return true;
        default:
            return false;
    }
}

static bool counters_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    bool done = pmu_sysreg(v, key, write, value);
    if (write && (v->debugged || pmu_in_use(v))) {
        debug_changed(v);
    }
    return done;
}

bool debug_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    if (FIELD(key, 21, 20) == 3) {
        return counters_sysreg(v, key, write, value);
    }
    if (pair_sysreg(v, key, write, value)) {
        return true;
    }
    uint64_t before = guest_mdscr(&v->debug);
    if (!other_access(&v->debug, key, write, value)) {
        return false;
    }
    put(v, before);
    return true;
}

// ---- The hypervisor's own -----------------------------------------------------------------------

static void all_changed(vm_t *vm) {
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vm->vcpu[i]->debug.changed = true;
        debug_changed(vm->vcpu[i]);
    }
}

static bool guest_has(const vm_t *vm, unsigned i) {
    for (unsigned n = 0; n < vm->nvcpus; n++) {
        if (vm->vcpu[n]->debug.pair[i].control & CONTROL_E) {
            return true;
        }
    }
    return false;
}

// The last one that neither of them has, or that the hypervisor has not.
static int free_pair(const vm_t *vm, unsigned first, unsigned end) {
    int found = -1;
    for (unsigned i = end; i-- > first;) {
        if (vm->taken_mask >> i & 1) {
            continue;
        }
        if (!guest_has(vm, i)) {
            return (int)i;
        }
        found = found < 0 ? (int)i : found;
    }
    return found;
}

int debug_take(vm_t *vm, unsigned kind, uint64_t va, uint64_t control) {
    unsigned first = kind == DEBUG_BREAK ? 0 : DEBUG_BREAKS, end = kind == DEBUG_BREAK ? DEBUG_BREAKS : DEBUG_PAIRS;
    int i = free_pair(vm, first, end);
    if (i < 0) {
        return -1;
    }
    vm->taken[i] = (debug_pair_t) { va, (control & ~CONTROL_HMC_SSC) | CONTROL_E };
    vm->taken_mask |= 1u << i;
    all_changed(vm);
    return i - (int)first;
}

bool debug_spare(const vm_t *vm, unsigned kind) {
    unsigned first = kind == DEBUG_BREAK ? 0 : DEBUG_BREAKS, end = kind == DEBUG_BREAK ? DEBUG_BREAKS : DEBUG_PAIRS;
    int i = free_pair(vm, first, end);
    return i >= 0 && !guest_has(vm, (unsigned)i);
}

void debug_give(vm_t *vm, unsigned kind, int index) {
    uint32_t bit = 1u << (kind == DEBUG_BREAK ? (unsigned)index : DEBUG_BREAKS + (unsigned)index);
    __atomic_fetch_and(&vm->taken_mask, ~bit, __ATOMIC_RELAXED);
    all_changed(vm);
}
