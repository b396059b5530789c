// SPDX-License-Identifier: MIT
// vCPU x9 makes w8 requests to a virtio disk in the first slot, one by one; what has been answered has interrupted, and is
// acknowledged. As block.S otherwise.

    adr     x10, counts
    str     w8, [x10]
    cbz     x9, work
    ldr     w0, =0xc4000003         // CPU_ON
    mov     x1, x9
    adr     x2, work
    hvc     #0
1:  wfi
    b       1b
work:
    virtio_queue wzr
    adr     x10, counts
    ldr     w8, [x10]
    mov     w5, #0
    add     x4, x2, #0x1000
    add     x6, x2, #0x2000
2:  add     w5, w5, #1
    strh    w5, [x4, #2]
    dmb     sy
    str     wzr, [x1, #0x50]        // QueueNotify
3:  ldrh    w3, [x6, #2]            // until it is answered
    cmp     w3, w5
    b.ne    3b
4:  ldr     w3, [x1, #0x60]         // InterruptStatus
    cbz     w3, 4b
    str     w3, [x1, #0x64]
    cmp     w5, w8
    b.ne    2b
    ldr     w0, =0x84000008         // SYSTEM_OFF
    hvc     #0
counts:
    .word   0
