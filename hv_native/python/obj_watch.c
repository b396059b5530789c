// SPDX-License-Identifier: MIT
// _hv.Watch: what modules/hv/watch.py is made of. A range of a guest's addresses is a few of its RAM's (trap/watch.h).

#include "py/runtime.h"
#include "core/arch.h"
#include "memory/native.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "python/tell.h"
#include "trap/callback.h"
#include "trap/numbers.h"
#include "trap/watch.h"
#include "vcpu/vcpu.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/runqueue.h"
#include "vm/vm.h"

#define PIECES 64 // of RAM that is not contiguous

typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
    handler_t *handler;
    uint32_t n;
    watch_t *part[];    // NULL once removed
} hv_watch_obj_t;

static const mp_obj_type_t hv_watch_type;

// ---- Where it is --------------------------------------------------------------------------------

typedef struct {
    uint64_t ipa, size, named;
} piece_t;

// By the tables of the first vCPU that knows it: how much from there on is in one piece, 0: it is nowhere.
static uint64_t translate(vm_t *vm, uint64_t va, uint64_t size, uint64_t *ipa) {
    uint64_t known = 0;
    for (unsigned i = 0; i < vm->nvcpus && known == 0; i++) {
        known = vcpu_translate_range(vm->vcpu[i], va, size, ipa);
    }
    return known;
}

// The VM is held. The pieces of RAM that [va, va + size) is; 0: too many, or (*bad) one of its addresses is nowhere.
static unsigned find_pieces(vm_t *vm, uint64_t va, uint64_t size, bool physical, piece_t *piece, uint64_t *bad) {
    unsigned n = 0;
    for (uint64_t done = 0, here; done < size; done += here) {
        uint64_t ipa = *bad = va + done;
        here = physical ? size : translate(vm, va + done, size - done, &ipa);
        if (here == 0 || vm_ram_place(vm, ipa, here) == NULL) {
            return 0;
        }
        if (n != 0 && piece[n - 1].ipa + piece[n - 1].size == ipa) {
            piece[n - 1].size += here;
        } else if (n == PIECES) {
            return 0;
        } else {
            piece[n++] = (piece_t) { ipa, here, va + done };
        }
    }
    return n;
}

// ---- Setting ------------------------------------------------------------------------------------

static void remove_parts(hv_watch_obj_t *o) {
    for (unsigned i = 0; i < o->n; i++) {
        if (o->part[i] != NULL) {
            watch_remove(o->vm->vm, o->part[i]);
            o->part[i] = NULL;
        }
    }
}

static bool add_parts(hv_watch_obj_t *o, const piece_t *piece, unsigned rights, unsigned action, bool by_va) {
    for (unsigned i = 0; i < o->n; i++) {
        watch_t *w = native_alloc(sizeof(watch_t));
        if (w == NULL) {
            return false;
        }
        *w = (watch_t) {
            .ipa = piece[i].ipa, .size = piece[i].size, .named = piece[i].named, .va = piece[i].named, .by_va = by_va && o->n == 1,
            .rights = rights, .action = action, .handler = o->handler,
        };
        if (!watch_add(o->vm->vm, w)) {
            native_free(w, sizeof(watch_t));
            return false;
        }
        o->part[i] = w;
    }
    return true;
}

// watch(address, size, rights, handler, physical, action) -> Watch. rights: 1 loads, 2 stores; action: watch_action_t.
static mp_obj_t vm_watch(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *vm_o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    uint64_t va = unbox_u64(args[1]), size = unbox_u64(args[2]), bad;
    unsigned rights = unbox_int(args[3]), action = unbox_int(args[6]);
    bool physical = unbox_bool(args[5]);
    (void)n_args;
    if (size == 0 || size > UINT64_C(1) << 40 || va + size < va) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx, %lu bytes: a range must not be empty, and at most 2^40"), va, size);
    }
    handler_t *handler = args[4] == mp_const_none ? NULL : handler_new(args[4], -1, 4);
    piece_t piece[PIECES];
    vm_hold(vm);
    unsigned n = find_pieces(vm, va, size, physical, piece, &bad);
    vm_release(vm);
    if (n == 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx is not RAM of %s%s, or the range is in more than %d places"), bad, vm->name,
            physical ? "" : " by its tables now (ipa= names one of its RAM)", PIECES);
    }
    hv_watch_obj_t *o = mp_obj_malloc_var(hv_watch_obj_t, part, watch_t *, n, &hv_watch_type);
    o->vm = vm_o;
    o->handler = handler;
    o->n = n;
    for (unsigned i = 0; i < n; i++) {
        o->part[i] = NULL;
    }
    if (handler != NULL) {
        mp_obj_list_append(vm_o->handlers, MP_OBJ_FROM_PTR(handler));
    }
    vm_hold(vm); // nothing may raise from here on
    bool ok = add_parts(o, piece, rights, action, !physical);
    if (!ok) {
        remove_parts(o);
    }
    vm_release(vm);
    if (!ok) {
        hv_forget(vm_o, handler);
        hv_no_room("a translation table", PAGE_SIZE);
    }
    return MP_OBJ_FROM_PTR(o);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_watch_obj, 7, 7, vm_watch);

