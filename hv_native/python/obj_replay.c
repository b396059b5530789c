// SPDX-License-Identifier: MIT
// _hv.VM.replay: a VM under record, for modules/hv/replay.py.

#include "py/mphal.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "devices/pl031.h"
#include "hold/replay.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/callback.h"
#include "trap/numbers.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

bool hv_input(vm_t *vm, unsigned kind, unsigned what, uint64_t value) {
    if (!boot_core_in_handler(vm)) {
        return replay_input(vm, (input_kind_t)kind, what, value);
    }
    replay_do(vm, (input_kind_t)kind, what, value); // its own doing: it does it again
    return true;
}

static void check_at_rest(const vm_t *vm) {
    if (vm->running || boot_core_any_handler()) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s is running: vm.pause(), or return hv.STOP, first"), vm->name);
    }
}

static mp_obj_t begin(vm_t *vm) {
    if (vgic_forwards(vm)) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s has a device of the machine (passthrough), which cannot be had again"), vm->name);
    }
    if (!replay_begin(vm)) {
        hv_no_room("a record", sizeof(replay_t));
    }
    return mp_const_none;
}

static mp_obj_t log_of(const replay_t *p) {
    mp_obj_t list = mp_obj_new_list(0, NULL);
    for (size_t i = 0; i < replay_inputs(p); i++) {
        const input_t *e = (const input_t *)p->log.at + i;
        mp_obj_t data = mp_obj_new_bytes(p->data.at + e->data, e->bytes);
        mp_obj_t one[] = { box_u64(e->count), MP_OBJ_NEW_SMALL_INT(e->kind), box_u64(e->what), box_u64(e->value), data };
        mp_obj_list_append(list, mp_obj_new_tuple(e->bytes != 0 ? 5 : 4, one));
    }
    return list;
}

// A turn of whose shift it is; done: it was v's.
exit_t hv_replay_step(vcpu_t *v) {
    vcpu_t *w = v->vm->replay->v;
    exit_t why = boot_core_alone(w, replay_step);
    v->brk.done = w == v && w->brk.done;
    return why;
}

// Up to that count. None: it is there; else the Exit on the way.
static mp_obj_t run_to(hv_vm_obj_t *o, uint64_t count) {
    vm_t *vm = o->vm;
    vcpu_t *v = vm->replay->v;
    exit_t why = EXIT_RESUME;
    bool woken = false;
    vm->replay->stop = count;
    uint64_t last = vm->replay->count;
    for (unsigned tries = 0; vm->replay != NULL && vm->replay->count < count && why == EXIT_RESUME; tries++) {
        tries = vm->replay->count == last ? tries : 0;
        last = vm->replay->count;
        if (tries == HV_TRIES) {
            why = v->exit.reason = EXIT_TRAP;
            break;
        }
        woken |= mp_hal_woken;
        mp_hal_woken = false; // or it would come back here at once for its sake
        v = vm->replay->v;
        why = boot_core_alone(v, replay_run);
        mp_handle_pending(true);
        vm = hv_vm_get(MP_OBJ_FROM_PTR(o));
    }
    mp_hal_woken |= woken;
    if (vm->replay != NULL) {
        vm->replay->stop = UINT64_MAX;
    }
    hv_vcpu_obj_t *cpu = v->object;
    if (why == EXIT_RAISED && cpu->exception != MP_OBJ_NULL) {
        mp_obj_t raised = cpu->exception;
        cpu->exception = MP_OBJ_NULL;
        nlr_raise(raised);
    }
    bool there = vm->replay == NULL || vm->replay->count >= count;
    return there && (why == EXIT_RESUME || why == EXIT_STOP) ? mp_const_none : hv_exit_new(cpu, false);
}

static input_t input_of(const mp_obj_t *args) {
    return (input_t) { unbox_u64(args[2]), (uint32_t)unbox_u64(args[3]), (uint32_t)unbox_u64(args[4]), unbox_u64(args[5]), 0, 0 };
}

static mp_obj_t put(const vm_t *vm, replay_t *p, size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t data = { 0 };
    if (n_args > 6) {
        mp_get_buffer_raise(args[6], &data, MP_BUFFER_READ);
    }
    input_t e = input_of(args);
    e.bytes = data.len;
    return mp_obj_new_bool(replay_is_input(vm, &e) && replay_put(p, e, data.buf));
}

// CNTVCT, CNTPCT and the real-time clock's seconds, and as what they are to be.
static mp_obj_t clocks(vm_t *vm, size_t n_args, const mp_obj_t *args) {
    if (n_args > 3) {
        vtimer_go_back(vm, unbox_u64(args[2]), unbox_u64(args[3]));
        for (unsigned i = 0; i < vm->nvcpus; i++) {
            vtimer_changed(vm->vcpu[i]);
        }
    }
    if (n_args > 4) {
        pl031_by_count(vm, (uint32_t)unbox_u64(args[4]));
    }
    mp_obj_t clock[] = { box_u64(vtimer_count(vm)), box_u64(vtimer_physical(vm)), box_u64(pl031_seconds(vm)) };
    return mp_obj_new_tuple(3, clock);
}

// replay("begin"); ("end"); ("to", count) -> None or the Exit on the way; ("count"); ("length"); ("live") -> bool: it is on, and not
// fed; ("cpu") -> whose shift it is; ("on") -> bool; ("log") -> [(count, kind, what, value[, data])]; ("input", count, kind, what, value) -> whether it is one, and
// ("put", the same[, data]): of a log that is read; ("cut", length, inexact); ("clock"[, CNTVCT, CNTPCT[, seconds]]) -> all three; ("free"); ("inexact") -> bits.
#define REPLAY_ARGS 7
static mp_obj_t vm_replay(size_t n_args, const mp_obj_t *given) {
    mp_obj_t args[REPLAY_ARGS];
    hv_fill_args(n_args, given, REPLAY_ARGS, args);
    vm_t *vm = hv_vm_get(args[0]);
    qstr what = mp_obj_str_get_qstr(args[1]);
    if (what == MP_QSTR_begin) {
        check_at_rest(vm);
        return begin(vm);
    }
    if (what == MP_QSTR_input) {
        input_t e = input_of(args);
        return mp_obj_new_bool(replay_is_input(vm, &e));
    }
    replay_t *p = vm->record;
    if (p == NULL || (vm->replay == NULL && (what == MP_QSTR_to || what == MP_QSTR_end))) {
        return mp_const_none;
    }
    switch (what) {
        case MP_QSTR_end:
            check_at_rest(vm);
            replay_end(vm);
            return mp_const_none;
        case MP_QSTR_to:
            check_at_rest(vm);
            return run_to(MP_OBJ_TO_PTR(args[0]), unbox_u64(args[2]));
        case MP_QSTR_free:
            check_at_rest(vm);
            if (vm->replay != NULL) {
                replay_end(vm);
            }
            replay_free(vm);
            return mp_const_none;
        case MP_QSTR_clock:
            return clocks(vm, n_args, args);
        case MP_QSTR_count:
            return box_u64(replay_count(vm));
        case MP_QSTR_length:
            return box_u64(p->live && vm->replay != NULL ? replay_count(vm) : p->length);
        case MP_QSTR_live:
            return mp_obj_new_bool(p->live && vm->replay != NULL);
        case MP_QSTR_cpu:
            return MP_OBJ_NEW_SMALL_INT(p->v->id);
        case MP_QSTR_on:
            return mp_obj_new_bool(vm->replay != NULL);
        case MP_QSTR_log:
            return log_of(p);
        case MP_QSTR_put:
            return put(vm, p, n_args, args);
        case MP_QSTR_cut:
            p->length = unbox_u64(args[2]);
            p->live = p->count >= p->length;
            p->inexact |= (uint8_t)unbox_u64(args[3]);
            return mp_const_none;
        default:
            return MP_OBJ_NEW_SMALL_INT(p->inexact);
    }
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_replay_obj, 2, REPLAY_ARGS, vm_replay);
