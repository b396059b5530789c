// SPDX-License-Identifier: MIT
// Hooks of a VM: vm.hook and vm.mmio register Python handlers, vm.rule what C does by itself. Of one
// key there is at most one handler; rules stand over it, the newest first.

#include "py/objlist.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "memory/native.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "python/sysreg_table.h"
#include "trap/callback.h"
#include "trap/el1trap.h"
#include "trap/numbers.h"
#include "trap/rule.h"
#include "trap/shortest.h"
#include "trap/trace.h"
#include "trap/words.h"
#include "vm/hook.h"
#include "vm/rights.h"
#include "vm/vm.h"

#define IPA_LIMIT BIT(40)

static hook_t *new_hook(uint64_t key, hook_kind_t kind) {
    hook_t *h = native_alloc(sizeof(hook_t));
    if (h == NULL) {
        hv_no_room("a hook", PAGE_SIZE);
    }
    h->key = key;
    h->kind = kind;
    return h;
}

static handler_t *keep_handler(hv_vm_obj_t *o, mp_obj_t fun, unsigned max) {
    handler_t *handler = handler_new(fun, -1, max);
    shortest_ways(handler);
    mp_obj_list_append(o->handlers, MP_OBJ_FROM_PTR(handler));
    return handler;
}

void hv_forget(hv_vm_obj_t *o, void *handler) {
    mp_obj_list_t *kept = MP_OBJ_TO_PTR(o->handlers);
    for (size_t i = 0; handler != NULL && i < kept->len; i++) {
        if (kept->items[i] == MP_OBJ_FROM_PTR(handler)) { // by identity: a handler_t is no Python object
            kept->items[i] = kept->items[--kept->len];
            kept->items[kept->len] = MP_OBJ_NULL;
        }
    }
}

static void release(hv_vm_obj_t *o, hook_t *h) {
    if (h != NULL) {
        hv_forget(o, h->handler);
        native_free(h, sizeof(hook_t));
    }
}

// ---- Where a hook goes --------------------------------------------------------------------------

typedef struct {
    hook_table_t *table;    // by key,
    hook_ranges_t *ranges;  // or by address,
    hook_t **slot;          // or there is only one
    uint64_t key, size;
    unsigned max;          // arguments a handler may take besides cpu
} slot_t;

static uint64_t key_of(mp_obj_t key, uint64_t limit, const char *what) {
    uint64_t number = unbox_u64(key);
    if (number >= limit) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx: %s"), number, what);
    }
    return number;
}

static slot_t place_of(vm_t *vm, qstr kind, mp_obj_t key) {
    slot_t p = { .max = 7 };
    switch (kind) {
        case MP_QSTR_hvc:
            p.table = &vm->hvc;
            break;
        case MP_QSTR_smc:
            p.table = &vm->smc;
            break;
        case MP_QSTR_imm:
            p.table = &vm->imm;
            p.key = key_of(key, 1 << 16, "the immediate of an HVC has 16 bits");
            if (el1_uses(vm, p.key)) {
                mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("HVC #0x%lx is taken by trap_el1_exceptions: register before it, or below 0x%x"),
                    p.key, EL1_IMM);
            }
            return p;
        case MP_QSTR_sysreg:
            p.table = &vm->sysreg;
            p.max = 1;
            p.key = sysreg_key(sysreg_lookup(key));
            return p;
        case MP_QSTR_class:
            p.slot = &vm->classes[key_of(key, 64, "an exception class (ESR_ELx.EC) has 6 bits")];
            p.max = 1;
            return p;
        case MP_QSTR_default:
            p.slot = &vm->fallback;
            p.max = 1;
            return p;
        default:
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("no kind '%q': hvc, smc, imm, sysreg or mmio"), kind);
    }
    p.key = key_of(key, UINT64_C(1) << 32, "a function id (SMCCC) has 32 bits");
    return p;
}

static hook_t *first_at(const slot_t *p) {
    if (p->slot != NULL) {
        return *p->slot;
    }
    if (p->table != NULL) {
        return hook_find(p->table, p->key);
    }
    hook_t *h = hook_range_find(p->ranges, p->key);
    return h != NULL && h->key == p->key && h->size == p->size ? h : NULL;
}

// Put h, or nothing, where `old` is: below `over`, or first. False: no memory.
static bool set_at(const slot_t *p, hook_t *over, hook_t *old, hook_t *h) {
    hook_t *replaced;
    if (over != NULL) {
        over->below = h;
    } else if (p->slot != NULL) {
        *p->slot = h;
    } else if (p->table != NULL) {
        if (h != NULL) {
            return hook_add(p->table, h, &replaced);
        }
        hook_remove(p->table, p->key);
    } else {
        if (old != NULL) {
            hook_range_remove(p->ranges, old); // its place in the array is free now: this cannot fail
        }
        return h == NULL || hook_range_add(p->ranges, h);
    }
    return true;
}

static bool hook_change(vm_t *vm, const slot_t *p, hook_t *over, hook_t *old, hook_t *h) {
    vm_hold(vm);
    bool ok = set_at(p, over, old, h);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vm->vcpu[i]->mmio_hit = &hook_none;
    }
    vm_release(vm);
    if (!ok) {
        native_free(h, sizeof(hook_t));
        hv_no_room("a hook", PAGE_SIZE);
    }
    return true;
}

// ---- Handlers -----------------------------------------------------------------------------------

// hook(kind, key, fun): fun None removes. kind: "hvc", "smc", "imm", "sysreg", "class", "default".
// True when there was one.
static mp_obj_t vm_hook(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    (void)n_args;
    slot_t p = place_of(vm, mp_obj_str_get_qstr(args[1]), args[2]);
    hook_t *h = NULL, *over = NULL, *old = first_at(&p);
    while (old != NULL && old->kind != HOOK_PYTHON) {
        over = old;
        old = old->below;
    }
    if (args[3] != mp_const_none) {
        handler_t *handler = keep_handler(o, args[3], p.max);
        h = new_hook(p.key, HOOK_PYTHON);
        h->handler = handler;
    }
    if (h != NULL || old != NULL) {
        hook_change(vm, &p, over, old, h);
    }
    release(o, old);
    return mp_obj_new_bool(old != NULL);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_hook_obj, 4, 4, vm_hook);

static void hook_check_range(vm_t *vm, uint64_t ipa, uint64_t size) {
    if (size == 0 || ipa >= IPA_LIMIT || size > IPA_LIMIT - ipa) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx, %lu bytes: a range must not be empty and must end below 2^40"), ipa, size);
    }
    for (unsigned i = 0; i < vm->nram; i++) {
        const ram_t *r = &vm->ram[i];
        if (ipa < r->ipa + r->size && r->ipa < ipa + size) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx overlaps guest RAM at 0x%lx-0x%lx, which does not trap"),
                ipa, ipa + size - 1, r->ipa, r->ipa + r->size - 1);
        }
    }
}

static void check_free(const hook_ranges_t *ranges, uint64_t ipa, uint64_t size) {
    hook_t *other = hook_range_overlap(ranges, ipa, size);
    if (other != NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx overlaps the %s at 0x%lx-0x%lx"), ipa, ipa + size - 1,
            other->kind <= HOOK_PYTHON ? "device" : "rule", other->key, other->key + other->size - 1);
    }
}

void hv_check_device(vm_t *vm, uint64_t ipa, uint64_t size) {
    hook_check_range(vm, ipa, size);
    check_free(&vm->mmio, ipa, size);
}

// mmio(ipa, size, fun): fun None removes the range that starts at ipa.
static mp_obj_t vm_mmio(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    slot_t p = { .ranges = &vm->mmio, .key = unbox_u64(args[1]), .size = unbox_u64(args[2]) };
    (void)n_args;
    hook_check_range(vm, p.key, p.size);
    if (args[3] == mp_const_none) {
        hook_t *h = first_at(&p);
        if (h == NULL || h->kind == HOOK_NATIVE) {
            return mp_const_false;
        }
        hook_change(vm, &p, NULL, h, NULL);
        release(o, h);
        return mp_const_true;
    }
    check_free(&vm->mmio, p.key, p.size);
    handler_t *handler = keep_handler(o, args[3], 2);
    hook_t *h = new_hook(p.key, HOOK_PYTHON);
    h->size = h->python = p.size;
    h->handler = handler;
    hook_change(vm, &p, NULL, NULL, h);
    return mp_const_true;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_mmio_obj, 4, 4, vm_mmio);

// ---- The guest's own exceptions -----------------------------------------------------------------

// el1(classes, kinds, fun): see el1trap.h; fun None ends it.
static mp_obj_t vm_el1(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    (void)n_args;
    void *old = vm->el1 == NULL ? NULL : vm->el1->handler;
    uint64_t classes = unbox_u64(args[1]);
    unsigned kinds = unbox_int(args[2]);
    handler_t *handler = args[3] == mp_const_none ? NULL : keep_handler(o, args[3], 2);
    vm_hold(vm); // nothing may raise from here on
    bool ok = true;
    if (handler == NULL) {
        el1_stop(vm);
    } else {
        ok = el1_start(vm, classes, kinds, handler);
    }
    vm_release(vm);
    hv_forget(o, old);
    if (!ok) {
        hv_no_room("what it takes", sizeof(el1trap_t));
    }
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_el1_obj, 4, 4, vm_el1);

// ---- Rules --------------------------------------------------------------------------------------

typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
    hook_t *hook;       // NULL once removed
    slot_t place;
} hv_rule_obj_t;

static const struct {
    qstr_short_t name;
    uint8_t kind, bare; // bare: what the kind becomes when nothing has to be looked at
} actions[] = {
    { MP_QSTR_count, HOOK_COUNT, HOOK_TALLY }, { MP_QSTR_log, HOOK_LOG, HOOK_NOTE },
    { MP_QSTR_const, HOOK_CONST, HOOK_ANSWER }, { MP_QSTR_shadow, HOOK_SHADOW, HOOK_KEEP },
    { MP_QSTR_deny, HOOK_DENY, HOOK_DENY }, { MP_QSTR_flip, HOOK_FLIP, HOOK_FLIP },
};

static hook_kind_t action_of(mp_obj_t action) {
    qstr name = mp_obj_str_get_qstr(action);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (actions[i].name == name) {
            return actions[i].kind;
        }
    }
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("no action '%q': count, log, const, shadow or deny"), name);
}

static hook_kind_t bare(hook_kind_t action) {
    size_t i = 0;
    while (actions[i].kind != action) {
        i++;
    }
    return actions[i].bare;
}

