// SPDX-License-Identifier: MIT
// From an exit to the short interpreter and back, for the commonest shapes of a handler; trap_fast.c has the others.

#include "trap/quick.inc"
#include "vcpu/guest_regs.inc"

    .section .text.hot.quick, "ax"

// w16 = 0 where MicroPython is to be had: on the boot core, but not in a slice there (vcpu/share.c). It may be in the middle
// of anything then, in these very boxes.
.macro python_is_elsewhere
    mrs     x16, tpidr_el2
    ldrb    w16, [x16, #PCPU_PYTHON]
    eor     w16, w16, #1
.endm

// ---- HVCs ---------------------------------------------------------------------------------------

// handler_call_t, of an HVC (shortest.h): so many arguments that are small ints, behind cpu and nothing else. As in
// short_calls.S, nothing of C is on the stack, where the guest's registers are, and it goes back to the guest by itself.
.macro hvc n
    .global quick_hvc_\n
quick_hvc_\n:
    python_is_elsewhere
    ldr     x14, [x0, #VCPU_OBJECT]
    ldp     locals, cache, [x2, #HANDLER_TOP]
    adr     box, quick_boxes+BOXES
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
    orr     x15, x15, x16
    mov     x16, #1
    cbnz    x15, hvc_large              // only there, and what fits
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
    sub     x1, locals, #8 + 8 * \n
    b       hvc_run
.endm

    hvc     1
    hvc     2
    hvc     3
hvc_run:
    str     x2, [box, #-32]
    adr     x30, hvc_ran
    mov     x16, x2
    mov     boxes, box
    begin   x16

hvc_large:
    python_is_elsewhere
    cbnz    w16, call_quick
    str     x14, [locals, #-8]
    sub     x3, locals, #8
    add     x4, sp, #REGS_X(1)
    ldrb    w5, [x2, #HANDLER_NARGS]
    b       call_boxed

hvc_ran:
    cbnz    x0, 1f
    restore_caller_saved_but_x0_x1 sp
    mov     x0, x1
    ldr     x1, [sp, #REGS_X(1)]
    exception_return
1:  cmp     x0, #QUICK_VM
    b.ne    resume_fast
    ldr     x1, [sp, #REGS_VCPU]
    ldr     x2, [boxes, #-32]
    mov     x0, #EXIT_TRAP
    str     x2, [x1, #VCPU_ASKED]
    b       guest_slow

// ---- Device accesses ----------------------------------------------------------------------------

// Where MicroPython is to be had, with two arguments behind cpu, and a method's self in front of it or nothing: offset and x17, an object.
.macro access handler, offset, otherwise
    python_is_elsewhere
    ldrh    w12, [\handler, #HANDLER_NARGS]
    ldr     locals, [\handler, #HANDLER_TOP]
    ldr     x14, [x0, #VCPU_OBJECT]
    bic     w15, w12, #0x100
    eor     w15, w15, #2
    orr     w15, w15, w16
    cbnz    w15, \otherwise
    cbz     locals, \otherwise
    mov     x16, \handler
    mov     x13, #1
    orr     x13, x13, \offset, lsl #1
    ldr     cache, [x16, #HANDLER_TOP + 8]
    adr     box, quick_boxes+BOXES
    stp     x2, x30, [box, #-48]
    str     x16, [box, #-32]
    tbz     w12, #8, 1f
    ldr     x15, [x16, #HANDLER_FIXED]
    stp     x14, x15, [locals, #-16]
    sub     x1, locals, #32
    b       2f
1:  str     x14, [locals, #-8]
    sub     x1, locals, #24
2:  stp     x17, x13, [x1]
    mov     boxes, box
.endm

    .global quick_load, quick_store
quick_load:
    mov     x17, #OBJ_NONE
    tbnz    w2, #ESR_SSE, 3f
    access  x3, x4, load_quick
    adr     x30, load_ran
    begin   x16
3:  b       load_quick

load_ran:
    ldp     x3, x30, [boxes, #-48]
    cbnz    x0, 1f
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
1:  mov     w3, #1
not_answered:
    ldr     x1, [boxes, #-32]
    mov     x2, x0
    ldr     x0, [sp, #REGS_VCPU]
    b       skipped_or_not

quick_store:
    lsr     x16, x3, #62
    lsl     x17, x3, #1
    cbnz    x16, store_quick
    orr     x17, x17, #1
    access  x1, x2, store_quick
    adr     x30, store_ran
    begin   x16

store_ran:
    ldr     x30, [boxes, #-40]
    cmp     x0, #QUICK_VM
    b.ne    skip
    mov     w3, #0
    b       not_answered
