// SPDX-License-Identifier: MIT
// _hv.VM.fuzz: what modules/hv/fuzz.py is made of.

#include <string.h>
#include "py/mphal.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "hold/fuzz.h"
#include "memory/mem.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/callback.h"
#include "trap/numbers.h"
#include "vcpu/pmu.h"
#include "vm/vm.h"

#define TURN_HZ 100     // how long rounds go on without a look at what else there is

static fuzz_t *the_fuzz(mp_obj_t self) {
    fuzz_t *f = fuzz_of(hv_vm_get(self));
    if (f == NULL) {
        mp_raise_ValueError(MP_ERROR_TEXT("this fuzzer has been closed"));
    }
    return f;
}

static MP_NORETURN void no_room(const fuzz_t *f) {
    mp_raise_msg_varg(&mp_type_MemoryError, MP_ERROR_TEXT("the fuzzer has taken %lu KB, its quota is %lu KB, and %lu KB are free"),
        f->used / 1024, f->quota / 1024, (uint64_t)page_free_bytes() / 1024);
}

static void check_room(const fuzz_t *f, const void *p) {
    if (p == NULL) {
        no_room(f);
    }
}

// ---- Setting up ---------------------------------------------------------------------------------

// ("new", snapshot, cpu, max, quota)
static mp_obj_t fuzz_make(vm_t *vm, const mp_obj_t *args) {
    snapshot_t *s = snapshot_by_id(vm, (uint32_t)unbox_u64(args[0]));
    uint64_t cpu = unbox_u64(args[1]), max = unbox_u64(args[2]);
    if (fuzz_of(vm) != NULL) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s has a fuzzer: close() it first"), vm->name);
    }
    if (cpu >= vm->nvcpus || max == 0 || max > FUZZ_MAX || s == NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("an input is of 1 to %d bytes, for one of %u cpus"), FUZZ_MAX, vm->nvcpus);
    }
    if (fuzz_new(vm, vm->vcpu[cpu], s, (uint32_t)max, unbox_u64(args[3])) == NULL) {
        hv_no_room("a fuzzer", max);
    }
    return mp_const_none;
}

// ("limits", seed, milliseconds, instructions) -> whether those can be counted here
static mp_obj_t limits(fuzz_t *f, const mp_obj_t *args) {
    uint64_t ms = unbox_u64(args[1]), instructions = unbox_u64(args[2]);
    if (ms == 0 || ms > 1000000 || instructions >> 31) {
        mp_raise_ValueError(MP_ERROR_TEXT("a round has 1 to 1000000 ms, and fewer than 2^31 instructions"));
    }
    f->seed = unbox_u64(args[0]);
    f->ticks = ms * timer_freq() / 1000;
    f->instructions = instructions;
    int n = pmu_count_guests();
    pmu_count_end(n);
    return mp_obj_new_bool(n >= 0);
}

// ("put", address, register of the address, of the length): 31 is none
static mp_obj_t put_at(fuzz_t *f, const mp_obj_t *args) {
    uint64_t va = unbox_u64(args[0]);
    if (!fuzz_place(f, &f->put, va, f->max)) {
        f->put.spans = 0;
        check_room(f, f->put.span);
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx: the guest has no RAM for inputs of %u bytes there"), va, f->max);
    }
    f->length_register = unbox_u64(args[1]) & 31;
    return mp_const_none;
}

// ("map", address, bytes)
static mp_obj_t cover_map(fuzz_t *f, const mp_obj_t *args) {
    uint64_t va = unbox_u64(args[0]), size = unbox_u64(args[1]);
    bool fits = size != 0 && size <= 1u << 20;
    if (!fits || !fuzz_cover_map(f, va, (uint32_t)size)) {
        f->map.spans = 0;
        check_room(f, fits ? (void *)f->map.span : f);
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx: a map of coverage is up to 1 MB of the guest's RAM, and %lu bytes are not there"), va, size);
    }
    return mp_const_none;
}

// ("blocks", n): so many are to come. ("block", address) -> whether it is one. ("steps")
static mp_obj_t cover_blocks(fuzz_t *f, mp_obj_t n_in) {
    uint64_t n = unbox_u64(n_in);
    breaks_init(vm_hold, vm_release);
    if (n == 0 || n > FUZZ_BLOCKS || f->block != NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("coverage is of 1 to %u blocks"), FUZZ_BLOCKS);
    }
    if (!fuzz_cover_blocks(f, (uint32_t)n)) {
        no_room(f);
    }
    return mp_const_none;
}

static mp_obj_t cover_block(fuzz_t *f, uint64_t va) {
    bool is = fuzz_cover_block(f, va);
    if (f->full) {
        f->full = false;
        no_room(f);
    }
    return mp_obj_new_bool(is);
}

static mp_obj_t cover_steps(fuzz_t *f) {
    breaks_init(vm_hold, vm_release);
    if (!fuzz_cover_steps(f)) {
        no_room(f);
    }
    return mp_const_none;
}

