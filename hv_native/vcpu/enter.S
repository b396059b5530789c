// SPDX-License-Identifier: MIT
// World switch.
// Into a guest and out of it again: see vectors.S for what happens between.

#include "vcpu/guest_regs.inc"

    .section .text.hot.enter, "ax"
// uint64_t guest_enter(vcpu_t *): run until trap_slow returns non-zero, and return that.
// Interrupts masked; the vCPU's system registers are loaded. DDI 0487 D1.10: eret loads PC and
// PSTATE from ELR_EL2 and SPSR_EL2 and is itself a context synchronisation event.
    .global guest_enter
guest_enter:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    sub     sp, sp, #REGS_SIZE
    str     x0, [sp, #REGS_VCPU]
    mov     x1, sp
    str     x1, [x0, #VCPU_REGS]        // from here on, this is where the registers are,
    add     x1, x0, #VCPU_PARKED        // once an exit has put them there
    ldp     x2, x3, [x1, #REGS_PC]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    dsb     ish
    isb
    restore_callee_saved x1
    restore_caller_saved x1
    exception_return

// void call_on_stack(void (*fn)(void), char *top)
    .global call_on_stack
call_on_stack:
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    sub     sp, x1, #16                 // never equal to the top: vectors.S tests one bit of SP
    blr     x0
    mov     sp, x29
    ldp     x29, x30, [sp], #16
    ret

    .global guest_leave
guest_leave:
    mov     x9, x0
    ldr     x0, [sp, #REGS_VCPU]
    add     x1, x0, #VCPU_PARKED        // stack -> parked
    mov     x2, sp
    .rept   REGS_SIZE / 16
    ldp     x4, x5, [x2], #16
    stp     x4, x5, [x1], #16
    .endr
    add     x1, x0, #VCPU_PARKED
    str     x1, [x0, #VCPU_REGS]
    mov     x0, x9
    add     sp, sp, #REGS_SIZE
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret
