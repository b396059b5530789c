// SPDX-License-Identifier: MIT
// _hv.VM: create, run, close. What is convenient is in modules/hv/vm.py; here is what
// must be native, each method one thing.

#include <string.h>
#include "py/gc.h"
#include "py/mphal.h"
#include "py/objlist.h"
#include "py/objstr.h"
#include "py/runtime.h"
#include "shared/runtime/interrupt_char.h"
#include "core/arch.h"
#include "core/platform.h"
#include "devices/flash.h"
#include "devices/machine.h"
#include "devices/pl011.h"
#include "hold/fuzz.h"
#include "hold/replay.h"
#include "hold/snapshot.h"
#include "irq/timer.h"
#include "memory/lent.h"
#include "memory/mem.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "trap/callback.h"
#include "trap/numbers.h"
#include "vcpu/debug.h"
#include "vcpu/vcpu.h"
#include "vgic/vtimer.h"
#include "vm/ram.h"
#include "vm/runqueue.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"
#include "ports/aarch64/uart.h"

#define RAM_BASE UINT64_C(0x40000000)   // as on QEMU virt
#define IPA_LIMIT BIT(40)

vm_t *hv_vm_get(mp_obj_t self) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    if (o->vm == NULL) {
        mp_raise_ValueError(MP_ERROR_TEXT("this VM has been closed"));
    }
    return o->vm;
}

// ---- Making and closing -------------------------------------------------------------------------

MP_NORETURN void hv_no_room(const char *what, uint64_t bytes) {
    mp_raise_msg_varg(&mp_type_MemoryError, MP_ERROR_TEXT("no room for %s of %lu KB: %lu KB are free, %lu KB in one piece"),
        what, bytes / 1024, (uint64_t)page_free_bytes() / 1024, (uint64_t)page_largest() / 1024);
}

bool hv_vm_add_ram(vm_t *vm, uint64_t ipa, uint64_t size) {
    if (vm_add_ram(vm, ipa, size)) {
        return true;
    }
    gc_collect(); // there may be memory that nobody knows any more
    return vm_add_ram(vm, ipa, size);
}

static mp_obj_t make_cpus(hv_vm_obj_t *o) {
    mp_obj_t items[VM_MAX_CPUS];
    for (unsigned i = 0; i < o->vm->nvcpus; i++) {
        hv_vcpu_obj_t *c = mp_obj_malloc(hv_vcpu_obj_t, &hv_vcpu_type);
        c->vcpu = o->vm->vcpu[i];
        c->vm = o;
        c->exception = c->exit = MP_OBJ_NULL;
        c->vcpu->object = c;
        items[i] = MP_OBJ_FROM_PTR(c);
    }
    return mp_obj_new_tuple(o->vm->nvcpus, items);
}

// VM(name, ram_bytes, cpus[, whether it is to be a fork, see hold("fork")])
static mp_obj_t vm_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 3, 4, false);
    uint64_t ram = unbox_u64(args[1]);
    mp_int_t cpus = unbox_int(args[2]);
    if (cpus < 1 || cpus > VM_MAX_CPUS) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("cpus must be 1 to %d, not %d"), VM_MAX_CPUS, (int)cpus);
    }
    if (ram == 0 || ram % RAM_GRANULE != 0 || ram > IPA_LIMIT - RAM_BASE) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("ram must be a multiple of 64 KB below 1023 GB, not %lu bytes"), ram);
    }
    if (platform.boot_el == 1) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("entered at EL1: virtual machines need EL2"));
    }
    hv_vm_obj_t *o = mp_obj_malloc_with_finaliser(hv_vm_obj_t, type);
    o->vm = NULL;
    o->cpus = mp_const_none;
    o->handlers = mp_obj_new_list(0, NULL);
    o->wrapper = MP_OBJ_FROM_PTR(o);
    o->vm = vm_create(mp_obj_str_get_str(args[0]), (unsigned)cpus);
    if (o->vm == NULL) {
        gc_collect(); // there may be memory, or VMs, that nobody knows any more
        o->vm = vm_create(mp_obj_str_get_str(args[0]), (unsigned)cpus);
    }
    if (o->vm == NULL) {
        unsigned n = 0;
        for (vm_t *vm = vms; vm != NULL; vm = vm->next) {
            n++;
        }
        if (n == 255) {
            mp_raise_msg(&mp_type_MemoryError, MP_ERROR_TEXT("255 VMs are open, one for each VMID: close one"));
        }
        hv_no_room("a VM", sizeof(vm_t) + cpus * sizeof(vcpu_t));
    }
    o->vm->object = o;
    o->vm->forked = n_args > 3 && unbox_bool(args[3]);
    if (!hv_vm_add_ram(o->vm, RAM_BASE, ram)) {
        vm_destroy(o->vm);
        o->vm = NULL;
        hv_no_room("guest RAM", ram);
    }
    o->cpus = make_cpus(o);
    return MP_OBJ_FROM_PTR(o);
}