// ("covered") -> addresses: of blocks that were executed, or, by steps, of what was branched to
static mp_obj_t covered(const fuzz_t *f) {
    mp_obj_t list = mp_obj_new_list(0, NULL);
    for (uint32_t i = 0; i < f->blocks; i++) {
        const brk_t *b = f->block[i].brk;
        if (b == NULL || b->hits != 0) {
            mp_obj_list_append(list, box_u64(f->block[i].va));
        }
    }
    for (uint32_t i = 0; i < f->starts; i++) {
        mp_obj_list_append(list, box_u64(f->start[i]));
    }
    return list;
}

// ("stop", address, verdict, stack pointer or 0)
static mp_obj_t stop_at(fuzz_t *f, const mp_obj_t *args) {
    if (f->stops == FUZZ_STOPS) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a round ends at up to %d places"), FUZZ_STOPS);
    }
    f->stop[f->stops].va = unbox_u64(args[0]);
    f->stop[f->stops].sp = unbox_u64(args[2]);
    f->stop[f->stops++].verdict = (verdict_t)unbox_int(args[1]);
    return mp_const_none;
}

// ("word", bytes): of a dictionary
static mp_obj_t add_word(fuzz_t *f, mp_obj_t word) {
    mp_buffer_info_t b;
    mp_get_buffer_raise(word, &b, MP_BUFFER_READ);
    if (f->words == FUZZ_WORDS || b.len == 0 || b.len > 255) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a dictionary has up to %d words of 1 to 255 bytes"), FUZZ_WORDS);
    }
    uint8_t *copy = fuzz_alloc(f, b.len);
    if (copy == NULL) {
        no_room(f);
    }
    memcpy(copy, b.buf, b.len);
    f->word[f->words++] = (bytes_t) { copy, (uint32_t)b.len };
    return mp_const_none;
}

// ("add", bytes): to the corpus
static mp_obj_t add_input(fuzz_t *f, mp_obj_t data) {
    mp_buffer_info_t b;
    mp_get_buffer_raise(data, &b, MP_BUFFER_READ);
    if (b.len > f->max) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("an input of %lu bytes: at most %u (max=)"), (uint64_t)b.len, f->max);
    }
    fuzz_input_t *in = fuzz_add(f, &f->corpus, b.buf, (uint32_t)b.len);
    if (in == NULL) {
        f->full = false;
        no_room(f);
    }
    in->fresh = true;
    f->cursor = f->corpus.count - 1 < f->cursor ? f->corpus.count - 1 : f->cursor;
    return mp_const_none;
}

// ---- What was found -----------------------------------------------------------------------------

static fuzz_list_t *list_of(fuzz_t *f, qstr which) {
    return which == MP_QSTR_corpus ? &f->corpus : which == MP_QSTR_crashes ? &f->crashes : &f->hangs;
}

// ("corpus" or "crashes" or "hangs") -> how many; (.., i) -> (input, round, times, parent, end)
static mp_obj_t found(fuzz_t *f, qstr which, size_t n, const mp_obj_t *args) {
    const fuzz_list_t *list = list_of(f, which);
    if (n == 0) {
        return MP_OBJ_NEW_SMALL_INT(list->count);
    }
    uint64_t i = unbox_u64(args[0]);
    if (i >= list->count) {
        mp_raise_msg_varg(&mp_type_IndexError, MP_ERROR_TEXT("there are %u"), list->count);
    }
    const fuzz_input_t *in = list->at[i];
    const fuzz_end_t *e = in->end;
    mp_obj_t end = mp_const_none;
    if (e != NULL) {
        mp_obj_t frames[FUZZ_FRAMES];
        for (uint32_t k = 0; k < e->frames; k++) {
            frames[k] = box_u64(e->frame[k]);
        }
        mp_obj_t what[] = {
            MP_OBJ_NEW_SMALL_INT(e->why), MP_OBJ_NEW_SMALL_INT(e->hang), MP_OBJ_NEW_SMALL_INT(e->stop), box_u64(e->pc), box_u64(e->esr),
            box_u64(e->far), mp_obj_new_tuple(e->frames, frames),
        };
        end = mp_obj_new_tuple(ARRAY_LEN(what), what);
    }
    mp_obj_t all[] = { mp_obj_new_bytes(in->data, in->size), box_u64(in->round), box_u64(in->times), MP_OBJ_NEW_SMALL_INT(in->parent), end };
    return mp_obj_new_tuple(ARRAY_LEN(all), all);
}

// ---- Running ------------------------------------------------------------------------------------

static void check_still(const fuzz_t *f) {
    if (f->vm->running || boot_core_any_handler()) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s is running, or this is a handler: a fuzzer runs it by itself"), f->vm->name);
    }
}

static MP_NORETURN void left_with(fuzz_t *f, exit_t why) {
    f->inside = false;
    f->rounds++; // not that one again
    hv_vcpu_obj_t *o = f->v->object;
    mp_obj_t raised = o->exception;
    o->exception = MP_OBJ_NULL;
    if (why == EXIT_RAISED && raised != MP_OBJ_NULL) {
        nlr_raise(raised);
    }
    mp_raise_msg_varg(&mp_type_MemoryError, MP_ERROR_TEXT("there is no memory for what %s writes, or it has come to its quota"), f->vm->name);
}

