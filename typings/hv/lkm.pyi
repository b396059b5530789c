# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/lkm.py.
"""The modules of a Linux: k.modules(), the names of their places, and breakpoints there."""

from typing import Any

import struct
from collections import namedtuple as namedtuple
import _hv
from .rows import rows as rows
from .symbols import Table as Table
Module = namedtuple('Module', ('name', 'size', 'address', 'state'))
def modules(k: Any) -> Any: ...
def head(k: Any) -> Any:
    """The address of the list of them, which has no name in a kernel without KALLSYMS_ALL: its functions use it."""

class Names:
    """The names of what is in modules, as /proc/kallsyms has them: a Table of hv.symbols. Modules come and go: which there
    are is looked at each time."""

    name = ''
    def __init__(self, vm: Any) -> None: ...
    def find(self, name: Any) -> Any: ...
    def at(self, address: Any) -> Any: ...
    def near(self, name: Any) -> Any: ...
    def of(self, address: Any) -> Any:
        """The table of the module that an address is in, or None."""

def watch(vm: Any, plant: Any) -> Any:
    """From now on, when modules come and go, breakpoints in them do. plant(vm, place, f): asks f there."""
