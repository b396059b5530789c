// SPDX-License-Identifier: MIT
// Entry and vectors of a guest at EL1. x0 and the registers a hypervisor set are left as they are.

    .section .head, "ax"
    .global _start
_start:
    adr     x9, vectors
    msr     vbar_el1, x9
    mov     x9, sp                      // a hypervisor may have given us our stack already
    cbnz    x9, 1f
    ldr     x9, =_el1_stack_top
    mov     sp, x9
1:  ldr     x9, =_bss_start
    ldr     x10, =_bss_end
2:  cmp     x9, x10
    b.hs    3f
    stp     xzr, xzr, [x9], #16
    b       2b
3:  isb
    bl      guest_main
4:  wfi
    b       4b

// Where a CPU begins that PSCI CPU_ON starts with its stack as the context (smp.c).
    .global secondary_start
    .weak   guest_secondary
secondary_start:
    adr     x9, vectors
    msr     vbar_el1, x9
    mov     sp, x0
    isb
    bl      guest_secondary
    b       4b

// Every exception: registers onto the stack, then guest_exception(kind, frame). kind is the vector's
// number: 4 is a synchronous one from EL1h, 5 an IRQ. It returns to where it came from, or to where
// guest_exception put frame->elr.
.macro vector number
    .balign 0x80
    sub     sp, sp, #272
    stp     x0, x1, [sp]
    mov     x0, #\number
    b       exception
.endm

    .text
    .balign 0x800
vectors:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector  \n
    .endr

exception:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, elr_el1
    stp     x30, x1, [sp, #240]
    mrs     x1, spsr_el1
    str     x1, [sp, #256]
    mov     x1, sp
    bl      guest_exception
    ldr     x1, [sp, #256]
    msr     spsr_el1, x1
    ldp     x30, x1, [sp, #240]
    msr     elr_el1, x1
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    add     sp, sp, #272
    eret
