// SPDX-License-Identifier: MIT
// The module _regs: the type behind the names of hv.regs. A Register reads and writes through
// _hv.mrs and _hv.msr, so that what those refuse is refused here too.

#include <string.h>
#include "py/runtime.h"
#include "python/sysreg_table.h"
#include "trap/numbers.h"

extern const mp_obj_module_t hv_module;
static const mp_obj_type_t register_type, value_type;

typedef struct {
    mp_obj_base_t base;
    sysreg_t reg;
    uint64_t value; // of a Value: a number with the fields of a register
} register_obj_t;

static register_obj_t *new_register(const mp_obj_type_t *type, const sysreg_t *reg) {
    register_obj_t *o = mp_obj_malloc(register_obj_t, type);
    o->reg = *reg;
    return o;
}

static sysreg_access_t access_of(const register_obj_t *o) {
    return o->base.type == &value_type || o->reg.row == NULL ? SYSREG_RW : o->reg.row->access;
}

static mp_obj_t call_hv(qstr function, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    return mp_call_function_n_kw(mp_load_attr(MP_OBJ_FROM_PTR(&hv_module), function), n_args, n_kw, args);
}

static mp_obj_t encoding(const register_obj_t *o) {
    return o->reg.enc == 0 ? MP_OBJ_NEW_QSTR(o->reg.row->name) : MP_OBJ_NEW_SMALL_INT(o->reg.enc);
}

static uint64_t get(register_obj_t *o) {
    if (o->base.type == &value_type) {
        return o->value;
    }
    mp_obj_t enc = encoding(o);
    return unbox_u64(call_hv(MP_QSTR_mrs, 1, 0, &enc));
}

static void set(register_obj_t *o, mp_obj_t value, bool unsafe) {
    if (o->base.type == &value_type) {
        o->value = unbox_u64(value);
        return;
    }
    mp_obj_t args[] = { encoding(o), value, MP_OBJ_NEW_QSTR(MP_QSTR_unsafe), mp_obj_new_bool(unsafe) };
    call_hv(MP_QSTR_msr, 2, 1, args);
}

// ---- Fields -------------------------------------------------------------------------------------

static const sysreg_field_t *find_field(const register_obj_t *o, qstr name) {
    const sysreg_field_t *f = NULL;
    while ((f = sysreg_field(o->reg.row, f)) != NULL && strcmp(f->name, qstr_str(name)) != 0) {
    }
    return f;
}

static uint64_t field_mask(const sysreg_field_t *f) {
    return ~UINT64_C(0) >> (63 - f->high + f->low);
}

static uint64_t field_get(const sysreg_field_t *f, uint64_t value) {
    return value >> f->low & field_mask(f);
}

static void field_set(register_obj_t *o, const sysreg_field_t *f, mp_obj_t value_obj) {
    uint64_t value = unbox_u64(value_obj), mask = field_mask(f);
    if (value > mask || !mp_obj_equal(value_obj, box_u64(value))) {
        char name[SYSREG_NAME_MAX];
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s.%s is %u bit%s wide: 0x%lx does not fit"), sysreg_print(&o->reg, name),
            f->name, f->high - f->low + 1, f->high == f->low ? "" : "s", value);
    }
    // What cannot be read is written with all other fields zero.
    uint64_t old = access_of(o) == SYSREG_RW ? get(o) : 0;
    set(o, box_u64((old & ~(mask << f->low)) | value << f->low), false);
}

// Those that are not zero, high to low, `before` and then blanks before them. Whether there are any.
static bool print_fields(const mp_print_t *print, const register_obj_t *o, uint64_t value, const char *before) {
    const char *first = before;
    for (const sysreg_field_t *f = NULL; (f = sysreg_field(o->reg.row, f)) != NULL;) {
        uint64_t v = field_get(f, value);
        if (v != 0) {
            mp_printf(print, v < 10 ? "%s%s=%lu" : "%s%s=0x%lx", before, f->name, v);
            before = " ";
        }
    }
    return before != first;
}

// ---- Methods ------------------------------------------------------------------------------------

