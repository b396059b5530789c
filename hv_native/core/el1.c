// SPDX-License-Identifier: MIT
// Entry at EL1: the image adapted to be a guest.
// Entered at EL1, as a guest or on a machine without EL2: before anything else runs, the image's own
// instructions that name EL2's registers are made to name EL1's, which have the same layout where it
// matters. What only a hypervisor has reads as zero and is not written. hv.VM refuses.

#include "core/arch.h"

#define NOP 0xD503201Fu
#define MOV_ZERO 0xD2800000u        // MOVZ Xt, #0
#define IS_READ (1u << 21)
#define OP1 (7u << 16)
#define OP1_EL2 (4u << 16)

// op0, op1, CRn, CRm and op2 where MRS, MSR and SYS hold them (DDI 0487 C4.1.3).
#define FIELDS 0x1FFFE0u
#define REG(op0, op1, crn, crm, op2) ((op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)

static const struct {
    uint32_t from, to;
} registers[] = {
    { REG(3, 4, 1, 0, 0), REG(3, 0, 1, 0, 0) },     // SCTLR
    { REG(3, 4, 2, 0, 0), REG(3, 0, 2, 0, 0) },     // TTBR0
    { REG(3, 4, 2, 0, 2), REG(3, 0, 2, 0, 2) },     // TCR: bit 23 is EPD1 here, and addresses have 32 bits
    { REG(3, 4, 4, 0, 0), REG(3, 0, 4, 0, 0) },     // SPSR
    { REG(3, 4, 4, 0, 1), REG(3, 0, 4, 0, 1) },     // ELR
    { REG(3, 4, 5, 2, 0), REG(3, 0, 5, 2, 0) },     // ESR
    { REG(3, 4, 6, 0, 0), REG(3, 0, 6, 0, 0) },     // FAR
    { REG(3, 4, 10, 2, 0), REG(3, 0, 10, 2, 0) },   // MAIR
    { REG(3, 4, 12, 0, 0), REG(3, 0, 12, 0, 0) },   // VBAR
    { REG(3, 4, 12, 9, 5), REG(3, 0, 12, 12, 5) },  // ICC_SRE
    { REG(3, 4, 13, 0, 2), REG(3, 0, 13, 0, 4) },   // TPIDR
    { REG(3, 4, 14, 2, 1), REG(3, 3, 14, 3, 1) },   // CNTHP_CTL: CNTV_CTL, and the counter it goes by
    { REG(3, 4, 14, 2, 2), REG(3, 3, 14, 3, 2) },
    { REG(3, 3, 14, 0, 1), REG(3, 3, 14, 0, 2) },
    { REG(1, 4, 8, 3, 0), REG(1, 0, 8, 3, 0) },     // TLBI ALLE2IS: VMALLE1IS
    { REG(1, 4, 8, 3, 1), REG(1, 0, 8, 3, 1) },     // TLBI VAE2IS: VAE1IS
    { REG(1, 4, 8, 7, 0), REG(1, 0, 8, 7, 0) },     // TLBI ALLE2: VMALLE1
    { REG(1, 4, 7, 8, 0), REG(1, 0, 7, 8, 0) },     // AT S1E2R: S1E1R
    { REG(1, 4, 7, 8, 1), REG(1, 0, 7, 8, 1) },     // AT S1E2W: S1E1W
};

extern uint32_t __image_start[], __text_end[];

void el1_adapt(void);

static uint32_t adapted(uint32_t code) {
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++) {
        if ((code & FIELDS) == registers[i].from) {
            return (code & ~FIELDS) | registers[i].to;
        }
    }
    if ((code & OP1) != OP1_EL2 || (code & FIELDS) < REG(2u, 0, 0, 0, 0)) {
        return code; // a SYS of EL2's that is left is never run
    }
    return code & IS_READ ? MOV_ZERO | (code & 31) : NOP;
}

// The MMU is off, so what is stored is in memory when it is done.
void el1_adapt(void) {
    for (uint32_t *at = __image_start; at < __text_end; at++) {
        uint32_t code = *at;
        if (code >> 22 == 0xD5000000u >> 22) {
            uint32_t now = adapted(code);
            if (now != code) {
                *at = now;
            }
        }
    }
    __asm__ volatile ("dsb sy\n ic iallu\n dsb sy\n isb" : : : "memory");
}