static vcpu_t *take_end(hv_vm_obj_t *o);

void hv_hold_all(bool shares, void (*hold)(vm_t *vm)) {
    for (vm_t *vm = vms; shares && vm != NULL; vm = vm->next) {
        hold(vm);
    }
}

void hv_vm_destroy(hv_vm_obj_t *o) {
    size_t n = 0;
    mp_obj_t *cpus;
    if (o->cpus != mp_const_none) {
        mp_obj_get_array(o->cpus, &n, &cpus);
    }
    for (size_t i = 0; i < n; i++) {
        ((hv_vcpu_obj_t *)MP_OBJ_TO_PTR(cpus[i]))->vcpu = NULL;
    }
    mp_obj_list_t *handlers = MP_OBJ_TO_PTR(o->handlers); // with devices, and with those their memory
    memset(handlers->items, 0, handlers->len * sizeof(mp_obj_t));
    handlers->len = 0;
    vm_t *vm = o->vm;
    bool shares = vm->source != NULL || vm->forks != NULL;
    fuzz_free(vm);
    replay_free(vm);
    uint64_t daif = irq_save(); // a timer may know it
    vm_retire(vm);
    o->vm = NULL;
    irq_restore(daif);
    hv_hold_all(shares, vm_hold);
    snapshots_end(vm);
    hv_hold_all(shares, vm_release);
}

static mp_obj_t vm_close(mp_obj_t self) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    if (o->vm == NULL) {
        return mp_const_none;
    }
    if (boot_core_in_handler(o->vm)) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("a VM cannot be closed inside its own handler: return hv.STOP first"));
    }
    if (o->vm->running) {
        hv_vm_stop_and_wait(o->vm);
        take_end(o);
    }
    hv_vm_destroy(o);
    lent_reclaim();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(vm_close_obj, vm_close);

