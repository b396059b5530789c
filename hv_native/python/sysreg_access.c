// SPDX-License-Identifier: MIT
// System register access by encoding.
// MRS and MSR hold the register in the instruction, so it is written into one page of code that is
// data while it is changed and code while it is run, never both.

#include "core/access.h"
#include "core/arch.h"
#include "memory/mmu.h"
#include "python/sysreg_access.h"

#define MRS_X2 0xD5200002u
#define MSR_X1 0xD5000001u

extern char __patch_start[];

typedef int64_t (*patch_t)(uint64_t zero, uint64_t argument);

// The code of `template`, in the page, with `instruction` for its first.
static patch_t patch(const uint32_t *template, uint32_t instruction) {
    static bool copied;
    uint64_t page = (uint64_t)__patch_start;
    volatile uint32_t *at = (volatile uint32_t *)page + (template - patch_template);
    if (!copied || *at != instruction) {
        mmu_protect(page, PAGE_SIZE, MMU_DATA);
        for (size_t i = 0; !copied && i < (size_t)(patch_template_end - patch_template); i++) {
            ((volatile uint32_t *)page)[i] = patch_template[i];
        }
        copied = true;
        *at = instruction;
        cache_sync_code((const void *)page, (patch_template_end - patch_template) * sizeof(uint32_t));
        mmu_protect(page, PAGE_SIZE, MMU_CODE);
    }
    return (patch_t)at;
}

int64_t sysreg_read(unsigned enc, uint64_t *value) {
    uint64_t daif = irq_save();
    int64_t esr = patch(patch_template, MRS_X2 | enc << 5)(0, (uint64_t)value);
    irq_restore(daif);
    return esr;
}

int64_t sysreg_write(unsigned enc, uint64_t value) {
    uint64_t daif = irq_save();
    int64_t esr = patch(patch_template_msr, MSR_X1 | enc << 5)(0, value);
    irq_restore(daif);
    return esr;
}
