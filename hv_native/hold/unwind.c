// SPDX-License-Identifier: MIT
// Who called: see unwind.h.

#include "hold/unwind.h"
#include "vcpu/guest_memory.h"

bool unwind_is_code(vcpu_t *v, uint64_t va) {
    uint32_t word;
    return va % 4 == 0 && guest_read(v, va, &word, 4) == 4;
}

// BL or BLR stands in front of it (DDI 0487 C4.1.65).
static bool is_behind_call(vcpu_t *v, uint64_t va) {
    uint32_t word;
    return va % 4 == 0 && guest_read(v, va - 4, &word, 4) == 4 && (word >> 26 == 0x25 || (word & 0xFFFFFC1F) == 0xD63F0000);
}

uint32_t unwind(vcpu_t *v, uint64_t link, uint64_t fp, uint64_t *to, uint32_t most) {
    uint64_t record[2];
    uint32_t n = 0;
    if (link != 0 && is_behind_call(v, link)) {
        to[n++] = link;
    }
    while (n < most && fp != 0 && fp % 8 == 0 && guest_read(v, fp, record, sizeof(record)) == sizeof(record) && is_behind_call(v, record[1])) {
        n -= n == 1 && to[0] == record[1];
        to[n++] = record[1];
        if (record[0] <= fp) {
            break; // a caller's is above it
        }
        fp = record[0];
    }
    return n;
}
