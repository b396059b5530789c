// SPDX-License-Identifier: MIT
// cpu.read(), cpu.write(), cpu.string(): a guest's memory by the addresses it uses itself.

#include <string.h>
#include "py/runtime.h"
#include "py/unicode.h"
#include "core/arch.h"
#include "python/objects.h"
#include "trap/numbers.h"
#include "vcpu/guest_memory.h"

#define STRING_LIMIT 256
#define PIECE 1024  // read at once, so that what is not there takes no heap

static size_t byte_count(mp_obj_t given) {
    mp_int_t n = unbox_int(given);
    if (n < 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("a number of bytes is not negative"));
    }
    return (size_t)n;
}

// read(va, n) -> bytes, fewer where not all of it is there
static mp_obj_t vcpu_read(mp_obj_t self, mp_obj_t va_in, mp_obj_t n_in) {
    vcpu_t *v = hv_vcpu_get_stopped(self);
    uint64_t va = unbox_u64(va_in);
    size_t n = byte_count(n_in), part, got;
    vstr_t text;
    vstr_init(&text, n < PIECE ? n : PIECE);
    do {
        part = n - text.len < PIECE ? n - text.len : PIECE;
        uint64_t at = va + text.len;
        got = guest_read(v, at, vstr_add_len(&text, part), part);
        vstr_cut_tail_bytes(&text, part - got);
    } while (got == part && text.len < n);
    return hv_bytes(&text);
}
MP_DEFINE_CONST_FUN_OBJ_3(hv_vcpu_read_obj, vcpu_read);

// write(va, data) -> how many bytes of it
static mp_obj_t vcpu_write(mp_obj_t self, mp_obj_t va, mp_obj_t data) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(data, &buf, MP_BUFFER_READ);
    return MP_OBJ_NEW_SMALL_INT(guest_write(hv_vcpu_get_stopped(self), unbox_u64(va), buf.buf, buf.len));
}
MP_DEFINE_CONST_FUN_OBJ_3(hv_vcpu_write_obj, vcpu_write);

// string(va, limit=256) -> str: up to a zero, to what cannot be read, or to the limit; what is no UTF-8 becomes "?"
static mp_obj_t vcpu_string(size_t n_args, const mp_obj_t *pos, mp_map_t *kw) {
    enum { ARG_limit };
    static const mp_arg_t allowed[] = { { MP_QSTR_limit, MP_ARG_OBJ, { .u_rom_obj = MP_ROM_INT(STRING_LIMIT) } } };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args - 2, pos + 2, kw, MP_ARRAY_SIZE(allowed), allowed, args);
    vcpu_t *v = hv_vcpu_get_stopped(pos[0]);
    uint64_t va = unbox_u64(pos[1]);
    size_t limit = byte_count(args[ARG_limit].u_obj), part, got;
    const char *end = NULL;
    vstr_t text;
    vstr_init(&text, 64);
    do {
        part = limit - text.len < 64 ? limit - text.len : 64;
        uint64_t at = va + text.len;
        char *to = vstr_add_len(&text, part);
        got = guest_read(v, at, to, part);
        end = memchr(to, 0, got);
        vstr_cut_tail_bytes(&text, part - (end == NULL ? got : (size_t)(end - to)));
    } while (end == NULL && got == part && text.len < limit);
    if (!utf8_check((const byte *)text.buf, text.len)) {
        for (size_t i = 0; i < text.len; i++) {
            text.buf[i] = (byte)text.buf[i] < 0x80 ? text.buf[i] : '?';
        }
    }
    return mp_obj_new_str_from_utf8_vstr(&text);
}
MP_DEFINE_CONST_FUN_OBJ_KW(hv_vcpu_string_obj, 2, vcpu_string);
