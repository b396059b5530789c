// SPDX-License-Identifier: MIT
// What compiled Python calls of mp_fun_table where the most frequent cases have a short way: the object is exactly of a type
// whose insides are known here. All else is MicroPython's own function of the name that is behind native_.

#include "py/objarray.h"
#include "py/objgenerator.h"
#include "py/objlist.h"
#include "py/objtuple.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "py/smallint.h"
#include "glue.h"

mp_obj_t native_load_attr(mp_obj_t base, qstr attr);
void native_load_method(mp_obj_t base, qstr attr, mp_obj_t *dest);
void native_store_attr(mp_obj_t base, qstr attr, mp_obj_t value);
mp_obj_t native_iternext(mp_obj_t iterator);
mp_obj_t native_obj_subscr(mp_obj_t base, mp_obj_t index, mp_obj_t value);
mp_obj_t native_unary_op(mp_unary_op_t op, mp_obj_t arg);

static inline const mp_obj_type_t *type_of(mp_obj_t o) {
    return mp_obj_is_obj(o) ? ((mp_obj_base_t *)MP_OBJ_TO_PTR(o))->type : NULL;
}

// What mp_map_lookup looks at first (lookup.c): the place where a key was found last. NULL: it is not there now.
static inline mp_map_elem_t *look(mp_map_t *map, mp_obj_t key) {
    size_t at = MP_STATE_VM(map_lookup_cache)[((uintptr_t)key >> 2) % MICROPY_OPT_MAP_LOOKUP_CACHE_SIZE];
    return at < map->alloc && map->table[at].key == key ? &map->table[at] : NULL;
}

// The functions that compiled code calls have no frame for what is nearly always so; these do the rest.
static __attribute__((noinline)) mp_obj_t load_attr(mp_obj_t base, qstr attr) {
    mp_map_elem_t *found = mp_map_lookup(&((mp_obj_instance_t *)MP_OBJ_TO_PTR(base))->members, MP_OBJ_NEW_QSTR(attr), MP_MAP_LOOKUP);
    return found != NULL ? found->value : mp_load_attr(base, attr);
}

// Bytecode looks into an instance at once as well (py/vm.c, MICROPY_OPT_LOAD_ATTR_FAST_PATH).
mp_obj_t native_load_attr(mp_obj_t base, qstr attr) {
    const mp_obj_type_t *type = type_of(base);
    if (type == NULL || !mp_obj_is_instance_type(type)) {
        return mp_load_attr(base, attr);
    }
    mp_map_elem_t *found = look(&((mp_obj_instance_t *)MP_OBJ_TO_PTR(base))->members, MP_OBJ_NEW_QSTR(attr));
    return found != NULL ? found->value : load_attr(base, attr);
}

// A new value for one that the instance has.
void native_store_attr(mp_obj_t base, qstr attr, mp_obj_t value) {
    const mp_obj_type_t *type = type_of(base);
    if (type != NULL && mp_obj_is_instance_type(type) && !(type->flags & MP_TYPE_FLAG_HAS_SPECIAL_ACCESSORS) && value != MP_OBJ_NULL) {
        mp_obj_instance_t *self = MP_OBJ_TO_PTR(base);
        mp_map_elem_t *found = look(&self->members, MP_OBJ_NEW_QSTR(attr));
        if (found != NULL) {
            found->value = value;
            return;
        }
    }
    mp_store_attr(base, attr, value);
}

// As gen_instance_iternext() of py/objgenerator.c has it.
static __attribute__((noinline)) mp_obj_t generator_next(mp_obj_t generator) {
    mp_obj_t value;
    switch (native_obj_gen_resume(generator, mp_const_none, MP_OBJ_NULL, &value)) {
        case MP_VM_RETURN_YIELD:
            return value;
        case MP_VM_RETURN_EXCEPTION:
            nlr_raise(value);
        default:
            return mp_make_stop_iteration(value == mp_const_none ? MP_OBJ_NULL : value);
    }
}

// An iterator of C is asked at once; of a list, a tuple, bytes and others, as py/objpolyiter.c has it.
mp_obj_t native_iternext(mp_obj_t iterator) {
    const mp_obj_type_t *type = type_of(iterator);
    if (type == NULL || (type->flags & MP_TYPE_FLAG_ITER_IS_STREAM) != MP_TYPE_FLAG_ITER_IS_ITERNEXT) {
        return mp_iternext(iterator);
    }
    MP_STATE_THREAD(stop_iteration_arg) = MP_OBJ_NULL;
    if (type == &mp_type_polymorph_iter) {
        struct {
            mp_obj_base_t base;
            mp_fun_1_t next;
        } *self = MP_OBJ_TO_PTR(iterator);
        return self->next(iterator);
    }
    if (type == &mp_type_gen_instance) {
        return generator_next(iterator);
    }
    mp_fun_1_t next = MP_OBJ_TYPE_GET_SLOT(type, iter);
    return next(iterator);
}

