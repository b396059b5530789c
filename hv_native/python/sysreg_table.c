// SPDX-License-Identifier: MIT
// System register table.
// The register table in ROM and the ways to look into it.

#include <stdio.h>
#include <string.h>
#include "py/objtype.h"
#include "py/runtime.h"
#include "core/syndrome.h"
#include "python/sysreg_table.h"

// The fields of all rows, one after the other: first what each is made of, then what is in it.
#define FIELDS_END 0xFF
#define SYSREG(name, op0, op1, crn, crm, op2, access, save, ...) SYSVALUE(name, __VA_ARGS__)
#define SYSREG_N(name, op0, op1, crn, crm, op2, count, step, access, save, ...) SYSVALUE(name, __VA_ARGS__)
#define SYSINSN(name, op0, op1, crn, crm, op2, operand, ...) SYSVALUE(name, __VA_ARGS__)
#define SYSVALUE(name, ...) struct { __VA_ARGS__ uint8_t end; } name;
#define B(name, bit) F(name, bit, bit)
#define F(name, high, low) uint8_t bits_##name[2]; char name_##name[sizeof(#name)];
static const struct fields {
    #include "core/sysregs.def"
} fields = {
    #define SYSREG(name, op0, op1, crn, crm, op2, access, save, ...) SYSVALUE(name, __VA_ARGS__)
    #define SYSREG_N(name, op0, op1, crn, crm, op2, count, step, access, save, ...) SYSVALUE(name, __VA_ARGS__)
    #define SYSINSN(name, op0, op1, crn, crm, op2, operand, ...) SYSVALUE(name, __VA_ARGS__)
    #define SYSVALUE(name, ...) { __VA_ARGS__ FIELDS_END },
#undef F
    #define F(name, high, low) { high, low }, #name,
    #include "core/sysregs.def"
};
_Static_assert(sizeof(fields) < 0x10000, "sysreg_info_t.fields has 16 bits");

#define ROW(name, op0, op1, crn, crm, op2, count, step, access, save) \
    { MP_QSTR_##name, SYSREG_ENC(op0, op1, crn, crm, op2), access, SYSREG_SAVE_##save, count, step, \
      offsetof(struct fields, name) },