// The GC found nobody who knows this VM: a running one is always known (keep). Or a script has called it.
static mp_obj_t vm_del(mp_obj_t self) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    if (o->vm != NULL && (o->vm->running || boot_core_in_handler(o->vm))) {
        return vm_close(self);
    }
    if (o->vm != NULL) {
        hv_vm_destroy(o);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(vm_del_obj, vm_del);

// flash(ipa, bytes)
static mp_obj_t vm_flash(mp_obj_t self, mp_obj_t ipa_in, mp_obj_t size_in) {
    vm_t *vm = hv_vm_get(self);
    uint64_t ipa = unbox_u64(ipa_in), size = unbox_u64(size_in);
    if (size < 2 * FLASH_SECTOR || (size & (size - 1)) != 0 || ipa % FLASH_SECTOR != 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("flash is a power of two from 512 KB on, at a multiple of 256 KB, not 0x%lx bytes at 0x%lx"),
            size, ipa);
    }
    if (vm->nram == VM_MAX_RAM) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a VM has at most %u ranges of RAM and flash"), VM_MAX_RAM);
    }
    hv_check_device(vm, ipa, size);
    vm_hold(vm);
    bool ok = flash_add(vm, ipa, size);
    if (!ok) {
        gc_collect(); // there may be memory that nobody knows any more
        ok = flash_add(vm, ipa, size);
    }
    vm_release(vm);
    if (!ok) {
        hv_no_room("flash", size);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(vm_flash_obj, vm_flash);

// debug("break" or "watch", address, control) -> index or None: one of the core's for the hypervisor; (kind, None, index)
// gives it back.
static mp_obj_t vm_debug(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    vm_t *vm = hv_vm_get(args[0]);
    unsigned kind = mp_obj_str_get_qstr(args[1]) == MP_QSTR_watch ? DEBUG_WATCH : DEBUG_BREAK;
    uint64_t va = args[2] == mp_const_none ? 0 : unbox_u64(args[2]), number = unbox_u64(args[3]);
    int index = -1;
    vm_hold(vm);
    if (args[2] != mp_const_none) {
        index = debug_take(vm, kind, va, number);
    } else if (number < DEBUG_PAIRS) {
        debug_give(vm, kind, (int)number);
    }
    vm_release(vm);
    return index < 0 ? mp_const_none : MP_OBJ_NEW_SMALL_INT(index);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(vm_debug_obj, 4, 4, vm_debug);

// ---- Running ------------------------------------------------------------------------------------

// VMs that run are known to the GC whoever else forgets them.
MP_REGISTER_ROOT_POINTER(mp_obj_t hv_running);

static void keep(hv_vm_obj_t *o) {
    if (MP_STATE_VM(hv_running) == MP_OBJ_NULL) {
        MP_STATE_VM(hv_running) = mp_obj_new_list(0, NULL);
    }
    mp_obj_list_append(MP_STATE_VM(hv_running), MP_OBJ_FROM_PTR(o));
}

static hv_vcpu_obj_t *vcpu_object(const vcpu_t *v) {
    return v->object;
}

// What its handler raised, if that is what it ended with.
static mp_obj_t take_exception(const vcpu_t *v) {
    mp_obj_t raised = v->exit.reason == EXIT_RAISED ? vcpu_object(v)->exception : MP_OBJ_NULL;
    vcpu_object(v)->exception = MP_OBJ_NULL;
    return raised;
}

// The VM has come to rest. Returns what ended it: of a stop that was asked for, cpu 0 tells where.
static vcpu_t *take_end(hv_vm_obj_t *o) {
    vm_t *vm = o->vm;
    vcpu_t *v = vm->ended_by;
    vm->running = vm->foreground = false;
    vtimer_stopped(vm);
    mp_obj_list_remove(MP_STATE_VM(hv_running), MP_OBJ_FROM_PTR(o));
    if (v == NULL) {
        v = vm->vcpu[0];
        v->exit.reason = EXIT_KICK;
    }
    return v;
}

void hv_vm_stop_and_wait(vm_t *vm) {
    vm_stop(vm);
    while (!vm_is_stopped(vm)) {
        runq_drop_python(vm);
    }
}

// A VM in the background has ended: tell its hv.VM, which knows what to do (reset, or say so).
static void report_end(hv_vm_obj_t *o) {
    vcpu_t *v = take_end(o);
    if (o->vm->ended_by == NULL) {
        return; // paused
    }
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_obj_t exit = hv_exit_new(vcpu_object(v), false), raised = take_exception(v), dest[3];
        // Python from here on: v may be gone.
        if (raised != MP_OBJ_NULL) {
            mp_obj_print_exception(&mp_plat_print, raised); // nobody called who could be told
        }
        mp_load_method_maybe(o->wrapper, MP_QSTR__ended, dest);
        if (dest[0] != MP_OBJ_NULL) {
            dest[2] = exit;
            mp_call_method_n_kw(1, 0, dest);
        }
        nlr_pop();
    } else {
        mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    }
}

static hv_vm_obj_t *find_ended(void) {
    size_t n = 0;
    mp_obj_t *items = NULL;
    if (MP_STATE_VM(hv_running) != MP_OBJ_NULL) {
        mp_obj_get_array(MP_STATE_VM(hv_running), &n, &items);
    }
    for (size_t i = 0; i < n; i++) {
        hv_vm_obj_t *o = MP_OBJ_TO_PTR(items[i]);
        if (o->vm != NULL && !o->vm->foreground && vm_is_stopped(o->vm)) {
            return o;
        }
    }
    return NULL;
}

bool hv_vm_any_ended(void) {
    return find_ended() != NULL;
}

void hv_vm_report_ended(void) {
    hv_vm_obj_t *o = find_ended();
    while (o != NULL) {
        const vcpu_t *by = o->vm->ended_by;
        if (by != NULL && by->exit.reason == EXIT_RESET && !vm_ram_zero_some(o->vm, boot_core_turn_ends())) {
            return; // the rest of its RAM in the next turn: it has not ended before
        }
        report_end(o);
        o = boot_core_turn_over() ? NULL : find_ended(); // a guest may end in resets, for ever
    }
}

typedef struct {
    timer_t timer;      // first: its function finds the VM behind it
    hv_vm_obj_t *o;     // which may lose its VM meanwhile
} deadline_t;

static void deadline_passed(timer_t *t) {
    vm_t *vm = ((deadline_t *)t)->o->vm;
    if (vm != NULL) {
        vm_stop(vm);
    }
    mp_hal_wake();
}

// The next key for a guest, or -1: what was typed behind a Ctrl-C is none.
static int guest_key(void) {
    uint64_t daif = irq_save();
    int c = MP_STATE_MAIN_THREAD(mp_pending_exception) == MP_OBJ_NULL ? ringbuf_get(&stdin_ringbuf) : -1;
    irq_restore(daif);
    return c;
}

// What is typed goes to the guest as long as it has room. True: the detach key was among it.
static bool type_at_guest(vm_t *vm, int detach) {
    int c;
    while (pl011_room(vm) > 0 && (c = guest_key()) >= 0) {
        if (c == detach) {
            return true;
        }
        if (c == mp_interrupt_char) {
            mp_sched_keyboard_interrupt(); // typed while it was not yet that
            return false;
        }
        hv_input(vm, INPUT_CONSOLE, (unsigned)c, true);
    }
    uart_rx_resume();
    return false;
}

#define NO_KEY (-1)

// In the background, by a reset that takes its turns to zero RAM: hv_vm_report_ended will start it again, or end it.
static bool is_resetting(const vm_t *vm) {
    return vm->running && !vm->foreground && vm->ended_by != NULL && vm->ended_by->exit.reason == EXIT_RESET;
}

// Until the VM has ended or the detach key was typed. Ctrl-C raises, if it is not the guest's. So does a VM that
// is closed meanwhile: whatever runs while we wait may do that.
static void wait_for_end(hv_vm_obj_t *o, int detach) {
    bool stopped = false;
    while (!stopped) {
        mp_hal_woken = false;
        mp_handle_pending(true);
        vm_t *vm = hv_vm_get(MP_OBJ_FROM_PTR(o));
        if (type_at_guest(vm, detach)) {
            return;
        }
        irq_disable(); // what ends the VM after this look at it ends the sleep as well
        stopped = vm_is_stopped(vm) && !is_resetting(vm);
        if (!stopped && !callback_events_pending()) {
            boot_core_step(ringbuf_avail(&stdin_ringbuf) == 0);
        }
        irq_enable();
    }
}

// What was raised on the way (Ctrl-C), or MP_OBJ_NULL; the VM has stopped, or it has been closed.
static mp_obj_t wait_protected(hv_vm_obj_t *o, int detach) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        wait_for_end(o, detach);
        nlr_pop();
        return MP_OBJ_NULL;
    }
    return MP_OBJ_FROM_PTR(nlr.ret_val);
}

