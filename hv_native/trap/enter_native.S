// SPDX-License-Identifier: MIT
// A native function, called so that it can be given up at any time: see words.h.
//
// In it x18, which compiled code does not touch, is where to go then, and in the upper 16 bits how many rounds of loops
// it may still do. x29 is the caller's frame. It has no other way out than by its table, native_quick_table.

#include "offsets.h"

    .section .text.hot.enter_native, "ax"

// mp_obj_t native_enter(const handler_t *h, size_t n, const mp_obj_t *args, table): MP_OBJ_NULL: given up
    .global native_enter
native_enter:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x29, sp
    mov     x16, x3
    ldp     x4, x0, [x0, #HANDLER_CODE]
    mov     x3, x2
    mov     x2, #0
    adr     x18, enter_given_up
    movk    x18, #NATIVE_ROUNDS, lsl #48
    blr     x4
    ldp     x29, x30, [sp], #96
    ret

enter_given_up:
    mov     sp, x29
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    mov     x0, #0
    ret

// Another round of a loop.
    .global native_quick_poll
native_quick_poll:
    mov     x16, #1 << 48
    sub     x18, x18, x16
    lsr     x16, x18, #48
    cbz     x16, native_give_up
    ret

// Whatever else it asks for.
    .global native_give_up
native_give_up:
    ubfx    x16, x18, #0, #48
    br      x16
