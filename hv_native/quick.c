// SPDX-License-Identifier: MIT
// See quick.h. Each case either completes its instruction, or leaves by `break` before it has changed
// anything. The numbering and meaning of instructions are those of py/bc0.h and py/vm.c.

#include "py/bc0.h"
#include "py/objfun.h"
#include "py/objlist.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "arch.h"
#include "quick.h"

#define SMALL(o) MP_OBJ_SMALL_INT_VALUE(o)
#define BOTH_SMALL(a, b) ((mp_int_t)(a) & (mp_int_t)(b) & 1)
#define BINARY(op) MP_BC_BINARY_OP_MULTI + MP_BINARY_OP_##op
#define ARITHMETIC(op) BINARY(op): case BINARY(INPLACE_##op)

// The operand behind an opcode: 7 bits a byte, the highest first.
static inline size_t operand(const byte **ip) {
    const byte *p = *ip + 1;
    size_t n = *p & 0x7F;
    while (UNLIKELY(*p++ & 0x80)) {
        n = n << 7 | (*p & 0x7F);
    }
    *ip = p;
    return n;
}

// Where a jump leads that is taken only forwards; NULL for one that goes back. *next: behind it.
static inline const byte *forward(const byte *ip, bool is_signed, const byte **next) {
    mp_int_t by = ip[1];
    const byte *end = ip + 2;
    if (by & 0x80) {
        by = (by & 0x7F) | ip[2] << 7;
        end++;
        by -= is_signed ? 0x4000 : 0;
    } else {
        by -= is_signed ? 0x40 : 0;
    }
    *next = end;
    return by < 0 ? NULL : end + by;
}

// 1 or 0 where that needs no call, else -1.
static inline int truth(mp_obj_t o) {
    if (o == mp_const_true || o == mp_const_false) {
        return o == mp_const_true;
    }
    if (mp_obj_is_small_int(o)) {
        return o != MP_OBJ_NEW_SMALL_INT(0);
    }
    return o == mp_const_none ? 0 : -1;
}

static inline bool compare(unsigned op, mp_int_t a, mp_int_t b) {
    switch (op) {
        case MP_BINARY_OP_LESS: return a < b;
        case MP_BINARY_OP_MORE: return a > b;
        case MP_BINARY_OP_EQUAL: return a == b;
        case MP_BINARY_OP_LESS_EQUAL: return a <= b;
        case MP_BINARY_OP_MORE_EQUAL: return a >= b;
        default: return a != b;
    }
}

// The value a plain attribute or a global has in its map, which is what the VM would find first.
static inline mp_map_elem_t *find(mp_map_t *map, const mp_code_state_t *s, size_t name) {
    return mp_map_lookup(map, MP_OBJ_NEW_QSTR(s->fun_bc->context->constants.qstr_table[name]), MP_MAP_LOOKUP);
}

static inline mp_obj_instance_t *instance(mp_obj_t o) {
    return mp_obj_is_obj(o) && mp_obj_is_instance_type(((mp_obj_base_t *)MP_OBJ_TO_PTR(o))->type) ? MP_OBJ_TO_PTR(o) : NULL;
}

// The items of a list, whose length is known; NULL when it is none or has no such item.
static inline mp_obj_t *item(mp_obj_t o, mp_obj_t index) {
    if (!mp_obj_is_type(o, &mp_type_list) || !mp_obj_is_small_int(index)) {
        return NULL;
    }
    mp_obj_list_t *list = MP_OBJ_TO_PTR(o);
    return (size_t)SMALL(index) < list->len ? &list->items[SMALL(index)] : NULL;
}

