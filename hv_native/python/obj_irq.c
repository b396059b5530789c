// SPDX-License-Identifier: MIT
// _hv.IRQ: an interrupt of a guest, as vm.irq(intid, cpu) gives it. It holds nothing but the number.

#include "py/runtime.h"
#include "core/arch.h"
#include "hold/replay.h"
#include "irq/irq.h"
#include "python/objects.h"
#include "python/tell.h"
#include "trap/numbers.h"
#include "vgic/vgic.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
    unsigned intid, cpu;
} hv_irq_obj_t;

static const mp_obj_type_t hv_irq_type;

static mp_obj_t irq_new(hv_vm_obj_t *o, unsigned intid, unsigned cpu) {
    hv_irq_obj_t *irq = mp_obj_malloc(hv_irq_obj_t, &hv_irq_type);
    irq->vm = o;
    irq->intid = intid;
    irq->cpu = cpu;
    return MP_OBJ_FROM_PTR(irq);
}

// vm.irq(intid, cpu=0): cpu matters below 32.
static mp_obj_t vm_irq(size_t n_args, const mp_obj_t *args) {
    vm_t *vm = hv_vm_get(args[0]);
    mp_int_t intid = unbox_int(args[1]), cpu = n_args > 2 ? unbox_int(args[2]) : 0;
    if (intid < 0 || intid >= (mp_int_t)VGIC_LINES || cpu < 0 || cpu >= (mp_int_t)vm->nvcpus) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s has interrupts 0 to %u, and cpus 0 to %u"), vm->name,
            VGIC_LINES - 1, vm->nvcpus - 1);
    }
    return irq_new(MP_OBJ_TO_PTR(args[0]), (unsigned)intid, (unsigned)cpu);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_irq_obj, 2, 3, vm_irq);

static vm_t *irq_vm(const hv_irq_obj_t *o) {
    return hv_vm_get(MP_OBJ_FROM_PTR(o->vm));
}

// The VM, of an INTID that is a device's.
static vm_t *vm_of_line(const hv_irq_obj_t *o) {
    vm_t *vm = irq_vm(o);
    if (o->intid < 32) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("interrupt %u is a vCPU's own, not a device's (32 and up)"), o->intid);
    }
    return vm;
}

