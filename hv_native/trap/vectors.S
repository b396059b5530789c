// SPDX-License-Identifier: MIT
// EL2's exception vectors.
// EL2's exception vectors and the world switch.
//
// While a guest runs, SP_EL2 points at a guest_regs_t (vcpu_state.h) on the hypervisor's own stack:
// guest_enter put it there, and every exit finds it there again. So an exit saves the guest's
// registers with no scratch register and no pointer to look up, and C continues right below.
//
// An exit comes in two sizes. The registers a C function may change (x0-x18, x30) are always saved,
// and trap_fast or irq_fast is called with them. What those finish goes straight back. If they
// return non-zero the callee-saved registers are still the guest's, so they are saved now, and
// trap_slow sees a whole register file, may call Python, and says whether to resume or to leave.
// Between the two: a load into one of x19-x29, say, saves them and is done by trap_saved.

#include "vcpu/guest_regs.inc"

#define FRAME_X(n) (FRAME_X0 + (n) * 8)

.macro entry label
    .balign 0x80
    b       \label
.endm

// The table at a multiple of \align, of a vCPU whose exits go to these.
.macro vector_table align, sync, irq
    .balign \align
    // Current EL with SP0: never used.
    entry   el2_bad
    entry   el2_bad
    entry   el2_bad
    entry   el2_bad
    // Current EL with SPx: ourselves.
    entry   el2_sync
    entry   el2_irq
    entry   el2_irq
    entry   el2_serror
    // Lower EL, AArch64: a guest.
    entry   \sync
    entry   \irq
    entry   \irq
    entry   guest_serror
    // Lower EL, AArch32: a guest's EL0 program.
    entry   \sync
    entry   \irq
    entry   \irq
    entry   guest_serror
.endm

    .section .text.hot.vectors, "ax"
    .balign 0x2000
    .global vectors
vectors:
    vector_table 0x2000, guest_sync, guest_irq
// Of a vCPU that steps (vcpu/debug.c): what EL2 does for an instruction takes it out of PSTATE.SS too, and trap_fast,
// which is counted, does not look at that.
    vector_table 0x800, guest_sync_stepping, guest_irq
// Both again for a traced vCPU: an exit is told of first (trace.c).
    vector_table 0x1000, guest_sync_traced, guest_irq_traced
    vector_table 0x800, guest_stepping_traced, guest_irq_traced

guest_sync_traced:
    save_caller_saved
    mov     x0, sp
    bl      trace_exit
    mov     x0, sp
    bl      trap_fast
    cbnz    x0, guest_more
    b       resume_fast

guest_irq_traced:
    save_caller_saved
    mov     x0, sp
    bl      trace_irq
    mov     x0, sp
    bl      irq_fast
    cbz     x0, resume_fast
    b       guest_slow

guest_stepping_traced:
    save_caller_saved
    mov     x0, sp
    bl      trace_exit
    b       1f
guest_sync_stepping:
    save_caller_saved
1:  mov     x0, sp
    bl      trap_stepping
    cbnz    x0, guest_more
    b       resume_fast

guest_sync:
    save_caller_saved
    mov     x0, sp
    bl      trap_fast
    cbnz    x0, guest_more
    .global resume_fast
resume_fast:
    restore_caller_saved sp
    exception_return

guest_irq:
    save_caller_saved
    mov     x0, sp
    bl      irq_fast
    cbz     x0, resume_fast
    b       guest_slow

guest_serror:
    save_caller_saved
    mov     x0, #EXIT_SERROR

guest_more:
    cmp     x0, #EXIT_SAVE
    b.ne    guest_slow
    save_callee_saved
    mov     x0, sp
    bl      trap_saved
    cbz     x0, resume_saved
    b       guest_slow_saved

// x0: why (vcpu_state.h, exit_t). ELR and SPSR go to memory because from here on EL2 may itself take
// exceptions.
    .global guest_slow
guest_slow:
    save_callee_saved
    .global guest_slow_saved
