// SPDX-License-Identifier: MIT
// CRC-32 by the core's own instructions, in the place of lib/uzlib's: see tinflate.c.

#include <string.h>

#include "lib/uzlib/uzlib.h"

uint32_t uzlib_crc32(const void *data, unsigned int length, uint32_t crc) {
    const uint8_t *p = data;
    for (; length >= 8; length -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        crc = __builtin_aarch64_crc32x(crc, word);
    }
    while (length-- != 0) {
        crc = __builtin_aarch64_crc32b(crc, *p++);
    }
    return crc;
}
