# SPDX-License-Identifier: MIT
"""Elapid from Python: virtual machines, the core's registers, memory, what exits mean.

    import hv
    vm = hv.VM("demo", ram="64M")
    vm.load("hello.elf")
    vm.run()

What is seldom needed is imported when it is first named: hv.regs, hv.mmu, hv.explain, hv.fdt ...
"""

from _hv import (
    ABORT,
    PASS,
    RETRY,
    SERROR,
    SKIP,
    STOP,
    UNDEFINED,
    VCPU,
    Exit,
    Fault,
    mem,
    platform,
    poweroff,
    read,
    write,
)

# The u is for the built-in module at once, without a look for a machine.py to extend it.
from umachine import blob, initrd

from .vm import VM, load

# What it is made of, and nobody needs to name: the tab key does not offer it (ports/aarch64/complete.c).
_built_of = (
    "a64",
    "breaks",
    "btf",
    "calls",
    "elf",
    "event",
    "files",
    "flow",
    "frames",
    "fuzzfiles",
    "gdbengine",
    "gdbstub",
    "kernel",
    "lkm",
    "note",
    "printk",
    "processes",
    "progress",
    "rows",
    "savefile",
    "source",
    "stage1",
    "stage2",
    "state",
    "symbols",
    "syndrome",
    "syscalls",
    "tasks",
    "traps",
    "value",
    "version",
    "vm",
    "watch",
    "where",
    "whole",
)

# Names that live in a module of another name.
_LAZY = {
    "bench": "bench",
    "share": "share",
    "consoles": "consoles",
    "explain": "syndrome",
    "events": "event",
    "Switch": "net",
    "demo": "demo",
    "serial": "serial",
    "gdb": "gdbstub",
    "__version__": "version",
}


def __getattr__(name):
    module = _LAZY.get(name, name)
    if name[0] == "_" and name not in _LAZY:
        raise AttributeError(f"hv has no {name}")
    try:
        found = getattr(__import__("hv." + module), module)
    except ImportError:
        raise AttributeError(f"hv has no {name}") from None
    if name in _LAZY:
        found = getattr(found, name)
    globals()[name] = found
    return found