const sysreg_info_t sysregs[] = {
    #define SYSREG(name, op0, op1, crn, crm, op2, access, save, ...) \
    ROW(name, op0, op1, crn, crm, op2, 1, 1, SYSREG_##access, save)
    #define SYSREG_N(name, op0, op1, crn, crm, op2, count, step, access, save, ...) \
    ROW(name, op0, op1, crn, crm, op2, count, step, SYSREG_##access, save)
    #define SYSINSN(name, op0, op1, crn, crm, op2, operand, ...) \
    ROW(name, op0, op1, crn, crm, op2, 1, 1, SYSREG_INSN_##operand, NONE)
    #define SYSVALUE(name, ...) \
    ROW(name, 0, 0, 0, 0, 0, 1, 1, SYSREG_LAYOUT, NONE)
    #include "core/sysregs.def"
};
const size_t sysregs_count = MP_ARRAY_SIZE(sysregs);

// Rows by their name's qstr, open addressing, 1 + row; filled at the first look-up. A name in a hot
// handler (cpu.sysreg["ELR_EL1"]) then costs some twenty instructions instead of a search.
#define INDEX_BITS 10
#define INDEX_SIZE (1u << INDEX_BITS)
_Static_assert(MP_ARRAY_SIZE(sysregs) < INDEX_SIZE / 2, "probing must meet free slots soon");
static uint16_t name_index[INDEX_SIZE];

static uint16_t *index_slot(qstr name) {
    for (uint32_t i = (uint32_t)name * 0x9E3779B1u >> (32 - INDEX_BITS);; i++) {
        uint16_t *slot = &name_index[i % INDEX_SIZE];
        if (*slot == 0 || sysregs[*slot - 1].name == name) {
            return slot;
        }
    }
}

static const sysreg_info_t *find_row(qstr name) {
    static bool filled;
    if (!filled) {
        for (size_t i = 0; i < sysregs_count; i++) {
            *index_slot(sysregs[i].name) = i + 1;
        }
        filled = true;
    }
    uint16_t row = *index_slot(name);
    return row == 0 ? NULL : &sysregs[row - 1];
}

const sysreg_field_t *sysreg_field(const sysreg_info_t *row, const sysreg_field_t *before) {
    if (row == NULL) {
        return NULL;
    }
    const void *f = before == NULL ? (const char *)&fields + row->fields : before->name + strlen(before->name) + 1;
    return *(const uint8_t *)f == FIELDS_END ? NULL : f;
}

// Where a family's name has its number: before "_EL".
static size_t number_at(const char *name) {
    return strstr(name, "_EL") - 1 - name;
}

// A decimal number of one or two digits without leading zeros; -1 when there is none.
static int take_number(const char **s) {
    const char *p = *s;
    if (*p < '0' || *p > '9') {
        return -1;
    }
    int n = *p++ - '0';
    if (n != 0 && *p >= '0' && *p <= '9') {
        n = n * 10 + *p++ - '0';
    }
    *s = p;
    return n;
}

// S<op0>_<op1>_C<n>_C<m>_<op2>, as the assembler writes a register without a name; -1 if it is not.
static int parse_generic(const char *s) {
    static const struct {
        char before[3];
        uint8_t max, shift;
    } part[] = {
        { "S", 3, 14 }, { "_", 7, 11 }, { "_C", 15, 7 }, { "_C", 15, 3 }, { "_", 7, 0 },
    };
    int enc = 0;
    for (size_t i = 0; i < MP_ARRAY_SIZE(part); i++) {
        for (const char *c = part[i].before; *c != 0; c++) {
            if (*s++ != *c) {
                return -1;
            }
        }
        int n = take_number(&s);
        if (n < 0 || n > part[i].max) {
            return -1;
        }
        enc |= n << part[i].shift;
    }
    return *s == 0 && enc >> 14 != 0 ? enc : -1;
}

static const sysreg_info_t *find_member(const char *name, unsigned *number) {
    for (const sysreg_info_t *r = sysregs; r < sysregs + sysregs_count; r++) {
        if (r->count > 1) {
            const char *first = qstr_str(r->name), *s = name;
            size_t at = number_at(first);
            if (strncmp(name, first, at) == 0) {
                s += at;
                int n = take_number(&s);
                if (n >= 0 && n < r->count && strcmp(s, first + at + 1) == 0) {
                    *number = n;
                    return r;
                }
            }
        }
    }
    return NULL;
}

const sysreg_info_t *sysreg_find(unsigned enc, unsigned *number) {
    for (const sysreg_info_t *r = sysregs; r < sysregs + sysregs_count; r++) {
        unsigned distance = enc - r->enc;
        if (distance % r->step == 0 && distance / r->step < r->count) {
            *number = distance / r->step;
            return r;
        }
    }
    return NULL;
}

const char *sysreg_print(const sysreg_t *r, char buf[SYSREG_NAME_MAX]) {
    if (r->row == NULL) {
        snprintf(buf, SYSREG_NAME_MAX, "S%u_%u_C%u_C%u_%u", r->enc >> 14 & 3, r->enc >> 11 & 7, r->enc >> 7 & 15,
            r->enc >> 3 & 15, r->enc & 7);
        return buf;
    }
    const char *name = qstr_str(r->row->name);
    if (r->number == 0) {
        return name;
    }
    size_t at = number_at(name);
    snprintf(buf, SYSREG_NAME_MAX, "%.*s%u%s", (int)at, name, r->number, name + at + 1);
    return buf;
}

const char *sysreg_name(unsigned enc, char buf[SYSREG_NAME_MAX]) {
    sysreg_t r = { .enc = enc };
    r.row = sysreg_find(enc, &r.number);
    return sysreg_print(&r, buf);
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? c - 32 : c;
}

// The more two names share at both ends, most of all at the beginning, the nearer.
static int likeness(const char *a, const char *b) {
    int la = strlen(a), lb = strlen(b), least = MIN(la, lb), head = 0, tail = 0;
    while (head < least && upper(a[head]) == upper(b[head])) {
        head++;
    }
    while (tail < least - head && upper(a[la - 1 - tail]) == upper(b[lb - 1 - tail])) {
        tail++;
    }
    return 3 * head + 2 * tail - la - lb;
}

static MP_NORETURN void raise_unknown(const mp_obj_type_t *exception, const char *name) {
    const char *nearest = NULL;
    int best = -3;
    for (const sysreg_info_t *r = sysregs; r < sysregs + sysregs_count; r++) {
        // Other first letters are not looked at: dir() asks for a thousand words that are no register.
        const char *other = qstr_str(r->name);
        int l = upper(name[0]) == upper(other[0]) ? likeness(name, other) : best;
        if (l > best) {
            best = l;
            nearest = other;
        }
    }
    if (nearest == NULL) {
        mp_raise_msg_varg(exception, MP_ERROR_TEXT("no system register '%s'"), name);
    }
    mp_raise_msg_varg(exception, MP_ERROR_TEXT("no system register '%s'; did you mean %s?"), name, nearest);
}

sysreg_t sysreg_named(mp_obj_t name_obj, const mp_obj_type_t *unknown) {
    size_t len;
    const char *name = mp_obj_str_get_data(name_obj, &len);
    // A name that is no qstr yet is not in the table; do not make it one.
    qstr q = mp_obj_is_qstr(name_obj) ? MP_OBJ_QSTR_VALUE(name_obj) : qstr_find_strn(name, len);
    sysreg_t r = { .row = q == MP_QSTRnull ? NULL : find_row(q) };
    if (r.row == NULL) {
        r.row = find_member(name, &r.number);
    }
    if (r.row != NULL) {
        r.enc = r.row->enc + r.number * r.row->step;
        return r;
    }
    int enc = parse_generic(name);
    if (enc < 0) {
        raise_unknown(unknown, name);
    }
    r.enc = enc;
    r.row = sysreg_find(enc, &r.number);
    return r;
}

sysreg_t sysreg_resolve(mp_obj_t what) {
    if (mp_obj_is_str(what)) {
        return sysreg_named(what, &mp_type_ValueError);
    }
    if (!mp_obj_is_int(what)) {
        mp_obj_t dest[2] = { MP_OBJ_NULL, MP_OBJ_NULL };
        const mp_obj_type_t *type = mp_obj_get_type(what);
        if (!mp_obj_is_instance_type(type) && type != &mp_type_module) { // no Python: the caller may hold a VM
            mp_load_method_maybe(what, MP_QSTR_enc, dest);
        }
        if (dest[0] == MP_OBJ_NULL || !mp_obj_is_int(dest[0])) {
            mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("a register is a name or an encoding, not %s"),
                mp_obj_get_type_str(what));
        }
        what = dest[0];
    }
    mp_int_t enc = mp_obj_get_int_truncated(what);
    if (enc < 0 || enc > 0xFFFF || enc >> 14 == 0) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("0x%x is no system register's encoding: op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2"), (unsigned)enc);
    }
    sysreg_t r = { .enc = enc };
    r.row = sysreg_find(enc, &r.number);
    return r;
}

