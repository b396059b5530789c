// SPDX-License-Identifier: MIT
// What is known of each system register (sysregs.def), found by name or by encoding.
#ifndef HV_SYSREG_TABLE_H
#define HV_SYSREG_TABLE_H

#include "py/obj.h"
#include "python/objects.h"

typedef enum {
    SYSREG_RO, SYSREG_RW, SYSREG_WO,
    SYSREG_INSN_X,      // a system instruction that takes a register
    SYSREG_INSN_NONE,   // one that takes none: Rt must be 31
    SYSREG_LAYOUT,      // no register: fields only, enc is 0
} sysreg_access_t;

typedef enum {
    SYSREG_SAVE_NONE, SYSREG_SAVE_EL1, SYSREG_SAVE_EL2, SYSREG_SAVE_FP, SYSREG_SAVE_DBG, SYSREG_SAVE_PMU,
    SYSREG_SAVE_TIMER, SYSREG_SAVE_GIC, SYSREG_SAVE_A32,
} sysreg_save_t;

typedef struct {
    uint8_t high, low;  // bits
    char name[];        // with a NUL: 500 interned strings would be three times as long
} sysreg_field_t;

// One register, or a family such as DBGBVR<n>_EL1 of which this is number 0.
typedef struct {
    qstr_short_t name;
    uint16_t enc;       // SYSREG_ENC
    uint8_t access;     // sysreg_access_t
    uint8_t save;       // sysreg_save_t
    uint8_t count;      // members, 1 when it is no family
    uint8_t step;       // from one member's encoding to the next
    uint16_t fields;    // where they begin: see sysreg_field
} sysreg_info_t;

extern const sysreg_info_t sysregs[];
extern const size_t sysregs_count;

#define SYSREG_NAME_MAX 24 // with the NUL

// A register that was asked for.
typedef struct {
    const sysreg_info_t *row;   // NULL: only an encoding
    unsigned number;            // which of a family's members
    unsigned enc;               // 0: a layout
} sysreg_t;

// What "HCR_EL2", "S3_4_C1_C1_0", an int that is an encoding, or an object with an `enc`
// (hv.regs.HCR_EL2) means. ValueError names what is unknown, and the nearest name.
sysreg_t sysreg_resolve(mp_obj_t name_or_enc);

// A str alone; `unknown` is the exception for what is no register's name.
sysreg_t sysreg_named(mp_obj_t name, const mp_obj_type_t *unknown);

// For registers only, as the encoding.
int sysreg_lookup(mp_obj_t name_or_enc);

// The row of an encoding, or NULL; *number is which of a family's members it is.
const sysreg_info_t *sysreg_find(unsigned enc, unsigned *number);

// A row's fields, high to low: the one after `before`, which is NULL for the first; NULL at the end.
// The row may be NULL and then has none.
const sysreg_field_t *sysreg_field(const sysreg_info_t *row, const sysreg_field_t *before);

// The name; without a row S<op0>_<op1>_C<n>_C<m>_<op2>. In ROM, or in buf.
const char *sysreg_print(const sysreg_t *r, char buf[SYSREG_NAME_MAX]);
const char *sysreg_name(unsigned enc, char buf[SYSREG_NAME_MAX]);

// For Python: the name as a str, the access as "RO", "RW", "WO", "SYS" (an instruction) or "" (a
// layout), the fields as an ordered dict {name: (high, low)}.
mp_obj_t sysreg_name_obj(const sysreg_t *r);
mp_obj_t sysreg_access_obj(const sysreg_t *r);
mp_obj_t sysreg_fields_obj(const sysreg_t *r);

// For the globals table of _hv.
MP_DECLARE_CONST_FUN_OBJ_1(hv_sysreg_obj);          // sysreg(name_or_enc) -> (name, enc, access)
MP_DECLARE_CONST_FUN_OBJ_1(hv_sysreg_fields_obj);   // sysreg_fields(name_or_enc) -> {name: (high, low)}
MP_DECLARE_CONST_FUN_OBJ_0(hv_sysreg_names_obj);    // sysreg_names() -> tuple of every name

#endif
