// SPDX-License-Identifier: MIT
// Whether a string is interned, asked of every one that is made. Upstream searches each pool in the image, by
// halves or from end to end, 2,000 instructions for a string that is in none; here they have one table by hash.

#include <string.h>

#include "py/mpstate.h"
#include "py/qstr.h"
#include "frozen.h"
#include "lookup.h"

extern const qstr_pool_t mp_qstr_const_pool, mp_qstr_frozen_const_pool;

static bool is_at(const qstr_pool_t *pool, size_t at, const char *str, size_t len, size_t hash) {
    return pool->hashes[at] == hash && pool->lengths[at] == len && memcmp(pool->qstrs[at], str, len) == 0;
}

// A text of one letter is what a loop over a text makes: those that are interned, until the session ends.
static uint16_t letters[128];

void qstr_find_restart(void) {
    memset(letters, 0, sizeof(letters));
}

static qstr find(const char *str, size_t len);

// What a loop over a text, chr() and str[i] make.
mp_obj_t __real_mp_obj_new_str_via_qstr(const char *data, size_t len);
mp_obj_t __wrap_mp_obj_new_str_via_qstr(const char *data, size_t len);
mp_obj_t __wrap_mp_obj_new_str_via_qstr(const char *data, size_t len) {
    qstr q = len == 1 && (uint8_t)*data < MP_ARRAY_SIZE(letters) ? letters[(uint8_t)*data] : 0;
    return q != 0 ? MP_OBJ_NEW_QSTR(q) : __real_mp_obj_new_str_via_qstr(data, len);
}

qstr qstr_find_strn(const char *str, size_t len) {
    if (len == 1 && (uint8_t)*str < MP_ARRAY_SIZE(letters)) {
        uint16_t *letter = &letters[(uint8_t)*str];
        if (*letter == 0) {
            qstr q = find(str, len);
            *letter = (uint16_t)(q <= UINT16_MAX ? q : 0);
            return q;
        }
        return *letter;
    }
    return len == 0 ? MP_QSTR_ : find(str, len);
}

static qstr find(const char *str, size_t len) {
    size_t hash = qstr_compute_hash((const byte *)str, len);

    // Those that were made since the reset.
    const qstr_pool_t *pool = MP_STATE_VM(last_pool);
    for (; pool != &mp_qstr_frozen_const_pool; pool = pool->prev) {
        for (size_t at = 0; at < pool->len; at++) {
            if (is_at(pool, at, str, len, hash)) {
                return pool->total_prev_len + at;
            }
        }
    }

    const uint16_t *start = &qstr_bucket_starts[hash % QSTR_BUCKETS];
    for (size_t i = start[0]; i < start[1]; i++) {
        size_t q = qstr_bucket_ids[i];
        for (pool = &mp_qstr_frozen_const_pool; q < pool->total_prev_len; pool = pool->prev) {
        }
        if (is_at(pool, q - pool->total_prev_len, str, len, hash)) {
            return q;
        }
    }
    return MP_QSTRnull;
}
