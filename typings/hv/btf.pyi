# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/btf.py.
"""The types of C that a Linux has of itself: BTF (Documentation/bpf/btf.rst), in its image."""

from typing import Any

import struct
from collections import OrderedDict as OrderedDict
import _hv
from .note import string as string
VOID: object
INT: object
PTR: object
ARRAY: object
STRUCT: object
UNION: object
ENUM: object
FWD: object
TYPEDEF: object
VOLATILE: object
CONST: object
RESTRICT: object
FLOAT: object
TYPE_TAG: object
ENUM64: object

class Type:
    """A type of a kernel. kind: as BTF has it; size: bytes; count: of an array."""

    kind: int
    size: int
    count: int
    coding: Any
    """Of an INT: 1 signed, 4 bool."""
    def __init__(self, types: Any, kind: Any, name: Any, size: Any) -> None: ...
    @property
    def to(self) -> Any:
        """What a pointer points to, or an array is of: a Type, or None."""
    @property
    def name(self) -> str: ...
    @property
    def members(self) -> dict:
        """{name: (its Type, bit, bits or 0)} of a struct or union, with what is in structs without a name in it."""
    def offset(self, path: str) -> int:
        """Where a member is, in bytes: of "a.b" in struct a. KeyError when there is none."""


class Types:
    """All of a kernel, by their names and numbers."""

    def __init__(self, memory: Any, at: Any, types: Any, types_size: Any, strings: Any, strings_size: Any) -> None: ...
    def find(self, name: str) -> Type:
        """Of "struct task_struct", "task_struct", "u64", "struct list_head *". KeyError when there is none."""
    def get(self, number: int) -> Type:
        """By its number, what it is an alias for."""
    def add_members(self, found: Any, records: Any, base: Any, depth: Any) -> Any: ...
    def text(self, place: Any) -> Any: ...

def find(memory: Any, start: Any, end: Any) -> Any:
    """The Types of the kernel in [start, end) of a VM's memory, or None."""
