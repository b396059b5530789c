// SPDX-License-Identifier: MIT
// Classes whose methods and dictionary are constants of the image (frozen_classes.py). What is left of a class
// statement is the class itself, with its bases and its flags, which change.

#include "py/gc.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "frozen.h"

MP_DECLARE_CONST_FUN_OBJ_VAR(__real_mp_builtin___build_class___obj);
void __real_mp_store_attr(mp_obj_t base, qstr attr, mp_obj_t value);
void __wrap_mp_store_attr(mp_obj_t base, qstr attr, mp_obj_t value);

#define LOCALS_SLOT 9 // where mp_obj_new_type has it
#define MEMBERS 17 // room in a new instance's dictionary: what hv.VM's has in it
#define FEW_MEMBERS 4 // of others: most have two or more, and each time that it grows costs as much

static bool is_frozen(const void *part) {
    return (uintptr_t)part - (uintptr_t)frozen_classes < frozen_class_count * sizeof(frozen_class_t);
}

// By what is its function's bytecode.
static const frozen_class_t *frozen_class(mp_obj_t fun) {
    const byte *code = ((mp_obj_fun_bc_t *)MP_OBJ_TO_PTR(fun))->bytecode;
    return is_frozen(code) ? (const frozen_class_t *)code : NULL;
}

// What LOAD_BUILD_CLASS gives: called with the statement's function, the class's name and its bases.
static mp_obj_t build_class(size_t n_args, const mp_obj_t *args) {
    const frozen_class_t *frozen = mp_obj_is_type(args[0], &mp_type_fun_bc) ? frozen_class(args[0]) : NULL;
    if (frozen == NULL) {
        return mp_call_function_n_kw(MP_OBJ_FROM_PTR(&__real_mp_builtin___build_class___obj), n_args, 0, args);
    }
    const mp_obj_fun_bc_t *statement = MP_OBJ_TO_PTR(args[0]);
    *frozen->context = *statement->context;
    mp_obj_t of_type[] = { args[1], mp_obj_new_tuple(n_args - 2, args + 2), MP_OBJ_FROM_PTR(&mp_const_empty_dict_obj) };
    mp_obj_type_t *made = MP_OBJ_TO_PTR(mp_call_function_n_kw(MP_OBJ_FROM_PTR(&mp_type_type), 3, 0, of_type));
    MP_OBJ_TYPE_SET_SLOT(made, locals_dict, (void *)&frozen->dict, LOCALS_SLOT);
    if (frozen->has_properties) {
        made->flags |= MP_TYPE_FLAG_HAS_SPECIAL_ACCESSORS;
    }
    return MP_OBJ_FROM_PTR(made);
}
MP_DEFINE_CONST_FUN_OBJ_VAR(__wrap_mp_builtin___build_class___obj, 2, build_class);

// The first time that something is put into such a class, or taken out of it, its dictionary is copied.
static void make_writable(mp_obj_type_t *type) {
    const mp_obj_dict_t *dict = MP_OBJ_TYPE_GET_SLOT_OR_NULL(type, locals_dict);
    if (is_frozen(dict)) {
        mp_obj_dict_t *copy = MP_OBJ_TO_PTR(mp_obj_dict_copy(MP_OBJ_FROM_PTR(dict)));
        copy->map.is_fixed = 0;
        MP_OBJ_TYPE_SET_SLOT(type, locals_dict, copy, LOCALS_SLOT);
    }
}

// Whether what is stored under this name goes into the instance and nowhere else: its classes are all of this kind,
// which have no __setattr__ (frozen_classes.py), and none has a property of this name.
static bool goes_into_instance(const mp_obj_type_t *type, qstr attr) {
    for (;;) {
        const mp_obj_dict_t *dict = MP_OBJ_TYPE_GET_SLOT_OR_NULL(type, locals_dict);
        if (!is_frozen(dict)) {
            return false;
        }
        const mp_map_elem_t *elem = mp_map_lookup((mp_map_t *)&dict->map, MP_OBJ_NEW_QSTR(attr), MP_MAP_LOOKUP);
        if (elem != NULL) {
            return !mp_obj_is_type(elem->value, &mp_type_property);
        }
        if (!MP_OBJ_TYPE_HAS_SLOT(type, parent)) {
            return true;
        }
        type = MP_OBJ_TYPE_GET_SLOT(type, parent);
        if (((mp_obj_base_t *)type)->type != &mp_type_type) {
            return false; // several bases
        }
    }
}

// What an instance begins with has room for so many.
static void store(mp_obj_instance_t *instance, qstr attr, mp_obj_t value, size_t room) {
    if (instance->members.alloc == 0) {
        mp_map_t members; // which stay empty when there is no memory
        mp_map_init(&members, room);
        instance->members = members;
    }
    mp_map_lookup(&instance->members, MP_OBJ_NEW_QSTR(attr), MP_MAP_LOOKUP_ADD_IF_NOT_FOUND)->value = value;
}

void __wrap_mp_store_attr(mp_obj_t base, qstr attr, mp_obj_t value) {
    const mp_obj_type_t *type = mp_obj_is_obj(base) ? ((mp_obj_base_t *)MP_OBJ_TO_PTR(base))->type : NULL;
    if (type != NULL && mp_obj_is_instance_type(type) && value != MP_OBJ_NULL) {
        if (!(type->flags & MP_TYPE_FLAG_HAS_SPECIAL_ACCESSORS)) {
            store(MP_OBJ_TO_PTR(base), attr, value, FEW_MEMBERS);
            return;
        }
        if (goes_into_instance(type, attr)) {
            store(MP_OBJ_TO_PTR(base), attr, value, MEMBERS);
            return;
        }
    }
    if (type == &mp_type_type) {
        make_writable(MP_OBJ_TO_PTR(base));
    }
    __real_mp_store_attr(base, attr, value);
}

// The modules' dictionaries are found by nobody else when a module has been taken out of sys.modules.
void frozen_class_mark(void) {
    gc_collect_root((void **)frozen_contexts, frozen_context_count * (sizeof(mp_module_context_t) / sizeof(void *)));
}
