// SPDX-License-Identifier: MIT
// Guest timers: see vtimer.h.

#include "arch.h"
#include "vm.h"
#include "vtimer.h"

void vtimer_reset(vcpu_t *v) {
    (void)v;
}

void vtimer_load(vcpu_t *v) {
    WRITE_SYSREG(cntvoff_el2, v->vm->cntvoff);
}

void vtimer_put(vcpu_t *v) {
    (void)v;
}

bool vtimer_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    (void)v, (void)key, (void)write, (void)value;
    return false;
}
