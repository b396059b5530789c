// SPDX-License-Identifier: MIT
// _hv.VM: create, hook, map, run, close. What is convenient is in modules/hv/vm.py; here is what
// must be native, each method one thing.

#include <string.h>
#include "py/mphal.h"
#include "py/objstr.h"
#include "py/runtime.h"
#include "shared/runtime/interrupt_char.h"
#include "arch.h"
#include "cpu.h"
#include "mem.h"
#include "objects.h"
#include "pl011.h"
#include "policy.h"
#include "sysreg_table.h"
#include "timer.h"
#include "trap.h"
#include "vgic.h"

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

static MP_NORETURN void no_room(const char *what, uint64_t bytes) {
    mp_raise_msg_varg(&mp_type_MemoryError, MP_ERROR_TEXT("no room for %s of %lu KB: %lu KB are free, %lu KB in one piece"),
        what, bytes / 1024, (uint64_t)page_free_bytes() / 1024, (uint64_t)page_largest() / 1024);
}

static mp_obj_t make_cpus(hv_vm_obj_t *o) {
    mp_obj_t items[VM_MAX_CPUS];
    for (unsigned i = 0; i < o->vm->nvcpus; i++) {
        hv_vcpu_obj_t *c = mp_obj_malloc(hv_vcpu_obj_t, &hv_vcpu_type);
        c->vcpu = o->vm->vcpu[i];
        c->vm = o;
        c->vcpu->object = c;
        items[i] = MP_OBJ_FROM_PTR(c);
    }
    return mp_obj_new_tuple(o->vm->nvcpus, items);
}

// VM(name, ram_bytes, cpus)
static mp_obj_t vm_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 3, 3, false);
    uint64_t ram = unbox_u64(args[1]);
    mp_int_t cpus = mp_obj_get_int(args[2]);
    if (cpus < 1 || cpus > VM_MAX_CPUS) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("cpus must be 1 to %d, not %d"), VM_MAX_CPUS, (int)cpus);
    }
    if (ram == 0 || ram % RAM_GRANULE != 0 || ram > IPA_LIMIT - RAM_BASE) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("ram must be a multiple of 64 KB below 1023 GB, not %lu bytes"), ram);
    }
    hv_vm_obj_t *o = mp_obj_malloc_with_finaliser(hv_vm_obj_t, type);
    o->vm = NULL;
    o->cpus = mp_const_none;
    o->handlers = mp_obj_new_list(0, NULL);
    o->wrapper = MP_OBJ_FROM_PTR(o);
    o->vm = vm_create(mp_obj_str_get_str(args[0]), (unsigned)cpus);
    if (o->vm == NULL) {
        no_room("a VM", sizeof(vm_t) + cpus * sizeof(vcpu_t));
    }
    o->vm->object = o;
    if (!vm_add_ram(o->vm, RAM_BASE, ram)) {
        vm_destroy(o->vm);
        o->vm = NULL;
        no_room("guest RAM", ram);
    }
    o->cpus = make_cpus(o);
    return MP_OBJ_FROM_PTR(o);
}

static mp_obj_t vm_close(mp_obj_t self) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    if (o->vm == NULL) {
        return mp_const_none;
    }
    if (o->vm->busy) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("a VM cannot be closed inside its own handler: return hv.STOP first"));
    }
    size_t n;
    mp_obj_t *cpus;
    mp_obj_get_array(o->cpus, &n, &cpus);
    for (size_t i = 0; i < n; i++) {
        ((hv_vcpu_obj_t *)MP_OBJ_TO_PTR(cpus[i]))->vcpu = NULL;
    }
    uint64_t daif = irq_save();
    vm_destroy(o->vm);
    o->vm = NULL;
    irq_restore(daif);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(vm_close_obj, vm_close);

