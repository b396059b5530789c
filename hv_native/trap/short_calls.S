// SPDX-License-Identifier: MIT
// Compiled handlers of an HVC, called with as little as there can be between the guest and them.
//
// handler_call_t: x0 = vCPU, x1 = guest_regs_t, x2 = handler_t. C calls these as the last thing it does, with nothing
// of its own on the stack (trap_fast.c: a jump), and they go back to the guest by themselves.
// tests/test_native.py looks whether the registers that C keeps survive it.

#include "vcpu/guest_regs.inc"

    .section .text.hot.short_calls, "ax"

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
