// SPDX-License-Identifier: MIT
// Entry at EL1, MMU off: a stack, vectors, an empty .bss, then kernel_main().

    .section .text.start, "ax"
    .globl _start
_start:
    adr     x0, vectors
    msr     vbar_el1, x0
    adrp    x0, stack_top
    mov     sp, x0
    adrp    x1, bss_start
    adrp    x2, bss_end
1:  cmp     x1, x2
    b.hs    2f
    str     xzr, [x1], #8
    b       1b
2:  mov     x29, xzr
    mov     x30, xzr
    b       kernel_main

    .balign 2048
vectors:
    .rept   16
    .balign 128
    b       kernel_exception
    .endr
