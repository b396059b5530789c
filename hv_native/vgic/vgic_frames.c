// SPDX-License-Identifier: MIT
// The virtual GIC's memory map.
// Where the virtual GIC's register frames lie in a VM, as on QEMU's virt machine.

#include "core/arch.h"
#include "core/platform.h"
#include "vgic/vgic.h"
#include "vgic/vgic_dist.h"
#include "vgic/vgic_lr.h"
#include "vgic/vgic_soft.h"
#include "vm/device.h"
#include "vm/hook.h"
#include "vm/stage2.h"
#include "vm/vm.h"

static bool add(vm_t *vm, uint64_t ipa, uint64_t size, native_mmio_t access, native_load_t load, native_store_t store) {
    hook_t h = { .key = ipa, .size = size, .native = access, .load = load, .store = store, .value = vgic_typer(vm) };
    return device_register(vm, &h) != NULL;
}

bool vgic_add(vm_t *vm) {
    vgic_reset_vm(vm);
    if (!platform_has_intc()) {
        return true;
    }
    if (gic_is_v3()) {
        return add(vm, GICD_IPA, GICD_SIZE_V3, vgic_dist_access, vgic_dist_load, vgic_dist_store)
               && add(vm, GICR_IPA, vm->nvcpus * GICR_STRIDE, vgic_redist_access, vgic_redist_load, vgic_redist_store);
    }
    if (vgic_is_soft()) {
        vm->vgic.kick = BIT(31); // see vgic_lr.c
        return add(vm, GICD_IPA, GICD_SIZE_V2, vgic_dist_access, vgic_dist_load, vgic_dist_store_v2)
               && add(vm, GICC_IPA, GICC_SIZE, vgic_soft_cpu_access, NULL, NULL);
    }
    return add(vm, GICD_IPA, GICD_SIZE_V2, vgic_dist_access, vgic_dist_load, vgic_dist_store_v2) && add(vm, GICC_IPA, GICC_SIZE, vgic_cpu_access, NULL, NULL)
           && stage2_map(vm, GICC_IPA, platform.gicv.base, PAGE_SIZE, S2_READ | S2_WRITE | S2_DEVICE);
}
