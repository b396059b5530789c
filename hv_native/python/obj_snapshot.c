// SPDX-License-Identifier: MIT
// _hv.VM.hold: snapshots of a VM by number, for modules/hv/snapshot.py.

#include "py/gc.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "hold/fuzz.h"
#include "hold/pack.h"
#include "hold/snapshot.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/callback.h"
#include "trap/numbers.h"
#include "vgic/vgic.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

static snapshot_t *snapshot_of(vm_t *vm, mp_obj_t id) {
    snapshot_t *s = snapshot_by_id(vm, (uint32_t)unbox_u64(id));
    if (s == NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s has no such snapshot any more: it has been dropped"), vm->name);
    }
    return s;
}

// The vCPU whose handler this is called in, or NULL.
static vcpu_t *asking(const vm_t *vm) {
    vcpu_t *v = boot_core_handler(vm);
    if (v != NULL && v->stepping) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("in the middle of a step: vm.snapshot() and vm.back() are for its end"));
    }
    if (vgic_forwards(vm)) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s has a device of the machine (passthrough), which cannot go back in time"), vm->name);
    }
    return v;
}

// Kept pages may go, which forks have mapped.
static void hold_family(vm_t *vm) {
    vm_hold(vm);
    hv_hold_all(vm->forks != NULL, vm_hold);
}

static void release_family(vm_t *vm) {
    hv_hold_all(vm->forks != NULL, vm_release);
    vm_release(vm);
}

static mp_obj_t take(vm_t *vm) {
    vcpu_t *v = asking(vm);
    hold_family(vm);
    snapshot_t *s = snapshot_take(vm, v);
    release_family(vm);
    if (s == NULL) {
        hv_no_room("a snapshot", sizeof(snapshot_t));
    }
    return MP_OBJ_NEW_SMALL_INT(s->id);
}

static mp_obj_t back(vm_t *vm, mp_obj_t id, bool guest_clock) {
    snapshot_t *s = snapshot_of(vm, id);
    vcpu_t *v = asking(vm);
    hold_family(vm);
    bool ok = snapshot_back(vm, s, v, guest_clock);
    hv_virtio_forget(vm);
    release_family(vm);
    if (!ok && vm->hold->full) {
        mp_raise_msg_varg(&mp_type_MemoryError, MP_ERROR_TEXT("the snapshots of %s are void: there was no memory left for what a device wrote over"), vm->name);
    }
    if (!ok) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s has been given memory since its first snapshot"), vm->name);
    }
    return mp_const_none;
}

// The pages, by IPA, that differ now from what they were at s.
static mp_obj_t written(vm_t *vm, const snapshot_t *s) {
    mp_obj_t list = mp_obj_new_list(0, NULL);
    for (unsigned chunk = 0; chunk < vm->hold->chunks; chunk++) {
        for (unsigned w = 0; w < 8; w++) {
            uint64_t pages = 0, ipa;
            for (const snapshot_t *at = s; at != NULL; at = at->to) {
                pages |= at->chunk[chunk].written[w];
            }
            for (; pages != 0; pages &= pages - 1) {
                pages_ipa(vm, chunk, w * 64 + (unsigned)__builtin_ctzll(pages), &ipa);
                mp_obj_list_append(list, box_u64(ipa));
            }
        }
    }
    return list;
}

// The numbers of those of a history that memory ran out for, and that have not been dropped.
static mp_obj_t lost(const hold_t *h) {
    mp_obj_t list = mp_obj_new_list(0, NULL);
    for (const snapshot_t *s = h == NULL ? NULL : h->all; s != NULL; s = s->next) {
        if (s->lost && !s->dropped) {
            mp_obj_list_append(list, MP_OBJ_NEW_SMALL_INT(s->id));
        }
    }
    return list;
}

static mp_obj_t drop(vm_t *vm, mp_obj_t id) {
    snapshot_t *s = vm->hold == NULL ? NULL : vm->hold->all;
    while (s != NULL && s->id != unbox_u64(id)) {
        s = s->next;
    }
    if (s != NULL && !s->dropped) {
        if (fuzz_of(vm) != NULL && fuzz_of(vm)->s == s) {
            mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("a fuzzer goes back to this snapshot: close() it first"));
        }
        hold_family(vm);
        snapshot_drop(vm, s);
        release_family(vm);
    }
    return mp_const_none;
}

