// SPDX-License-Identifier: MIT
// Stage-2 translation tables.
// A VM's stage 2: 40-bit IPA from level 1 with two concatenated tables (DDI 0487 D5.2.6), so the
// root is 8 KB and 8 KB aligned.

#include "core/arch.h"
#include "core/cpu.h"
#include "memory/mem.h"
#include "memory/pgtable.h"
#include "vm/policy.h"
#include "vm/stage2.h"
#include "vm/vm.h"

#define ROOT_BYTES 0x2000u
#define ROOT_ENTRIES 1024u

#define S2_MEMATTR(n) ((uint64_t)(n) << 2)  // 0xF normal write-back, 0x5 non-cacheable, 0x1 Device-nGnRE
#define S2_SH_INNER (UINT64_C(3) << 8)

#define TCR_EPD (BIT(7) | BIT(23)) // EPD0, EPD1

// A TLBI by IPA or by VMID acts on the VMID that is current, so make it this VM's for the moment.
// The order (IPA entries, DSB, then the combined stage-1-and-2 ones, DSB, ISB) is DDI 0487 D5.10.2.
static void stage2_flush(pgtable_t *pt, uint64_t ipa, uint64_t size) {
    vm_t *vm = (vm_t *)((char *)pt - offsetof(vm_t, stage2));
    uint64_t daif = irq_save();
    uint64_t before = READ_SYSREG(vttbr_el2), mine = (uint64_t)vm->vmid << 48 | (uint64_t)pt->root;
    uint64_t tcr = READ_SYSREG(tcr_el1), sctlr = READ_SYSREG(sctlr_el1);
    if (before != mine) {
        // Erratum 1530924: no walk by a stage 1 that is not this VM's (EPDn, which count with M only).
        WRITE_SYSREG(tcr_el1, tcr | TCR_EPD);
        isb();
        WRITE_SYSREG(sctlr_el1, sctlr | 1);
        isb();
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
        WRITE_SYSREG(sctlr_el1, sctlr);
        isb();
        WRITE_SYSREG(tcr_el1, tcr);
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
    attr |= flags & S2_SCRIPT ? S2_PTE_SCRIPT : 0;
    attr |= flags & S2_READ ? S2_AP_READ : 0;
    attr |= flags & S2_WRITE ? S2_AP_WRITE : 0;
    return attr | (flags & S2_EXEC ? 0 : S2_XN);
}

// What VTTBR_EL2 holds between vCPUs: of VMID 0, which no VM has, with nothing in it. A walk that the core begins by
// itself, or a speculative AT (erratum 1530924), then finds nothing and leaves nothing in the TLB.
static uint64_t empty[ROOT_ENTRIES] __attribute__((aligned(ROOT_BYTES)));

void stage2_init_core(void) {
    pcpu_t *p = this_pcpu();
    p->no_stage2 = (uint64_t)empty;
    WRITE_SYSREG(vtcr_el2, el2_policy[EL2_VTCR].initial);
    stage2_leave(p);
}

bool stage2_init(vm_t *vm) {
    uint64_t *root = page_alloc(ROOT_BYTES);
    if (root == NULL) {
        return false;
    }
    page_zero(root, ROOT_BYTES);
    vm->stage2 = (pgtable_t) {
        .root = root, .root_entries = ROOT_ENTRIES, .flush = stage2_flush, .new_table = table_alloc, .free_table = table_free,
        .permissions = S2_PERMISSIONS | S2_PTE_SOFTWARE,
    };
    dsb_ish();
    stage2_flush(&vm->stage2, 0, BLOCK_1G); // whatever an earlier VM of this VMID left
    return true;
}

void stage2_free(vm_t *vm) {
    if (vm->stage2.root != NULL) {
        pgtable_clear(&vm->stage2);
        page_free(vm->stage2.root, ROOT_BYTES);
        vm->stage2.root = NULL;
    }
}

typedef bool (*pass_t)(pgtable_t *pt, uint64_t ipa, uint64_t pa, uint64_t size, uint64_t attr);

// A part of it for each set of rights that are withheld there: one, as long as nobody withholds any.
static bool by_rights(pass_t pass, vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, uint64_t attr) {
    if (LIKELY(vm->rights == NULL)) {
        return pass(&vm->stage2, ipa, pa, size, attr);
    }
    bool ok = true;
    for (uint64_t end = ipa + size, to; ok && ipa < end; pa += to - ipa, ipa = to) {
        to = end;
        unsigned taken = rights_run(vm, ipa, &to);
        ok = pass(&vm->stage2, ipa, pa, to - ipa, rights_entry(attr, taken));
    }
    return ok;
}

bool stage2_map(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags) {
    return by_rights(pgtable_map, vm, ipa, pa, size, attributes(flags));
}

bool stage2_fill(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags) {
    return by_rights(pgtable_fill, vm, ipa, pa, size, attributes(flags));
}

bool stage2_unmap(vm_t *vm, uint64_t ipa, uint64_t size, bool for_good) {
    return pgtable_unmap(&vm->stage2, ipa, size, for_good ? S2_PTE_SCRIPT : 0);
}

static uint64_t with_rights(uint64_t entry, uint64_t attr) {
    return (entry & ~(S2_PERMISSIONS | S2_PTE_SOFTWARE)) | attr;
}

static bool protect(pgtable_t *pt, uint64_t ipa, uint64_t pa, uint64_t size, uint64_t attr) {
    (void)pa;
    return pgtable_change(pt, ipa, size, with_rights, attr & (S2_PERMISSIONS | S2_PTE_SOFTWARE));
}

bool stage2_protect(vm_t *vm, uint64_t ipa, uint64_t size, unsigned flags) {
    return by_rights(protect, vm, ipa, 0, size, attributes(flags));
}