// rule(kind, key, size, action, value, match, pc, nth, every, fun) -> Rule
static mp_obj_t vm_rule(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    qstr kind = mp_obj_str_get_qstr(args[1]);
    (void)n_args;
    slot_t p;
    if (kind == MP_QSTR_mmio) {
        p = (slot_t) { .ranges = &vm->rules, .key = unbox_u64(args[2]), .size = unbox_u64(args[3]), .max = 2 };
        hook_check_range(vm, p.key, p.size);
    } else {
        p = place_of(vm, kind, args[2]);
        if (p.slot != NULL) { // "class", "default": handlers only
            place_of(vm, MP_QSTR_, args[2]);
        }
    }
    hook_t *under = first_at(&p);
    if (p.ranges != NULL && under == NULL) {
        check_free(p.ranges, p.key, p.size);
    }
    hook_kind_t action = action_of(args[4]);
    bool match_value = args[6] != mp_const_none, match_pc = args[7] != mp_const_none;
    uint64_t value = unbox_u64(args[5]), match = match_value ? unbox_u64(args[6]) : 0, pc = match_pc ? unbox_u64(args[7]) : 0;
    uint64_t nth = unbox_u64(args[8]), every = unbox_u64(args[9]);
    handler_t *handler = args[10] == mp_const_none ? NULL : keep_handler(o, args[10], p.max);
    hv_rule_obj_t *rule = mp_obj_malloc(hv_rule_obj_t, &hv_rule_type);
    hook_t *h = new_hook(p.key, action); // native memory: nothing may raise from here on
    h->size = p.size;
    h->below = under;
    h->handler = handler;
    h->value = value;
    h->match_value = match_value && action != HOOK_FLIP;
    h->match = action == HOOK_FLIP ? match >> 32 : match;
    h->last = action == HOOK_FLIP ? (uint32_t)match : 0; // hv.inject: how often, and the seed
    h->match_pc = match_pc;
    h->pc = pc;
    h->nth = nth;
    h->every = every;
    if (handler == NULL && !h->match_value && !h->match_pc && h->nth == 0 && h->every == 0) {
        h->kind = bare(action);
        if (h->kind == HOOK_ANSWER || h->kind == HOOK_KEEP) {
            hook_short_way(h, rule_load, h->kind == HOOK_KEEP ? rule_keep : rule_store);
        }
    }
    hook_change(vm, &p, NULL, under, h);
    rule->vm = o;
    rule->hook = h;
    rule->place = p;
    return MP_OBJ_FROM_PTR(rule);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_rule_obj, 11, 11, vm_rule);

// ---- Who is asked -------------------------------------------------------------------------------

// How its function is called: MicroPython's way (0), by the short interpreter (1), compiled, viper or native (2, 3).
static unsigned how_called(const handler_t *f) {
    if (f == NULL || f->top != NULL) {
        return f != NULL;
    }
    return f->words == WORDS_NOT ? 0 : f->words == WORDS_NATIVE ? 3 : 2;
}

static mp_obj_t told_of(const hook_t *h, bool of_class) {
    const handler_t *f = h->handler;
    mp_obj_t items[] = {
        MP_OBJ_NEW_SMALL_INT(h->kind), box_u64(h->hits), box_u64(h->key), box_u64(h->size), f == NULL ? mp_const_none : f->fun,
        MP_OBJ_NEW_SMALL_INT(of_class ? 4 : how_called(f)),
    };
    return mp_obj_new_tuple(ARRAY_LEN(items), items);
}

static void tell_chain(mp_obj_t list, const hook_t *h, bool of_class) {
    for (; h != NULL; h = h->below) {
        mp_obj_list_append(list, told_of(h, of_class));
    }
}

// who(esr, value) -> (who have taken rights of the page at that IPA, [(kind, hits, key, size, function, how it is called, or 4: of all of the class)]), in
// the order in which they are asked about such an exit.
static mp_obj_t vm_who(mp_obj_t self, mp_obj_t esr_in, mp_obj_t value_in) {
    vm_t *vm = hv_vm_get(self);
    uint32_t esr = (uint32_t)unbox_u64(esr_in);
    uint64_t value = unbox_u64(value_in);
    mp_obj_t list = mp_obj_new_list(0, NULL);
    const hook_t *first = trace_hook(vm, esr, value);
    tell_chain(list, first, false);
    if (ESR_EC(esr) == EC_DABT_LOWER) {
        const hook_t *device = hook_range_find(&vm->mmio, value);
        tell_chain(list, device == first ? NULL : device, false);
    }
    tell_chain(list, vm->classes[ESR_EC(esr)], true);
    tell_chain(list, vm->fallback, true);
    uint64_t daif = spin_lock_irq(&vm->lock);
    unsigned takers = vm->rights == NULL || ESR_EC(esr) != EC_DABT_LOWER ? 0 : rights_takers(vm, ALIGN_DOWN(value, PAGE_SIZE), 7);
    spin_unlock_irq(&vm->lock, daif);
    mp_obj_t both[] = { MP_OBJ_NEW_SMALL_INT(takers), list };
    return mp_obj_new_tuple(2, both);
}
MP_DEFINE_CONST_FUN_OBJ_3(hv_vm_who_obj, vm_who);

