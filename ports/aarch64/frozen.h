// SPDX-License-Identifier: MIT
// Tables by hash that freeze.py puts behind the frozen modules: a launch looks up some 15 modules and 40 strings.
#pragma once

#include <stdint.h>

#define QSTR_BUCKETS 512

// Open addressing, by a hash of the whole name (frozen_find in pack.c); size 0: an empty slot.
typedef struct {
    uint16_t at; // in mp_frozen_names
    uint16_t index; // in mp_frozen_mpy_content, or FROZEN_FOLDER
    uint16_t size; // of the name
} frozen_slot_t;
#define FROZEN_FOLDER 0xFFFF

extern const frozen_slot_t frozen_slots[];
extern const uint32_t frozen_mask; // how many slots there are, a power of 2, less 1

// The strings whose hash is b, modulo QSTR_BUCKETS: qstr_bucket_ids[qstr_bucket_starts[b]] to the next start.
extern const uint16_t qstr_bucket_starts[];
extern const uint16_t qstr_bucket_ids[];