int sysreg_lookup(mp_obj_t name_or_enc) {
    sysreg_t r = sysreg_resolve(name_or_enc);
    if (r.enc == 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%q is not a system register, only a layout"),
            (qstr)r.row->name);
    }
    return r.enc;
}

mp_obj_t sysreg_name_obj(const sysreg_t *r) {
    if (r->row != NULL && r->number == 0) {
        return MP_OBJ_NEW_QSTR(r->row->name);
    }
    char buf[SYSREG_NAME_MAX];
    const char *name = sysreg_print(r, buf);
    return mp_obj_new_str(name, strlen(name));
}

mp_obj_t sysreg_access_obj(const sysreg_t *r) {
    static const qstr_short_t access[] = {
        MP_QSTR_RO, MP_QSTR_RW, MP_QSTR_WO, MP_QSTR_SYS, MP_QSTR_SYS, MP_QSTR_,
    };
    return MP_OBJ_NEW_QSTR(access[r->row != NULL ? r->row->access : SYSREG_RW]);
}

mp_obj_t sysreg_fields_obj(const sysreg_t *r) {
    mp_obj_t dict_obj = mp_obj_new_dict(0);
    mp_obj_dict_t *dict = MP_OBJ_TO_PTR(dict_obj);
    dict->base.type = &mp_type_ordereddict;
    dict->map.is_ordered = 1;
    for (const sysreg_field_t *f = NULL; (f = sysreg_field(r->row, f)) != NULL;) {
        mp_obj_t bits[] = { MP_OBJ_NEW_SMALL_INT(f->high), MP_OBJ_NEW_SMALL_INT(f->low) };
        mp_obj_dict_store(dict_obj, MP_OBJ_NEW_QSTR(qstr_from_str(f->name)), mp_obj_new_tuple(2, bits));
    }
    return dict_obj;
}

// ---- Functions of _hv ---------------------------------------------------------------------------

static mp_obj_t hv_sysreg(mp_obj_t name_or_enc) {
    sysreg_t r = sysreg_resolve(name_or_enc);
    mp_obj_t items[] = { sysreg_name_obj(&r), MP_OBJ_NEW_SMALL_INT(r.enc), sysreg_access_obj(&r) };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}
MP_DEFINE_CONST_FUN_OBJ_1(hv_sysreg_obj, hv_sysreg);

static mp_obj_t hv_sysreg_fields(mp_obj_t name_or_enc) {
    sysreg_t r = sysreg_resolve(name_or_enc);
    return sysreg_fields_obj(&r);
}
MP_DEFINE_CONST_FUN_OBJ_1(hv_sysreg_fields_obj, hv_sysreg_fields);

static mp_obj_t hv_sysreg_names(void) {
    size_t total = 0;
    for (size_t i = 0; i < sysregs_count; i++) {
        total += sysregs[i].count;
    }
    mp_obj_tuple_t *names = MP_OBJ_TO_PTR(mp_obj_new_tuple(total, NULL));
    mp_obj_t *item = names->items;
    for (const sysreg_info_t *r = sysregs; r < sysregs + sysregs_count; r++) {
        for (unsigned n = 0; n < r->count; n++) {
            *item++ = sysreg_name_obj(&(sysreg_t) { r, n, 0 });
        }
    }
    return MP_OBJ_FROM_PTR(names);
}
MP_DEFINE_CONST_FUN_OBJ_0(hv_sysreg_names_obj, hv_sysreg_names);
