// SPDX-License-Identifier: MIT
// uintptr_t mp_native_poll(void): from a loop of compiled code, whose variables may be in x9 to x15.

    .section .text.mp_native_poll, "ax"
    .global mp_native_poll
mp_native_poll:
    stp     x30, x9, [sp, #-64]!
    stp     x10, x11, [sp, #16]
    stp     x12, x13, [sp, #32]
    stp     x14, x15, [sp, #48]
    bl      native_pending
    ldp     x14, x15, [sp, #48]
    ldp     x12, x13, [sp, #32]
    ldp     x10, x11, [sp, #16]
    ldp     x30, x9, [sp], #64
    ret