// The GC found nobody who knows this VM: a running one is always known (hv_vm_run's caller).
static mp_obj_t vm_del(mp_obj_t self) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    if (o->vm != NULL) {
        uint64_t daif = irq_save();
        vm_destroy(o->vm);
        o->vm = NULL;
        irq_restore(daif);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(vm_del_obj, vm_del);

// ---- Hooks --------------------------------------------------------------------------------------

static hook_t *new_hook(uint64_t key, hook_kind_t kind) {
    hook_t *h = native_alloc(sizeof(hook_t));
    if (h == NULL) {
        no_room("a hook", sizeof(hook_t));
    }
    h->key = key;
    h->kind = kind;
    return h;
}

// The table a hook of this kind goes to, and how many arguments its handler may take besides cpu.
static hook_table_t *table_of(vm_t *vm, qstr kind, unsigned *most) {
    *most = 7;
    switch (kind) {
        case MP_QSTR_hvc:
            return &vm->hvc;
        case MP_QSTR_smc:
            return &vm->smc;
        case MP_QSTR_imm:
            return &vm->imm;
        case MP_QSTR_sysreg:
            *most = 1;
            return &vm->sysreg;
        default:
            return NULL;
    }
}

static uint64_t hook_key(qstr kind, mp_obj_t key) {
    if (kind == MP_QSTR_sysreg) {
        return sysreg_key(sysreg_lookup(key));
    }
    return unbox_u64(key) & 0xFFFFFFFF;
}

static void release_hook_and_handler(hv_vm_obj_t *o, hook_t *h) {
    while (h != NULL) {
        hook_t *below = h->below;
        if (h->handler != NULL) {
            mp_obj_list_remove(o->handlers, MP_OBJ_FROM_PTR(h->handler));
        }
        native_free(h, sizeof(hook_t));
        h = below;
    }
}

static handler_t *keep_handler(hv_vm_obj_t *o, mp_obj_t fun, unsigned most) {
    handler_t *handler = handler_new(fun, -1, most);
    mp_obj_list_append(o->handlers, MP_OBJ_FROM_PTR(handler));
    return handler;
}

// hook(kind, key, fun): fun None removes. kind: "hvc", "smc", "imm", "sysreg", "class", "default".
static mp_obj_t vm_hook(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    qstr kind = mp_obj_str_get_qstr(args[1]);
    unsigned most;
    hook_table_t *t = table_of(vm, kind, &most);
    hook_t *h = NULL, *old = NULL, **slot = NULL;
    uint64_t key = 0;
    (void)n_args;
    if (t != NULL) {
        key = hook_key(kind, args[2]);
    } else if (kind == MP_QSTR_class) {
        key = unbox_u64(args[2]) & 63;
        slot = &vm->classes[key];
    } else {
        slot = &vm->otherwise;
    }
    if (args[3] != mp_const_none) {
        handler_t *handler = keep_handler(o, args[3], t != NULL ? most : 1);
        h = new_hook(key, HOOK_PYTHON);
        h->handler = handler;
    }
    uint64_t daif = irq_save();
    if (slot != NULL) {
        old = *slot;
        *slot = h;
    } else if (h == NULL) {
        old = hook_remove(t, key);
    } else if (!hook_add(t, h, &old)) {
        irq_restore(daif);
        no_room("a hook", PAGE_SIZE);
    }
    irq_restore(daif);
    release_hook_and_handler(o, old);
    return mp_obj_new_bool(old != NULL);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(vm_hook_obj, 4, 4, vm_hook);

static void check_range(uint64_t ipa, uint64_t size) {
    if (size == 0 || ipa >= IPA_LIMIT || size > IPA_LIMIT - ipa) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx, %lu bytes: a range must not be empty and must end below 2^40"), ipa, size);
    }
}

static void check_free(vm_t *vm, uint64_t ipa, uint64_t size) {
    hook_t *other = hook_range_overlap(&vm->mmio, ipa, size);
    if (other != NULL) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx overlaps the device at 0x%lx-0x%lx"),
            ipa, ipa + size - 1, other->key, other->key + other->size - 1);
    }
    for (unsigned i = 0; i < vm->nram; i++) {
        if (ipa < vm->ram[i].ipa + vm->ram[i].size && vm->ram[i].ipa < ipa + size) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("0x%lx-0x%lx overlaps guest RAM at 0x%lx-0x%lx"),
                ipa, ipa + size - 1, vm->ram[i].ipa, vm->ram[i].ipa + vm->ram[i].size - 1);
        }
    }
}

