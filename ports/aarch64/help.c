// SPDX-License-Identifier: MIT
// What the user is told: the banner, help(), and help(thing) of what belongs to the package hv.

#include "py/builtin.h"
#include "py/runtime.h"
#include "platform.h"

void banner_machine(void); // for banner.h, which only pyexec.c is to see

void banner_machine(void) {
    mp_printf(&mp_plat_print, "%s with " MICROPY_HW_MCU_NAME ", %u core%s, %u MB, ",
        platform.boot_el == 1 ? "Elapid on " BOARD_NAME " at EL1" : MICROPY_HW_BOARD_NAME, platform.ncpus, platform.ncpus == 1 ? "" : "s", (unsigned)(platform.ram_size >> 20));
    mp_printf(&mp_plat_print, platform.gic_version == 0 ? "no GIC" : "GICv%u", platform.gic_version);
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
    "  vm = hv.VM('name', ram='64M')    a virtual machine; vm.load('hello.elf'); vm.run(); help(vm)\n"
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

// True: modules/hv/_about.py knew the thing, and has told.
static bool told_by_hv(mp_obj_t thing) {
    mp_obj_t name = MP_OBJ_NEW_QSTR(MP_QSTR_tell), from = mp_obj_new_tuple(1, &name);
    mp_obj_t about = mp_import_name(qstr_from_str("hv._about"), from, MP_OBJ_NEW_SMALL_INT(0));
    return mp_obj_is_true(mp_call_function_1(mp_load_attr(about, MP_QSTR_tell), thing));
}

static mp_obj_t port_help(size_t n_args, const mp_obj_t *args) {
    if (n_args == 1 && !mp_obj_is_str(args[0]) && told_by_hv(args[0])) {
        return mp_const_none;
    }
    return mp_call_function_n_kw(MP_OBJ_FROM_PTR(&upstream_help_obj), n_args, 0, args);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(mp_builtin_help_obj, 0, 1, port_help);
