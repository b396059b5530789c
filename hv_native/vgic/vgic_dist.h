// SPDX-License-Identifier: MIT
// The distributor and redistributors that a guest sees, and the CPU interface's registers that trap.
#ifndef HV_VGIC_DIST_H
#define HV_VGIC_DIST_H

#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// ICC_SGI1R_EL1 and the like: false when key is none of them.
bool vgic_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value);

// GICD_* as a vCPU reads and writes them, a word at a time.
uint32_t vgic_dist_read(vcpu_t *v, uint64_t offset);
void vgic_dist_sgir(vcpu_t *v, uint32_t value);
void vgic_dist_write(vcpu_t *v, uint64_t offset, uint32_t value);

// v sends itself an SGI.
bool vgic_sgi_again(vcpu_t *v, unsigned sgi);
uint32_t vgic_dist_load(vcpu_t *v, hook_t *h, uint64_t offset);
uint64_t vgic_dist_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value);     // of GICv3
uint64_t vgic_dist_store_v2(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value);

#define GICD_IPA UINT64_C(0x08000000)   // as on QEMU virt
#define GICC_IPA UINT64_C(0x08010000)
#define GICR_IPA UINT64_C(0x080A0000)
#define GICD_SIZE_V2 0x1000u
#define GICD_SIZE_V3 0x10000u
#define GICC_SIZE 0x10000u
#define GICR_STRIDE 0x20000u            // RD_base and SGI_base, 64 KB each

// The frames' accesses: native_mmio_t, and the short ways for aligned words.
bool vgic_dist_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value);
bool vgic_redist_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value);
bool vgic_cpu_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value);
uint32_t vgic_redist_load(vcpu_t *v, hook_t *h, uint64_t offset);
uint64_t vgic_redist_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value);

uint32_t vgic_typer(const vm_t *vm);    // GICD_TYPER
void vgic_deactivate(vcpu_t *v, unsigned intid);
// A write to ICC_SGI1R_EL1 of GICv3; and to any of the three that send SGIs.
void vgic_icc_sgi1r(vcpu_t *v, uint64_t value);
void vgic_icc_sgi(vcpu_t *v, uint64_t value, bool group1);
// An SGI to the vCPUs in a set, by number.
void vgic_send_sgis(vcpu_t *v, uint32_t targets, unsigned sgi);

#endif
