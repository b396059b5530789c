// SPDX-License-Identifier: MIT
// What the user is told: the banner, help(), and help(thing) of what belongs to the package hv.

#include <string.h>

#include "py/builtin.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "core/platform.h"
#include "trap/callables.h"

void banner_machine(void); // for pyexec_hooks.h, which only pyexec.c is to see

// The names that the image was built with, unless it runs on something else.
#define VIRT_MODEL "linux,dummy-virt"   // QEMU's name for its virt

static const char *core_name(void) {
    switch (FIELD(READ_SYSREG(midr_el1), 15, 4)) {
        case 0xD08:
            return "Cortex-A72";
        case 0xD07:
            return "Cortex-A57";
        default:
            return MICROPY_HW_MCU_NAME;
    }
}

void banner_machine(void) {
    const char *model = strcmp(platform.model, VIRT_MODEL) == 0 ? BOARD_NAME : platform.model;
    mp_printf(&mp_plat_print, "Elapid on %s at EL%u with %s, %u core%s, %u MB, ", model, platform.boot_el == 1 ? 1 : 2, core_name(),
        platform.ncpus, platform.ncpus == 1 ? "" : "s", (unsigned)(platform.ram_size >> 20));
    if (platform.fdt == NULL) {
        mp_print_str(&mp_plat_print, "no device tree\nWithout one no interrupts are known: there are no virtual machines, and Ctrl-C does not end a loop.\n"
            "QEMU hands one of more than 1 MB to hypervisor.bin, not to hypervisor.elf.");
        return;
    }
    if (!platform_has_intc()) {
        mp_print_str(&mp_plat_print, "no GIC\nWithout interrupts there are no virtual machines, and Ctrl-C does not end a loop.");
        return;
    }
    if (platform.gic_version == 0) {
        mp_print_str(&mp_plat_print, "BCM2836 interrupts");
    } else {
        mp_printf(&mp_plat_print, "GICv%u", platform.gic_version);
    }
    if (platform.boot_el != 1) {
        mp_print_str(&mp_plat_print, "\nA guest to begin with: import hv; hv.demo()");
    }
}

const char elapid_help_text[] =
    "This is MicroPython at EL2: you are the hypervisor.\n"
    "\n"
    "  import hv                        the hypervisor's own package\n"
    "  from hv.regs import HCR_EL2      a system register: HCR_EL2.read(), .write(v), fields by name\n"
    "  hv.demo()                        a first guest\n"
    "  vm = hv.VM('name', ram='64M')    a virtual machine; vm.load('hello.elf'); vm.run(); help(vm.run)\n"
    "  machine.mem32[0x09000018]        a device register; a bad address raises\n"
    "\n"
    "Files are on a RAM disk at / and live until power-off; /rom is a ROMFS image if one was loaded.\n"
    "boot.py runs at every start, main.py before the prompt.\n"
    "\n"
    "Control commands:\n"
    "  CTRL-A        on a blank line, enter raw REPL mode\n"
    "  CTRL-B        on a blank line, enter normal REPL mode\n"
    "  CTRL-C        interrupt a running program\n"
    "  CTRL-D        on a blank line, do a soft reset\n"
    "  CTRL-E        on a blank line, enter paste mode\n"
    "\n"
    "For further help on a specific object, type help(obj). For a list of modules, type help('modules').\n";

MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(upstream_help_obj);

// A native class's function that looks at its first argument, as py/runtime.c lays it out for itself.
typedef struct {
    mp_obj_base_t base;
    const mp_obj_type_t *type;
    mp_obj_t fun;
} checked_t;

static bool is_checked(mp_obj_t thing) {
    static const mp_obj_type_t *const others[] = {
        &mp_type_fun_builtin_0, &mp_type_fun_builtin_1, &mp_type_fun_builtin_2, &mp_type_fun_builtin_3,
        &mp_type_fun_builtin_var, &mp_type_fun_bc,
    };
    const mp_obj_type_t *type = mp_obj_get_type(thing);
    bool other = type->name != MP_QSTR_function;
    for (size_t i = 0; i < MP_ARRAY_SIZE(others); i++) {
        other |= type == others[i];
    }
    return !other;
}

// The class a method is of, or NULL; `thing` becomes the function, or its name where the class is native.
static const mp_obj_type_t *class_of(mp_obj_t *thing) {
    const mp_obj_type_t *type;
    if (mp_obj_is_type(*thing, &mp_type_bound_meth)) {
        const bound_t *bound = MP_OBJ_TO_PTR(*thing);
        type = mp_obj_get_type(bound->self);
        *thing = bound->meth;
    } else if (mp_obj_is_obj(*thing) && is_checked(*thing)) {
        const checked_t *checked = MP_OBJ_TO_PTR(*thing);
        type = checked->type;
        *thing = checked->fun;
    } else {
        return NULL;
    }
    const mp_map_t *map = MP_OBJ_TYPE_HAS_SLOT(type, locals_dict) ? &MP_OBJ_TYPE_GET_SLOT(type, locals_dict)->map : &mp_const_empty_map;
    for (size_t i = 0; i < map->alloc; i++) {
        if (map->table[i].value == *thing && map->table[i].key != MP_OBJ_NULL) {
            *thing = map->table[i].key;
            break;
        }
    }
    return type;
}

// True: modules/hv/_help.py knew the thing, and has told.
static bool told_by_hv(mp_obj_t thing) {
    mp_obj_t name = MP_OBJ_NEW_QSTR(MP_QSTR_tell), from = mp_obj_new_tuple(1, &name);
    mp_obj_t help = mp_import_name(qstr_from_str("hv._help"), from, MP_OBJ_NEW_SMALL_INT(0));
    const mp_obj_type_t *type = class_of(&thing);
    mp_obj_t cls = type == NULL ? mp_const_none : MP_OBJ_FROM_PTR(type);
    return mp_obj_is_true(mp_call_function_2(mp_load_attr(help, MP_QSTR_tell), thing, cls));
}

static mp_obj_t port_help(size_t n_args, const mp_obj_t *args) {
    if (n_args == 1 && args[0] != MP_OBJ_NEW_QSTR(MP_QSTR_modules) && told_by_hv(args[0])) {
        return mp_const_none;
    }
    return mp_call_function_n_kw(MP_OBJ_FROM_PTR(&upstream_help_obj), n_args, 0, args);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(mp_builtin_help_obj, 0, 1, port_help);