bool quick_run(mp_code_state_t *s) {
    const byte *ip = s->ip, *next;
    mp_obj_t *sp = s->state - 1, *local = &s->state[s->n_state - 1];
    for (;; ip = next) {
        unsigned op = *ip;
        mp_int_t a, b;
        next = ip + 1;
        switch (op) {
            case MP_BC_LOAD_FAST_MULTI ... MP_BC_LOAD_FAST_MULTI + MP_BC_LOAD_FAST_MULTI_NUM - 1: {
                mp_obj_t o = local[MP_BC_LOAD_FAST_MULTI - (mp_int_t)op];
                if (UNLIKELY(o == MP_OBJ_NULL)) {
                    break;
                }
                *++sp = o;
                continue;
            }
            case MP_BC_STORE_FAST_MULTI ... MP_BC_STORE_FAST_MULTI + MP_BC_STORE_FAST_MULTI_NUM - 1:
                local[MP_BC_STORE_FAST_MULTI - (mp_int_t)op] = *sp--;
                continue;
            case MP_BC_LOAD_CONST_SMALL_INT_MULTI ... MP_BC_LOAD_CONST_SMALL_INT_MULTI + MP_BC_LOAD_CONST_SMALL_INT_MULTI_NUM - 1:
                *++sp = MP_OBJ_NEW_SMALL_INT((mp_int_t)op - MP_BC_LOAD_CONST_SMALL_INT_MULTI - MP_BC_LOAD_CONST_SMALL_INT_MULTI_EXCESS);
                continue;
            case MP_BC_LOAD_CONST_SMALL_INT:
                next = ip;
                b = ip[1] & 0x40 ? -1 : 0;
                do {
                    b = (mp_int_t)((mp_uint_t)b << 7) | (*++next & 0x7F);
                } while (*next & 0x80);
                next++;
                *++sp = MP_OBJ_NEW_SMALL_INT(b);
                continue;
            case MP_BC_LOAD_CONST_NONE:
                *++sp = mp_const_none;
                continue;
            case MP_BC_LOAD_CONST_TRUE:
                *++sp = mp_const_true;
                continue;
            case MP_BC_LOAD_CONST_FALSE:
                *++sp = mp_const_false;
                continue;
            case MP_BC_LOAD_DEREF: {
                next = ip;
                mp_obj_t o = mp_obj_cell_get(local[-(mp_int_t)operand(&next)]);
                if (o == MP_OBJ_NULL) {
                    break;
                }
                *++sp = o;
                continue;
            }
            case MP_BC_STORE_DEREF:
                next = ip;
                mp_obj_cell_set(local[-(mp_int_t)operand(&next)], *sp);
                sp--;
                continue;
            case MP_BC_LOAD_GLOBAL: {
                next = ip;
                mp_map_elem_t *e = find(&s->fun_bc->context->module.globals->map, s, operand(&next));
                if (e == NULL) {
                    break; // a builtin, or a NameError
                }
                *++sp = e->value;
                continue;
            }
            case MP_BC_LOAD_ATTR: {
                mp_obj_instance_t *self = instance(*sp);
                next = ip;
                mp_map_elem_t *e = self == NULL ? NULL : find(&self->members, s, operand(&next));
                if (e == NULL) {
                    break;
                }
                *sp = e->value;
                continue;
            }
            case MP_BC_STORE_ATTR: {
                mp_obj_instance_t *self = instance(*sp);
                next = ip;
                if (self == NULL || (self->base.type->flags & MP_TYPE_FLAG_HAS_SPECIAL_ACCESSORS)) {
                    break;
                }
                mp_map_elem_t *e = find(&self->members, s, operand(&next));
                if (e == NULL) {
                    break; // a new one: the map may have to grow
                }
                e->value = sp[-1];
                sp -= 2;
                continue;
            }
            case MP_BC_LOAD_SUBSCR: {
                mp_obj_t *at = item(sp[-1], *sp);
                if (at == NULL) {
                    break;
                }
                *--sp = *at;
                continue;
            }
            case MP_BC_STORE_SUBSCR: {
                mp_obj_t *at = item(sp[-1], *sp);
                if (at == NULL) {
                    break;
                }
                *at = sp[-2];
                sp -= 3;
                continue;
            }
            case MP_BC_POP_TOP:
                sp--;
                continue;
            case MP_BC_JUMP:
                next = forward(ip, true, &next);
                if (next == NULL) {
                    break;
                }
                continue;
            case MP_BC_POP_JUMP_IF_TRUE:
            case MP_BC_POP_JUMP_IF_FALSE: {
                const byte *to = forward(ip, true, &next);
                int true_ = truth(*sp);
                if (to == NULL || true_ < 0) {
                    break;
                }
                sp--;
                next = (op == MP_BC_POP_JUMP_IF_TRUE) == true_ ? to : next;
                continue;
            }
            case MP_BC_JUMP_IF_TRUE_OR_POP:
            case MP_BC_JUMP_IF_FALSE_OR_POP: {
                const byte *to = forward(ip, false, &next);
                int true_ = truth(*sp);
                if (true_ < 0) {
                    break;
                }
                if ((op == MP_BC_JUMP_IF_TRUE_OR_POP) == true_) {
                    next = to;
                } else {
                    sp--;
                }
                continue;
            }
            case MP_BC_UNARY_OP_MULTI + MP_UNARY_OP_NOT: {
                int true_ = truth(*sp);
                if (true_ < 0) {
                    break;
                }
                *sp = mp_obj_new_bool(!true_);
                continue;
            }
            case MP_BC_UNARY_OP_MULTI + MP_UNARY_OP_INVERT:
                if (!mp_obj_is_small_int(*sp)) {
                    break;
                }
                *sp = MP_OBJ_NEW_SMALL_INT(~SMALL(*sp));
                continue;
            case BINARY(IS):
                sp--;
                *sp = mp_obj_new_bool(sp[0] == sp[1]);
                continue;
            case BINARY(LESS) ... BINARY(NOT_EQUAL):
                if (!BOTH_SMALL(sp[-1], sp[0])) {
                    break;
                }
                sp--;
                *sp = mp_obj_new_bool(compare(op - MP_BC_BINARY_OP_MULTI, (mp_int_t)sp[0], (mp_int_t)sp[1]));
                continue;
            // Objects stand for small ints as 2 n + 1, which many operations can do with.
            case ARITHMETIC(ADD):
                if (!BOTH_SMALL(sp[-1], sp[0]) || __builtin_add_overflow((mp_int_t)sp[-1], (mp_int_t)sp[0] - 1, &a)) {
                    break;
                }
                *--sp = (mp_obj_t)a;
                continue;
            case ARITHMETIC(SUBTRACT):
                if (!BOTH_SMALL(sp[-1], sp[0]) || __builtin_sub_overflow((mp_int_t)sp[-1], (mp_int_t)sp[0] - 1, &a)) {
                    break;
                }
                *--sp = (mp_obj_t)a;
                continue;
            case ARITHMETIC(MULTIPLY):
                if (!BOTH_SMALL(sp[-1], sp[0]) || __builtin_mul_overflow((mp_int_t)sp[-1] - 1, SMALL(sp[0]), &a)) {
                    break;
                }
                *--sp = (mp_obj_t)(a + 1);
                continue;
            case ARITHMETIC(OR):
                if (!BOTH_SMALL(sp[-1], sp[0])) {
                    break;
                }
                sp--;
                *sp = (mp_obj_t)((mp_int_t)sp[0] | (mp_int_t)sp[1]);
                continue;
            case ARITHMETIC(AND):
                if (!BOTH_SMALL(sp[-1], sp[0])) {
                    break;
                }
                sp--;
                *sp = (mp_obj_t)((mp_int_t)sp[0] & (mp_int_t)sp[1]);
                continue;
            case ARITHMETIC(XOR):
                if (!BOTH_SMALL(sp[-1], sp[0])) {
                    break;
                }
                sp--;
                *sp = (mp_obj_t)(((mp_int_t)sp[0] ^ (mp_int_t)sp[1]) | 1);
                continue;
            case ARITHMETIC(RSHIFT):
                b = SMALL(sp[0]);
                if (!BOTH_SMALL(sp[-1], sp[0]) || b < 0) {
                    break;
                }
                sp--;
                *sp = MP_OBJ_NEW_SMALL_INT(SMALL(sp[0]) >> (b > 63 ? 63 : b));
                continue;
            case ARITHMETIC(LSHIFT):
                a = SMALL(sp[-1]);
                b = SMALL(sp[0]);
                if (!BOTH_SMALL(sp[-1], sp[0]) || (mp_uint_t)b > 62 || a != (mp_int_t)((mp_uint_t)a << (b + 1)) >> (b + 1)) {
                    break;
                }
                *--sp = MP_OBJ_NEW_SMALL_INT((mp_uint_t)a << b);
                continue;
            default:
                break;
        }
        s->ip = ip;
        s->sp = sp;
        return op == MP_BC_RETURN_VALUE;
    }
}