// Until it is done: what else there is to do is done in between, and a Ctrl-C raises.
static fuzz_t *drive(mp_obj_t self, exit_t (*run)(vcpu_t *v)) {
    for (;;) {
        fuzz_t *f = the_fuzz(self); // something may have closed it meanwhile
        check_still(f);
        f->until = timer_now() + timer_freq() / TURN_HZ;
        mp_hal_woken = false;
        exit_t why = boot_core_alone(f->v, run);
        if (why != EXIT_RESUME && why != EXIT_EVENT) {
            left_with(f, why);
        }
        mp_handle_pending(true);
        if (why == EXIT_RESUME) {
            return the_fuzz(self);
        }
    }
}

// ("run", rounds, crashes) -> how many there were: up to so many, or until there are so many more crashes
static mp_obj_t run(mp_obj_t self, const mp_obj_t *args) {
    fuzz_t *f = the_fuzz(self);
    uint64_t before = f->rounds, n = unbox_u64(args[0]), crashes = unbox_u64(args[1]);
    f->goal = n > UINT64_MAX - before ? UINT64_MAX : before + n;
    f->goal_crashes = crashes == 0 ? UINT64_MAX : f->new_crashes + crashes;
    f = drive(self, fuzz_run);
    if (f->full) {
        f->full = false;
        no_room(f);
    }
    return box_u64(f->rounds - before);
}

// ("begin", data or None) -> the input; then ("go") -> verdict; then ("judge", verdict or None, new or None)
static mp_obj_t begin(fuzz_t *f, mp_obj_t data) {
    check_still(f);
    fuzz_begin(f);
    if (data != mp_const_none) {
        mp_buffer_info_t b;
        mp_get_buffer_raise(data, &b, MP_BUFFER_READ);
        f->size = (uint32_t)(b.len < f->max ? b.len : f->max);
        memcpy(f->input, b.buf, f->size);
        f->as_is = false;
    }
    fuzz_put(f);
    return mp_obj_new_bytes(f->input, f->size);
}

static mp_obj_t go(mp_obj_t self) {
    fuzz_t *f = the_fuzz(self);
    if (!f->inside) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("no round has begun"));
    }
    f = drive(self, fuzz_one);
    return MP_OBJ_NEW_SMALL_INT(f->end.verdict);
}

static mp_obj_t judge(fuzz_t *f, const mp_obj_t *args) {
    if (args[0] != mp_const_none) {
        uint64_t verdict = unbox_u64(args[0]);
        if (verdict > FUZZ_HANG) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a verdict is from 0 to %d, not %lu"), FUZZ_HANG, verdict);
        }
        f->end.verdict = (verdict_t)verdict;
    }
    bool is_new = fuzz_is_new(f);
    fuzz_judge(f, args[1] == mp_const_none ? is_new : unbox_bool(args[1]));
    return mp_obj_new_bool(is_new);
}

// fuzz(what, ...)
#define FUZZ_ARGS 6
static mp_obj_t vm_fuzz(size_t n_args, const mp_obj_t *given) {
    mp_obj_t args[FUZZ_ARGS];
    hv_fill_args(n_args, given, FUZZ_ARGS, args);
    vm_t *vm = hv_vm_get(args[0]);
    qstr what = mp_obj_str_get_qstr(args[1]);
    const mp_obj_t *more = args + 2;
    if (what == MP_QSTR_new) {
        return fuzz_make(vm, more);
    }
    if (what == MP_QSTR_close) {
        fuzz_free(vm);
        return mp_const_none;
    }
    fuzz_t *f = the_fuzz(args[0]);
    switch (what) {
        case MP_QSTR_limits:
            return limits(f, more);
        case MP_QSTR_put:
            return put_at(f, more);
        case MP_QSTR_map:
            return cover_map(f, more);
        case MP_QSTR_blocks:
            return cover_blocks(f, more[0]);
        case MP_QSTR_block:
            return cover_block(f, unbox_u64(more[0]));
        case MP_QSTR_steps:
            return cover_steps(f);
        case MP_QSTR_covered:
            return covered(f);
        case MP_QSTR_stop:
            return stop_at(f, more);
        case MP_QSTR_word:
            return add_word(f, more[0]);
        case MP_QSTR_add:
            return add_input(f, more[0]);
        case MP_QSTR_run:
            return run(args[0], more);
        case MP_QSTR_begin:
            return begin(f, more[0]);
        case MP_QSTR_go:
            return go(args[0]);
        case MP_QSTR_judge:
            return judge(f, more);
        case MP_QSTR_back:
            check_still(f);
            f->inside = false;
            fuzz_back(f);
            return mp_const_none;
        case MP_QSTR_rounds:
            return box_u64(f->rounds);
        case MP_QSTR_used:
            return box_u64(f->used);
        default:
            return found(f, what, n_args - 2, more);
    }
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_fuzz_obj, 2, FUZZ_ARGS, vm_fuzz);
