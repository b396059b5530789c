// SPDX-License-Identifier: MIT
// MRS and MSR hold the register in the instruction, so it is written into one page of code that is
// data while it is changed and code while it is run, never both.

#include "arch.h"
#include "mmu.h"
#include "sysreg_access.h"

#define MRS_X2 0xD5200002u
#define MSR_X1 0xD5000001u

extern int64_t patch_mrs(uint64_t zero, uint64_t *out);
extern int64_t patch_msr(uint64_t zero, uint64_t value);
extern char __patch_start[];

static void patch(void *at, uint32_t instruction) {
    uint64_t page = (uint64_t)__patch_start;
    if (*(volatile uint32_t *)at == instruction) {
        return;
    }
    mmu_protect(page, PAGE_SIZE, MMU_DATA);
    *(volatile uint32_t *)at = instruction;
    cache_sync_code(at, sizeof(instruction));
    mmu_protect(page, PAGE_SIZE, MMU_CODE);
}

int64_t sysreg_read(unsigned enc, uint64_t *value) {
    uint64_t daif = irq_save();
    patch(patch_mrs, MRS_X2 | enc << 5);
    int64_t esr = patch_mrs(0, value);
    irq_restore(daif);
    return esr;
}

int64_t sysreg_write(unsigned enc, uint64_t value) {
    uint64_t daif = irq_save();
    patch(patch_msr, MSR_X1 | enc << 5);
    int64_t esr = patch_msr(0, value);
    irq_restore(daif);
    return esr;
}