// mmio(ipa, size, fun): fun None removes the range that starts at ipa.
static mp_obj_t vm_mmio(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    uint64_t ipa = unbox_u64(args[1]), size = unbox_u64(args[2]);
    (void)n_args;
    check_range(ipa, size);
    if (args[3] == mp_const_none) {
        hook_t *h = hook_range_find(&vm->mmio, ipa);
        if (h == NULL || h->key != ipa || h->kind == HOOK_NATIVE) {
            return mp_const_false;
        }
        hook_range_remove(&vm->mmio, h);
        release_hook_and_handler(o, h);
        return mp_const_true;
    }
    check_free(vm, ipa, size);
    handler_t *handler = keep_handler(o, args[3], 2);
    hook_t *h = new_hook(ipa, HOOK_PYTHON);
    h->size = size;
    h->handler = handler;
    if (!hook_range_add(&vm->mmio, h)) {
        native_free(h, sizeof(hook_t));
        no_room("a hook", PAGE_SIZE);
    }
    return mp_const_true;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(vm_mmio_obj, 4, 4, vm_mmio);

// ---- Running ------------------------------------------------------------------------------------

typedef struct {
    timer_t timer;      // must be first: its function finds the vCPU behind it
    vcpu_t *vcpu;
} deadline_t;

static void deadline_passed(timer_t *t) {
    ((deadline_t *)t)->vcpu->kicked = true;
}

// Ctrl-C, or anything else the scheduler has. May raise; the guest can be run again.
static void serve_events(void) {
    mp_handle_pending(true);
}

// Sleep until the guest has an interrupt, time is up, or MicroPython wants the core.
static void wait_for_interrupt(vcpu_t *v) {
    while (!v->kicked && !vgic_pending(v) && !callback_events_pending()) {
        wfi();
        irq_enable();
        isb();
        irq_disable();
    }
}

static exit_t run_until_exit(vcpu_t *v) {
    for (;;) {
        irq_disable();
        exit_t why = vcpu_run(v);
        if (why == EXIT_IDLE) {
            wait_for_interrupt(v);
            why = EXIT_RESUME;
        }
        irq_enable();
        if (why == EXIT_KICK || v->kicked) {
            v->kicked = false;
            v->exit.reason = EXIT_KICK;
            return EXIT_KICK;
        }
        if (why != EXIT_EVENT && why != EXIT_RESUME) {
            return why;
        }
        serve_events();
    }
}

static exit_t run_protected(vm_t *vm, vcpu_t *v, mp_obj_t *raised) {
    nlr_buf_t nlr;
    exit_t why = EXIT_RAISED;
    vm->busy = true;
    if (nlr_push(&nlr) == 0) {
        why = run_until_exit(v);
        nlr_pop();
        *raised = why == EXIT_RAISED ? v->exception : MP_OBJ_NULL;
    } else {
        *raised = MP_OBJ_FROM_PTR(nlr.ret_val);
    }
    vm->busy = false;
    return why;
}

// run(timeout_ms): foreground, cpu 0. Returns an Exit, or raises what a handler raised.
static mp_obj_t vm_run(mp_obj_t self, mp_obj_t timeout_in) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = hv_vm_get(self);
    vcpu_t *v = vm->vcpu[0];
    if (vm->busy) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("this VM is running already"));
    }
    deadline_t deadline = { .vcpu = v };
    v->kicked = false;
    if (timeout_in != mp_const_none) {
        uint64_t ticks = unbox_u64(timeout_in) * timer_freq() / 1000;
        timer_arm(&deadline.timer, timer_now() + ticks, deadline_passed);
    }
    bool was_attached = pl011_attached(vm);
    pl011_attach(vm, true);
    mp_obj_t raised;
    run_protected(vm, v, &raised);
    pl011_attach(vm, was_attached);
    timer_cancel(&deadline.timer);
    if (raised != MP_OBJ_NULL) {
        nlr_raise(raised);
    }
    size_t n;
    mp_obj_t *cpus;
    mp_obj_get_array(o->cpus, &n, &cpus);
    return hv_exit_new(MP_OBJ_TO_PTR(cpus[0]), false);
}
static MP_DEFINE_CONST_FUN_OBJ_2(vm_run_obj, vm_run);

// ---- vm.el2: the registers it is entered with ---------------------------------------------------

typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
} hv_el2_obj_t;

static el2_reg_t el2_index(mp_obj_t name) {
    char got[SYSREG_NAME_MAX];
    const char *want = sysreg_name(sysreg_lookup(name), got);
    for (unsigned i = 0; i < EL2_COUNT; i++) {
        if (strcmp(want, el2_names[i]) == 0) {
            return i;
        }
    }
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s is not a VM's own: HCR_EL2, CPTR_EL2, MDCR_EL2, CNTHCTL_EL2, VTCR_EL2 and HSTR_EL2 are"), want);
}

static MP_NORETURN void refuse(el2_reg_t reg, uint64_t value, uint64_t wrong) {
    unsigned bit = __builtin_ctzl(wrong);
    bool set = el2_policy[reg].must_set >> bit & 1;
    const char *why = policy_reason(reg, bit, &set);
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s 0x%lx: bit %u must be %s while a guest runs: %s (unsafe=True insists)"),
        el2_names[reg], value, bit, set ? "1" : "0", why == NULL ? "reserved" : why);
}

