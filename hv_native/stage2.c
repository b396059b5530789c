// SPDX-License-Identifier: MIT
// A VM's stage 2: 40-bit IPA from level 1 with two concatenated tables (DDI 0487 D5.2.6), so the
// root is 8 KB and 8 KB aligned.

#include "arch.h"
#include "mem.h"
#include "policy.h"
#include "vm.h"

#define ROOT_BYTES 0x2000u
#define ROOT_ENTRIES 1024u

#define S2_MEMATTR(n) ((uint64_t)(n) << 2)  // 0xF normal write-back, 0x5 non-cacheable, 0x1 Device-nGnRE
#define S2_AP_READ BIT(6)
#define S2_AP_WRITE BIT(7)
#define S2_SH_INNER (UINT64_C(3) << 8)
#define S2_XN BIT(54)
#define S2_ATTR_MASK (S2_MEMATTR(15) | S2_AP_READ | S2_AP_WRITE | S2_SH_INNER | S2_XN)

// A TLBI by IPA or by VMID acts on the VMID that is current, so make it this VM's for the moment.
// The order (IPA entries, DSB, then the combined stage-1-and-2 ones, DSB, ISB) is DDI 0487 D5.10.2.
static void flush(pgtable_t *pt, uint64_t ipa, uint64_t size) {
    vm_t *vm = (vm_t *)((char *)pt - offsetof(vm_t, stage2));
    uint64_t daif = irq_save();
    uint64_t before = READ_SYSREG(vttbr_el2), mine = (uint64_t)vm->vmid << 48 | (uint64_t)pt->root;
    if (before != mine) {
        WRITE_SYSREG(vttbr_el2, mine);
        isb();
    }
    dsb_ish();
    if (size <= PAGE_SIZE) {
        __asm__ volatile ("tlbi ipas2e1is, %0\n dsb ish\n tlbi vmalle1is" : : "r" (ipa >> 12) : "memory");
    } else {
        __asm__ volatile ("tlbi vmalls12e1is" : : : "memory");
    }
    dsb_ish();
    isb();
    if (before != mine) {
        WRITE_SYSREG(vttbr_el2, before);
        isb();
    }
    irq_restore(daif);
}

static uint64_t attributes(unsigned flags) {
    uint64_t attr = PTE_AF;
    if (flags & S2_DEVICE) {
        attr |= S2_MEMATTR(0x1);
    } else if (flags & S2_NC) {
        attr |= S2_MEMATTR(0x5) | S2_SH_INNER;
    } else {
        attr |= S2_MEMATTR(0xF) | S2_SH_INNER;
    }
    attr |= flags & S2_READ ? S2_AP_READ : 0;
    attr |= flags & S2_WRITE ? S2_AP_WRITE : 0;
    return attr | (flags & S2_EXEC ? 0 : S2_XN);
}

bool stage2_init(vm_t *vm) {
    vm->stage2.root = page_alloc(ROOT_BYTES);
    if (vm->stage2.root == NULL) {
        return false;
    }
    page_zero(vm->stage2.root, ROOT_BYTES);
    vm->stage2.root_entries = ROOT_ENTRIES;
    vm->stage2.flush = flush;
    dsb_ish();
    flush(&vm->stage2, 0, BLOCK_1G); // whatever an earlier VM of this VMID left
    return true;
}

void stage2_free(vm_t *vm) {
    if (vm->stage2.root != NULL) {
        pgtable_clear(&vm->stage2);
        flush(&vm->stage2, 0, BLOCK_1G);
        page_free(vm->stage2.root, ROOT_BYTES);
        vm->stage2.root = NULL;
    }
}

void stage2_use(vm_t *vm) {
    WRITE_SYSREG(vtcr_el2, vm->el2[EL2_VTCR]);
    WRITE_SYSREG(vttbr_el2, (uint64_t)vm->vmid << 48 | (uint64_t)vm->stage2.root);
}

bool stage2_map(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags) {
    return pgtable_map(&vm->stage2, ipa, pa, size, attributes(flags));
}

bool stage2_unmap(vm_t *vm, uint64_t ipa, uint64_t size) {
    return pgtable_unmap(&vm->stage2, ipa, size);
}

bool stage2_protect(vm_t *vm, uint64_t ipa, uint64_t size, unsigned flags) {
    return pgtable_protect(&vm->stage2, ipa, size, S2_ATTR_MASK, attributes(flags));
}
