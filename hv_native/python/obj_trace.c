// SPDX-License-Identifier: MIT
// _hv.Trace: what modules/hv/trace.py is made of.

#include <string.h>
#include "py/runtime.h"
#include "core/arch.h"
#include "core/syndrome.h"
#include "memory/native.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/numbers.h"
#include "trap/trace.h"
#include "vm/runqueue.h"
#include "vm/vm.h"

typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
    trace_t *trace;     // NULL once stopped
} hv_trace_obj_t;

static const mp_obj_type_t hv_trace_type;

// The VM may have been closed, which has freed it.
static trace_t *trace_of(mp_obj_t self) {
    hv_trace_obj_t *o = MP_OBJ_TO_PTR(self);
    hv_vm_get(MP_OBJ_FROM_PTR(o->vm));
    if (o->trace == NULL) {
        mp_raise_ValueError(MP_ERROR_TEXT("this trace was stopped"));
    }
    return o->trace;
}

static void add_filters(trace_t *t, mp_obj_t filters) {
    size_t n;
    mp_obj_t *items;
    mp_obj_get_array(filters, &n, &items);
    if (n > TRACE_FILTERS) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a trace has at most %d registers and addresses"), TRACE_FILTERS);
    }
    for (size_t i = 0; i < n; i++) {
        mp_obj_t *pair;
        mp_obj_get_array_fixed_n(items[i], 2, &pair);
        bool sysreg = pair[1] == mp_const_none;
        uint64_t first = sysreg ? sysreg_key(unbox_int(pair[0])) : unbox_u64(pair[0]);
        t->filter[t->nfilters++] = (trace_filter_t) { first, sysreg ? first + 1 : first + unbox_u64(pair[1]), sysreg };
    }
}

// trace(kinds, filters, records, key) -> Trace. kinds: a bit a trace_kind_t; filters: (encoding, None) or (IPA, size);
// records: of each core's ring, a power of two; key: of a count, or -1.
static mp_obj_t vm_trace(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    vm_t *vm = hv_vm_get(args[0]);
    trace_t given = { .kinds = unbox_int(args[1]), .records = unbox_u64(args[3]), .counts = unbox_int(args[4]) >= 0, .key = unbox_int(args[4]) };
    if (given.records < 64 || given.records > 1u << 24 || (given.records & (given.records - 1)) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("a ring has 64 to 2^24 records, a power of two"));
    }
    add_filters(&given, args[2]);
    hv_trace_obj_t *o = mp_obj_malloc(hv_trace_obj_t, &hv_trace_type);
    o->vm = MP_OBJ_TO_PTR(args[0]);
    o->trace = native_alloc(sizeof(trace_t));
    if (o->trace == NULL) {
        hv_no_room("a trace", sizeof(trace_t));
    }
    *o->trace = given;
    vm_hold(vm);
    bool ok = trace_add(vm, o->trace);
    vm_release(vm);
    if (!ok) {
        native_free(o->trace, sizeof(trace_t));
        o->trace = NULL;
        hv_no_room("the rings of a trace", given.records * sizeof(trace_record_t) * platform.ncpus);
    }
    return MP_OBJ_FROM_PTR(o);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_trace_obj, 5, 5, vm_trace);

// read(most[, core]) -> bytes of that many records at most, of 32 bytes each: each core's in their order, or of one core;
// None where there is no such core
static mp_obj_t trace_read(size_t n_args, const mp_obj_t *args) {
    trace_t *t = trace_of(args[0]);
    size_t most = unbox_u64(args[1]);
    unsigned core = n_args > 2 ? (unsigned)unbox_int(args[2]) : 0, end = n_args > 2 ? core + 1 : platform.ncpus;
    if (core >= platform.ncpus) {
        return mp_const_none;
    }
    vstr_t data;
    vstr_init(&data, 64 * sizeof(trace_record_t));
    trace_record_t record;
    for (; core < end && !t->counts; core++) {
        while (data.len / sizeof(record) < most && trace_next(t, core, &record)) {
            vstr_add_strn(&data, (const char *)&record, sizeof(record));
        }
    }
    return hv_bytes(&data);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(trace_read_obj, 2, 3, trace_read);

// counts() -> {key: how often}, and what there was no place for under None
static mp_obj_t trace_counts(mp_obj_t self) {
    trace_t *t = trace_of(self);
    mp_obj_t dict = mp_obj_new_dict(0);
    uint64_t others = 0;
    for (unsigned core = 0; core < platform.ncpus && t->counts; core++) {
        others += t->ring[core].others;
        for (unsigned i = 0; i < TRACE_KEYS; i++) {
            trace_count_t c = t->ring[core].count[i];
            if (c.n != 0) {
                mp_obj_t key = box_u64(c.key);
                mp_map_elem_t *e = mp_map_lookup(mp_obj_dict_get_map(dict), key, MP_MAP_LOOKUP_ADD_IF_NOT_FOUND);
                e->value = box_u64((e->value == MP_OBJ_NULL ? 0 : unbox_u64(e->value)) + c.n);
            }
        }
    }
    if (others != 0) {
        mp_obj_dict_store(dict, mp_const_none, box_u64(others));
    }
    return dict;
}
static MP_DEFINE_CONST_FUN_OBJ_1(trace_counts_obj, trace_counts);

static mp_obj_t trace_stop(mp_obj_t self) {
    hv_trace_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = o->vm->vm;
    if (vm != NULL && o->trace != NULL) {
        vm_hold(vm);
        trace_remove(vm, o->trace);
        vm_release(vm);
    }
    o->trace = NULL;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(trace_stop_obj, trace_stop);

// lost: records that were written over before they were read; frozen: nothing is added
static void trace_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    if (attr == MP_QSTR_frozen && dest[0] == MP_OBJ_SENTINEL && dest[1] != MP_OBJ_NULL) {
        trace_t *t = trace_of(self);
        trace_freeze(((hv_trace_obj_t *)MP_OBJ_TO_PTR(self))->vm->vm, t, unbox_bool(dest[1]));
        dest[0] = MP_OBJ_NULL;
    } else if (dest[0] != MP_OBJ_NULL) {
        return;
    } else if (attr == MP_QSTR_frozen) {
        dest[0] = mp_obj_new_bool(trace_of(self)->frozen);
    } else if (attr == MP_QSTR_lost) {
        trace_t *t = trace_of(self);
        uint64_t lost = 0;
        for (unsigned core = 0; core < platform.ncpus; core++) {
            lost += t->ring[core].lost + (t->counts ? 0 : trace_overwritten(t, core));
        }
        dest[0] = box_u64(lost);
    } else {
        dest[1] = MP_OBJ_SENTINEL;
    }
}

static const mp_rom_map_elem_t trace_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_counts), MP_ROM_PTR(&trace_counts_obj) },
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&trace_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_stop), MP_ROM_PTR(&trace_stop_obj) },
};
static MP_DEFINE_CONST_DICT(trace_locals_dict, trace_locals);

static MP_DEFINE_CONST_OBJ_TYPE(hv_trace_type, MP_QSTR_Trace, MP_TYPE_FLAG_NONE, attr, trace_attr, locals_dict, &trace_locals_dict);