static mp_obj_t register_read(mp_obj_t self) {
    return box_u64(get(MP_OBJ_TO_PTR(self)));
}
static MP_DEFINE_CONST_FUN_OBJ_1(register_read_obj, register_read);

// write(value, *, unsafe=False)
static mp_obj_t register_write(size_t n_args, const mp_obj_t *pos_args, mp_map_t *kw_args) {
    static const mp_arg_t allowed[] = {
        { MP_QSTR_value, MP_ARG_REQUIRED | MP_ARG_OBJ, { .u_obj = MP_OBJ_NULL } },
        { MP_QSTR_unsafe, MP_ARG_KW_ONLY | MP_ARG_OBJ, { .u_obj = mp_const_false } },
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args - 1, pos_args + 1, kw_args, MP_ARRAY_SIZE(allowed), allowed, args);
    set(MP_OBJ_TO_PTR(pos_args[0]), args[0].u_obj, hv_insists(args[1].u_obj));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(register_write_obj, 2, register_write);

// decode(value=the register's): the fields that are not zero, high to low
static mp_obj_t register_decode(size_t n_args, const mp_obj_t *args) {
    register_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    uint64_t value = n_args > 1 ? unbox_u64(args[1]) : get(o);
    vstr_t text;
    mp_print_t print;
    vstr_init_print(&text, 32, &print);
    print_fields(&print, o, value, "");
    return mp_obj_new_str_from_vstr(&text);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(register_decode_obj, 1, 2, register_decode);

// Without it dir() would read the register once for each of its fields.
static mp_obj_t register_dir(mp_obj_t self) {
    static const qstr_short_t common[] = {
        MP_QSTR_name, MP_QSTR_enc, MP_QSTR_access, MP_QSTR_fields, MP_QSTR_read, MP_QSTR_write, MP_QSTR_decode,
    };
    register_obj_t *o = MP_OBJ_TO_PTR(self);
    mp_obj_t names = mp_obj_new_list(0, NULL);
    for (size_t i = 0; i < MP_ARRAY_SIZE(common); i++) {
        mp_obj_list_append(names, MP_OBJ_NEW_QSTR(common[i]));
    }
    for (const sysreg_field_t *f = NULL; (f = sysreg_field(o->reg.row, f)) != NULL;) {
        mp_obj_list_append(names, MP_OBJ_NEW_QSTR(qstr_from_str(f->name)));
    }
    return names;
}
static MP_DEFINE_CONST_FUN_OBJ_1(register_dir_obj, register_dir);

static const mp_rom_map_elem_t register_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&register_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&register_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_decode), MP_ROM_PTR(&register_decode_obj) },
    { MP_ROM_QSTR(MP_QSTR___dir__), MP_ROM_PTR(&register_dir_obj) },
};
static MP_DEFINE_CONST_DICT(register_locals_dict, register_locals);

static MP_NORETURN void raise_no_field(const register_obj_t *o, qstr name) {
    char buf[SYSREG_NAME_MAX];
    mp_raise_msg_varg(&mp_type_AttributeError, MP_ERROR_TEXT("%s has no field %q"), sysreg_print(&o->reg, buf), name);
}

static void load_attr(register_obj_t *o, qstr attr, mp_obj_t *dest) {
    const sysreg_field_t *f = find_field(o, attr);
    if (f != NULL) {
        dest[0] = box_u64(field_get(f, get(o)));
        return;
    }
    switch (attr) {
        case MP_QSTR_name:
            dest[0] = sysreg_name_obj(&o->reg);
            return;
        case MP_QSTR_enc:
            dest[0] = MP_OBJ_NEW_SMALL_INT(o->reg.enc);
            return;
        case MP_QSTR_access:
            dest[0] = sysreg_access_obj(&o->reg);
            return;
        case MP_QSTR_fields:
            dest[0] = sysreg_fields_obj(&o->reg);
            return;
        default:
            if (mp_map_lookup((mp_map_t *)&register_locals_dict.map, MP_OBJ_NEW_QSTR(attr), MP_MAP_LOOKUP) == NULL) {
                raise_no_field(o, attr);
            }
            dest[1] = MP_OBJ_SENTINEL; // a method
    }
}

