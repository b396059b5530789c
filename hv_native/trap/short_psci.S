// SPDX-License-Identifier: MIT
// What PSCI and SMCCC answer at once.
//
// C calls this as the last thing it does, with nothing of its own on the stack (trap_fast.c: a jump), where the guest's
// registers are; it goes back to the guest by itself, or to psci_others (psci.c), which has all answers.

#include "vcpu/guest_regs.inc"

    .section .text.hot.short_psci, "ax"

// psci_hvc (vcpu/psci.h): x0 = vCPU, w2 = function, x3 = VM. The answers that are asked for most; psci.c has all.
    .global psci_hvc
psci_hvc:
    mov     w4, #PSCI_VERSION
    subs    w5, w2, w4
    mov     w0, #PSCI_1_1
    b.eq    psci_answered
    and     w6, w5, #~PSCI_CALL_64
    cmp     w6, #PSCI_AFFINITY_INFO - PSCI_VERSION
    b.eq    psci_affinity_info
    cmp     w5, #PSCI_FEATURES - PSCI_VERSION
    b.eq    psci_features
    movz    w6, #PSCI_OR_SMCCC & 0xFFFF
    movk    w6, #PSCI_OR_SMCCC >> 16, lsl #16
    eor     w5, w2, w4
    tst     w5, w6                      // PSCI's functions, and SMCCC's own from 0x80000000 on
    b.eq    psci_other
    ldr     x4, [x3, #VM_CLASS_HVC]
    ldr     x5, [x3, #VM_FALLBACK]
    orr     x4, x4, x5
    mov     x0, #-1                     // SMCCC 5.2: NOT_SUPPORTED
    cbz     x4, psci_answered
psci_other:
    ldr     x0, [sp, #REGS_VCPU]
    b       psci_others

// Of one vCPU, whose affinity is its number: 0 on, 1 off.
psci_affinity_info:
    ldp     x4, x5, [sp, #REGS_X(1)]
    tbnz    w2, #30, 1f
    mov     w4, w4
    mov     w5, w5
1:  ldr     w6, [x3, #VM_NVCPUS]
    cbnz    x5, psci_other
    add     x3, x3, #VM_VCPU
    cmp     x4, x6
    b.hs    psci_other
    ldr     x4, [x3, x4, lsl #3]
    ldr     x4, [x4, #VCPU_STATE]
    tbnz    x4, #ON_PENDING_BIT, psci_other
    cmp     w4, #0                      // VCPU_OFF
    cset    x0, eq
psci_answered:
    restore_caller_saved_but_x0_x1 sp
    ldr     x1, [sp, #REGS_X(1)]
    exception_return

psci_features:
    ldr     w5, [sp, #REGS_X(1)]
    adr     x6, psci_known
    eor     w5, w5, w4
    ror     w5, w5, #30
    cmp     w5, #PSCI_PLACES
    b.hs    psci_other
    ldrb    w5, [x6, x5]
    sub     x0, x5, #1                  // 0: SUCCESS; -1: NOT_SUPPORTED
    b       psci_answered
