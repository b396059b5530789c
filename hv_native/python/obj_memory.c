// SPDX-License-Identifier: MIT
// _hv.Memory: a VM's RAM by IPA, as bytes. What was never touched is zero, and is made so first.
//
// A guest whose caches are off reads and writes memory past this core's: so lines are cleaned and dropped
// before they are read here and after they are written. Who uses a view does that with clean().

#include <string.h>
#include "py/objarray.h"
#include "py/objstr.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "insight/breaks.h"
#include "memory/lent.h"
#include "python/objects.h"
#include "trap/numbers.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/vm.h"

mp_obj_t hv_bytes(vstr_t *data) {
    mp_obj_str_t *o = mp_obj_malloc(mp_obj_str_t, &mp_type_bytes);
    o->hash = 0; // not reckoned
    o->len = data->len;
    o->data = (const byte *)vstr_null_terminated_str(data);
    return MP_OBJ_FROM_PTR(o);
}

static uint8_t *host_of(vm_t *vm, uint64_t ipa, uint64_t size) {
    uint8_t *p = vm_ram(vm, ipa, size);
    if (p == NULL && vm_ram_place(vm, ipa, size) != NULL) {
        hv_no_room(vm->forked ? "a fork's own pages" : "a translation table", vm->forked ? size : PAGE_SIZE);
    }
    if (p == NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx to 0x%lx is not all RAM of %s, which is 0x%lx to 0x%lx"),
            ipa, ipa + size, vm->name, vm->ram[0].ipa, vm->ram[0].ipa + vm->ram[0].size);
    }
    return p;
}

// The [start, end) of a slice of addresses; a missing end is the RAM's.
static uint64_t slice_range(vm_t *vm, mp_obj_t index, uint64_t *size) {
    mp_obj_slice_t *s = MP_OBJ_TO_PTR(index);
    const ram_t *r = &vm->ram[0];
    uint64_t start = s->start == mp_const_none ? r->ipa : unbox_u64(s->start);
    uint64_t end = s->stop == mp_const_none ? r->ipa + r->size : unbox_u64(s->stop);
    if (s->step != mp_const_none || end < start) {
        mp_raise_ValueError(MP_ERROR_TEXT("memory[ipa:ipa+n]: the end must not be before the start, and there is no step"));
    }
    *size = end - start;
    return start;
}

static mp_obj_t memory_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    vm_t *vm = hv_part_vm(self);
    if (value == MP_OBJ_NULL) {
        return MP_OBJ_NULL;
    }
    if (!mp_obj_is_type(index, &mp_type_slice)) {
        uint8_t *p = host_of(vm, unbox_u64(index), 1);
        cache_clean_poc(p, 1);
        uint64_t ipa = unbox_u64(index);
        if (value == MP_OBJ_SENTINEL) {
            uint8_t byte = *p;
            breaks_show(vm, ipa, 1, &byte);
            return MP_OBJ_NEW_SMALL_INT(byte);
        }
        uint8_t byte = (uint8_t)unbox_int(value);
        rights_store(vm, unbox_u64(index), 1, false, BY_SCRIPT);
        *p = byte;
        cache_written(p, 1);
        rights_store(vm, unbox_u64(index), 1, true, BY_SCRIPT);
        return mp_const_none;
    }
    uint64_t size, ipa = slice_range(vm, index, &size);
    uint8_t *p = host_of(vm, ipa, size);
    if (value == MP_OBJ_SENTINEL) {
        cache_clean_poc(p, size);
        vstr_t copy;
        vstr_init_len(&copy, size);
        memcpy(copy.buf, p, size);
        breaks_show(vm, ipa, size, copy.buf);
        return hv_bytes(&copy);
    }
    mp_buffer_info_t buf;
    mp_get_buffer_raise(value, &buf, MP_BUFFER_READ);
    if (buf.len != size) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%lu bytes do not fit memory of %lu"), (uint64_t)buf.len, size);
    }
    rights_store(vm, ipa, size, false, BY_SCRIPT);
    memmove(p, buf.buf, size);
    cache_written(p, size);
    rights_store(vm, ipa, size, true, BY_SCRIPT);
    return mp_const_none;
}