static void check_not_running(vm_t *vm) {
    if (vm->running) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s is running already: vm.pause() stops it"), vm->name);
    }
}

// run(timeout_ms): in the foreground. Returns an Exit, or raises what a handler raised.
static mp_obj_t vm_run(mp_obj_t self, mp_obj_t timeout_in) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = hv_vm_get(self);
    check_not_running(vm);
    if (boot_core_any_handler()) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("run() cannot be used inside a handler: start() can"));
    }
    uint64_t ms = timeout_in == mp_const_none ? UINT64_MAX : unbox_u64(timeout_in);
    // Longer than the counter counts, or 64 bits hold: no deadline.
    uint64_t ticks = ms < (UINT64_MAX >> 1) / timer_freq() ? ms * timer_freq() / 1000 : UINT64_MAX;
    deadline_t deadline = { .o = o };
    bool was_attached = pl011_attached(vm);
    keep(o);
    pl011_attach(vm, true);
    vm->foreground = true;
    vm->vcpu[0]->affinity = 0; // its handlers are Python's, and Python is here
    boot_core_start(vm, NULL);
    if (ticks != UINT64_MAX) { // not before: a deadline that has passed by then would be forgotten
        timer_arm(&deadline.timer, timer_now() + ticks, deadline_passed);
    }
    mp_obj_t raised = wait_protected(o, NO_KEY);
    timer_cancel(&deadline.timer);
    if (o->vm == NULL) {
        nlr_raise(raised);
    }
    if (raised != MP_OBJ_NULL) {
        hv_vm_stop_and_wait(vm);
    }
    vm->vcpu[0]->affinity = -1;
    pl011_attach(vm, was_attached);
    vcpu_t *v = take_end(o);
    mp_obj_t by_handler = take_exception(v);
    raised = raised == MP_OBJ_NULL ? by_handler : raised;
    if (raised == MP_OBJ_NULL) {
        pl011_untype(vm); // lines of a paste behind the one with run()
        return hv_exit_new(vcpu_object(v), false);
    }
    // Of Ctrl-C: typed at the guest by someone who looked at it, and for no prompt of EL2's.
    if (!mp_obj_exception_match(raised, MP_OBJ_FROM_PTR(&mp_type_KeyboardInterrupt))) {
        pl011_untype(vm);
    }
    nlr_raise(raised);
}
static MP_DEFINE_CONST_FUN_OBJ_2(vm_run_obj, vm_run);

