// SPDX-License-Identifier: MIT
// The virtual GIC: see vgic.h.

#include "vgic.h"

void vgic_init_core(void) {
}

void vgic_reset_vcpu(vcpu_t *v) {
    (void)v;
}

void vgic_load(vcpu_t *v) {
    (void)v;
}

void vgic_put(vcpu_t *v) {
    (void)v;
}

bool vgic_pending(vcpu_t *v) {
    (void)v;
    return false;
}

bool vgic_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    (void)v, (void)key, (void)write, (void)value;
    return false;
}

void vgic_set_line(vm_t *vm, unsigned intid, bool level) {
    (void)vm, (void)intid, (void)level;
}