// set(level)
static mp_obj_t irq_set(mp_obj_t self, mp_obj_t level) {
    hv_irq_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = irq_vm(o);
    if (o->intid < 16) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("interrupt %u is an SGI: it has no line"), o->intid);
    } else if (o->intid < 32) {
        hv_input(vm, INPUT_PPI, o->intid | o->cpu << 8, unbox_bool(level));
    } else {
        hv_input(vm, INPUT_LINE, o->intid, unbox_bool(level));
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(irq_set_obj, irq_set);

// pulse(): an edge
static mp_obj_t irq_pulse(mp_obj_t self) {
    hv_irq_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = vm_of_line(o);
    hv_input(vm, INPUT_PULSE, o->intid, 0);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(irq_pulse_obj, irq_pulse);

// ---- Watching -----------------------------------------------------------------------------------

// watch(handler=None, drop=False): count it; ask handler(irq), on the boot core and soon, whether the guest
// gets it (False: it does not); or keep it from the guest. Returns the handler: a decorator.
static mp_obj_t irq_watch(size_t n_args, const mp_obj_t *args) {
    hv_irq_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = vm_of_line(o);
    mp_obj_t handler = n_args > 1 ? args[1] : mp_const_none;
    if (handler != mp_const_none && !mp_obj_is_callable(handler)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("a handler must be callable, not %s"), mp_obj_get_type_str(handler));
    }
    vgic_watch_t *w = vgic_watched(vm, o->intid);
    if (w != NULL) {
        hv_forget(o->vm, w->handler);
    }
    if (handler != mp_const_none) {
        mp_obj_list_append(o->vm->handlers, handler);
    }
    if (!vgic_watch(vm, o->intid, n_args > 2 && unbox_bool(args[2]), handler == mp_const_none ? NULL : MP_OBJ_TO_PTR(handler))) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%u interrupts of %s are watched already: unwatch() one"), VGIC_WATCHES, vm->name);
    }
    return handler;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(irq_watch_obj, 1, 3, irq_watch);

static mp_obj_t irq_unwatch(mp_obj_t self) {
    hv_irq_obj_t *o = MP_OBJ_TO_PTR(self);
    vgic_watch_t *w = vgic_watched(vm_of_line(o), o->intid);
    if (w != NULL) {
        hv_forget(o->vm, w->handler);
        vgic_unwatch(o->vm->vm, o->intid);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(irq_unwatch_obj, irq_unwatch);

// A handler that raises has let it pass.
static bool ask(hv_vm_obj_t *o, mp_obj_t handler, unsigned intid) {
    bool yes = true;
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        yes = mp_call_function_1(handler, irq_new(o, intid, 0)) != mp_const_false;
        nlr_pop();
    } else {
        static tell_t told;
        hv_tell(&told, MP_OBJ_FROM_PTR(nlr.ret_val));
    }
    return yes;
}

// The next watch whose handler is to be asked and has not been in this turn; NULL: none.
static vgic_watch_t *next_watch(uint32_t turn, vm_t **of, uint8_t *asked) {
    for (vm_t *vm = vms; vm != NULL; vm = vm->next) {
        for (unsigned k = 0; k < VGIC_WATCHES; k++) {
            vgic_watch_t *w = &vm->vgic.watch[k];
            *asked = w->asked != 0 && w->turn != turn ? vgic_asked(vm, w) : 0;
            if (*asked != 0) {
                *of = vm;
                return w;
            }
        }
    }
    return NULL;
}

// From the first VM on after each handler: it may have closed any, and begun to watch others.
void hv_irq_serve(void) {
    static uint32_t turn;
    vm_t *vm;
    uint8_t asked;
    vgic_watch_t *w;
    turn++;
    while ((w = next_watch(turn, &vm, &asked)) != NULL) {
        hv_vm_obj_t *o = vm->object;
        unsigned intid = w->intid;
        w->turn = turn;
        bool yes = ask(o, MP_OBJ_FROM_PTR(w->handler), intid);
        if (o->vm == vm) {
            vgic_pass(vm, intid, yes ? asked : 0);
        }
    }
}

// ---- Physical interrupts ------------------------------------------------------------------------

// forward(physical): the machine's SPI of this INTID becomes this one; None: not any more.
static mp_obj_t irq_forward(mp_obj_t self, mp_obj_t physical) {
    hv_irq_obj_t *o = MP_OBJ_TO_PTR(self);
    vm_t *vm = vm_of_line(o);
    if (physical == mp_const_none) {
        vgic_unforward(vm, o->intid);
        return mp_const_none;
    }
    mp_int_t intid = unbox_int(physical);
    if (intid < 32 || intid >= (mp_int_t)IRQ_MAX) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a physical interrupt to forward is 32 to %u, not %d"), IRQ_MAX - 1, (int)intid);
    }
    if (!vgic_forward(vm, o->intid, (unsigned)intid)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("physical interrupt %d is in use, or %s has %u already"), (int)intid,
            vm->name, VGIC_FORWARDS);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(irq_forward_obj, irq_forward);

// ---- Attributes ---------------------------------------------------------------------------------

static const uint16_t flags[] = { // in the order of VGIC_IS_*
    MP_QSTR_enabled, MP_QSTR_pending, MP_QSTR_active, MP_QSTR_level, MP_QSTR_edge, MP_QSTR_hw,
};

static void irq_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_irq_obj_t *o = MP_OBJ_TO_PTR(self);
    uint8_t priority, cpu;
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    unsigned is = vgic_state(irq_vm(o)->vcpu[o->cpu], o->intid, &priority, &cpu);
    if (attr == MP_QSTR_intid) {
        dest[0] = MP_OBJ_NEW_SMALL_INT(o->intid);
    } else if (attr == MP_QSTR_hits) {
        vgic_watch_t *w = o->intid < 32 ? NULL : vgic_watched(o->vm->vm, o->intid);
        dest[0] = box_u64(w == NULL ? 0 : w->hits);
    } else if (attr == MP_QSTR_priority) {
        dest[0] = MP_OBJ_NEW_SMALL_INT(priority);
    } else if (attr == MP_QSTR_cpu) {
        dest[0] = cpu == VGIC_NOBODY ? mp_const_none : MP_OBJ_NEW_SMALL_INT(cpu);
    } else {
        dest[1] = MP_OBJ_SENTINEL;
        for (unsigned k = 0; k < ARRAY_LEN(flags); k++) {
            if (attr == flags[k]) {
                dest[0] = mp_obj_new_bool(is >> k & 1);
            }
        }
    }
}

static void write_irq(const mp_print_t *print, mp_obj_t self) {
    hv_irq_obj_t *o = MP_OBJ_TO_PTR(self);
    uint8_t priority, cpu;
    if (o->vm->vm == NULL) {
        mp_printf(print, "<IRQ %u: closed>", o->intid);
        return;
    }
    unsigned is = vgic_state(o->vm->vm->vcpu[o->cpu], o->intid, &priority, &cpu);
    mp_printf(print, "<IRQ %u of %s: priority 0x%02x", o->intid, o->vm->vm->name, priority);
    if (cpu != VGIC_NOBODY) {
        mp_printf(print, ", cpu %u", cpu);
    }
    for (unsigned k = 0; k < ARRAY_LEN(flags); k++) {
        if (is >> k & 1) {
            mp_printf(print, ", %q", (qstr)flags[k]);
        }
    }
    mp_printf(print, ">");
}

static void irq_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_irq);
}

static const mp_rom_map_elem_t irq_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_set), MP_ROM_PTR(&irq_set_obj) },
    { MP_ROM_QSTR(MP_QSTR_pulse), MP_ROM_PTR(&irq_pulse_obj) },
    { MP_ROM_QSTR(MP_QSTR_watch), MP_ROM_PTR(&irq_watch_obj) },
    { MP_ROM_QSTR(MP_QSTR_unwatch), MP_ROM_PTR(&irq_unwatch_obj) },
    { MP_ROM_QSTR(MP_QSTR_forward), MP_ROM_PTR(&irq_forward_obj) },
};
static MP_DEFINE_CONST_DICT(irq_locals_dict, irq_locals);

static MP_DEFINE_CONST_OBJ_TYPE(hv_irq_type, MP_QSTR_IRQ, MP_TYPE_FLAG_NONE,
    attr, irq_attr, print, irq_print, locals_dict, &irq_locals_dict);