static void el2_set(vm_t *vm, el2_reg_t reg, uint64_t value, bool unsafe) {
    uint64_t wrong = policy_apply(reg, value) ^ value;
    if (wrong != 0 && !unsafe) {
        refuse(reg, value, wrong);
    }
    vm->el2[reg] = value;
    vcpu_t *running = this_pcpu()->running;
    if (running == NULL || running->vm != vm) {
        return;
    }
    switch (reg) { // its own handler wrote it: in force from the next instruction on
        case EL2_HCR:
            WRITE_SYSREG(hcr_el2, value | (READ_SYSREG(hcr_el2) & HCR_VSE));
            break;
        case EL2_MDCR:
            WRITE_SYSREG(mdcr_el2, value);
            break;
        case EL2_CNTHCTL:
            WRITE_SYSREG(cnthctl_el2, value);
            break;
        case EL2_VTCR:
            WRITE_SYSREG(vtcr_el2, value);
            break;
        case EL2_HSTR:
            WRITE_SYSREG(hstr_el2, value);
            break;
        default:
            break; // CPTR_EL2 is loaded when the handler returns
    }
    isb();
}

static mp_obj_t el2_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    hv_el2_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = hv_vm_get(MP_OBJ_FROM_PTR(o->vm));
    el2_reg_t reg = el2_index(index);
    if (value == MP_OBJ_SENTINEL) {
        return box_u64(vm->el2[reg]);
    }
    if (value == MP_OBJ_NULL) {
        return MP_OBJ_NULL;
    }
    el2_set(vm, reg, unbox_u64(value), false);
    return mp_const_none;
}

// set(name, value, unsafe=False)
static mp_obj_t el2_set_method(size_t n_args, const mp_obj_t *args) {
    hv_el2_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    el2_set(hv_vm_get(MP_OBJ_FROM_PTR(o->vm)), el2_index(args[1]), unbox_u64(args[2]), n_args > 3 && mp_obj_is_true(args[3]));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(el2_set_obj, 3, 4, el2_set_method);

static void el2_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_el2_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = hv_vm_get(MP_OBJ_FROM_PTR(o->vm));
    for (unsigned i = 0; i < EL2_COUNT; i++) {
        mp_printf(print, "%s%s 0x%lx", i == 0 ? "<" : ", ", el2_names[i], vm->el2[i]);
    }
    mp_printf(print, ">");
}

static const mp_rom_map_elem_t el2_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_set), MP_ROM_PTR(&el2_set_obj) },
};
static MP_DEFINE_CONST_DICT(el2_locals_dict, el2_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_el2_type, MP_QSTR_EL2Registers, MP_TYPE_FLAG_NONE,
    subscr, el2_subscr, print, el2_print, locals_dict, &el2_locals_dict);

mp_obj_t hv_el2_new(hv_vm_obj_t *vm) {
    hv_el2_obj_t *o = mp_obj_malloc(hv_el2_obj_t, &hv_el2_type);
    o->vm = vm;
    return MP_OBJ_FROM_PTR(o);
}

// ---- Attributes ---------------------------------------------------------------------------------

static void vm_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(self);
    if (dest[0] != MP_OBJ_NULL) {
        if (attr == MP_QSTR_wrapper && dest[1] != MP_OBJ_NULL) {
            o->wrapper = dest[1];
            dest[0] = MP_OBJ_NULL;
        }
        return;
    }
    switch (attr) {
        case MP_QSTR_cpu:
            dest[0] = o->cpus;
            break;
        case MP_QSTR_memory:
            dest[0] = hv_memory_new(o);
            break;
        case MP_QSTR_el2:
            dest[0] = hv_el2_new(o);
            break;
        case MP_QSTR_name:
            dest[0] = mp_obj_new_str_from_cstr(hv_vm_get(self)->name);
            break;
        case MP_QSTR_vmid:
            dest[0] = MP_OBJ_NEW_SMALL_INT(hv_vm_get(self)->vmid);
            break;
        case MP_QSTR_closed:
            dest[0] = mp_obj_new_bool(o->vm == NULL);
            break;
        default:
            dest[1] = MP_OBJ_SENTINEL;
            break;
    }
}

static const mp_rom_map_elem_t vm_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_hook), MP_ROM_PTR(&vm_hook_obj) },
    { MP_ROM_QSTR(MP_QSTR_mmio), MP_ROM_PTR(&vm_mmio_obj) },
    { MP_ROM_QSTR(MP_QSTR_run), MP_ROM_PTR(&vm_run_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&vm_close_obj) },
    { MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&vm_del_obj) },
};
static MP_DEFINE_CONST_DICT(vm_locals_dict, vm_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_vm_type, MP_QSTR_VM, MP_TYPE_FLAG_NONE,
    make_new, vm_make_new, attr, vm_attr, locals_dict, &vm_locals_dict);
