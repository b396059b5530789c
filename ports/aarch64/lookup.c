// SPDX-License-Identifier: MIT
// Questions that MicroPython asks all the time, with a short way to the answers that they mostly have; the linker
// hands us their callers (--wrap), and what is not so simple is upstream's as before.

#include <string.h>
#include "py/builtin.h"
#include "py/mpstate.h"
#include "py/objfun.h"
#include "py/objstr.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "lookup.h"

mp_map_elem_t *__real_mp_map_lookup(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind);
mp_map_elem_t *__wrap_mp_map_lookup(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind);
mp_obj_t __real_mp_load_global(qstr name);
mp_obj_t __wrap_mp_load_global(qstr name);
void __real_mp_load_method_protected(mp_obj_t obj, qstr attr, mp_obj_t *dest, bool catch_all_exc);
void __wrap_mp_load_method_protected(mp_obj_t obj, qstr attr, mp_obj_t *dest, bool catch_all_exc);
mp_obj_t __real_mp_obj_str_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args);
mp_obj_t __wrap_mp_obj_str_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args);

// As MAP_CACHE_SET of py/map.c has it.
static inline uint8_t *cached(mp_obj_t index) {
    return &MP_STATE_VM(map_lookup_cache)[((uintptr_t)index >> 2) % MICROPY_OPT_MAP_LOOKUP_CACHE_SIZE];
}

// Where a built-in name was found that the globals of a module have not: `len` in a loop would be looked for among all of
// them each time. Whoever adds that name to them ends it, and so does whatever frees memory, where another map may lie then.
#define BUILTINS 64
static struct {
    const mp_map_t *absent;
    const mp_map_elem_t *builtin;
} builtins[BUILTINS];

void lookup_restart(void) {
    memset(builtins, 0, sizeof(builtins));
}

static inline void added(const mp_map_t *map, mp_obj_t index) {
    size_t slot = ((uintptr_t)index >> 3) % BUILTINS;
    if (builtins[slot].absent == map) {
        builtins[slot].absent = NULL;
    }
}

static __attribute__((noinline)) mp_obj_t load_builtin(const mp_map_t *globals, qstr name) {
    const mp_map_elem_t *elem = MP_STATE_VM(mp_module_builtins_override_dict) != NULL ? NULL
        : mp_map_lookup((mp_map_t *)&mp_module_builtins_globals.map, MP_OBJ_NEW_QSTR(name), MP_MAP_LOOKUP);
    if (elem == NULL) {
        return __real_mp_load_global(name);
    }
    builtins[name % BUILTINS].absent = globals;
    builtins[name % BUILTINS].builtin = elem;
    return elem->value;
}

mp_obj_t __wrap_mp_load_global(qstr name) {
    mp_map_t *globals = &mp_globals_get()->map;
    mp_obj_t key = MP_OBJ_NEW_QSTR(name);
    size_t at = *cached(key), slot = name % BUILTINS;
    if (at < globals->alloc && globals->table[at].key == key) {
        return globals->table[at].value;
    }
    if (builtins[slot].absent == globals && builtins[slot].builtin->key == key && MP_STATE_VM(mp_module_builtins_override_dict) == NULL) {
        return builtins[slot].builtin->value;
    }
    mp_map_elem_t *elem = mp_map_lookup(globals, key, MP_MAP_LOOKUP);
    return elem != NULL ? elem->value : load_builtin(globals, name);
}

static inline mp_map_elem_t *found(mp_map_t *map, mp_map_elem_t *at) {
    *cached(at->key) = (uint8_t)(at - map->table);
    return at;
}

// Looks at so many, one after the other.
static inline mp_map_elem_t *among(mp_map_t *map, size_t n, mp_obj_t index) {
    mp_map_elem_t *at = map->table, *end = at + n;
    for (; end - at >= 4 && at[0].key != index && at[1].key != index && at[2].key != index && at[3].key != index; at += 4) {
    }
    for (; at < end; at++) {
        if (at->key == index) {
            return found(map, at);
        }
    }
    return NULL;
}

