// SPDX-License-Identifier: MIT
// From an exit to the short interpreter and back, for the commonest shapes of a handler; trap_fast.c has the others.

#include "trap/quick.inc"
#include "vcpu/guest_regs.inc"

    .section .text.hot.quick, "ax"

// w16 = 1 where MicroPython is to be had: on the boot core, but not in a slice there (vcpu/share.c). It may be in the middle
// of anything then, in these very boxes.
.macro python_is_here
    mrs     x16, tpidr_el2
    ldrb    w16, [x16, #PCPU_PYTHON]
.endm

// ---- HVCs ---------------------------------------------------------------------------------------

// To hvc_ran, with the handler x2 and locals and ctx as it has them.
.macro hvc_begin
    adr     x30, hvc_ran
    str     x2, [box, #-40]
    prepare x2
    mov     boxes, box
    begin
.endm

// handler_call_t, of an HVC (shortest.h): so many arguments that are small ints, behind cpu and nothing else. As in
// short_calls.S, nothing of C is on the stack, where the guest's registers are, and it goes back to the guest by itself.
.macro hvc n
    .global quick_hvc_\n
quick_hvc_\n:
    python_is_here
    ldp     locals, ctx, [x2, #HANDLER_TOP]
    ldr     x14, [x0, #VCPU_OBJECT]
.if \n == 1
    ldr     x12, [sp, #REGS_X(1)]
    lsr     x15, x12, #62
.else
    ldp     x12, x13, [sp, #REGS_X(1)]
    orr     x15, x12, x13
.if \n == 3
    ldr     x17, [sp, #REGS_X(3)]
    orr     x15, x15, x17
.endif
    lsr     x15, x15, #62
.endif
    cbz     w16, call_quick             // only there
    adr     box, quick_boxes+BOXES
    mov     x16, #1
    cbnz    x15, hvc_large              // and what fits
    orr     x12, x16, x12, lsl #1
    stp     x12, x14, [locals, #-16]
.if \n == 2
    orr     x13, x16, x13, lsl #1
    str     x13, [locals, #-24]
.elseif \n == 3
    orr     x13, x16, x13, lsl #1
    orr     x17, x16, x17, lsl #1
    stp     x17, x13, [locals, #-32]
.endif
    hvc_begin
.endm

    hvc     1
    hvc     2
    hvc     3

// The same with numbers from 2^62 on among them, which go into boxes.
hvc_large:
    ldrb    w5, [x2, #HANDLER_NARGS]
    add     x6, sp, #REGS_X(1)
    sub     x7, locals, #8
    adr     x9, quick_types
    mov     x12, box
    str     x14, [x7]
1:  ldr     x13, [x6], #8
    lsr     x15, x13, #62
    orr     x14, x16, x13, lsl #1
    cbz     x15, 2f
    mov     x14, x12
    stp     x9, x13, [x12], #16
2:  str     x14, [x7, #-8]!
    subs    w5, w5, #1
    b.ne    1b
    adr     x30, hvc_ran
    str     x2, [box, #-40]
    prepare x2
    mov     boxes, box
    mov     box, x12
    begin

    b       resume_fast
    b       hvc_left
hvc_ran:
    restore_caller_saved_but_x0_x1 sp
    mov     x0, x1
    ldr     x1, [sp, #REGS_X(1)]
    exception_return
hvc_left:
    ldr     x1, [sp, #REGS_VCPU]
    ldr     x2, [boxes, #-40]
    mov     x0, #EXIT_TRAP
    str     x2, [x1, #VCPU_ASKED]
    b       guest_slow

// ---- Device accesses ----------------------------------------------------------------------------

// Where MicroPython is to be had and nobody is in the frame, \offset as a small int and x17, an object, behind cpu, and a
// method's self in front of it, when there is \fixed. x13 = 1. What is in other registers than x12 to x16 is there at \otherwise.
.macro access handler, offset, otherwise, fixed
    python_is_here
    ldr     locals, [\handler, #HANDLER_TOP]
    ldr     x14, [x0, #VCPU_OBJECT]
    orr     x13, x13, \offset, lsl #1
    cbz     w16, \otherwise
    cbz     locals, \otherwise
    ldr     ctx, [\handler, #HANDLER_TOP + 8]
.if \fixed
    ldr     x12, [\handler, #HANDLER_FIXED]
    stp     x17, x13, [locals, #-32]
    stp     x14, x12, [locals, #-16]
.else
    stp     x17, x13, [locals, #-24]
    str     x14, [locals, #-8]
.endif
    prepare \handler
.endm

// A word, from fast_device, with nothing of C on the stack, and back to the guest.
.macro word fixed
    .global quick_word_\fixed
quick_word_\fixed:
    mov     x13, #1
    tbnz    w2, #ESR_WNR, 1f
    mov     x17, #OBJ_NONE
    mov     w11, w5
    access  x3, x4, word_quick, \fixed
    adr     x15, quick_boxes+BOXES
    adr     x30, word_loaded
    stp     x11, x3, [x15, #-48]
    mov     boxes, x15
    mov     box, x15
    begin

1:  ldr     x17, [sp, w5, uxtw #3]
    ubfiz   x17, x17, #1, #32
    orr     x17, x17, #1
    access  x3, x4, word_quick, \fixed
    adr     boxes, quick_boxes+BOXES
    adr     x30, skip_and_resume
    str     x3, [boxes, #-40]
    mov     box, boxes
    begin
.endm

    word    0
    word    1

    b       load_word_nothing
    b       load_word_left
word_loaded:
    ldr     x4, [boxes, #-48]
    mov     w1, w1
    str     x1, [sp, x4, lsl #3]
    b       skip_and_resume

    b       skip_and_resume
    b       store_word_left
skip_and_resume:
    mrs     x0, elr_el2
    add     x0, x0, #4
    msr     elr_el2, x0
    restore_caller_saved sp
    exception_return

load_word_nothing:
    bl      quick_keep_none
load_word_left:
    mov     w3, #1
    b       1f
store_word_left:
    mov     w3, #0
1:  ldr     x1, [boxes, #-40]
    mov     x2, x0
    ldr     x0, [sp, #REGS_VCPU]
    bl      skipped_or_not
    cbz     x0, resume_fast
    b       guest_slow

// Of any size, from or to any register, where that is in memory, and back to who calls.
.macro by_fixed handler, offset, otherwise
    ldrb    w12, [\handler, #HANDLER_NARGS + 1]
    mov     x9, x30
    cbnz    w12, 1f
    access  \handler, \offset, \otherwise, 0
    b       2f
1:  access  \handler, \offset, \otherwise, 1
2:  adr     x15, quick_boxes+BOXES
.endm

    .global quick_load, quick_store
quick_load:
    mov     x13, #1
    mov     x17, #OBJ_NONE
    tbnz    w2, #ESR_SSE, 3f
    by_fixed x3, x4, load_quick
    adr     x30, load_ran
    stp     x2, x3, [x15, #-48]
    str     x9, [x15, #-32]
    mov     boxes, x15
    mov     box, x15
    begin
3:  b       load_quick

    b       load_nothing
    b       load_left
load_ran:
    ldr     x3, [boxes, #-48]
    ldr     x30, [boxes, #-32]
    mov     w0, #8
    ubfx    w5, w3, #ESR_SAS, #2
    ubfx    w4, w3, #ESR_SRT, #5
    lsl     w0, w0, w5
    neg     w0, w0
    lsl     x1, x1, x0
    lsr     x1, x1, x0
    cmp     w4, #31
    b.eq    skip
    str     x1, [sp, x4, lsl #3]
skip:
    mrs     x0, elr_el2
    add     x0, x0, #4
    msr     elr_el2, x0
    mov     x0, #0
    ret
load_nothing:
    bl      quick_keep_none
load_left:
    mov     w3, #1
    b       1f
store_left:
    mov     w3, #0
1:  ldp     x1, x30, [boxes, #-40]
    mov     x2, x0
    ldr     x0, [sp, #REGS_VCPU]
    b       skipped_or_not

quick_store:
    lsr     x16, x3, #62
    mov     x13, #1
    orr     x17, x13, x3, lsl #1
    cbnz    x16, store_quick
    by_fixed x1, x2, store_quick
    adr     x30, store_ran
    stp     x1, x9, [x15, #-40]
    mov     boxes, x15
    mov     box, x15
    begin

    b       store_ran
    b       store_left
store_ran:
    ldr     x30, [boxes, #-32]
    b       skip
