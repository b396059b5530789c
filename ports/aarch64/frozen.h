// SPDX-License-Identifier: MIT
// What freeze.py and frozen_classes.py put beside the frozen modules.
#pragma once

#include <stdint.h>

#include "py/bc.h"
#include "py/objfun.h"

#define QSTR_BUCKETS 512

// Tables by hash: a launch looks up some 15 modules and 40 strings. Open addressing, by a hash of the whole name (frozen_find in pack.c); size 0: an empty slot.
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

// A class that was made by the build (frozen_classes.py).
typedef struct {
    byte code[16]; // what its class statement has for a function: that does nothing
    mp_obj_dict_t dict; // of what is in it
    mp_module_context_t *context; // of its functions: a copy of its module's
    bool has_properties;
} frozen_class_t;

extern const frozen_class_t frozen_classes[];
extern const size_t frozen_class_count;
extern mp_module_context_t frozen_contexts[];
extern const size_t frozen_context_count;

// As py/objproperty.c lays it out for itself.
typedef struct {
    mp_obj_base_t base;
    mp_rom_obj_t proxy[3];
} frozen_property_t;

void frozen_class_mark(void);