// A method of a type of C, which hides it from nobody by an attribute of its own. None has __class__ or __next__ there.
static bool method_of_c(const mp_obj_type_t *type, mp_obj_t base, qstr attr, mp_obj_t *dest) {
    if (MP_OBJ_TYPE_HAS_SLOT(type, attr) || !MP_OBJ_TYPE_HAS_SLOT(type, locals_dict)) {
        return false;
    }
    mp_map_elem_t *found = look(&MP_OBJ_TYPE_GET_SLOT(type, locals_dict)->map, MP_OBJ_NEW_QSTR(attr));
    const mp_obj_type_t *of = found == NULL ? NULL : type_of(found->value);
    if (of == NULL || !(of->flags & MP_TYPE_FLAG_BINDS_SELF)) {
        return false;
    }
    dest[0] = found->value;
    dest[1] = base;
    return true;
}

// Of a map that has few places; true, it may be there: of others.
#define FEW 8
static inline bool may_have(const mp_map_t *map, mp_obj_t key) {
    if (map->alloc > FEW) {
        return true;
    }
    for (const mp_map_elem_t *at = map->table, *top = at + map->alloc; at < top; at++) {
        if (at->key == key) {
            return true;
        }
    }
    return false;
}

static __attribute__((noinline)) void load_method(mp_obj_t base, qstr attr, mp_obj_t *dest) {
    const mp_obj_type_t *type = type_of(base);
    if (type == NULL || mp_obj_is_instance_type(type) || !method_of_c(type, base, attr, dest)) {
        mp_load_method(base, attr, dest);
    }
}

// A function of the instance's own class, which no value of the instance hides.
void native_load_method(mp_obj_t base, qstr attr, mp_obj_t *dest) {
    const mp_obj_type_t *type = type_of(base);
    if (type != NULL && mp_obj_is_instance_type(type) && MP_OBJ_TYPE_HAS_SLOT(type, locals_dict)) {
        mp_map_elem_t *found = look(&MP_OBJ_TYPE_GET_SLOT(type, locals_dict)->map, MP_OBJ_NEW_QSTR(attr));
        const mp_obj_type_t *of = found == NULL ? NULL : type_of(found->value);
        if (of != NULL && (of->flags & (MP_TYPE_FLAG_BINDS_SELF | MP_TYPE_FLAG_BUILTIN_FUN)) == MP_TYPE_FLAG_BINDS_SELF
            && !may_have(&((mp_obj_instance_t *)MP_OBJ_TO_PTR(base))->members, MP_OBJ_NEW_QSTR(attr))) {
            dest[0] = found->value;
            dest[1] = base;
            return;
        }
    }
    load_method(base, attr, dest);
}

// Not in line: what is below has no frame.
static __attribute__((noinline)) mp_obj_t dict_item(mp_obj_t base, mp_obj_t index) {
    mp_map_elem_t *found = mp_map_lookup(mp_obj_dict_get_map(base), index, MP_MAP_LOOKUP);
    return found != NULL ? found->value : mp_obj_subscr(base, index, MP_OBJ_SENTINEL);
}

static __attribute__((noinline)) mp_obj_t dict_store(mp_obj_t base, mp_obj_t index, mp_obj_t value) {
    mp_obj_dict_store(base, index, value);
    return mp_const_none;
}

static inline bool index_of(mp_obj_t o, size_t len, size_t none, size_t *index) {
    mp_int_t at = MP_OBJ_SMALL_INT_VALUE(o);
    *index = o == mp_const_none ? none : (size_t)MIN((mp_int_t)len, MAX(at + (at < 0 ? (mp_int_t)len : 0), 0));
    return o == mp_const_none || mp_obj_is_small_int(o);
}

// The items of a list from one on to another one; with steps between them MicroPython appends each.
static mp_obj_t list_steps(const mp_obj_list_t *list, mp_obj_t index) {
    mp_bound_slice_t slice;
    mp_obj_slice_indices(index, (mp_int_t)list->len, &slice);
    mp_int_t start = (mp_int_t)slice.start, step = slice.step, far = step > 0 ? (mp_int_t)slice.stop - start : start - (mp_int_t)slice.stop;
    size_t by = (size_t)(step > 0 ? step : -step), n = far > 0 ? ((size_t)far + by - 1) / by : 0;
    mp_obj_list_t *made = MP_OBJ_TO_PTR(mp_obj_new_list(n, NULL));
    for (size_t i = 0; i < n; i++, start += step) {
        made->items[i] = list->items[start];
    }
    return MP_OBJ_FROM_PTR(made);
}

static __attribute__((noinline)) mp_obj_t list_slice(mp_obj_t base, mp_obj_t index) {
    const mp_obj_slice_t *slice = MP_OBJ_TO_PTR(index);
    const mp_obj_list_t *list = MP_OBJ_TO_PTR(base);
    size_t from, to;
    if (slice->step != mp_const_none || !index_of(slice->start, list->len, 0, &from) || !index_of(slice->stop, list->len, list->len, &to)) {
        return list_steps(list, index);
    }
    return mp_obj_new_list(to > from ? to - from : 0, list->items + from);
}

