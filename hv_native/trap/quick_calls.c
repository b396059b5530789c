// SPDX-License-Identifier: MIT
// Calls and names in the short interpreter: see quick.h.
// What quick.S asks C for. Nothing here allocates or raises: a function returns true when it has completed the
// instruction, or false, with nothing changed, when MicroPython's VM has to do it.

#include "py/bc.h"
#include "py/builtin.h"
#include "py/objfun.h"
#include "py/objlist.h"
#include "py/objmodule.h"
#include "py/objtuple.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "py/smallint.h"
#include "core/arch.h"
#include "trap/callables.h"
#include "trap/quick.h"

// As quick.S keeps them on the stack. r->sp is where the top of the Python stack is, as in the VM.
typedef struct {
    uint64_t link;
    const mp_module_context_t *context; // of s
    mp_code_state_t *s;
    const byte *ip;         // behind the opcode
    mp_obj_t *sp;
    mp_obj_t *locals;       // behind the first
    uint64_t depth;         // functions that have been called, and have not returned
    quick_box_t *box;
    uint64_t budget;        // after which the VM goes on, which can be interrupted
    uint64_t pad;
} quick_regs_t;

bool quick_call_function(quick_regs_t *r);
bool quick_call_method(quick_regs_t *r);
bool quick_load_method(quick_regs_t *r);
bool quick_load_global(quick_regs_t *r);
bool quick_load_attr(quick_regs_t *r);
bool quick_store_attr(quick_regs_t *r);

uint64_t quick_frames[QUICK_FRAMES / sizeof(uint64_t)];

// ---- Functions ----------------------------------------------------------------------------------

// What is called, with n arguments; the result, or the frame of a function whose result it will be, is for `slot`.
typedef struct {
    mp_obj_t *slot, *args;
    unsigned n;
} call_t;

// The frame of what is called: behind that of who calls, unless this is the handler's own.
static inline bool enter_bytecode(quick_regs_t *r, mp_obj_fun_bc_t *bc, mp_obj_t *slot, const mp_obj_t *args, size_t given) {
    const byte *ip = bc->bytecode;
    MP_BC_PRELUDE_SIG_DECODE(ip);
    MP_BC_PRELUDE_SIZE_DECODE(ip);
    unsigned special = MP_SCOPE_FLAG_VARARGS | MP_SCOPE_FLAG_VARKEYWORDS | MP_SCOPE_FLAG_DEFKWARGS | MP_SCOPE_FLAG_GENERATOR;
    size_t missing = n_pos_args - given;
    if (UNLIKELY((scope_flags & special) | n_kwonly_args | n_cell) || missing > n_def_pos_args || r->budget < QUICK_CALL_COST) {
        return false;
    }
    byte *at = r->depth == 0 ? (byte *)quick_frames : quick_link(r->s)->end;
    mp_code_state_t *s = (mp_code_state_t *)(at + sizeof(quick_link_t));
    mp_obj_t *local = &s->state[n_state];
    byte *end = (byte *)local + n_exc_stack * sizeof(mp_exc_stack_t);
    if (end > (byte *)quick_frames + sizeof(quick_frames)) {
        return false;
    }
    r->locals = local;
    while (given != 0) {
        *--local = *args++;
        given--;
    }
    for (const mp_obj_t *rest = &bc->extra_args[n_def_pos_args - missing]; missing != 0; missing--) {
        *--local = *rest++;
    }
    while (local > s->state) {
        *--local = MP_OBJ_NULL;
        __asm__ ("" : "+r" (local)); // not by memset, for so few
    }
    *quick_link(s) = (quick_link_t) { r->s, end };
    s->fun_bc = bc;
    s->n_state = (uint16_t)n_state;
    s->exc_sp_idx = 0;
    r->s->ip = r->ip - 1;
    r->s->sp = slot - 1;
    r->s = s;
    r->context = bc->context;
    r->ip = ip + n_info;
    r->sp = s->state - 1;
    r->depth++;
    r->budget -= QUICK_CALL_COST;
    return true;
}

static bool done(quick_regs_t *r, const call_t *c, mp_int_t value) {
    *c->slot = MP_OBJ_NEW_SMALL_INT(value);
    r->sp = c->slot;
    r->ip++;
    return true;
}

static bool length(quick_regs_t *r, const call_t *c) {
    mp_obj_t o = c->args[0];
    if (!mp_obj_is_obj(o)) {
        return false;
    }
    const mp_obj_type_t *type = ((const mp_obj_base_t *)MP_OBJ_TO_PTR(o))->type;
    if (type == &mp_type_list || type == &mp_type_bytearray || type == &mp_type_array || type == &mp_type_bytes) {
        return done(r, c, (mp_int_t)((const mp_obj_list_t *)MP_OBJ_TO_PTR(o))->len);
    }
    if (type == &mp_type_tuple) {
        return done(r, c, (mp_int_t)((const mp_obj_tuple_t *)MP_OBJ_TO_PTR(o))->len);
    }
    return type == &mp_type_dict && done(r, c, (mp_int_t)((const mp_obj_dict_t *)MP_OBJ_TO_PTR(o))->map.used);
}

