// SPDX-License-Identifier: MIT
// Rows about interrupts: how many instructions lie between a cause and the first one of the guest's
// vector. A tick of CNTVCT is 16 of them, so the vector goes through a sled of nops that is one longer
// each time: what 16 such readings lost by rounding down, the 0 to 15 nops have put in.

#define TIMES 1008 // 63 times each sled
#define GICD 0x08000000
#define GICC 0x08010000
#define TIMER_IRQ 27
#define GICD_SGIR 0xF00
#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7

// While a row runs: x19 times left, x20 sum, x21 where the sled is entered, x22 the counter as read by
// the vector (0: not yet), x23 not 0 for GICv3, x24 GICD, x25 GICC. The vector changes x0.

    .macro  irq_entry
    .balign 0x80
    br      x21
    .endm

    .text
    .balign 0x800
irq_vectors:
    .rept   5
    .balign 0x80
    b       .
    .endr
    irq_entry                           // 5: IRQ from EL1h
    .rept   10
    .balign 0x80
    b       .
    .endr
    .balign 0x80

sled:
    .rept   15
    nop
    .endr
sled_end:
    mrs     x22, cntvct_el0
    mov     x0, #2                     // IMASK: the timer's level goes away
    msr     cntv_ctl_el0, x0
    cbnz    x23, 1f
    ldr     w0, [x25, #0x0C]           // GICC_IAR
    str     w0, [x25, #0x10]           // GICC_EOIR
    eret
1:  mrs     x0, ICC_IAR1_EL1
    msr     ICC_EOIR1_EL1, x0
    eret

// Interrupts on, at the GIC of this machine.
set_up:
    adr     x0, irq_vectors
    msr     vbar_el1, x0
    mov     x24, #GICD
    mov     w25, #GICC & 0xFFFF
    movk    w25, #GICC >> 16, lsl #16
    mrs     x23, id_aa64pfr0_el1
    ubfx    x23, x23, #24, #4
    mov     w0, #0xC0C0C0C0
    cbnz    x23, 1f
    ldr     w1, =1 << TIMER_IRQ | 1 << 1
    str     w1, [x24, #0x100]           // GICD_ISENABLER0
    str     w0, [x24, #0x400]           // GICD_IPRIORITYR: SGI 0-3
    str     w0, [x24, #0x418]           // and PPI 24-27
    mov     w0, #0xF0
    str     w0, [x25, #0x04]            // GICC_PMR
    mov     w0, #1
    str     w0, [x25]                   // GICC_CTLR
    str     w0, [x24]                   // GICD_CTLR
    b       2f
1:  mov     w1, #0x080A0000             // GICR of cpu 0
    ldr     w2, [x1, #0x14]             // GICR_WAKER: wake up, and wait for it
    bic     w2, w2, #2
    str     w2, [x1, #0x14]
3:  ldr     w2, [x1, #0x14]
    tbnz    w2, #2, 3b
    mov     w2, #0x10000
    add     w1, w1, w2
    mov     w2, #-1
    str     w2, [x1, #0x80]             // GICR_IGROUPR0
    ldr     w2, =1 << TIMER_IRQ | 1 << 1
    str     w2, [x1, #0x100]
    str     w0, [x1, #0x400]
    str     w0, [x1, #0x418]
    mov     w0, #0x12                   // ARE_NS, EnableGrp1
    str     w0, [x24]
    mov     x0, #7
    msr     ICC_SRE_EL1, x0
    isb
    mov     x0, #0xF0
    msr     ICC_PMR_EL1, x0
    mov     x0, #1
    msr     ICC_IGRPEN1_EL1, x0
2:  isb
    msr     daifclr, #2
    mov     x19, #TIMES
    mov     x20, #0
    ret

// x21 for this time: the sled is (x19 & 15) nops long.
    .macro  aim
    and     x21, x19, #15
    adr     x26, sled_end
    sub     x21, x26, x21, lsl #2
    mov     x22, #0
    .endm

// Until the counter has just ticked: x26 is its value, and three instructions follow its reading here.
// Five instructions a turn, so that the boundary is found whatever the phase.
    .macro  wait_for_tick
9:  mrs     x0, cntvct_el0
    mrs     x26, cntvct_el0
    cmp     x0, x26
    nop
    b.eq    9b
    .endm

// What the row itself executed in the time it measured is taken off: the branch into the sled and the
// reading of the counter, and `more`. x0 and x1 are the result_t of bench.c.
    .macro  finish_row more=0
    msr     daifset, #2
    mov     x1, #TIMES
    mov     x2, #-2 - \more
    mul     x2, x1, x2
    add     x0, x2, x20, lsl #4
    .endm

    .global timer_expiry
timer_expiry:
    mov     x28, x30
    bl      set_up
1:  aim
    mrs     x27, cntvct_el0
    add     x27, x27, #20
    msr     cntv_cval_el0, x27
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
2:  cbz     x22, 2b
    sub     x22, x22, x27
    add     x20, x20, x22
    subs    x19, x19, #1
    b.ne    1b
    finish_row
    ret     x28

// The same when the guest sleeps.
    .global timer_wakes
timer_wakes:
    mov     x28, x30
    bl      set_up
1:  aim
    mrs     x27, cntvct_el0
    add     x27, x27, #200
    msr     cntv_cval_el0, x27
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
2:  wfi
    cbz     x22, 2b
    sub     x22, x22, x27
    add     x20, x20, x22
    subs    x19, x19, #1
    b.ne    1b
    finish_row
    ret     x28

// SGI 1 to this cpu.
    .global sgi_to_self
sgi_to_self:
    mov     x28, x30
    bl      set_up
1:  aim
    mov     w1, #1
    movk    w1, #0x200, lsl #16         // GICD_SGIR: to the requesting cpu only
    cbnz    x23, 4f
    wait_for_tick
    str     w1, [x24, #GICD_SGIR]
    b       2f
4:  ldr     x1, =1 << 24 | 1            // ICC_SGI1R_EL1: INTID 1, target list: cpu 0
    wait_for_tick
    msr     ICC_SGI1R_EL1, x1
2:  cbz     x22, 2b
    sub     x22, x22, x26
    add     x20, x20, x22
    subs    x19, x19, #1
    b.ne    1b
    finish_row 3
    ret     x28
