// SPDX-License-Identifier: MIT
// 512 requests to a virtio disk in the first slot (virtio 1.1, 4.2), each the same, w6 for each store to QueueNotify; w7:
// the lower word of the features. disk.py has put the descriptors at 0x4010_0000.

    ldr     x1, =0x0a000000
    ldr     x2, =0x40100000
    str     wzr, [x1, #0x70]        // Status
    mov     w3, #3
    str     w3, [x1, #0x70]
    str     wzr, [x1, #0x24]
    str     w7, [x1, #0x20]
    mov     w3, #1                  // VIRTIO_F_VERSION_1
    str     w3, [x1, #0x24]
    str     w3, [x1, #0x20]
    mov     w3, #11
    str     w3, [x1, #0x70]
    str     wzr, [x1, #0x30]        // QueueSel
    mov     w3, #64
    str     w3, [x1, #0x38]
    str     w2, [x1, #0x80]
    str     wzr, [x1, #0x84]
    add     w4, w2, #0x1000
    str     w4, [x1, #0x90]
    str     wzr, [x1, #0x94]
    add     w4, w2, #0x2000
    str     w4, [x1, #0xa0]
    str     wzr, [x1, #0xa4]
    mov     w3, #1
    str     w3, [x1, #0x44]         // QueueReady
    mov     w3, #15
    str     w3, [x1, #0x70]
    mov     w5, #0
    add     x4, x2, #0x1000
1:  add     w5, w5, w6
    strh    w5, [x4, #2]
    dmb     sy
    str     wzr, [x1, #0x50]        // QueueNotify
    cmp     w5, #512
    b.ne    1b
    add     x4, x2, #0x2000
2:  ldrh    w3, [x4, #2]            // until all are answered
    cmp     w3, #512
    b.ne    2b
    hvc     #7