// attach(detach_key): the machine's console is the guest's, Ctrl-C too, until the key is typed or the
// VM ends. True: it has been detached, and runs on in the background.
static mp_obj_t vm_attach(mp_obj_t self, mp_obj_t key) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    int interrupt_char = mp_interrupt_char, detach = unbox_int(key);
    if (boot_core_any_handler()) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("attach() cannot be used inside a handler"));
    }
    pl011_attach(hv_vm_get(self), true);
    mp_hal_set_interrupt_char(NO_KEY);
    mp_obj_t raised = wait_protected(o, detach);
    mp_hal_set_interrupt_char(interrupt_char);
    if (o->vm != NULL) {
        pl011_attach(o->vm, false);
        if (vm_is_stopped(o->vm)) {
            pl011_untype(o->vm);
        }
    }
    if (raised != MP_OBJ_NULL) {
        nlr_raise(raised);
    }
    if (o->vm->running && vm_is_stopped(o->vm) && !is_resetting(o->vm)) {
        report_end(o);
    }
    return mp_obj_new_bool(o->vm != NULL && o->vm->running);
}
static MP_DEFINE_CONST_FUN_OBJ_2(vm_attach_obj, vm_attach);

static const vcpu_t *stopped_cpu(const vm_t *vm, mp_obj_t cpu) {
    mp_int_t n = unbox_int(cpu);
    if (n < 0 || n >= (mp_int_t)vm->nvcpus || vm->vcpu[n]->state != VCPU_STOPPED) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s has no cpu %ld that could run: it is off, or there is none"), vm->name, (long)n);
    }
    return vm->vcpu[n];
}

