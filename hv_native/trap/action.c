// SPDX-License-Identifier: MIT
// hv.SKIP and the like.
// What a handler may return instead of values (callback.h), and what quick.S has instead of objects (quick.h).

#include "py/runtime.h"
#include "core/arch.h"
#include "trap/callback.h"
#include "trap/quick.h"

static const qstr action_names[] = {
    MP_QSTR_None, MP_QSTR_RETRY, MP_QSTR_SKIP, MP_QSTR_STOP, MP_QSTR_UNDEFINED, MP_QSTR_ABORT, MP_QSTR_SERROR, MP_QSTR_PASS,
};

const mp_obj_base_t hv_actions[ARRAY_LEN(action_names)] = {
    [0 ... ARRAY_LEN(action_names) - 1] = { &hv_action_type },
};

static void action_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    mp_printf(print, "hv.%q", action_names[(const mp_obj_base_t *)MP_OBJ_TO_PTR(self) - hv_actions]);
}

MP_DEFINE_CONST_OBJ_TYPE(hv_action_type, MP_QSTR_Action, MP_TYPE_FLAG_NONE, print, action_print);

quick_boxes_t quick_boxes = { .end = quick_boxes.box };
// Boxes are told by these; to whom does not know them they are types of objects that have nothing.
const mp_obj_full_type_t quick_types[2];
