// SPDX-License-Identifier: MIT
// Frozen modules: where each is, and the loading of those that lie deflated in the image (freeze.py).

#include <string.h>

#include "lib/uzlib/uzlib.h"
#include "py/bc.h"
#include "py/frozenmod.h"
#include "py/gc.h"
#include "py/persistentcode.h"
#include "frozen.h"

extern const char mp_frozen_names[];
extern const uint32_t mp_frozen_str_sizes[];
extern const mp_frozen_module_t *const mp_frozen_mpy_content[];

// Of upstream's py/frozenmod.c; the linker hands us its callers (--wrap).
mp_import_stat_t __real_mp_find_frozen_module(const char *str, int *frozen_type, void **data);
mp_import_stat_t __wrap_mp_find_frozen_module(const char *str, int *frozen_type, void **data);

static mp_frozen_module_t *pack_load(const byte *packed) {
    size_t size = packed[0] | packed[1] << 8;
    byte *code = m_new(byte, size);
    uzlib_uncomp_t inflate = {
        .source = packed + 2,
        .source_limit = (const byte *)UINTPTR_MAX, // the stream knows its end
        .dest_start = code,
        .dest = code,
        .dest_limit = code + size,
    };
    uzlib_uncompress_init(&inflate, NULL, 0);
    uzlib_uncompress(&inflate);

    mp_compiled_module_t module = { .context = m_new_obj(mp_module_context_t) };
    mp_raw_code_load_mem(code, size, &module);
    m_del(byte, code, size);
    mp_frozen_module_t frozen = { module.context->constants, module.rc };
    return memcpy(m_new_obj(mp_frozen_module_t), &frozen, sizeof(frozen));
}

// Only what is packed has an odd address.
static void *unpacked(const void *module) {
    return ((uintptr_t)module & 1) != 0 ? pack_load(module) : (void *)module;
}

static const frozen_slot_t *frozen_find(const char *str) {
    uint32_t place = 0;
    size_t len = 0;
    for (; str[len] != 0; len++) {
        place = place * 33 ^ (byte)str[len];
    }
    for (;; place++) {
        const frozen_slot_t *slot = &frozen_slots[place & frozen_mask];
        if (slot->size == 0) {
            return NULL;
        }
        if (slot->size == len && memcmp(mp_frozen_names + slot->at, str, len) == 0) {
            return slot;
        }
    }
}

mp_import_stat_t __wrap_mp_find_frozen_module(const char *str, int *frozen_type, void **data) {
    // Modules that are frozen as text come first among the names; a user's manifest may have some.
    if (mp_frozen_str_sizes[0] != 0) {
        mp_import_stat_t stat = __real_mp_find_frozen_module(str, frozen_type, data);
        if (frozen_type != NULL && *frozen_type == MP_FROZEN_MPY) {
            *data = unpacked(*data);
        }
        return stat;
    }
    const frozen_slot_t *slot = frozen_find(str);
    bool is_file = slot != NULL && slot->index != FROZEN_FOLDER;
    if (frozen_type != NULL) {
        *frozen_type = is_file ? MP_FROZEN_MPY : MP_FROZEN_NONE;
        if (is_file) {
            *data = unpacked(mp_frozen_mpy_content[slot->index]);
        }
    }
    return is_file ? MP_IMPORT_STAT_FILE : slot != NULL ? MP_IMPORT_STAT_DIR : MP_IMPORT_STAT_NO_EXIST;
}