// start(cpu): in the background; None: all of them.
static mp_obj_t vm_start(mp_obj_t self, mp_obj_t cpu) {
    vm_t *vm = hv_vm_get(self);
    check_not_running(vm);
    const vcpu_t *only = cpu == mp_const_none ? NULL : stopped_cpu(vm, cpu);
    keep(MP_OBJ_TO_PTR(self));
    boot_core_start(vm, vm->replay != NULL ? NULL : only); // as it is recorded they follow one another
    boot_core_share();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(vm_start_obj, vm_start);

// pause(): all vCPUs off their cores when it returns. False when it did not run, or has just ended by itself.
static mp_obj_t vm_pause(mp_obj_t self) {
    vm_t *vm = hv_vm_get(self);
    if (!vm->running) {
        return mp_const_false;
    }
    do {
        vm_stop(vm);
        while (!vm_is_stopped(vm)) {
            boot_core_serve_python();
            mp_handle_pending(true);
            hv_vm_get(self); // raises if one of those has closed it
            if (boot_core_in_handler(vm)) {
                return mp_const_true; // from one of its own handlers: it stops when that returns
            }
        }
        if (vm->running && !vm->foreground) {
            report_end(MP_OBJ_TO_PTR(self));
            hv_vm_get(self);
        }
    } while (vm->running && !vm->foreground); // it ended in a reset, and has been started anew
    return mp_obj_new_bool(vm->ended_by == NULL);
}
static MP_DEFINE_CONST_FUN_OBJ_1(vm_pause_obj, vm_pause);

// ---- Attributes ---------------------------------------------------------------------------------

static mp_obj_t part_new(const mp_obj_type_t *type, hv_vm_obj_t *vm) {
    hv_part_obj_t *o = mp_obj_malloc(hv_part_obj_t, type);
    o->vm = vm;
    return MP_OBJ_FROM_PTR(o);
}

static void vm_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    if (dest[0] != MP_OBJ_NULL) {
        if (attr == MP_QSTR_wrapper && dest[1] != MP_OBJ_NULL) {
            o->wrapper = dest[1];
            dest[0] = MP_OBJ_NULL;
        } else if (attr == MP_QSTR_stop_time && dest[1] != MP_OBJ_NULL) {
            hv_vm_get(self)->stop_time = unbox_bool(dest[1]);
            dest[0] = MP_OBJ_NULL;
        }
        return;
    }
    switch (attr) {
        case MP_QSTR_cpu:
            dest[0] = o->cpus;
            break;
        case MP_QSTR_console:
            dest[0] = part_new(&hv_console_type, o);
            break;
        case MP_QSTR_memory:
            dest[0] = part_new(&hv_memory_type, o);
            break;
        case MP_QSTR_el2:
            dest[0] = part_new(&hv_el2_type, o);
            break;
        case MP_QSTR_name:
            dest[0] = mp_obj_new_str_from_cstr(hv_vm_get(self)->name);
            break;
        case MP_QSTR_vmid:
            dest[0] = MP_OBJ_NEW_SMALL_INT(hv_vm_get(self)->vmid);
            break;
        case MP_QSTR_running:
            dest[0] = mp_obj_new_bool(hv_vm_get(self)->running);
            break;
        case MP_QSTR_stop_time:
            dest[0] = mp_obj_new_bool(hv_vm_get(self)->stop_time);
            break;
        case MP_QSTR_closed:
            dest[0] = mp_obj_new_bool(o->vm == NULL);
            break;
        default:
            dest[1] = MP_OBJ_SENTINEL;
            break;
    }
}

