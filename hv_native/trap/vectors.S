// SPDX-License-Identifier: MIT
// EL2's exception vectors and the world switch.
//
// While a guest runs, SP_EL2 points at a guest_regs_t (vcpu.h) on the hypervisor's own stack:
// guest_enter put it there, and every exit finds it there again. So an exit saves the guest's
// registers with no scratch register and no pointer to look up, and C continues right below.
//
// An exit comes in two sizes. The registers a C function may change (x0-x18, x30) are always saved,
// and trap_fast or irq_fast is called with them. What those finish goes straight back. If they
// return non-zero the callee-saved registers are still the guest's, so they are saved now, and
// trap_slow sees a whole register file, may call Python, and says whether to resume or to leave.
// Between the two: a load into one of x19-x29, say, saves them and is done by trap_saved.

#include "offsets.h"

.macro entry label
    .balign 0x80
    b       \label
.endm

    .section .text.hot.vectors, "ax"
    .balign 0x800
    .global vectors
vectors:
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
    .balign 0x80
    b       guest_sync
    entry   guest_irq
    entry   guest_irq
    entry   guest_serror
    // Lower EL, AArch32: a guest's EL0 program.
    entry   guest_sync
    entry   guest_irq
    entry   guest_irq
    entry   guest_serror

.macro save_caller_saved
    stp     x0, x1, [sp, #REGS_X(0)]
    stp     x2, x3, [sp, #REGS_X(2)]
    stp     x4, x5, [sp, #REGS_X(4)]
    stp     x6, x7, [sp, #REGS_X(6)]
    stp     x8, x9, [sp, #REGS_X(8)]
    stp     x10, x11, [sp, #REGS_X(10)]
    stp     x12, x13, [sp, #REGS_X(12)]
    stp     x14, x15, [sp, #REGS_X(14)]
    stp     x16, x17, [sp, #REGS_X(16)]
    str     x18, [sp, #REGS_X(18)]
    str     x30, [sp, #REGS_X(30)]
.endm

.macro save_callee_saved
    stp     x19, x20, [sp, #REGS_X(19)]
    stp     x21, x22, [sp, #REGS_X(21)]
    stp     x23, x24, [sp, #REGS_X(23)]
    stp     x25, x26, [sp, #REGS_X(25)]
    stp     x27, x28, [sp, #REGS_X(27)]
    str     x29, [sp, #REGS_X(29)]
.endm

.macro restore_caller_saved from
    ldp     x2, x3, [\from, #REGS_X(2)]
    ldp     x4, x5, [\from, #REGS_X(4)]
    ldp     x6, x7, [\from, #REGS_X(6)]
    ldp     x8, x9, [\from, #REGS_X(8)]
    ldp     x10, x11, [\from, #REGS_X(10)]
    ldp     x12, x13, [\from, #REGS_X(12)]
    ldp     x14, x15, [\from, #REGS_X(14)]
    ldp     x16, x17, [\from, #REGS_X(16)]
    ldr     x18, [\from, #REGS_X(18)]
    ldr     x30, [\from, #REGS_X(30)]
    ldp     x0, x1, [\from, #REGS_X(0)]    // last: `from` may be x1
.endm

.macro restore_callee_saved from
    ldp     x19, x20, [\from, #REGS_X(19)]
    ldp     x21, x22, [\from, #REGS_X(21)]
    ldp     x23, x24, [\from, #REGS_X(23)]
    ldp     x25, x26, [\from, #REGS_X(25)]
    ldp     x27, x28, [\from, #REGS_X(27)]
    ldr     x29, [\from, #REGS_X(29)]
.endm

// `eret` is followed by barriers no one executes: they stop straight-line speculation past it.
.macro exception_return
    eret
    dsb     nsh
    isb
.endm

guest_sync:
    save_caller_saved
    mov     x0, sp
    bl      trap_fast
    cbnz    x0, guest_more
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
    mov     x0, #2                      // EXIT_SERROR

guest_more:
    cmp     x0, #3                      // EXIT_SAVE
    b.ne    guest_slow
    save_callee_saved
    mov     x0, sp
    bl      trap_saved
    cbz     x0, resume_saved
    b       guest_slow_saved

// x0: why (vcpu.h, exit_t). ELR and SPSR go to memory because from here on EL2 may itself take
// exceptions.
guest_slow:
    save_callee_saved
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

.macro restore_frame
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
    bl      irq_el2
    restore_frame

el2_sync:
    push_frame el2_overflow
    save_frame_rest
    add     x1, sp, #FRAME_SIZE
    str     x1, [sp, #FRAME_SP]
    mov     x0, sp
    bl      el2_exception               // fault.c: mends it and returns, or does not return
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
    bl      el2_stack_overflow          // fault.c: returns when it can go on, here or elsewhere
    b       el2_low_return
el2_irq_low:
    low_frame
    bl      el2_irq_low_stack
// Back to a stack that is mapped again, by way of the 16 bytes below it.
el2_low_return:
    ldr     x0, [sp, #FRAME_SP]
    ldp     x1, x2, [sp, #FRAME_X(0)]
    stp     x1, x2, [x0, #-16]
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
    mov     sp, x0
    ldp     x0, x1, [sp, #-16]
    exception_return

// void overflow_leave(uint64_t sp, mp_obj_t): go on in overflow_left(the second) at that stack pointer.
    .global overflow_leave
overflow_leave:
    mov     sp, x0
    mov     x0, x1
    b       overflow_left

el2_stop:
    wfi
    b       el2_stop

el2_serror:
    sub     sp, sp, #FRAME_SIZE
    save_frame
    save_frame_rest
    add     x1, sp, #FRAME_SIZE
    str     x1, [sp, #FRAME_SP]
    mov     x0, sp
    bl      el2_late_abort              // fault.c: whose it is; returns unless it is nobody's
    restore_frame

el2_bad:
    sub     sp, sp, #FRAME_SIZE
    save_frame
    save_frame_rest
    add     x1, sp, #FRAME_SIZE
    str     x1, [sp, #FRAME_SP]
    mov     x0, sp
    bl      el2_unexpected
    b       el2_stop

// ---- Peek and poke: the only accesses that may fault ------------------------------------

.macro may_fault insn:vararg
99: \insn
    .pushsection .ex_table, "a"
    .balign 8
    .quad   99b
    .popsection
.endm

    .text
// int peek(uint64_t addr, unsigned size, uint64_t *out), int poke(uint64_t addr, unsigned size,
// uint64_t value): one access of exactly that size; 0, or the ESR of the fault. A fault returns
// here with ESR in x0 as if from the instruction (fault.c sets x0 and the return address).
    .global peek, poke
peek:
    mov     x3, x0
    mov     x0, #0
    cmp     w1, #4
    b.eq    4f
    b.hi    8f
    cmp     w1, #2
    b.eq    2f
    may_fault ldrb w4, [x3]
    b       9f
2:  may_fault ldrh w4, [x3]
    b       9f
4:  may_fault ldr w4, [x3]
    b       9f
8:  may_fault ldr x4, [x3]
9:  dsb     sy                          // an external abort that is late arrives before we go on
    cbnz    x0, 1f
    str     x4, [x2]
1:  ret

poke:
    mov     x3, x0
    mov     x0, #0
    cmp     w1, #4
    b.eq    4f
    b.hi    8f
    cmp     w1, #2
    b.eq    2f
    may_fault strb w2, [x3]
    b       9f
2:  may_fault strh w2, [x3]
    b       9f
4:  may_fault str w2, [x3]
    b       9f
8:  may_fault str x2, [x3]
9:  dsb     sy
    ret
// int clean_line(uint64_t addr): clean and invalidate what is cached of its line to the point of coherency.
    .global clean_line
clean_line:
    mov     x1, x0
    mov     x0, #0
    may_fault dc civac, x1
    dsb     sy
    ret
    .global poke_end
poke_end:

// What sysreg_access.c copies into its page of code and writes an encoding into before it is run:
// uint64_t patch_mrs(uint64_t zero, uint64_t *out), uint64_t patch_msr(uint64_t zero, uint64_t value).
    .section .rodata.patch, "a"
    .balign 64
    .global patch_template, patch_template_msr, patch_template_end
patch_template:
    mrs     x2, midr_el1
    isb
    cbnz    x0, 1f
    str     x2, [x1]
1:  ret
patch_template_msr:
    msr     tpidr_el2, x1
    isb
    ret
patch_template_end:

    .section .ex_table, "a"
    .balign 8
    .quad   __patch_start
    .quad   __patch_start + (patch_template_msr - patch_template)
