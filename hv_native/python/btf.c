// SPDX-License-Identifier: MIT
// _hv.btf(types, at, id, wanted, kinds): the next type of a Linux's BTF (Documentation/bpf/btf.rst) that is asked for. It
// is a list of a hundred thousand records, each as long as its kind says, numbered as they come. A guest owns it: no
// number in it is trusted.

#include <string.h>
#include "py/runtime.h"
#include "core/arch.h"
#include "python/objects.h"
#include "trap/numbers.h"

#define HEAD 12 // name, info, size or type

// How many bytes are behind the head of a record, in words: for the kind, and for each of its members.
static uint64_t record_bytes(uint32_t info) {
    static const uint8_t fixed[32] = { [1] = 1, [3] = 3, [14] = 1, [17] = 1 }; // INT, ARRAY, VAR, DECL_TAG
    static const uint8_t each[32] = { [4] = 3, [5] = 3, [6] = 2, [13] = 2, [15] = 3, [19] = 3 }; // STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64
    unsigned kind = info >> 24 & 31;
    return HEAD + 4 * ((uint64_t)fixed[kind] + (uint64_t)each[kind] * (info & 0xFFFF));
}

// btf(types, at, id, wanted, 0) -> (wanted, where), btf(types, at, id, name, kinds) -> (its number, where) of the first with
// that name (its place in the strings) and one of these kinds, a bit each; or None. The record at `at` is number `id`.
static mp_obj_t hv_btf(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    mp_buffer_info_t buf;
    mp_get_buffer_raise(args[0], &buf, MP_BUFFER_READ);
    uint64_t at = unbox_u64(args[1]), id = unbox_u64(args[2]), wanted = unbox_u64(args[3]), kinds = unbox_u64(args[4]);
    while (at < buf.len && buf.len - at >= HEAD) {
        uint32_t head[2];
        memcpy(head, (const uint8_t *)buf.buf + at, sizeof(head));
        uint64_t bytes = record_bytes(head[1]);
        if (bytes > buf.len - at) {
            break;
        }
        if (kinds == 0 ? id == wanted : head[0] == wanted && (kinds >> (head[1] >> 24 & 31) & 1)) {
            mp_obj_t found[2] = { box_u64(id), box_u64(at) };
            return mp_obj_new_tuple(2, found);
        }
        at += bytes;
        id++;
    }
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_btf_obj, 5, 5, hv_btf);
