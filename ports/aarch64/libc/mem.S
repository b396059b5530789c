// SPDX-License-Identifier: MIT
// memcpy, memmove, memset, memcmp: general registers only, because at EL2 a vector register may hold a
// guest's value and touching it costs a trap. With the MMU off only sizes and addresses that are
// multiples of 8 are safe: everything is Device memory then, and ends are done by overlapping accesses.

.macro function name
    .section .text.\name, "ax"
    .balign 16
    .global \name
    .type \name, %function
\name:
.endm

// Up to 16 bytes from x1 to x0 with x2 = length and x4, x5 = the ends. Loads come before stores.
.macro copy_to_16
    tbz     x2, #3, 1f
    ldr     x6, [x1]
    ldr     x7, [x4, #-8]
    str     x6, [x0]
    str     x7, [x5, #-8]
    ret
1:  tbz     x2, #2, 2f
    ldr     w6, [x1]
    ldr     w7, [x4, #-4]
    str     w6, [x0]
    str     w7, [x5, #-4]
    ret
2:  cbz     x2, 3f
    lsr     x8, x2, #1                  // 1, 2, 3 bytes: first, middle, last
    ldrb    w6, [x1]
    ldrb    w9, [x1, x8]
    ldrb    w7, [x4, #-1]
    strb    w6, [x0]
    strb    w9, [x0, x8]
    strb    w7, [x5, #-1]
3:  ret
.endm

function memmove
    sub     x3, x0, x1
    cmp     x3, x2                      // below: dst is inside [src, src + n)
    b.lo    backward
    // fall through

    .global memcpy
    .type memcpy, %function
memcpy:
    add     x4, x1, x2
    add     x5, x0, x2
    cmp     x2, #16
    b.hs    10f
    copy_to_16
10: cmp     x2, #32
    b.hi    11f
    ldp     x6, x7, [x1]
    ldp     x8, x9, [x4, #-16]
    stp     x6, x7, [x0]
    stp     x8, x9, [x5, #-16]
    ret
    // Over 32: whole blocks of 64, then of 16, and at last the final 16 wherever they lie. The tail is
    // loaded first, since moving down may overwrite it.
11: mov     x3, x0
    ldp     x14, x15, [x4, #-16]
    subs    x2, x2, #80
    b.lo    13f
12: ldp     x6, x7, [x1]
    ldp     x8, x9, [x1, #16]
    ldp     x10, x11, [x1, #32]
    ldp     x12, x13, [x1, #48]
    add     x1, x1, #64
    stp     x6, x7, [x3]
    stp     x8, x9, [x3, #16]
    stp     x10, x11, [x3, #32]
    stp     x12, x13, [x3, #48]
    add     x3, x3, #64
    subs    x2, x2, #64
    b.hs    12b
13: adds    x2, x2, #64                 // left over, less the last 16
    b.ls    15f
14: ldp     x6, x7, [x1], #16
    subs    x2, x2, #16
    stp     x6, x7, [x3], #16
    b.hi    14b
15: stp     x14, x15, [x5, #-16]
    ret

backward:
    add     x4, x1, x2
    add     x5, x0, x2
    cmp     x2, #16
    b.hs    20f
    copy_to_16
20: ldp     x14, x15, [x1]              // the head, stored last
    subs    x2, x2, #80
    b.lo    22f
21: ldp     x6, x7, [x4, #-16]
    ldp     x8, x9, [x4, #-32]
    ldp     x10, x11, [x4, #-48]
    ldp     x12, x13, [x4, #-64]
    sub     x4, x4, #64
    stp     x6, x7, [x5, #-16]
    stp     x8, x9, [x5, #-32]
    stp     x10, x11, [x5, #-48]
    stp     x12, x13, [x5, #-64]
    sub     x5, x5, #64
    subs    x2, x2, #64
    b.hs    21b
22: adds    x2, x2, #64
    b.ls    24f
23: ldp     x6, x7, [x4, #-16]!
    subs    x2, x2, #16
    stp     x6, x7, [x5, #-16]!
    b.hi    23b
24: stp     x14, x15, [x0]
    ret

function memset
    and     x1, x1, #0xFF
    mov     x3, #0x0101010101010101
    mul     x1, x1, x3
    add     x4, x0, x2
    cmp     x2, #16
    b.hs    1f
    tbz     x2, #3, 2f
    str     x1, [x0]
    str     x1, [x4, #-8]
    ret
2:  tbz     x2, #2, 3f
    str     w1, [x0]
    str     w1, [x4, #-4]
    ret
3:  cbz     x2, 4f
    lsr     x3, x2, #1
    strb    w1, [x0]
    strb    w1, [x0, x3]
    strb    w1, [x4, #-1]
4:  ret
1:  mov     x3, x0
    stp     x1, x1, [x4, #-16]
    cmp     x2, #1024
    b.hs    7f
9:  subs    x2, x2, #80
    b.lo    6f
5:  stp     x1, x1, [x3]
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    add     x3, x3, #64
    subs    x2, x2, #64
    b.hs    5b
6:  adds    x2, x2, #64
    b.ls    8f
10: stp     x1, x1, [x3], #16
    subs    x2, x2, #16
    b.hi    10b
8:  ret

    // Much to clear: by cache line, if the MMU is on (DC ZVA needs Normal memory) and lines are 64 bytes.
7:  cbnz    x1, 9b
    mrs     x5, sctlr_el2
    mrs     x6, dczid_el0
    tbz     x5, #0, 9b
    cmp     x6, #4
    b.ne    9b
    stp     xzr, xzr, [x3]              // up to the first whole line
    stp     xzr, xzr, [x3, #16]
    stp     xzr, xzr, [x3, #32]
    stp     xzr, xzr, [x3, #48]
    add     x3, x3, #64
    and     x3, x3, #~63
    sub     x2, x4, x3
    subs    x2, x2, #256
11: dc      zva, x3
    add     x5, x3, #64
    dc      zva, x5
    add     x6, x3, #128
    dc      zva, x6
    add     x7, x3, #192
    dc      zva, x7
    add     x3, x3, #256
    subs    x2, x2, #256
    b.hs    11b
    add     x2, x2, #256
    cmp     x2, #16
    b.hs    9b
    ret

function memcmp
    subs    x2, x2, #8
    b.lo    2f
1:  ldr     x3, [x0], #8
    ldr     x4, [x1], #8
    cmp     x3, x4
    b.ne    5f
    subs    x2, x2, #8
    b.hs    1b
2:  adds    x2, x2, #8
    b.eq    4f
3:  ldrb    w3, [x0], #1
    ldrb    w4, [x1], #1
    subs    w3, w3, w4
    b.ne    6f
    subs    x2, x2, #1
    b.ne    3b
4:  mov     w0, #0
    ret
5:  rev     x3, x3                      // the first byte that differs decides: compare big-endian
    rev     x4, x4
    cmp     x3, x4
    mov     w0, #1
    cneg    w0, w0, lo
    ret
6:  mov     w0, w3
    ret