static bool extreme(quick_regs_t *r, const call_t *c, bool most) {
    mp_obj_t best = c->args[0];
    for (unsigned i = 0; i < c->n; i++) {
        if (!mp_obj_is_small_int(c->args[i])) {
            return false;
        }
        if (most ? (mp_int_t)c->args[i] > (mp_int_t)best : (mp_int_t)c->args[i] < (mp_int_t)best) {
            best = c->args[i];
        }
    }
    return done(r, c, MP_OBJ_SMALL_INT_VALUE(best));
}

static bool call_builtin(quick_regs_t *r, const void *fun, const call_t *c) {
    if (c->n == 1) {
        bool number = mp_obj_is_small_int(c->args[0]);
        if (fun == &mp_builtin_len_obj) {
            return length(r, c);
        }
        if (fun == &mp_type_int && number) {
            return done(r, c, MP_OBJ_SMALL_INT_VALUE(c->args[0]));
        }
        mp_int_t value = MP_OBJ_SMALL_INT_VALUE(c->args[0]);
        return fun == &mp_builtin_abs_obj && number && value != MP_SMALL_INT_MIN && done(r, c, value < 0 ? -value : value);
    }
    bool most = fun == &mp_builtin_max_obj;
    return c->n > 1 && (most || fun == &mp_builtin_min_obj) && extreme(r, c, most);
}

// What a method or a closure puts in front takes the place of the callable.
static NOINLINE bool call_other(quick_regs_t *r, const call_t *c) {
    void *fun = MP_OBJ_TO_PTR(*c->slot);
    const mp_obj_type_t *type = ((const mp_obj_base_t *)fun)->type;
    mp_obj_t first, before = c->args[-1];
    if (type == &mp_type_bound_meth) {
        first = ((const bound_t *)fun)->self;
        fun = MP_OBJ_TO_PTR(((const bound_t *)fun)->meth);
    } else if (type->name == MP_QSTR_closure && ((const closure_t *)fun)->n_closed == 1) {
        first = ((const closure_t *)fun)->closed[0];
        fun = MP_OBJ_TO_PTR(((const closure_t *)fun)->fun);
    } else {
        return call_builtin(r, fun, c);
    }
    if (!mp_obj_is_type(MP_OBJ_FROM_PTR(fun), &mp_type_fun_bc)) {
        return false;
    }
    c->args[-1] = first;
    bool entered = enter_bytecode(r, fun, c->slot, c->args - 1, c->n + 1);
    if (!entered) {
        c->args[-1] = before;
    }
    return entered;
}

static inline bool enter(quick_regs_t *r, mp_obj_t *slot, mp_obj_t *args, unsigned n) {
    if (!mp_obj_is_obj(*slot)) {
        return false;
    }
    mp_obj_fun_bc_t *fun = MP_OBJ_TO_PTR(*slot);
    return LIKELY(fun->base.type == &mp_type_fun_bc) ? enter_bytecode(r, fun, slot, args, n) : call_other(r, &(call_t) { slot, args, n });
}

// The operand counts positional arguments by its low 8 bits, keywords by the rest; one byte of it is up to 127.
bool quick_call_function(quick_regs_t *r) {
    unsigned n = *r->ip;
    return n < 0x80 && enter(r, r->sp - n, r->sp - n + 1, n);
}

// A function and the object it is a method of, or nothing.
bool quick_call_method(quick_regs_t *r) {
    unsigned n = *r->ip;
    mp_obj_t *slot = r->sp - n - 1;
    bool method = slot[1] != MP_OBJ_NULL;
    return n < 0x80 && enter(r, slot, method ? slot + 1 : slot + 2, method ? n + 1 : n);
}

// ---- Names --------------------------------------------------------------------------------------

static inline mp_obj_t name(const quick_regs_t *r, const byte **ip) {
    unsigned index = *(*ip)++;
    if (index >= 0x80) {
        index = (index & 0x7F) << 7 | *(*ip)++; // quick.S has seen that it ends there, or it does below
    }
    return MP_OBJ_NEW_QSTR(r->context->constants.qstr_table[index]);
}

static bool long_name(const byte *ip) {
    return ip[0] >= 0x80 && ip[1] >= 0x80;
}

static bool by_name(const mp_map_t *map) {
    return map->all_keys_are_qstrs || map->used == 0;
}

// Where keys are names, to look for one compares them as they are, and calls nothing. That of a name made since the
// reset has to be computed first, which takes longer than to look through a few. quick.S finds it the next time.
static inline mp_map_elem_t *look(mp_map_t *map, mp_obj_t key) {
    mp_map_elem_t *at = map->table, *end = at + map->alloc;
    if (map->alloc > QUICK_LOOK_THROUGH) {
        return mp_map_lookup(map, key, MP_MAP_LOOKUP);
    }
    for (; at < end; at++) {
        if (at->key == key) {
            MP_STATE_VM(map_lookup_cache)[(uintptr_t)key >> 2 & (MICROPY_OPT_MAP_LOOKUP_CACHE_SIZE - 1)] = (uint8_t)(at - map->table);
            return at;
        }
    }
    return NULL;
}

