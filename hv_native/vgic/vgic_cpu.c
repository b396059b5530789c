// SPDX-License-Identifier: MIT
// The CPU interface's registers that trap: GICC_DIR, ICC_DIR_EL1 and those that send SGIs.
// The others are the hardware's virtual ones (GICV, ICV_*).

#include "core/arch.h"
#include "core/syndrome.h"
#include "irq/gic.h"
#include "vgic/vgic_dist.h"
#include "vgic/vgic_lr.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// Everybody is in cluster 0 (vm.c).
#define SGI_OTHER_CLUSTERS UINT64_C(0x00FFF0FF00FF0000)
_Static_assert(VM_MAX_CPUS <= 16, "one target list");

// ICC_SGI1R_EL1 and its kin: Aff3 55:48, range 47:44, all others 40, Aff2 39:32, INTID 27:24, Aff1
// 23:16, list 15:0. group1: which SGIs it is for (IHI 0069 table 4-5, with GICD_CTLR.DS set).
void vgic_icc_sgi(vcpu_t *v, uint64_t value, bool group1) {
    vm_t *vm = v->vm;
    unsigned sgi = (unsigned)FIELD(value, 27, 24);
    uint32_t all = (1u << vm->nvcpus) - 1, targets = 0, wanted = 0;
    if (value & BIT(40)) {
        targets = all & ~(1u << v->id);
    } else if (!(value & SGI_OTHER_CLUSTERS)) {
        targets = (uint32_t)value & all;
    }
    for (uint32_t m = targets; m != 0; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);
        wanted |= (vm->vcpu[i]->vgic.bank.group >> sgi & 1) == group1 ? 1u << i : 0;
    }
    vgic_send_sgis(v, wanted, sgi);
}

// The first page of a GICv2 CPU interface is the host's GICV, mapped; what is behind it is here.
bool vgic_cpu_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    (void)h;
    if (!write) {
        *value = 0;
    } else if (offset == GICC_DIR && size == 4) {
        vgic_deactivate(v, *value & 0x3FF);
    }
    return true;
}

bool vgic_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value) {
    if (!gic_is_v3() || (key & ~SYSREG_OP2) != SYSREG_KEY(3, 0, 12, 11, 0) || !write) {
        return false;
    }
    switch (FIELD(key, 19, 17)) {
        case 1: // ICC_DIR_EL1
            vgic_deactivate(v, *value & 0xFFFFFF);
            return true;
        case 5: // ICC_SGI1R_EL1
            vgic_icc_sgi(v, *value, true);
            return true;
        case 6: // ICC_ASGI1R_EL1
        case 7: // ICC_SGI0R_EL1
            vgic_icc_sgi(v, *value, false);
            return true;
        default:
            return false;
    }
}
