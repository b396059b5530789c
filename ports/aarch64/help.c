// SPDX-License-Identifier: MIT
// What help() prints.

const char elapid_help_text[] =
    "This is MicroPython at EL2: you are the hypervisor.\n"
    "\n"
    "  import hv                        the hypervisor's own package\n"
    "  from hv.regs import HCR_EL2      a system register: HCR_EL2.read(), .write(v), fields by name\n"
    "  vm = hv.VM('demo', ram='64M')    a virtual machine; vm.load('hello.elf'); vm.run()\n"
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