// A map that is nearly full is a long search for each name that is not in it, as those of built-in functions are not in a
// module: upstream makes it larger when nothing is free. Here an eighth stays free; small ones stay as they are.
#define SMALL 16
#define FEW 8 // to look at all is less than to find the hash of a name
static __attribute__((noinline)) mp_map_elem_t *add_larger(mp_map_t *map, mp_obj_t index, size_t alloc) {
    mp_map_elem_t *old = map->table, *end = old + map->alloc;
    map->table = m_new0(mp_map_elem_t, alloc);
    map->alloc = alloc;
    map->used = 0;
    map->all_keys_are_qstrs = 1;
    for (mp_map_elem_t *at = old; at < end; at++) {
        if (at->key != MP_OBJ_NULL && at->key != MP_OBJ_SENTINEL) {
            mp_map_lookup(map, at->key, MP_MAP_LOOKUP_ADD_IF_NOT_FOUND)->value = at->value;
        }
    }
    m_del(mp_map_elem_t, old, (size_t)(end - old));
    return mp_map_lookup(map, index, MP_MAP_LOOKUP_ADD_IF_NOT_FOUND);
}

// One that is full: to the next of the sizes that py/map.c has.
static mp_map_elem_t *add_to_full(mp_map_t *map, mp_obj_t index) {
    static const uint16_t sizes[] = {
        17, 23, 29, 37, 47, 59, 73, 97, 127, 167, 223, 293, 389, 521, 691, 919, 1223, 1627, 2161,
        3229, 4831, 7243, 10861, 16273, 24407, 36607, 54907,
    };
    size_t alloc = map->alloc + 1, i = 0;
    if (alloc <= 12) {
        return add_larger(map, index, (alloc + 1) & ~(size_t)1);
    }
    while (i < MP_ARRAY_SIZE(sizes) && sizes[i] < alloc) {
        i++;
    }
    return add_larger(map, index, i < MP_ARRAY_SIZE(sizes) ? sizes[i] : (alloc + alloc / 2) | 1);
}

// Names in a map of names: keys are equal when they are the same. Where something was deleted, whose place may be taken,
// and where the map is full, upstream goes on.
static inline mp_map_elem_t *by_hash(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind, size_t hash) {
    mp_map_elem_t *table = map->table, *first = &table[hash % map->alloc], *slot = first;
    while (slot->key != index) {
        if (slot->key == MP_OBJ_NULL) {
            if (kind == MP_MAP_LOOKUP) {
                return NULL;
            }
            if (map->alloc > SMALL && map->used >= map->alloc - map->alloc / 8) {
                return add_larger(map, index, (map->alloc + map->alloc / 2) | 1);
            }
            map->used++;
            slot->key = index;
            slot->value = MP_OBJ_NULL;
            return slot;
        }
        slot = slot + 1 == &table[map->alloc] ? table : slot + 1;
        if (slot == first && kind != MP_MAP_LOOKUP) {
            return add_to_full(map, index);
        }
        if (slot == first || slot->key == MP_OBJ_SENTINEL) {
            *cached(index) = 0; // what is beyond the map upstream takes for its remainder, and leaves so: quick.S does not
            return __real_mp_map_lookup(map, index, kind);
        }
    }
    return found(map, slot);
}

static __attribute__((noinline)) mp_map_elem_t *by_hash_of_new(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    return by_hash(map, index, kind, qstr_hash(MP_OBJ_QSTR_VALUE(index)));
}

// A text, interned or not, in a map of texts. Where something was deleted, or a key is something else, upstream goes on.
static mp_map_elem_t *by_text(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    const mp_obj_str_t *text = MP_OBJ_TO_PTR(index);
    bool name = mp_obj_is_qstr(index);
    size_t hash = name ? qstr_hash(MP_OBJ_QSTR_VALUE(index)) : text->hash;
    mp_map_elem_t *first = &map->table[hash % map->alloc], *slot = first;
    while (slot->key != index) {
        mp_obj_t key = slot->key;
        const mp_obj_str_t *other = MP_OBJ_TO_PTR(key);
        if (key == MP_OBJ_NULL) {
            if (kind == MP_MAP_LOOKUP) {
                return NULL;
            }
            map->used++;
            map->all_keys_are_qstrs &= name;
            slot->key = index;
            slot->value = MP_OBJ_NULL;
            return slot;
        }
        if (mp_obj_is_qstr(key)) {
            if (!name && mp_obj_str_equal(key, index)) {
                break;
            }
        } else if (key == MP_OBJ_SENTINEL || !mp_obj_is_exact_type(key, &mp_type_str)) {
            return __real_mp_map_lookup(map, index, kind);
        } else if (other->hash == hash && (name ? mp_obj_str_equal(key, index)
                                          : other->len == text->len && memcmp(other->data, text->data, text->len) == 0)) {
            break;
        }
        slot = slot + 1 == &map->table[map->alloc] ? map->table : slot + 1;
        if (slot == first) {
            return kind == MP_MAP_LOOKUP ? NULL : add_to_full(map, index);
        }
    }
    *cached(index) = (uint8_t)(slot - map->table);
    return slot;
}

