# SPDX-License-Identifier: MIT
"""Elapid from the host: QEMU with Elapid on it, its prompt, and the virtual machines there, as Python objects.

    import elapid

    with elapid.Target(smp=4) as target:
        target.repl("1 + 1")                 # "2": typed at >>>
        target.exec("import hv; print(hv.mem())")

`elapid --help` is the same from a shell; docs/host.md tells all of it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .console import Console, Gone, Hung, TargetError
    from .remote import Remote
    from .target import Target
    from .vm import VM, Ended

__version__ = "0.1.0"
__all__ = ["VM", "Console", "Ended", "Gone", "Hung", "Remote", "Target", "TargetError"]

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
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"elapid has no {name}")
    return getattr(importlib.import_module(f"elapid.{_HOME[name]}"), name)