static mp_obj_t watch_remove_method(mp_obj_t self) {
    hv_watch_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = o->vm->vm;
    if (vm != NULL) {
        vm_hold(vm);
        remove_parts(o);
        vm_release(vm);
        hv_forget(o->vm, o->handler);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(watch_remove_obj, watch_remove_method);

// hits; rate: of accesses that go by on its pages, if they are many; 0 once the VM is closed.
static void watch_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_watch_obj_t *o = MP_OBJ_TO_PTR(self);
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    if (attr == MP_QSTR_hard) {
        dest[0] = mp_obj_new_bool(o->vm->vm != NULL && o->part[0] != NULL && o->part[0]->pair >= 0);
        return;
    }
    if (attr != MP_QSTR_hits && attr != MP_QSTR_rate) {
        dest[1] = MP_OBJ_SENTINEL;
        return;
    }
    uint64_t hits = 0, rate = 0;
    for (unsigned i = 0; i < o->n && o->vm->vm != NULL && o->part[i] != NULL; i++) {
        hits += o->part[i]->hits;
        rate = o->part[i]->rate > rate ? o->part[i]->rate : rate;
    }
    dest[0] = box_u64(attr == MP_QSTR_hits ? hits : rate);
}

static const mp_rom_map_elem_t watch_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_remove), MP_ROM_PTR(&watch_remove_obj) },
};
static MP_DEFINE_CONST_DICT(watch_locals_dict, watch_locals);

static MP_DEFINE_CONST_OBJ_TYPE(hv_watch_type, MP_QSTR_Watch, MP_TYPE_FLAG_NONE, attr, watch_attr, locals_dict, &watch_locals_dict);

// ---- What is said later -------------------------------------------------------------------------

static void tell_of(vm_t *vm, const watch_t *w) {
    if (w->blind != 0) {
        mp_printf(&mp_plat_print, "%s: on a page of the watch of 0x%lx %s are not seen any more: %s\n", vm->name, w->named,
            w->blind & S2_WRITE ? "accesses" : "loads", w->blind & S2_WRITE ? "an exclusive cannot be followed" : "the MMU walks tables there");
    } else {
        mp_printf(&mp_plat_print, "%s: a page of the watch of 0x%lx is hot: %lu accesses a second go by, each an exit\n", vm->name, w->named, w->rate);
    }
}

// f(None, address, size, old, new): no vCPU did it. Of more than 8 bytes old and new are not kept.
static void ask_of_device(hv_vm_obj_t *o, const watch_event_t *e) {
    handler_t *h = e->watch->handler;
    mp_obj_t args[5] = { mp_const_none, box_u64(e->watch->named + (e->ipa - e->watch->ipa)), box_u64(e->size), mp_const_none, mp_const_none };
    if (e->size <= 8) {
        args[3] = box_u64(e->old);
        args[4] = box_u64(e->now);
    }
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_obj_t got = mp_call_function_n_kw(h->fun, 1 + h->nargs, 0, args);
        if (got == MP_OBJ_FROM_PTR(&hv_actions[ACTION_STOP]) && o->vm != NULL) {
            vm_stop(o->vm);
        }
        nlr_pop();
    } else {
        static tell_t told;
        hv_tell(&told, MP_OBJ_FROM_PTR(nlr.ret_val));
    }
}

// From the first VM on after each handler: it may have closed any.
void hv_watch_serve(void) {
    watch_event_t e;
    for (vm_t *vm = vms; vm != NULL;) {
        watch_t *w = watch_to_tell(vm);
        if (w != NULL) {
            tell_of(vm, w);
        } else if (watch_event(vm, &e)) {
            ask_of_device(vm->object, &e);
            vm = vms;
            if (boot_core_turn_over()) {
                return;
            }
        } else {
            vm = vm->next;
        }
    }
}
