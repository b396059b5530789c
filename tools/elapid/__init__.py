# SPDX-License-Identifier: MIT
"""Elapid from the host: QEMU with Elapid on it, its prompt, and the virtual machines there, as Python objects.

    import elapid

    with elapid.Target(smp=4) as target:
        vm = target.vm("mine", ram="16M")       # an hv.VM of the target: all of its methods are here
        vm.load(Path("kernel.elf"))             # a file of the host
        vm.run_until("ready")                   # its console, as pexpect has it: vm.console.expect(...)
        target.repl("mine.cpu[0].where()")      # typed at >>>

`elapid --help` is the same from a shell; docs/host.md tells all of it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import connect
    from .console import Console, Gone, Hung, TargetError
    from .remote import Remote
    from .target import Target
    from .vm import VM, Ended

__version__ = "0.1.0"
__all__ = ["VM", "Console", "Ended", "Gone", "Hung", "Remote", "Target", "TargetError", "connect"]

# Imported when first named: make's own set-up uses a part of this before anything is installed.
_HOME = {
    "VM": "vm",
    "Console": "console",
    "Ended": "vm",
    "Gone": "console",
    "Hung": "console",
    "Remote": "remote",
    "Target": "target",
    "TargetError": "console",
    "connect": "connection",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"elapid has no {name}")
    return getattr(importlib.import_module(f"elapid.{_HOME[name]}"), name)
