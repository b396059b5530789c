# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/symbols.py.
"""Names and addresses of a guest, both ways: what vm.symbol(), vm.address() and all that takes a place in a guest
use. Names come from the ELF files that were loaded (System V gABI, chapter 4), the newest first."""

from typing import Any

import struct
def resolve(vm: Any, where: Any) -> int:
    """The address of a place in a guest: an int as it is, "name", "name+0x10", "name-4".

    KeyError for a name that nothing knows, with names that are nearly it; ValueError when nothing is known at all."""
def at(vm: Any, address: int) -> str:
    """The function or object that an address is in, as "name" or "name+0x10"; KeyError when it is in none."""

class Elf:
    """The symbols of an ELF file; `slide` is added to its addresses."""

    slide: Any
    def __init__(self, source: Any, slide: Any) -> None: ...
    def find(self, name: Any) -> Any: ...
    def at(self, address: Any) -> Any:
        """(address, size, name) of what it is in, or None."""
    def near(self, name: Any) -> Any: ...