// skew(ticks) -> by how many its virtual counter has been put forward, or back
static mp_obj_t vm_skew(mp_obj_t self, mp_obj_t ticks) {
    vm_t *vm = hv_vm_get(self);
    int64_t by = unbox_int(ticks);
    vm_hold(vm);
    by = vtimer_skew(vm, by);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[i];
        uint64_t daif = irq_save();
        if (this_pcpu()->running != v) {
            vcpu_put(v);
            vtimer_changed(v);
        }
        irq_restore(daif);
    }
    vm_release(vm);
    return mp_obj_new_int(by);
}
static MP_DEFINE_CONST_FUN_OBJ_2(vm_skew_obj, vm_skew);

static const mp_rom_map_elem_t vm_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_hook), MP_ROM_PTR(&hv_vm_hook_obj) },
    { MP_ROM_QSTR(MP_QSTR_mmio), MP_ROM_PTR(&hv_vm_mmio_obj) },
    { MP_ROM_QSTR(MP_QSTR_rule), MP_ROM_PTR(&hv_vm_rule_obj) },
    { MP_ROM_QSTR(MP_QSTR_who), MP_ROM_PTR(&hv_vm_who_obj) },
    { MP_ROM_QSTR(MP_QSTR_irq), MP_ROM_PTR(&hv_vm_irq_obj) },
    { MP_ROM_QSTR(MP_QSTR_el1), MP_ROM_PTR(&hv_vm_el1_obj) },
    { MP_ROM_QSTR(MP_QSTR_breakpoint), MP_ROM_PTR(&hv_vm_breakpoint_obj) },
    { MP_ROM_QSTR(MP_QSTR_ipa_of), MP_ROM_PTR(&hv_vm_ipa_of_obj) },
    { MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&hv_vm_reset_obj) },
    { MP_ROM_QSTR(MP_QSTR_stage2), MP_ROM_PTR(&hv_vm_stage2_obj) },
    { MP_ROM_QSTR(MP_QSTR_stage2_run), MP_ROM_PTR(&hv_vm_stage2_run_obj) },
    { MP_ROM_QSTR(MP_QSTR_trace), MP_ROM_PTR(&hv_vm_trace_obj) },
    { MP_ROM_QSTR(MP_QSTR_watch), MP_ROM_PTR(&hv_vm_watch_obj) },
    { MP_ROM_QSTR(MP_QSTR_hold), MP_ROM_PTR(&hv_vm_snapshots_obj) },
    { MP_ROM_QSTR(MP_QSTR_fuzz), MP_ROM_PTR(&hv_vm_fuzz_obj) },
    { MP_ROM_QSTR(MP_QSTR_replay), MP_ROM_PTR(&hv_vm_replay_obj) },
    { MP_ROM_QSTR(MP_QSTR_virtio), MP_ROM_PTR(&hv_vm_virtio_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash), MP_ROM_PTR(&vm_flash_obj) },
    { MP_ROM_QSTR(MP_QSTR_debug), MP_ROM_PTR(&vm_debug_obj) },
    { MP_ROM_QSTR(MP_QSTR_skew), MP_ROM_PTR(&vm_skew_obj) },
    { MP_ROM_QSTR(MP_QSTR_run), MP_ROM_PTR(&vm_run_obj) },
    { MP_ROM_QSTR(MP_QSTR_start), MP_ROM_PTR(&vm_start_obj) },
    { MP_ROM_QSTR(MP_QSTR_attach), MP_ROM_PTR(&vm_attach_obj) },
    { MP_ROM_QSTR(MP_QSTR_pause), MP_ROM_PTR(&vm_pause_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&vm_close_obj) },
    { MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&vm_del_obj) },
};
static MP_DEFINE_CONST_DICT(vm_locals_dict, vm_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_vm_type, MP_QSTR_VM, MP_TYPE_FLAG_NONE,
    make_new, vm_make_new, attr, vm_attr, locals_dict, &vm_locals_dict);
