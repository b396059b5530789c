# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/symbols.py.
"""Names and addresses of a guest, both ways: what vm.symbol(), vm.address() and all that takes a place in a guest
use. They come from ELF files that were loaded (System V gABI, chapter 4), from ELF files and System.map's that
vm.symbols.add() was given, and from the tables that a Linux has of its own (kernel/kallsyms.c), in its memory.

Tables stay where they are, in guest memory or in pages beside the heap; _hv.symbols() searches them."""

from typing import Any

import struct
import _hv
from .note import find as notes
def resolve(vm: Any, where: Any) -> int:
    """The address of a place in a guest: an int as it is, "name", "name+0x10", "name-4".

    KeyError for a name that nothing knows, with names that are nearly it; ValueError when nothing is known at all."""
def extent(vm: Any, where: Any) -> Any:
    """(address, size) of a place: of its function or object from there on, 0 where nobody knows how much that is."""
def at(vm: Any, address: int) -> str:
    """The function or object that an address is in, as "name" or "name+0x10"; KeyError when it is in none."""
def place(tables: Any, address: Any) -> Any:
    """(its address, its size, its name) of what an address is in, by these tables, or None."""
def text(found: Any, address: Any) -> Any:
    """What place() has found, of this address, as text."""

class Symbols:
    """vm.symbols: where the names of a guest's places come from."""

    def __init__(self, vm: Any) -> None: ...
    def add(self, source: Any, slide: int=0) -> None:
        """An ELF file or a System.map (a path, file or buffer; also gzip'd), whose names are known from now on.
        slide: what is added to its addresses, as for a kernel that KASLR has moved."""
    def tables(self, deep: bool=False) -> Any:
        """All that is known, what is asked first first. deep: look for a kernel in all memory, if need be."""
    def in_module(self, address: Any) -> bool:
        """Whether it is in a module of the Linux that runs, as far as is known."""
    def kernel(self) -> Any:
        """The Kallsyms of the Linux that is in its memory, or None. It has a note once that runs."""


class Table:
    """Some names; `slide` is added to the addresses."""

    name: Any
    def __init__(self, name: Any, parts: Any, slide: Any) -> None: ...
    def parts(self) -> Any:
        """What _hv.symbols() searches, and what is to be added to its addresses."""
    def find(self, name: Any) -> Any:
        """The address of a name, or None."""
    def at(self, address: Any) -> Any:
        """(address, size, name) of what it is in, or None."""
    def near(self, name: Any) -> Any:
        """Up to three names that are nearly it."""


class Kallsyms(Table):
    """What a Linux knows of itself. The numbers are IPAs."""

    name = 'its kernel'
    note: Any
    linux: Any
    def __init__(self, memory: Any, base: Any, count: Any, names: Any, tokens: Any, index: Any, offsets: Any) -> None: ...
    def valid(self) -> Any:
        """Whether it is still there: after a reset, or a kexec, it need not be."""
    def noted(self) -> Any:
        """Whether it has its note, and that is still there."""
    def places(self) -> Any:
        """(IPA, bytes) of kallsyms_names, _token_table, _token_index and _offsets."""
    def parts(self) -> Any: ...
    def base(self) -> Any:
        """kallsyms_relative_base. Before the kernel has relocated itself it may not be there yet, but in the
        entry of .rela.dyn that makes it (ELF for AArch64, R_AARCH64_RELATIVE, 0x403): then where it was linked for."""
    def ipa(self, va: Any) -> Any:
        """The IPA of an address in its image, also before it runs, wherever that will be; or None."""