static mp_obj_t fork_to(vm_t *vm, mp_obj_t id, mp_obj_t to_in) {
    snapshot_t *s = snapshot_of(vm, id);
    vm_t *to = hv_vm_get(hv_of_type(to_in, &hv_vm_type));
    bool alike = to->forked && to->source == NULL && to->nvcpus == vm->nvcpus && to->nram == vm->nram && to->ram[0].size == vm->ram[0].size;
    if (!alike || to->starts != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("a fork is a VM of the same cpus and ram, which has not run"));
    }
    vm_hold(vm);
    bool ok = snapshot_fork(vm, s, to);
    vm_release(vm);
    if (!ok) {
        hv_no_room("a fork", PAGE_SIZE);
    }
    return mp_const_none;
}

// What f() returns, which is called while the VM's vCPUs stand still and its devices are asked nothing: what Python has of them
// and what is here are of one moment.
static mp_obj_t at_one_moment(vm_t *vm, mp_obj_t f) {
    mp_obj_t result = mp_const_none, raised = MP_OBJ_NULL;
    hv_vm_obj_t *o = vm->object;
    nlr_buf_t nlr;
    mp_sched_lock();
    vm_hold(vm);
    if (nlr_push(&nlr) == 0) {
        result = mp_call_function_0(f);
        nlr_pop();
    } else {
        raised = MP_OBJ_FROM_PTR(nlr.ret_val);
    }
    if (o->vm != NULL) {
        vm_release(vm);
    }
    mp_sched_unlock();
    if (raised != MP_OBJ_NULL) {
        nlr_raise(raised);
    }
    return result;
}

static void buffer_of(mp_obj_t o, mp_buffer_info_t *buf, unsigned flags) {
    mp_get_buffer_raise(o, buf, flags);
}

// Pages of RAM as they were then, into a buffer of whole ones. The VM stands still for it: what is not kept is in RAM.
static mp_obj_t read_pages(vm_t *vm, mp_obj_t id, mp_obj_t ipa, mp_obj_t to) {
    mp_buffer_info_t buf;
    buffer_of(to, &buf, MP_BUFFER_WRITE);
    snapshot_t *s = id == mp_const_none ? NULL : snapshot_of(vm, id);
    uint64_t from = unbox_u64(ipa);
    vm_hold(vm);
    bool any = pages_read(vm, s, from, buf.buf, ALIGN_DOWN(buf.len, PAGE_SIZE));
    vm_release(vm);
    return mp_obj_new_bool(any);
}

static mp_obj_t load(vm_t *vm, mp_obj_t state) {
    mp_buffer_info_t buf;
    buffer_of(state, &buf, MP_BUFFER_READ);
    return MP_OBJ_NEW_SMALL_INT(vm->running ? MISFIT : snapshot_load(vm, buf.buf, buf.len));
}

static mp_obj_t packed(mp_obj_t from, mp_obj_t to, size_t (*how)(const uint8_t *from, size_t size, uint8_t *to, size_t room)) {
    mp_buffer_info_t a, b;
    buffer_of(from, &a, MP_BUFFER_READ);
    buffer_of(to, &b, MP_BUFFER_WRITE);
    return MP_OBJ_NEW_SMALL_INT(how(a.buf, a.len, b.buf, b.len));
}

// ---- What a capsule has besides -------------------------------------------------------------------

static void list_hooks(mp_obj_t list, qstr kind, const hook_t *h) {
    for (; h != NULL; h = h->below) {
        if (h->kind != HOOK_NATIVE) {
            const handler_t *f = h->handler;
            mp_obj_t items[] = {
                MP_OBJ_NEW_QSTR(kind), box_u64(h->key), box_u64(h->size), MP_OBJ_NEW_SMALL_INT(h->kind), f == NULL ? mp_const_none : f->fun, box_u64(h->hits),
            };
            mp_obj_list_append(list, mp_obj_new_tuple(ARRAY_LEN(items), items));
        }
    }
}

