// SPDX-License-Identifier: MIT
// The only loads, stores and system register accesses of EL2 that may fault: see access.h.

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
// here with ESR in x0 as if from the instruction (el2_fault.c sets x0 and the return address).
    .global peek, poke
    .macro  by_size op, w, x            // at x3, of w1 bytes; an external abort that is late arrives before we go on
    mov     x3, x0
    mov     x0, #0
    cmp     w1, #4
    b.eq    4f
    b.hi    8f
    cmp     w1, #2
    b.eq    2f
    may_fault \op\()b \w, [x3]
    b       9f
2:  may_fault \op\()h \w, [x3]
    b       9f
4:  may_fault \op \w, [x3]
    b       9f
8:  may_fault \op \x, [x3]
9:  dsb     sy
    .endm

peek:
    by_size ldr, w4, x4
    cbnz    x0, 1f
    str     x4, [x2]
1:  ret

poke:
    by_size str, w2, x2
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

// void stack_leave(uint64_t sp, void *arg, void (*fn)(void *arg)): go on in fn at that stack pointer.
    .text
    .global stack_leave
stack_leave:
    mov     sp, x0
    mov     x0, x1
    br      x2
