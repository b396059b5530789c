// SPDX-License-Identifier: MIT
// _hv.Pages(bytes): zeroed memory beside the GC heap, as a buffer. For what is big: a collection does
// not look through it. It lives as long as this object, or a view of it.

#include "py/gc.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "memory/lent.h"
#include "memory/mem.h"
#include "python/objects.h"
#include "trap/numbers.h"

typedef struct {
    mp_obj_base_t base;
    lent_t *memory; // NULL: freed
} pages_t;

static mp_obj_t pages_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 1, false);
    pages_t *p = mp_obj_malloc_with_finaliser(pages_t, type);
    p->memory = NULL;
    size_t bytes = ALIGN_UP(unbox_u64(args[0]), PAGE_SIZE);
    p->memory = lent_alloc(bytes);
    if (p->memory == NULL) {
        gc_collect(); // there may be some that nobody knows any more
        p->memory = lent_alloc(bytes);
    }
    if (p->memory == NULL) {
        hv_no_room("a buffer", bytes);
    }
    page_zero(p->memory->at, bytes);
    return MP_OBJ_FROM_PTR(p);
}

static mp_obj_t pages_del(mp_obj_t self) {
    pages_t *p = MP_OBJ_TO_PTR(self);
    lent_free(p->memory);
    p->memory = NULL;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(pages_del_obj, pages_del);

static mp_int_t pages_buffer(mp_obj_t self, mp_buffer_info_t *buf, mp_uint_t flags) {
    pages_t *p = MP_OBJ_TO_PTR(self);
    (void)flags;
    if (p->memory == NULL) {
        return 1;
    }
    p->memory->shown = true;
    buf->buf = p->memory->at;
    buf->len = p->memory->bytes;
    buf->typecode = 'B';
    return 0;
}

static void pages_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    const lent_t *memory = ((pages_t *)MP_OBJ_TO_PTR(self))->memory;
    mp_printf(print, "<Pages: %lu bytes>", memory == NULL ? 0 : (uint64_t)memory->bytes);
}

static const mp_rom_map_elem_t pages_locals[] = {
    { MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&pages_del_obj) },
};
static MP_DEFINE_CONST_DICT(pages_locals_dict, pages_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_pages_type, MP_QSTR_Pages, MP_TYPE_FLAG_NONE,
    make_new, pages_make_new, buffer, pages_buffer, print, pages_print, locals_dict, &pages_locals_dict);
