// SPDX-License-Identifier: MIT
// HVCs: what PSCI answers at once, and compiled handlers, called with as little as there can be between the guest and them.
//
// handler_call_t: x0 = vCPU, x1 = guest_regs_t, x2 = handler_t. C calls these as the last thing it does, with nothing
// of its own on the stack (trap_fast.c: a jump), and they go back to the guest by themselves.
// tests/test_native.py looks whether the registers that C keeps survive it.

#include "vcpu/guest_regs.inc"

    .section .text.hot.short_calls, "ax"

// psci_hvc (vcpu/psci.h): x0 = vCPU, w2 = function, x3 = VM. The answers that are asked for most; psci.c has all.
    .global psci_hvc
psci_hvc:
    mov     w4, #PSCI_VERSION
    subs    w5, w2, w4
    mov     w0, #PSCI_1_1
    b.eq    hvc_answered
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
    cbz     x4, hvc_answered
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
    b       hvc_answered

// Numbers for a number (WORDS_PLAIN): what it leaves in x0 is the guest's x0.
    .global words_hvc
words_hvc:
    mov     sp, x1
    ldp     x16, x8, [x2, #HANDLER_CODE]
    ldr     x0, [x0, #VCPU_OBJECT]
    ldp     x1, x2, [sp, #REGS_X(1)]
    ldp     x3, x4, [sp, #REGS_X(3)]
    ldp     x5, x6, [sp, #REGS_X(5)]
    blr     x16
hvc_answered:
    restore_caller_saved_but_x0_x1 sp
    ldr     x1, [sp, #REGS_X(1)]
    exception_return

// Objects for an object (WORDS_NATIVE, without arguments in front of cpu), which may be given up: then all of the guest
// is in memory. x29 is where that is, x18 as enter_native.S has it.
#define ARGS 80     // cpu and up to eight more, and to 16

    .global native_hvc
native_hvc:
    mov     sp, x1
    ldrb    w9, [x2, #HANDLER_NARGS]
    save_callee_saved
    ldr     x5, [x0, #VCPU_OBJECT]
    mov     x29, sp
    sub     sp, sp, #ARGS
    str     x5, [sp]
    add     x1, x9, #1
    add     x10, x29, #REGS_X(1)
    add     x11, sp, #8
    tbz     w9, #0, 2f
    ldr     x12, [x10], #8
    lsr     x13, x12, #62
    cbnz    x13, hvc_given_up
    lsl     x12, x12, #1
    orr     x12, x12, #1
    str     x12, [x11], #8
2:  subs    w9, w9, #2
    b.mi    3f
    ldp     x12, x13, [x10], #16
    orr     x14, x12, x13
    lsr     x14, x14, #62
    cbnz    x14, hvc_given_up
    lsl     x12, x12, #1
    lsl     x13, x13, #1
    orr     x12, x12, #1
    orr     x13, x13, #1
    stp     x12, x13, [x11], #16
    b       2b
3:  ldp     x4, x0, [x2, #HANDLER_CODE]
    mov     x2, #0
    mov     x3, sp
    adr     x18, hvc_given_up
    movk    x18, #NATIVE_ROUNDS, lsl #48
    adrp    x16, native_quick_table
    add     x16, x16, :lo12:native_quick_table
    blr     x4
    mov     sp, x29
    tbz     x0, #0, 4f
    ldr     x29, [sp, #REGS_X(29)]
    asr     x0, x0, #1
    b       hvc_answered
4:  cmp     x0, #OBJ_NONE
    b.ne    hvc_given_up
    ldr     x0, [sp, #REGS_X(0)]
    ldr     x29, [sp, #REGS_X(29)]
    b       hvc_answered
hvc_given_up:
    mov     sp, x29
    mov     x0, #EXIT_TRAP
    b       guest_slow_saved
