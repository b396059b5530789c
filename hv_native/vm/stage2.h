// SPDX-License-Identifier: MIT
// Stage-2 translation tables of a VM.
#ifndef HV_STAGE2_H
#define HV_STAGE2_H

#include "core/arch.h"
#include "core/cpu.h"
#include "vm/policy.h"
#include "vm/rights.h"
#include "vm/vm.h"

// What a script maps, protects or unmaps stays as it said: such entries carry a mark (also
// the invalid ones), and the VM's RAM fills in only what has none.
bool stage2_init(vm_t *vm);
void stage2_free(vm_t *vm);
static inline void stage2_use(const vm_t *vm) {
    WRITE_SYSREG(vtcr_el2, vm->el2[EL2_VTCR]);
    WRITE_SYSREG(vttbr_el2, (uint64_t)vm->vmid << 48 | (uint64_t)vm->stage2.root);
}
void stage2_init_core(void);
// No VM's tables any more on this core.
static inline void stage2_leave(const struct pcpu *p) {
    WRITE_SYSREG(vttbr_el2, p->no_stage2);
    isb();
}
// With S2_READ, S2_WRITE and S2_EXEC (rights.h):
#define S2_DEVICE 8u
#define S2_NC 16u
#define S2_SCRIPT 32u                   // set the mark, S2_PTE_SCRIPT
// False: no page left for a table. The VM's lock is held, or it is still being made. Rights are those of the script or
// of RAM: what others take away (rights.h) stays away.
bool stage2_map(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags);
bool stage2_fill(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags);
bool stage2_unmap(vm_t *vm, uint64_t ipa, uint64_t size, bool for_good);
// Access rights only, and the mark.
bool stage2_protect(vm_t *vm, uint64_t ipa, uint64_t size, unsigned flags);

#endif