bool quick_load_global(quick_regs_t *r) {
    const byte *ip = r->ip;
    mp_obj_t key = name(r, &ip);
    mp_obj_dict_t *globals = r->context->module.globals, *override = MP_STATE_VM(mp_module_builtins_override_dict);
    if (!by_name(&globals->map) || override != NULL) {
        return false;
    }
    mp_map_elem_t *found = look(&globals->map, key);
    if (found == NULL) {
        found = look((mp_map_t *)&mp_module_builtins_globals.map, key);
    }
    if (found == NULL) {
        return false;
    }
    *++r->sp = found->value;
    r->ip = ip;
    return true;
}

// An attribute of an instance: the instance's own, or (*own false) what its class, or one of those that it is made of one
// after the other, has by this name. NULL: it has none, or it is not so simple.
static mp_map_elem_t *attribute(mp_obj_t o, mp_obj_t key, bool *own) {
    mp_obj_instance_t *self = MP_OBJ_TO_PTR(o);
    const mp_obj_type_t *type = self->base.type;
    mp_map_elem_t *found = NULL;
    *own = true;
    if (!by_name(&self->members) || (found = look(&self->members, key)) != NULL) {
        return found;
    }
    *own = false;
    while (type->flags & MP_TYPE_FLAG_INSTANCE_TYPE) {
        mp_map_t *map = &MP_OBJ_TYPE_GET_SLOT(type, locals_dict)->map;
        if (!by_name(map) || (found = look(map, key)) != NULL || !MP_OBJ_TYPE_HAS_SLOT(type, parent)) {
            return found;
        }
        type = MP_OBJ_TYPE_GET_SLOT(type, parent);
        if (type->base.type != &mp_type_type) {
            return NULL; // a tuple of more
        }
    }
    return NULL;
}

static bool is_instance(mp_obj_t o) {
    return mp_obj_is_obj(o) && (((const mp_obj_base_t *)MP_OBJ_TO_PTR(o))->type->flags & MP_TYPE_FLAG_INSTANCE_TYPE);
}

bool quick_load_method(quick_regs_t *r) {
    const byte *ip = r->ip;
    mp_obj_t o = *r->sp, self = MP_OBJ_NULL;
    mp_map_elem_t *found = NULL;
    if (long_name(ip)) {
        return false;
    }
    mp_obj_t key = name(r, &ip);
    if (is_instance(o)) {
        bool own;
        found = attribute(o, key, &own);
        if (found != NULL && !own) {
            if (!mp_obj_is_type(found->value, &mp_type_fun_bc)) {
                return false;
            }
            self = o;
        }
    } else if (mp_obj_is_type(o, &mp_type_module)) {
        mp_map_t *map = &((const mp_obj_module_t *)MP_OBJ_TO_PTR(o))->globals->map;
        found = by_name(map) ? look(map, key) : NULL;
    }
    if (found == NULL) {
        return false;
    }
    *r->sp++ = found->value;
    *r->sp = self;
    r->ip = ip;
    return true;
}

// What a class has and its instances do not: what is no function and not asked whether it wants to be.
static bool plain(mp_obj_t value) {
    if (!mp_obj_is_obj(value)) {
        return true;
    }
    const mp_obj_type_t *type = ((const mp_obj_base_t *)MP_OBJ_TO_PTR(value))->type;
    return type == &mp_type_int || type == &mp_type_str || type == &mp_type_bytes || type == &mp_type_tuple || type == &mp_type_list
           || type == &mp_type_dict || type == &mp_type_bytearray;
}

bool quick_load_attr(quick_regs_t *r) {
    const byte *ip = r->ip;
    bool own = true;
    mp_map_elem_t *found = NULL;
    mp_obj_t key = name(r, &ip);
    if (is_instance(*r->sp)) {
        found = attribute(*r->sp, key, &own);
    } else {
        mp_map_t *map = &((const mp_obj_module_t *)MP_OBJ_TO_PTR(*r->sp))->globals->map;
        found = by_name(map) ? look(map, key) : NULL;
    }
    if (found == NULL || (!own && !plain(found->value))) {
        return false;
    }
    *r->sp = found->value;
    r->ip = ip;
    return true;
}

// Of those that are there; a new one is for the VM.
bool quick_store_attr(quick_regs_t *r) {
    const byte *ip = r->ip;
    mp_obj_instance_t *self = MP_OBJ_TO_PTR(*r->sp);
    mp_obj_t key = name(r, &ip);
    mp_map_elem_t *found = by_name(&self->members) ? look(&self->members, key) : NULL;
    if (found == NULL) {
        return false;
    }
    found->value = r->sp[-1];
    r->sp -= 2;
    r->ip = ip;
    return true;
}
