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

from .vm import VM

# Attribute -> (module of this package, name in it; None for the module itself).
_LAZY = {
    "regs": ("regs", None),
    "fdt": ("fdt", None),
    "loader": ("loader", None),
    "explain": ("syndrome", "explain"),
}


def __getattr__(name):
    try:
        module, inside = _LAZY[name]
    except KeyError:
        raise AttributeError(f"hv has no {name}") from None
    found = getattr(__import__("hv." + module), module)
    found = found if inside is None else getattr(found, inside)
    globals()[name] = found
    return found
