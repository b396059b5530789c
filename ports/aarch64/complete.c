// SPDX-License-Identifier: MIT
// The tab key: as py/repl.c has it, and behind a subscript too (vm.cpu[0].<Tab>); without what a package
// says that nobody needs to name, its tuple _built_of.

#include <string.h>
#include "py/builtin.h"
#include "py/objmodule.h"
#include "py/mpstate.h"
#include "py/runtime.h"

MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(mp_builtin_eval_obj);
size_t mp_repl_autocomplete(const char *str, size_t len, const mp_print_t *print, const char **compl_str); // py/repl.h wants more
size_t upstream_autocomplete(const char *str, size_t len, const mp_print_t *print, const char **compl_str);
void complete_load_method(mp_obj_t obj, qstr attr, mp_obj_t *dest, bool catch_all_exc);

// For py/repl.c alone: what an object has of a name.
void complete_load_method(mp_obj_t obj, qstr attr, mp_obj_t *dest, bool catch_all_exc) {
    if (mp_obj_is_type(obj, &mp_type_module)) {
        mp_map_t *map = &mp_obj_module_get_globals(obj)->map;
        mp_map_elem_t *hidden = mp_map_lookup(map, MP_OBJ_NEW_QSTR(MP_QSTR__built_of), MP_MAP_LOOKUP);
        if (hidden != NULL && mp_obj_is_true(mp_binary_op(MP_BINARY_OP_IN, MP_OBJ_NEW_QSTR(attr), hidden->value))) {
            dest[0] = dest[1] = MP_OBJ_NULL;
            return;
        }
    }
    mp_load_method_protected(obj, attr, dest, catch_all_exc);
}

static bool in_name(char c) {
    return unichar_isident((unsigned char)c) || c == '.';
}

// Where the '[' is that the ']' before `end` closes, with an index without brackets; or NULL.
static const char *open_bracket(const char *start, const char *end) {
    const char *s = end - 1;
    while (s > start && (in_name(s[-1]) || strchr(" -'\"", s[-1]) != NULL)) {
        s--;
    }
    return s > start && s[-1] == '[' ? s - 1 : NULL;
}

static mp_obj_t eval(const char *start, const char *end) {
    mp_obj_t text = mp_obj_new_str(start, end - start);
    return mp_call_function_1(MP_OBJ_FROM_PTR(&mp_builtin_eval_obj), text);
}

// The value of names and subscripts. Only containers are asked for an item: to look into them has no
// effect, but machine.mem32[...] would be a load from a device.
static mp_obj_t value_of(const char *start, const char *end) {
    const char *close = end, *open;
    while (close > start && close[-1] != ']') {
        close--;
    }
    if (close == start) {
        return eval(start, end);
    }
    open = open_bracket(start, close);
    mp_obj_t value = value_of(start, open);
    if (!mp_obj_is_type(value, &mp_type_tuple) && !mp_obj_is_type(value, &mp_type_list) && !mp_obj_is_type(value, &mp_type_dict)) {
        mp_raise_TypeError(NULL);
    }
    value = mp_obj_subscr(value, eval(open + 1, close - 1), MP_OBJ_SENTINEL);
    for (const char *name = close + 1; close < end; name = close + 1) { // ".a.b"
        for (close = name; close < end && *close != '.'; close++) {
        }
        value = mp_load_attr(value, qstr_from_strn(name, close - name));
    }
    return value;
}

// What is before the last '.' of "vm.cpu[0].", when there is a subscript in it, becomes the global _tab.
static bool subscripted(const char *str, const char *dot) {
    const char *start = dot;
    bool found = false;
    while (start > str && (in_name(start[-1]) || start[-1] == ']')) {
        if (start[-1] == ']') {
            start = open_bracket(str, start);
            found = true;
            if (start == NULL) {
                return false;
            }
        } else {
            start--;
        }
    }
    nlr_buf_t nlr;
    if (!found || nlr_push(&nlr) != 0) {
        return false;
    }
    mp_store_global(MP_QSTR__tab, value_of(start, dot));
    nlr_pop();
    return true;
}

size_t mp_repl_autocomplete(const char *str, size_t len, const mp_print_t *print, const char **compl_str) {
    static const char prefix[] = "_tab.";
    char line[64];
    const char *end = str + len, *word = end;
    while (word > str && in_name(word[-1]) && word[-1] != '.') {
        word--;
    }
    size_t n = end - word;
    if (n > sizeof(line) - sizeof(prefix) || word == str || word[-1] != '.' || !subscripted(str, word - 1)) {
        return upstream_autocomplete(str, len, print, compl_str);
    }
    memcpy(line, prefix, sizeof(prefix) - 1);
    memcpy(line + sizeof(prefix) - 1, word, n);
    n += sizeof(prefix) - 1;
    line[n] = '\0';
    n = upstream_autocomplete(line, n, print, compl_str);
    mp_delete_global(MP_QSTR__tab);
    return n;
}
