// SPDX-License-Identifier: MIT
// uintptr_t mp_native_poll(void): from a loop of compiled code, whose variables may be in x4 to x15.

    .section .text.mp_native_poll, "ax"
    .global mp_native_poll
mp_native_poll:
    stp     x30, x4, [sp, #-112]!
    stp     x5, x6, [sp, #16]
    stp     x7, x8, [sp, #32]
    stp     x9, x10, [sp, #48]
    stp     x11, x12, [sp, #64]
    stp     x13, x14, [sp, #80]
    str     x15, [sp, #96]
    bl      native_pending
    ldr     x15, [sp, #96]
    ldp     x13, x14, [sp, #80]
    ldp     x11, x12, [sp, #64]
    ldp     x9, x10, [sp, #48]
    ldp     x7, x8, [sp, #32]
    ldp     x5, x6, [sp, #16]
    ldp     x30, x4, [sp], #112
    ret
