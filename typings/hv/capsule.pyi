# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/capsule.py.
"""vm.capsule(path): a snapshot in a file with what was seen around it, for a later boot to look into."""

from typing import Any

import json
import sys
import _hv
from . import event as event
from .savefile import Writer as Writer
from .savefile import write as _write
from .source import Parsed as Parsed
from .syndrome import register as register
from .trace import Record as Record
from .whole import Whole as Whole
def write(vm: Any, path: Any, why: Any='') -> Any: ...

class Capsule:
    """What hv.load() makes of a file of vm.capsule(): the VM, as `vm`, stands where it stood then, and can be looked into, made
    a core of, or run on."""

    path: str
    vm: Any
    """An hv.VM."""
    why: str
    """It was written."""
    console: str
    """The last 16 KB that its PL011 had printed."""
    events: list
    trace: list
    """Of vm.trace(), if there was one."""
    rules: list
    """"sysreg SCTLR_EL1: count, 3 hits"."""
    handlers: list
    """"hvc 0x1: its function's name"."""
    breaks: list
    """As they print."""
    watches: list
    """As they print."""
    def __init__(self, path: Any, vm: Any, seen: Any) -> None: ...
    def close(self) -> None:
        """Close the VM."""
    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: Any) -> Any: ...

def read(reader: Any, vm: Any) -> Any: ...

class OnCrash:
    """What vm.on_crash() has set up: remove() ends it."""

    why: Any
    """It has been called."""
    def __init__(self, vm: Any, what: Any, at: Any, reasons: Any) -> None: ...
    def ended(self, exit: Any) -> Any:
        """From vm: this is how it ended; None: vm.run() raises."""
    def remove(self) -> None:
        """It is not called any more."""
