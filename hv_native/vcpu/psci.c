// SPDX-License-Identifier: MIT
// PSCI and SMCCC for guests: see psci.h. Values and return codes are DEN0022 5.1 and 5.2.2.

#include "core/arch.h"
#include "core/psci_ids.h"
#include "core/syndrome.h"
#include "vcpu/insn.h"
#include "vcpu/psci.h"
#include "vcpu/vcpu.h"
#include "vm/ram.h"
#include "vm/el1_state.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

enum {
    SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2, ALREADY_ON = -4, INVALID_ADDRESS = -9,
};

#define AFFINITY_MASK UINT64_C(0xFF00FFFFFF)
#define TOS_NOT_PRESENT 2
#define NOT_REQUIRED 1  // ARCH_FEATURES of a workaround: this core is not affected

// The 32-bit form of a function that has a 64-bit one too; others unchanged.
static uint32_t plain(uint32_t function) {
    switch (function & ~PSCI_CALL_64) {
        case PSCI_CPU_SUSPEND:
        case PSCI_CPU_ON:
        case PSCI_AFFINITY_INFO:
        case PSCI_SYSTEM_RESET2:
            return function & ~PSCI_CALL_64;
        default:
            return function;
    }
}

// An argument: the 32-bit form passes w registers.
static uint64_t argument(const guest_regs_t *r, unsigned n) {
    return r->x[0] & PSCI_CALL_64 ? r->x[n] : (uint32_t)r->x[n];
}

// A function id as a place in a table: what differs from PSCI_VERSION, with the two top bits, whether it is a fast call and
// of 64 bits, at the bottom. PSCI's are below 128, and nobody else's (short_psci.S has this too).
#define PLACE(id) (((uint32_t)(id) ^ PSCI_VERSION) << 2 | ((uint32_t)(id) ^ PSCI_VERSION) >> 30)
#define HAS(id) [PLACE(id)] = SUCCESS - NOT_SUPPORTED
const uint8_t psci_known[PSCI_PLACES] = {
    HAS(PSCI_VERSION), HAS(PSCI_CPU_OFF), HAS(PSCI_MIGRATE_INFO_TYPE), HAS(PSCI_SYSTEM_OFF), HAS(PSCI_SYSTEM_RESET), HAS(PSCI_FEATURES),
    HAS(PSCI_CPU_SUSPEND), HAS(PSCI_CPU_ON), HAS(PSCI_AFFINITY_INFO), HAS(PSCI_SYSTEM_RESET2),
    HAS(PSCI_CPU_SUSPEND | PSCI_CALL_64), HAS(PSCI_CPU_ON | PSCI_CALL_64), HAS(PSCI_AFFINITY_INFO | PSCI_CALL_64), HAS(PSCI_SYSTEM_RESET2 | PSCI_CALL_64),
};

static bool is_psci(uint32_t function) {
    return PLACE(function) < PSCI_PLACES && psci_known[PLACE(function)];
}

static int64_t features(uint32_t function) {
    return is_psci(function) || function == SMCCC_VERSION ? SUCCESS : NOT_SUPPORTED;
}

// A Cortex-A53 executes in order: not in the lists of CVE-2017-5715 and CVE-2022-23960.
static int64_t arch_features(uint32_t function) {
    switch (function) {
        case SMCCC_VERSION:
        case SMCCC_ARCH_FEATURES:
            return SUCCESS;
        case SMCCC_ARCH_WORKAROUND_1:
        case SMCCC_ARCH_WORKAROUND_3:
            return NOT_REQUIRED;
        default:
            return NOT_SUPPORTED;
    }
}

// The affinity of a vCPU is its number (devices/machine.c).
_Static_assert(VM_MAX_CPUS <= 16, "by_affinity");
static vcpu_t *by_affinity(vm_t *vm, uint64_t affinity) {
    return affinity < vm->nvcpus ? vm->vcpu[affinity] : NULL;
}

// 0 on, 1 off, 2 on its way. Of a cluster: the one that asks is in it, and on, or there is none.
static int64_t affinity_info(const vcpu_t *v, uint64_t target, uint64_t level) {
    vcpu_t *t = by_affinity(v->vm, target);
    if (level > 0 && level <= 3 && ((target ^ v->vmpidr) & AFFINITY_MASK) >> level * 8 == 0) {
        return 0;
    }
    if (t == NULL || level != 0) {
        return INVALID_PARAMETERS;
    }
    if (t->on_pending) {
        return 2;
    }
    return t->state == VCPU_OFF;
}