static mp_int_t memory_buffer(mp_obj_t self, mp_buffer_info_t *buf, mp_uint_t flags) {
    (void)flags;
    vm_t *vm = hv_part_vm(self);
    vm->ram[0].lent->shown = true;
    buf->len = vm->ram[0].size;
    buf->buf = vm_ram(vm, vm->ram[0].ipa, buf->len);
    buf->typecode = 'B';
    return 0;
}

static mp_obj_t memory_view(mp_obj_t self, mp_obj_t ipa_in, mp_obj_t size_in) {
    uint64_t ipa = unbox_u64(ipa_in), size = unbox_u64(size_in);
    vm_t *vm = hv_part_vm(self);
    uint8_t *p = host_of(vm, ipa, size);
    vm_show_ram(vm, ipa);
    rights_store(vm, ipa, size, false, BY_SCRIPT);
    rights_store(vm, ipa, size, true, BY_SCRIPT); // what is written through it cannot be seen: for a snapshot, it is
    return mp_obj_new_memoryview('B' | MP_OBJ_ARRAY_TYPECODE_FLAG_RW, size, p);
}
static MP_DEFINE_CONST_FUN_OBJ_3(memory_view_obj, memory_view);

static mp_obj_t memory_clean(mp_obj_t self, mp_obj_t ipa_in, mp_obj_t size_in) {
    uint64_t ipa = unbox_u64(ipa_in), size = unbox_u64(size_in);
    vm_t *vm = hv_part_vm(self);
    cache_written(host_of(vm, ipa, size), size);
    rights_store(vm, ipa, size, true, BY_SCRIPT); // through a view: an image is loaded again over breakpoints
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(memory_clean_obj, memory_clean);

#define ONES UINT64_C(0x0101010101010101)

typedef struct {
    const uint8_t *bytes;
    size_t len;
    uint64_t first, last;   // that byte of it, eight times
} sought_t;

// Of eight places from p on those where its first byte and its last are (bit 7 of each byte), and, above one of them,
// some where they are not.
static inline uint64_t likely(const uint8_t *p, const sought_t *what) {
    uint64_t first, last;
    memcpy(&first, p, sizeof(first));
    memcpy(&last, p + what->len - 1, sizeof(last));
    uint64_t differ = (first ^ what->first) | (last ^ what->last);
    return (differ - ONES) & ~differ & (ONES << 7);
}

static const uint8_t *among(const uint8_t *p, uint64_t places, const sought_t *what) {
    for (; places != 0; places &= places - 1) {
        const uint8_t *at = p + __builtin_ctzll(places) / 8;
        if (memcmp(at, what->bytes, what->len) == 0) {
            return at;
        }
    }
    return NULL;
}

static const uint8_t *search(const uint8_t *p, const uint8_t *end, const uint8_t *bytes, size_t len) {
    const sought_t what = { bytes, len, ONES *bytes[0], ONES *bytes[len - 1] };
    const uint8_t *found = NULL;
    for (; (size_t)(end - p) >= len + 15; p += 16) {
        uint64_t a = likely(p, &what), b = likely(p + 8, &what);
        if (UNLIKELY((a | b) != 0) && ((found = among(p, a, &what)) != NULL || (found = among(p + 8, b, &what)) != NULL)) {
            return found;
        }
    }
    while (found == NULL && (size_t)(end - p) >= len) {
        found = among(p++, BIT(7), &what);
    }
    return found;
}

static const uint8_t *search_steps(const uint8_t *p, const uint8_t *end, const uint8_t *what, size_t len, uint64_t step) {
    while ((size_t)(end - p) >= len) {
        cache_clean_poc(p, len);
        if (memcmp(p, what, len) == 0) {
            return p;
        }
        if (step >= (size_t)(end - p)) {
            break;
        }
        p += step;
    }
    return NULL;
}

static const ram_t *ram_of(vm_t *vm, uint64_t ipa, uint64_t size) {
    for (unsigned i = 0; i < vm->nram; i++) {
        const ram_t *r = &vm->ram[i];
        if (ipa - r->ipa < r->size && size <= r->size - (ipa - r->ipa)) {
            return r;
        }
    }
    host_of(vm, ipa, size); // raises
    return NULL;
}

// The end of what is there from `at` on, or of what is not, by offsets in RAM.
static uint64_t run_end(const ram_t *r, uint64_t at, uint64_t end, bool there) {
    do {
        at = ALIGN_DOWN(at, RAM_GRANULE) + RAM_GRANULE;
    } while (at < end && vm_ram_present(r, at / RAM_GRANULE) == there);
    return at < end ? at : end;
}

// What nobody has touched is not made for a look at it: what is found begins and ends elsewhere.
static const uint8_t *search_ram(const ram_t *r, uint64_t at, uint64_t end, const mp_buffer_info_t *what, uint64_t step) {
    const uint8_t *found = NULL;
    while (found == NULL && at < end) {
        bool there = vm_ram_present(r, at / RAM_GRANULE);
        uint64_t until = run_end(r, at, end, there);
        if (there && step != 0) {
            found = search_steps(r->host + at, r->host + until, what->buf, what->len, step);
        } else if (there) {
            cache_clean_poc(r->host + at, until - at);
            found = search(r->host + at, r->host + until, what->buf, what->len);
        }
        at = step == 0 ? until : at + (until - at + step - 1) / step * step;
    }
    return found;
}

// find(what, start=base, end=top, step=0) -> IPA of the first place, or -1; step: look only at start, start + step, ...
static mp_obj_t memory_find(size_t n_args, const mp_obj_t *args) {
    vm_t *vm = hv_part_vm(args[0]);
    mp_buffer_info_t what;
    mp_get_buffer_raise(args[1], &what, MP_BUFFER_READ);
    uint64_t start = n_args > 2 ? unbox_u64(args[2]) : vm->ram[0].ipa;
    uint64_t end = n_args > 3 ? unbox_u64(args[3]) : vm->ram[0].ipa + vm->ram[0].size;
    uint64_t step = n_args > 4 ? unbox_u64(args[4]) : 0;
    if (what.len == 0 || end < start) {
        return MP_OBJ_NEW_SMALL_INT(-1);
    }
    const ram_t *r = ram_of(vm, start, end - start);
    const uint8_t *bytes = what.buf;
    uint8_t untouched = r->flash != NULL ? 0xFF : 0;
    if (bytes[0] == untouched || bytes[what.len - 1] == untouched || r->shared != NULL) {
        host_of(vm, start, end - start); // it may be there in part, or a fork's that is elsewhere
    }
    step = step < end - start ? step : end - start;
    const uint8_t *at = search_ram(r, start - r->ipa, end - r->ipa, &what, step);
    return at == NULL ? MP_OBJ_NEW_SMALL_INT(-1) : box_u64(r->ipa + (uint64_t)(at - r->host));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(memory_find_obj, 2, 5, memory_find);

static void memory_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    if (attr == MP_QSTR_base || attr == MP_QSTR_size) {
        const ram_t *r = &hv_part_vm(self)->ram[0];
        dest[0] = box_u64(attr == MP_QSTR_base ? r->ipa : r->size);
        return;
    }
    dest[1] = MP_OBJ_SENTINEL;
}

static void write_memory(const mp_print_t *print, mp_obj_t self) {
    vm_t *vm = hv_part_vm(self);
    mp_printf(print, "<Memory of %s:", vm->name);
    for (unsigned i = 0; i < vm->nram; i++) {
        mp_printf(print, " 0x%lx-0x%lx (%lu KB)", vm->ram[i].ipa, vm->ram[i].ipa + vm->ram[i].size - 1, vm->ram[i].size / 1024);
    }
    mp_printf(print, ">");
}

static void memory_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_memory);
}

static const mp_rom_map_elem_t memory_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_view), MP_ROM_PTR(&memory_view_obj) },
    { MP_ROM_QSTR(MP_QSTR_clean), MP_ROM_PTR(&memory_clean_obj) },
    { MP_ROM_QSTR(MP_QSTR_find), MP_ROM_PTR(&memory_find_obj) },
};
static MP_DEFINE_CONST_DICT(memory_locals_dict, memory_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_memory_type, MP_QSTR_Memory, MP_TYPE_FLAG_NONE,
    attr, memory_attr, subscr, memory_subscr, buffer, memory_buffer, print, memory_print,
    locals_dict, &memory_locals_dict);