guest_slow_saved:
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [sp, #REGS_PC]
    mov     x1, x0
    mov     x0, sp
    bl      trap_slow
    cbnz    x0, guest_leave
resume_full:
    ldp     x0, x1, [sp, #REGS_PC]
    msr     elr_el2, x0
    msr     spsr_el2, x1
resume_saved:
    restore_callee_saved sp
    b       resume_fast

// ---- Exceptions taken at EL2 itself -------------------------------------------------------------

.macro save_frame
    stp     x0, x1, [sp, #FRAME_X(0)]
    stp     x2, x3, [sp, #FRAME_X(2)]
    stp     x4, x5, [sp, #FRAME_X(4)]
    stp     x6, x7, [sp, #FRAME_X(6)]
    stp     x8, x9, [sp, #FRAME_X(8)]
    stp     x10, x11, [sp, #FRAME_X(10)]
    stp     x12, x13, [sp, #FRAME_X(12)]
    stp     x14, x15, [sp, #FRAME_X(14)]
    stp     x16, x17, [sp, #FRAME_X(16)]
    stp     x18, x19, [sp, #FRAME_X(18)]
    stp     x29, x30, [sp, #FRAME_X(29)]
    mrs     x1, elr_el2
    mrs     x2, spsr_el2
    stp     x1, x2, [sp, #FRAME_ELR]
.endm

.macro save_frame_rest
    stp     x20, x21, [sp, #FRAME_X(20)]
    stp     x22, x23, [sp, #FRAME_X(22)]
    stp     x24, x25, [sp, #FRAME_X(24)]
    stp     x26, x27, [sp, #FRAME_X(26)]
    str     x28, [sp, #FRAME_X(28)]
    mrs     x1, esr_el2
    mrs     x2, far_el2
    stp     x1, x2, [sp, #FRAME_ESR]
.endm

.macro restore_frame_but_x0_x1
    ldp     x1, x2, [sp, #FRAME_ELR]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldp     x2, x3, [sp, #FRAME_X(2)]
    ldp     x4, x5, [sp, #FRAME_X(4)]
    ldp     x6, x7, [sp, #FRAME_X(6)]
    ldp     x8, x9, [sp, #FRAME_X(8)]
    ldp     x10, x11, [sp, #FRAME_X(10)]
    ldp     x12, x13, [sp, #FRAME_X(12)]
    ldp     x14, x15, [sp, #FRAME_X(14)]
    ldp     x16, x17, [sp, #FRAME_X(16)]
    ldp     x18, x19, [sp, #FRAME_X(18)]
    ldp     x29, x30, [sp, #FRAME_X(29)]
.endm

.macro restore_frame
    restore_frame_but_x0_x1
    ldp     x0, x1, [sp, #FRAME_X(0)]
    add     sp, sp, #FRAME_SIZE
    exception_return
.endm

// Make room for a frame, and go to \low when that ends below the stack. Nothing may be pushed before SP is
// known to be good, and there is no free register to test it with. So x0 and SP are exchanged by
// arithmetic, one bit is tested, and they are exchanged back.
.macro push_frame low
    sub     sp, sp, #FRAME_SIZE
    add     sp, sp, x0                  // sp' = sp + x0
    sub     x0, sp, x0                  // x0' = sp
    tbz     x0, #STACK_BIT, \low
    sub     x0, sp, x0                  // x0
    sub     sp, sp, x0                  // sp
    save_frame
.endm

el2_irq:
    push_frame el2_irq_low
    adrp    x0, el2_leave_wanted        // a Ctrl-C that Python does not look at: el2_fault.c
    ldrb    w0, [x0, #:lo12:el2_leave_wanted]
    cbnz    w0, 2f
1:  bl      irq_el2
    restore_frame

2:  mov     x0, sp
    bl      el2_leave
    b       1b

// Of one on the stack that was in use: the rest, and where that was; x0: it.
.macro complete_frame
    save_frame_rest
    add     x1, sp, #FRAME_SIZE
    str     x1, [sp, #FRAME_SP]
    mov     x0, sp
.endm

el2_sync:
    push_frame el2_overflow
    complete_frame
    bl      el2_exception               // el2_fault.c: mends it and returns, or does not return
    restore_frame

// Behind push_frame's test: x0 = SP - FRAME_SIZE, sp = that + x0. Builds the whole frame on the fault
// stack. A guest's thread registers are live, so the one scratch register is FAR_EL2, whose value is lost.
.macro low_frame
    msr     far_el2, x0
    mrs     x0, tpidr_el2
    cbnz    x0, 1f
    adrp    x0, pcpus                   // before hv_init
    add     x0, x0, :lo12:pcpus
1:  str     x1, [x0, #PCPU_SCRATCH]
    mrs     x1, far_el2
    str     x1, [x0, #PCPU_SCRATCH + 8]
    sub     x1, sp, x1
    str     x1, [x0, #PCPU_SCRATCH + 16]
    ldr     x1, [x0, #PCPU_FAULT_STACK]
    cbnz    x1, 2f
    adrp    x1, __fault_stack_top
    add     x1, x1, :lo12:__fault_stack_top
2:  sub     sp, x1, #FRAME_SIZE
    save_frame
    ldp     x1, x2, [x0, #PCPU_SCRATCH]
    ldr     x3, [x0, #PCPU_SCRATCH + 16]
    stp     x3, x1, [sp, #FRAME_X(0)]
    add     x2, x2, #FRAME_SIZE
    str     x2, [sp, #FRAME_SP]
    save_frame_rest
    mov     x0, sp
.endm

el2_overflow:
    low_frame
    bl      el2_stack_overflow          // el2_fault.c: returns when it can go on, here or elsewhere
    b       el2_low_return
el2_irq_low:
    low_frame
    bl      el2_irq_low_stack
// Back to a stack that is mapped again, by way of the 16 bytes below it.
el2_low_return:
    ldr     x0, [sp, #FRAME_SP]
    ldp     x1, x2, [sp, #FRAME_X(0)]
    stp     x1, x2, [x0, #-16]
    restore_frame_but_x0_x1
    mov     sp, x0
    ldp     x0, x1, [sp, #-16]
    exception_return

el2_stop:
    wfi
    b       el2_stop

el2_serror:
    sub     sp, sp, #FRAME_SIZE
    save_frame
    complete_frame
    bl      el2_late_abort              // el2_fault.c: whose it is; returns unless it is nobody's
    restore_frame

el2_bad:
    sub     sp, sp, #FRAME_SIZE
    save_frame
    complete_frame
    bl      el2_unexpected
    b       el2_stop