static __attribute__((noinline)) mp_map_elem_t *other_key(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    bool text = mp_obj_is_qstr(index) || (mp_obj_is_exact_type(index, &mp_type_str) && ((mp_obj_str_t *)MP_OBJ_TO_PTR(index))->hash != 0);
    return text && !map->is_ordered ? by_text(map, index, kind) : __real_mp_map_lookup(map, index, kind);
}

// To add to an empty one, or to remove.
static __attribute__((noinline)) mp_map_elem_t *of_empty(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    added(map, index); // it may be
    bool first = kind == MP_MAP_LOOKUP_ADD_IF_NOT_FOUND && mp_obj_is_qstr(index) && !map->is_ordered && !map->is_fixed;
    return first ? add_to_full(map, index) : __real_mp_map_lookup(map, index, kind);
}

// The hashes of those of the image are at hand; upstream's search for one begins with those made since the reset.
extern const qstr_pool_t mp_qstr_const_pool, mp_qstr_frozen_const_pool;

mp_map_elem_t *__wrap_mp_map_lookup(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    if (kind == MP_MAP_LOOKUP_REMOVE_IF_FOUND || map->alloc == 0) {
        return kind == MP_MAP_LOOKUP ? NULL : of_empty(map, index, kind);
    }
    for (size_t at = *cached(index); at < map->alloc; at += 256) { // the cache has 8 bits of the place
        if (map->table[at].key == index) {
            return &map->table[at];
        }
    }
    if (kind != MP_MAP_LOOKUP) {
        added(map, index);
    }
    if (!map->all_keys_are_qstrs || !mp_obj_is_qstr(index)) {
        return other_key(map, index, kind);
    }
    if (map->is_ordered) {
        return kind == MP_MAP_LOOKUP ? among(map, map->used, index) : __real_mp_map_lookup(map, index, kind);
    }
    if (map->alloc <= FEW && kind == MP_MAP_LOOKUP) {
        return among(map, map->alloc, index);
    }
    const qstr_pool_t *pool = &mp_qstr_frozen_const_pool;
    size_t q = MP_OBJ_QSTR_VALUE(index);
    if (q - pool->total_prev_len >= pool->len) {
        pool = q >= mp_qstr_const_pool.total_prev_len ? &mp_qstr_const_pool : mp_qstr_const_pool.prev;
        if (q - pool->total_prev_len >= pool->len) {
            return by_hash_of_new(map, index, kind);
        }
    }
    return by_hash(map, index, kind, pool->hashes[q - pool->total_prev_len]);
}

// Is it a descriptor? So class statements ask of each value in them, three times. A function is none, nor is a number
// or a name. getattr() asks as well, mostly for what an instance has.
void __wrap_mp_load_method_protected(mp_obj_t obj, qstr attr, mp_obj_t *dest, bool catch_all_exc) {
    bool asks = attr == MP_QSTR___get__ || attr == MP_QSTR___set__ || attr == MP_QSTR___delete__;
    if (asks && (!mp_obj_is_obj(obj) || mp_obj_is_exact_type(obj, &mp_type_fun_bc))) {
        dest[0] = dest[1] = MP_OBJ_NULL;
        return;
    }
    const mp_obj_type_t *type = mp_obj_is_obj(obj) ? ((mp_obj_base_t *)MP_OBJ_TO_PTR(obj))->type : NULL;
    mp_map_elem_t *own = type == NULL || !mp_obj_is_instance_type(type) || attr == MP_QSTR___class__ ? NULL
        : mp_map_lookup(&((mp_obj_instance_t *)MP_OBJ_TO_PTR(obj))->members, MP_OBJ_NEW_QSTR(attr), MP_MAP_LOOKUP);
    if (own != NULL) {
        dest[0] = own->value;
        dest[1] = MP_OBJ_NULL;
    } else {
        __real_mp_load_method_protected(obj, attr, dest, catch_all_exc);
    }
}

// A text of a text is that text.
mp_obj_t __wrap_mp_obj_str_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    bool same = type == &mp_type_str && n_args == 1 && n_kw == 0 && mp_obj_is_str(args[0]);
    return same ? args[0] : __real_mp_obj_str_make_new(type, n_args, n_kw, args);
}
