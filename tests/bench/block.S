// SPDX-License-Identifier: MIT
// 512 requests to a virtio disk in the first slot (virtio 1.1, 4.2), each the same, w6 for each store to QueueNotify; w7:
// the lower word of the features. disk.py has put the descriptors at 0x4010_0000.

    virtio_queue w7
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