static inline bool answer(vcpu_t *v, guest_regs_t *r) {
    uint32_t function = (uint32_t)r->x[0];
    int64_t result;
    switch (function) {
        case PSCI_VERSION:
        case SMCCC_VERSION:
            result = PSCI_1_1; // SMCCC is 1.1 too
            break;
        case PSCI_MIGRATE_INFO_TYPE:
            result = TOS_NOT_PRESENT;
            break;
        case PSCI_FEATURES:
            result = features((uint32_t)r->x[1]);
            break;
        case SMCCC_ARCH_FEATURES:
            result = arch_features((uint32_t)r->x[1]);
            break;
        case PSCI_AFFINITY_INFO:
        case PSCI_AFFINITY_INFO | PSCI_CALL_64:
            result = affinity_info(v, argument(r, 1), argument(r, 2));
            break;
        default:
            return false;
    }
    r->x[0] = (uint64_t)result;
    return true;
}

bool psci_fast(vcpu_t *v, guest_regs_t *r) {
    return answer(v, r);
}

// The answer to what nobody has said anything about (SMCCC 5.2), unless a script has something to say.
bool psci_unknown(vcpu_t *v, guest_regs_t *r, unsigned ec) {
    uint32_t function = (uint32_t)r->x[0];
    if (is_psci(function) || v->vm->classes[ec] != NULL || v->vm->fallback != NULL) {
        return false;
    }
    r->x[0] = ~UINT64_C(0);
    return true;
}

uint64_t psci_others(vcpu_t *v, guest_regs_t *r) {
    return answer(v, r) || psci_unknown(v, r, EC_HVC64) ? EXIT_RESUME : EXIT_TRAP;
}

// Where a vCPU can begin, in A64.
static bool is_entry(vm_t *vm, uint64_t ipa) {
    return vm_ram_at(vm, ipa) != NULL && (ipa & 3) == 0;
}

// Two vCPUs may call this for the same third at once: who takes it from OFF under the lock wins.
static int64_t cpu_on(vcpu_t *v, uint64_t target, uint64_t entry, uint64_t context) {
    vm_t *vm = v->vm;
    vcpu_t *t = by_affinity(vm, target);
    if (t == NULL) {
        return INVALID_PARAMETERS;
    }
    if (!is_entry(vm, entry)) {
        return INVALID_ADDRESS;
    }
    uint64_t daif = spin_lock_irq(&vm->lock);
    bool off = t->state == VCPU_OFF && !t->on_pending;
    t->on_pending |= off;
    spin_unlock_irq(&vm->lock, daif);
    if (!off) {
        return ALREADY_ON; // also while it is pending, for which DEN0022 5.1.4 has a code that nobody expects
    }
    vcpu_reset(t, entry, context);
    if (insn_big_endian(v)) {
        t->el1[EL1_SCTLR_EL1] |= SCTLR_EE; // DEN0022 6.4: in the caller's byte order
    }
    vcpu_start(t);
    return SUCCESS;
}

// power_state (5.4.2, the original format): reserved 31:26 and 23:17, level 25:24, of which there is one,
// powerdown 16, StateID 15:0. Any state may be shallower than was asked for: standby, which is WFI.
#define POWER_STATE_ZERO 0xFFFE0000u
#define POWERDOWN 0x10000u
static exit_t cpu_suspend(vcpu_t *v) {
    guest_regs_t *r = v->regs;
    uint64_t entry = argument(r, 2);
    if (r->x[1] & POWER_STATE_ZERO) {
        r->x[0] = (uint64_t)INVALID_PARAMETERS;
        return EXIT_RESUME;
    }
    if ((r->x[1] & POWERDOWN) && !is_entry(v->vm, entry)) {
        r->x[0] = (uint64_t)INVALID_ADDRESS;
        return EXIT_RESUME;
    }
    r->x[0] = SUCCESS;
    return vcpu_wait(v);
}

static exit_t system_reset2(guest_regs_t *r) {
    // Architectural resets other than a warm one are not offered; bit 31 set is vendor-specific.
    if ((uint32_t)r->x[1] != 0) {
        r->x[0] = (uint64_t)INVALID_PARAMETERS;
        return EXIT_RESUME;
    }
    return EXIT_RESET;
}

bool psci_slow(vcpu_t *v, exit_t *why) {
    guest_regs_t *r = v->regs;
    *why = EXIT_RESUME;
    switch (plain((uint32_t)r->x[0])) {
        case PSCI_CPU_SUSPEND:
            *why = cpu_suspend(v);
            return true;
        case PSCI_CPU_OFF:
            *why = EXIT_CPU_OFF;
            return true;
        case PSCI_CPU_ON:
            r->x[0] = (uint64_t)cpu_on(v, argument(r, 1), argument(r, 2), argument(r, 3));
            return true;
        case PSCI_SYSTEM_OFF:
            *why = EXIT_OFF;
            return true;
        case PSCI_SYSTEM_RESET:
            *why = EXIT_RESET;
            return true;
        case PSCI_SYSTEM_RESET2:
            *why = system_reset2(r);
            return true;
        default:
            return psci_fast(v, r);
    }
}
