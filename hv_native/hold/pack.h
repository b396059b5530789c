// SPDX-License-Identifier: MIT
// Compression for files of snapshots: blocks of up to 64 KB, each by itself, in LZ4's block format.
#ifndef HV_PACK_H
#define HV_PACK_H

#include <stddef.h>
#include <stdint.h>

#define PACK_MAX 0x10000u

// How many bytes it has become; 0: it does not fit into `room`, or there is no memory.
size_t pack(const uint8_t *from, size_t size, uint8_t *to, size_t room);
// How many bytes it was; 0: it is damaged, or does not fit.
size_t unpack(const uint8_t *from, size_t size, uint8_t *to, size_t room);

#endif
