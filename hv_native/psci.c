// SPDX-License-Identifier: MIT
// PSCI for guests: see psci.h.

#include "arch.h"
#include "psci.h"
#include "vm.h"

enum {
    PSCI_VERSION = 0x84000000, PSCI_CPU_OFF = 0x84000002, PSCI_SYSTEM_OFF = 0x84000008,
    PSCI_SYSTEM_RESET = 0x84000009,
};

bool psci_fast(vcpu_t *v, guest_regs_t *r) {
    (void)v;
    if ((uint32_t)r->x[0] == PSCI_VERSION) {
        r->x[0] = 0x10001;
        return true;
    }
    return false;
}

bool psci_slow(vcpu_t *v, exit_t *why) {
    guest_regs_t *r = v->regs;
    switch ((uint32_t)r->x[0]) {
        case PSCI_SYSTEM_OFF:
            *why = EXIT_OFF;
            return true;
        case PSCI_SYSTEM_RESET:
            *why = EXIT_RESET;
            return true;
        default:
            return psci_fast(v, r);
    }
}