static hook_t *rule_hook(hv_rule_obj_t *rule) {
    hv_vm_get(MP_OBJ_FROM_PTR(rule->vm));
    if (rule->hook == NULL) {
        mp_raise_ValueError(MP_ERROR_TEXT("this rule has been removed"));
    }
    return rule->hook;
}

static mp_obj_t rule_remove(mp_obj_t self) {
    hv_rule_obj_t *rule = MP_OBJ_TO_PTR(self);
    hook_t *h = rule_hook(rule), *over = NULL;
    for (hook_t *at = first_at(&rule->place); at != h; at = at->below) {
        over = at;
    }
    hook_change(rule->vm->vm, &rule->place, over, h, h->below);
    release(rule->vm, h);
    rule->hook = NULL;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(rule_remove_obj, rule_remove);

static void rule_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_rule_obj_t *rule = MP_OBJ_TO_PTR(self);
    if (attr != MP_QSTR_hits && attr != MP_QSTR_value) {
        dest[1] = dest[0] == MP_OBJ_NULL ? MP_OBJ_SENTINEL : dest[1];
        return;
    }
    hook_t *h = rule_hook(rule);
    uint64_t *number = attr == MP_QSTR_hits ? &h->hits : &h->value;
    if (dest[0] == MP_OBJ_NULL) {
        dest[0] = box_u64(*number);
    } else if (dest[1] != MP_OBJ_NULL) {
        *number = unbox_u64(dest[1]);
        dest[0] = MP_OBJ_NULL;
    }
}

// <Rule mmio 0xb000000 count: 3 hits>
static void write_rule(const mp_print_t *print, mp_obj_t self) {
    hv_rule_obj_t *rule = MP_OBJ_TO_PTR(self);
    const hook_t *h = rule->hook;
    vm_t *vm = rule->vm->vm;
    if (vm == NULL || h == NULL) {
        mp_print_str(print, vm == NULL ? "<Rule: closed>" : "<Rule: removed>");
        return;
    }
    const slot_t *p = &rule->place;
    if (p->table == &vm->sysreg) {
        char name[SYSREG_NAME_MAX]; // the key is laid out as ESR_EL2.ISS
        unsigned enc = FIELD(p->key, 21, 20) << 14 | FIELD(p->key, 16, 14) << 11 | FIELD(p->key, 13, 10) << 7
            | FIELD(p->key, 4, 1) << 3 | FIELD(p->key, 19, 17);
        mp_printf(print, "<Rule sysreg %s", sysreg_name(enc, name));
    } else {
        mp_printf(print, "<Rule %s 0x%lx", p->table == NULL ? "mmio" : p->table == &vm->hvc ? "hvc"
            : p->table == &vm->smc ? "smc" : "imm", p->key);
    }
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (actions[i].kind == h->kind || actions[i].bare == h->kind) {
            mp_printf(print, " %q", actions[i].name);
        }
    }
    mp_printf(print, ": %lu hit%s>", h->hits, h->hits == 1 ? "" : "s");
}

static void rule_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t print_kind) {
    (void)print_kind;
    hv_print(print, self, write_rule);
}

static const mp_rom_map_elem_t rule_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_remove), MP_ROM_PTR(&rule_remove_obj) },
};
static MP_DEFINE_CONST_DICT(rule_locals_dict, rule_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_rule_type, MP_QSTR_Rule, MP_TYPE_FLAG_NONE,
    attr, rule_attr, print, rule_print, locals_dict, &rule_locals_dict);