// An item of a dict, list, tuple or bytearray; the slower way has the errors.
mp_obj_t native_obj_subscr(mp_obj_t base, mp_obj_t index, mp_obj_t value) {
    const mp_obj_type_t *type = type_of(base);
    if (mp_obj_is_small_int(index)) {
        size_t at = (size_t)MP_OBJ_SMALL_INT_VALUE(index);
        if (type == &mp_type_list && value != MP_OBJ_NULL) {
            mp_obj_list_t *list = MP_OBJ_TO_PTR(base);
            at += (mp_int_t)at < 0 ? list->len : 0;
            if (at < list->len) {
                if (value == MP_OBJ_SENTINEL) {
                    return list->items[at];
                }
                list->items[at] = value;
                return mp_const_none;
            }
        } else if (type == &mp_type_tuple && value == MP_OBJ_SENTINEL) {
            mp_obj_tuple_t *tuple = MP_OBJ_TO_PTR(base);
            at += (mp_int_t)at < 0 ? tuple->len : 0;
            if (at < tuple->len) {
                return tuple->items[at];
            }
        } else if (type == &mp_type_bytearray || (type == &mp_type_bytes && value == MP_OBJ_SENTINEL)) {
            mp_obj_array_t *array = MP_OBJ_TO_PTR(base); // and so is bytes: MP_STATIC_ASSERT_STR_ARRAY_COMPATIBLE
            at += (mp_int_t)at < 0 ? array->len : 0;
            if (at < array->len && value == MP_OBJ_SENTINEL) {
                return MP_OBJ_NEW_SMALL_INT(((uint8_t *)array->items)[at]);
            }
            if (at < array->len && mp_obj_is_small_int(value) && (size_t)MP_OBJ_SMALL_INT_VALUE(value) < 256) {
                ((uint8_t *)array->items)[at] = (uint8_t)MP_OBJ_SMALL_INT_VALUE(value);
                return mp_const_none;
            }
        }
    }
    if (type == &mp_type_list && value == MP_OBJ_SENTINEL && type_of(index) == &mp_type_slice) {
        return list_slice(base, index);
    }
    if (type == &mp_type_dict && value != MP_OBJ_NULL) {
        return value == MP_OBJ_SENTINEL ? dict_item(base, index) : dict_store(base, index, value);
    }
    return mp_obj_subscr(base, index, value);
}

// ---- Operations that are not of numbers ---------------------------------------------------------

// Whether a small int is among small ints. None: something else is among them.
static mp_obj_t among(mp_obj_t number, size_t n, const mp_obj_t *items) {
    for (size_t i = 0; i < n; i++) {
        if (items[i] == number) {
            return mp_const_true;
        }
        if (!mp_obj_is_small_int(items[i])) {
            return mp_const_none;
        }
    }
    return mp_const_false;
}

// Names and None, False, True are equal when they are the same.
static bool is_itself(mp_obj_t o) {
    return ((uintptr_t)o & 3) == 2;
}

mp_obj_t native_other_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    if ((op == MP_BINARY_OP_EQUAL || op == MP_BINARY_OP_NOT_EQUAL) && is_itself(lhs) && is_itself(rhs)) {
        return mp_obj_new_bool((lhs == rhs) == (op == MP_BINARY_OP_EQUAL));
    }
    if (op == MP_BINARY_OP_IN && mp_obj_is_small_int(lhs)) {
        const mp_obj_type_t *type = type_of(rhs);
        mp_obj_t found = mp_const_none;
        if (type == &mp_type_list) {
            found = among(lhs, ((mp_obj_list_t *)MP_OBJ_TO_PTR(rhs))->len, ((mp_obj_list_t *)MP_OBJ_TO_PTR(rhs))->items);
        } else if (type == &mp_type_tuple) {
            found = among(lhs, ((mp_obj_tuple_t *)MP_OBJ_TO_PTR(rhs))->len, ((mp_obj_tuple_t *)MP_OBJ_TO_PTR(rhs))->items);
        }
        if (found != mp_const_none) {
            return found;
        }
    }
    return mp_binary_op(op, lhs, rhs);
}

mp_obj_t native_unary_op(mp_unary_op_t op, mp_obj_t arg) {
    if (op == MP_UNARY_OP_NOT && (arg == mp_const_false || arg == mp_const_true)) {
        return mp_obj_new_bool(arg == mp_const_false);
    }
    if (op == MP_UNARY_OP_NEGATIVE && mp_obj_is_small_int(arg) && MP_OBJ_SMALL_INT_VALUE(arg) != MP_SMALL_INT_MIN) {
        return MP_OBJ_NEW_SMALL_INT(-MP_OBJ_SMALL_INT_VALUE(arg));
    }
    return mp_unary_op(op, arg);
}