static void register_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    register_obj_t *o = MP_OBJ_TO_PTR(self);
    if (dest[0] == MP_OBJ_NULL) {
        load_attr(o, attr, dest);
        return;
    }
    const sysreg_field_t *f = find_field(o, attr);
    if (f == NULL || dest[1] == MP_OBJ_NULL) {
        raise_no_field(o, attr);
    }
    field_set(o, f, dest[1]);
    dest[0] = MP_OBJ_NULL; // stored
}

static void register_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    register_obj_t *o = MP_OBJ_TO_PTR(self);
    char buf[SYSREG_NAME_MAX];
    const char *name = sysreg_print(&o->reg, buf);
    sysreg_access_t access = access_of(o);
    if (access != SYSREG_RW && access != SYSREG_RO) {
        mp_printf(print, "%s (%s)", name, access == SYSREG_LAYOUT ? "the layout of a value" : "write-only");
        return;
    }
    uint64_t value = get(o); // before anything is printed: it may raise
    mp_printf(print, "%s 0x%lx", name, value);
    if (print_fields(print, o, value, " (")) {
        mp_print_str(print, ")");
    }
}

static mp_obj_t register_unary_op(mp_unary_op_t op, mp_obj_t self) {
    switch (op) {
        case MP_UNARY_OP_INT_MAYBE:
            return register_read(self);
        case MP_UNARY_OP_HASH:
            return MP_OBJ_NEW_SMALL_INT((mp_uint_t)self);
        default:
            return MP_OBJ_NULL;
    }
}

// The tab key completes words the interpreter knows: from now on it knows the fields.
static mp_obj_t make_register(const sysreg_t *reg) {
    for (const sysreg_field_t *f = NULL; (f = sysreg_field(reg->row, f)) != NULL;) {
        qstr_from_str(f->name);
    }
    return MP_OBJ_FROM_PTR(new_register(&register_type, reg));
}

static mp_obj_t register_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 1, false);
    sysreg_t reg = sysreg_resolve(args[0]);
    return make_register(&reg);
}

// HCR_EL2(value): a Value
static mp_obj_t register_call(mp_obj_t self, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 1, false);
    register_obj_t *o = MP_OBJ_TO_PTR(self), *value = new_register(&value_type, &o->reg);
    value->value = unbox_u64(args[0]);
    return MP_OBJ_FROM_PTR(value);
}

static MP_DEFINE_CONST_OBJ_TYPE(
    register_type, MP_QSTR_Register, MP_TYPE_FLAG_NONE,
    make_new, register_make_new,
    print, register_print,
    call, register_call,
    unary_op, register_unary_op,
    attr, register_attr,
    locals_dict, &register_locals_dict
    );

static MP_DEFINE_CONST_OBJ_TYPE(
    value_type, MP_QSTR_Value, MP_TYPE_FLAG_NONE,
    print, register_print,
    unary_op, register_unary_op,
    attr, register_attr,
    locals_dict, &register_locals_dict
    );

// find(name): what hv.regs gives for an attribute it does not have yet.
static mp_obj_t regs_find(mp_obj_t name) {
    sysreg_t reg = sysreg_named(name, &mp_type_AttributeError);
    return make_register(&reg);
}
static MP_DEFINE_CONST_FUN_OBJ_1(regs_find_obj, regs_find);

static const mp_rom_map_elem_t globals[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__regs) },
    { MP_ROM_QSTR(MP_QSTR_Register), MP_ROM_PTR(&register_type) },
    { MP_ROM_QSTR(MP_QSTR_find), MP_ROM_PTR(&regs_find_obj) },
    { MP_ROM_QSTR(MP_QSTR_names), MP_ROM_PTR(&hv_sysreg_names_obj) },
};
static MP_DEFINE_CONST_DICT(globals_dict, globals);

const mp_obj_module_t regs_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&globals_dict,
};
MP_REGISTER_MODULE(MP_QSTR__regs, regs_module);
