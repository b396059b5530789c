// SPDX-License-Identifier: MIT
// Reset to C: the arm64 Image header, EL3 -> EL2, the boot core's stack and bss, and the way in for
// the other cores. Nothing here needs the MMU or a known load address: the image is linked for
// __image_start and relocates itself when it finds itself elsewhere.

#include "mpconfigboard.h"
#include "offsets.h"

// SCR_EL3: RW | HCE | SMD (no firmware is left to serve an SMC: undefined, not lost) | RES1 | NS.
#define SCR_EL3_HOST    0x5B1
// SPSR: EL2h with D, A, I and F masked.
#define SPSR_EL2H       0x3C9

.macro mov32 reg, value
    mov     \reg, #(\value) & 0xFFFF
    movk    \reg, #(\value) >> 16, lsl #16
.endm

.macro address reg, symbol
    adrp    \reg, \symbol
    add     \reg, \reg, :lo12:\symbol
.endm

    .section .head, "ax"
    .global _start
_start:
    // linux/Documentation/arm64/booting.rst: text_offset 0, 4 KB granule, little-endian, and any
    // 2 MB aligned place will do (flags bit 3).
    b       boot_core
    .word   0
    .quad   0
    .quad   __image_size
    .quad   0xA
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .word   0

    .text
boot_core:
    mrs     x1, mpidr_el1
    // Where firmware holds the others back (PSCI, a spin table), who comes here is the boot core, whatever
    // its number, and has something in x0. Where all cores leave reset at once, it is 0.0.0 (Aff2..Aff0).
    ubfx    x2, x1, #0, #24
    cbz     x2, 1f
    cbz     x0, park
1:  mov     x20, x0                     // the device tree, if the loader gave one

    // Relocate. The table is RELR (packed by ports/aarch64/relr.py): an even word is the linked address
    // of a pointer, an odd one a bitmap of which of the 63 words behind it are pointers too; 0 ends it.
    adr     x0, _start
    ldr     x1, =__image_start          // the linked address; once relocated, where we are
    subs    x2, x0, x1
    b.eq    2f
    address x3, __relr_start
1:  ldr     x5, [x3], #8
    cbz     x5, 2f
    tbnz    x5, #0, 4f
    add     x6, x5, x2
    ldr     x7, [x6]
    add     x7, x7, x2
    str     x7, [x6], #8
    b       1b
4:  mov     x8, x6
5:  lsr     x5, x5, #1
    cbz     x5, 7f
    tbz     x5, #0, 6f
    ldr     x7, [x8]
    add     x7, x7, x2
    str     x7, [x8]
6:  add     x8, x8, #8
    b       5b
7:  add     x6, x6, #63 * 8
    b       1b

2:  address x1, __bss_start
    address x2, __bss_end
3:  stp     xzr, xzr, [x1], #16
    stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    3b

    mrs     x1, CurrentEL
    lsr     x21, x1, #2
    address x22, __stack_top - 16       // never equal to the top: vectors.S tests one bit of SP
    cmp     x21, #2
    b.lo    no_el2
    b.eq    el2_entry

    // EL3: give away what only the secure side can, then leave for EL2.
    mov     sp, x22
    mov     x0, x20
    bl      el3_init
    mov     x1, #SCR_EL3_HOST
    msr     scr_el3, x1
    msr     cptr_el3, xzr
    mov32   x1, SCTLR_EL2_OFF
    msr     sctlr_el2, x1
    mov     x1, #SPSR_EL2H
    msr     spsr_el3, x1
    adr     x1, el2_entry
    msr     elr_el3, x1
    isb
    eret

el2_entry:
    msr     spsel, #1
    mov     sp, x22
    bl      el2_registers
    mov     x0, x20
    mov     x1, x21                     // the exception level we were entered at
    bl      main
    b       halt

// What every core sets before its first C function at EL2. QEMU leaves SCTLR_EL2 at 0, RES1 too.
el2_registers:
    mov32   x1, SCTLR_EL2_OFF
    msr     sctlr_el2, x1
    mov32   x1, HCR_HOST
    msr     hcr_el2, x1
    mov     x1, #CPTR_HOST
    msr     cptr_el2, x1
    msr     hstr_el2, xzr
    msr     tpidr_el2, xzr
    address x1, vectors
    msr     vbar_el2, x1
    isb
    ret

// Entered at EL1: there is no way up. Say what that means, and be plain MicroPython: in a VM of
// Elapid's own, for one. The code is made to name EL1's registers for EL2's.
no_el2:
    adr     x1, no_el2_text
    mov32   x2, BOARD_EARLY_UART
1:  ldrb    w3, [x1], #1
    cbz     w3, 2f
    strb    w3, [x2]                    // PL011 UARTDR at offset 0
    b       1b
2:  mov     x1, #3 << 20                // CPACR_EL1.FPEN: nothing traps
    msr     cpacr_el1, x1
    isb
    msr     spsel, #1
    mov     sp, x22
    bl      el1_adapt
    b       el2_entry
halt:
    wfi
    b       halt

// A core that reset together with the boot core (EL3 firmware would have held it back) waits here
// for core_release to point at its context; PSCI's CPU_ON enters at secondary_core instead. So does one that
// firmware had left in a spin table (firmware.c).
    .global park
park:
    mrs     x1, CurrentEL
    cmp     x1, #2 << 2
    b.ne    2f
1:  wfe
    address x3, core_release
    ldr     x0, [x3]
    cbz     x0, 1b
    ldr     x3, [x0, #PCPU_MPIDR]                // pcpu_t.mpidr: is it this core that is called?
    mrs     x1, mpidr_el1
    and     x1, x1, #0xFFFFFF
    cmp     x1, x3
    b.ne    1b
    b       secondary_core
2:  wfi
    b       2b

// x0 = this core's pcpu_t (hv_native/core/cpu.h): entered at EL2, MMU and caches off.
    .global secondary_core
secondary_core:
    mov     x20, x0
    msr     spsel, #1
    bl      el2_registers
    ldr     x1, [x20, #PCPU_STACK_TOP]                 // pcpu_t.stack_top
    sub     sp, x1, #16
    mov     x0, x20
    bl      mmu_enable
    mov     x0, x20
    bl      secondary_main
    b       halt

    .section .rodata.boot, "a"
no_el2_text:
    .asciz  "\r\nElapid: entered at EL1, so there are no virtual machines: for those start QEMU with -machine virt,virtualization=on\r\n"

    .data
    .balign 8
    .global core_release
core_release:
    .quad   0