static mp_obj_t hooks(vm_t *vm) {
    mp_obj_t list = mp_obj_new_list(0, NULL);
    const struct {
        qstr kind;
        const hook_table_t *table;
    } tables[] = { { MP_QSTR_hvc, &vm->hvc }, { MP_QSTR_smc, &vm->smc }, { MP_QSTR_sysreg, &vm->sysreg }, { MP_QSTR_imm, &vm->imm } };
    for (unsigned k = 0; k < ARRAY_LEN(tables); k++) {
        for (uint32_t i = 0; tables[k].table->slot != NULL && i <= tables[k].table->mask; i++) {
            list_hooks(list, tables[k].kind, tables[k].table->slot[i]);
        }
    }
    const hook_ranges_t *ranges[] = { &vm->mmio, &vm->rules };
    for (unsigned k = 0; k < ARRAY_LEN(ranges); k++) {
        for (uint32_t i = 0; i < ranges[k]->count; i++) {
            list_hooks(list, MP_QSTR_mmio, ranges[k]->range[i]);
        }
    }
    for (unsigned k = 0; k < ARRAY_LEN(vm->classes); k++) {
        list_hooks(list, MP_QSTR_class, vm->classes[k]);
    }
    list_hooks(list, MP_QSTR_default, vm->fallback);
    return list;
}

// hold("take") -> id; ("back", id, guest's clock); ("drop", id); ("written", id) -> IPAs; ("at") -> id or None;
// ("pages") -> how many are kept; ("quota", bytes); ("history", id): it goes first; ("lost") -> ids; ("fork", id, _hv.VM);
// ("read", id or None, IPA, buffer): RAM as it was, or is, False where nothing is; ("state", id) -> bytes, and ("load", bytes) -> fit_t;
// ("moment", f) -> f(), while nothing of the VM goes on;
// ("hooks") -> (kind, key, size, hook_kind_t, handler or None, hits) of each;
// ("pack", from, to), ("unpack", from, to): buffers -> bytes, 0 when it does not go;
// ("inside") -> whether this is in one of its handlers
#define SNAPSHOTS_ARGS 5
static mp_obj_t vm_snapshots(size_t n_args, const mp_obj_t *given) {
    mp_obj_t args[SNAPSHOTS_ARGS];
    hv_fill_args(n_args, given, SNAPSHOTS_ARGS, args);
    vm_t *vm = hv_vm_get(args[0]);
    qstr what = mp_obj_str_get_qstr(args[1]);
    const hold_t *h = vm->hold;
    switch (what) {
        case MP_QSTR_take:
            return take(vm);
        case MP_QSTR_back:
            return back(vm, args[2], n_args > 3 && unbox_bool(args[3]));
        case MP_QSTR_written:
            return written(vm, snapshot_of(vm, args[2]));
        case MP_QSTR_drop:
            return drop(vm, args[2]);
        case MP_QSTR_fork:
            return fork_to(vm, args[2], args[3]);
        case MP_QSTR_read:
            return read_pages(vm, args[2], args[3], args[4]);
        case MP_QSTR_state: {
            const snapshot_t *s = snapshot_of(vm, args[2]);
            return mp_obj_new_bytes(s->state.at, s->state.used);
        }
        case MP_QSTR_load:
            return load(vm, args[2]);
        case MP_QSTR_moment:
            return at_one_moment(vm, args[2]);
        case MP_QSTR_hooks:
            return hooks(vm);
        case MP_QSTR_pack:
            return packed(args[2], args[3], pack);
        case MP_QSTR_unpack:
            return packed(args[2], args[3], unpack);
        case MP_QSTR_history:
            snapshot_of(vm, args[2])->history = true;
            return mp_const_none;
        case MP_QSTR_lost:
            return lost(h);
        case MP_QSTR_quota:
            if (h != NULL) {
                vm->hold->quota = unbox_u64(args[2]) / PAGE_SIZE;
            }
            return mp_const_none;
        case MP_QSTR_inside:
            return mp_obj_new_bool(boot_core_in_handler(vm));
        case MP_QSTR_pages:
            return box_u64(h == NULL ? 0 : h->pages);
        default:
            return h == NULL ? mp_const_none : MP_OBJ_NEW_SMALL_INT(h->at->id);
    }
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_snapshots_obj, 2, SNAPSHOTS_ARGS, vm_snapshots);
