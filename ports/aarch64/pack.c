// SPDX-License-Identifier: MIT
// Frozen modules that lie deflated in the image (freeze.py) and are loaded to the heap when imported.

#include <string.h>

#include "lib/uzlib/uzlib.h"
#include "py/bc.h"
#include "py/frozenmod.h"
#include "py/gc.h"
#include "py/persistentcode.h"

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

mp_import_stat_t __wrap_mp_find_frozen_module(const char *str, int *frozen_type, void **data) {
    mp_import_stat_t stat = __real_mp_find_frozen_module(str, frozen_type, data);
    // Only what is packed has an odd address.
    if (frozen_type != NULL && *frozen_type == MP_FROZEN_MPY && ((uintptr_t)*data & 1) != 0) {
        *data = pack_load(*data);
    }
    return stat;
}
