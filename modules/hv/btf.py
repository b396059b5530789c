# SPDX-License-Identifier: MIT
"""The types of C that a Linux has of itself: BTF (Documentation/bpf/btf.rst), in its image."""

import struct
from collections import OrderedDict

import _hv

from .note import string

VOID, INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(12)
FLOAT, TYPE_TAG, ENUM64 = 16, 18, 19
_ALIASES = 1 << TYPEDEF | 1 << VOLATILE | 1 << CONST | 1 << RESTRICT | 1 << TYPE_TAG
_NAMED = {"struct": 1 << STRUCT, "union": 1 << UNION, "enum": 1 << ENUM | 1 << ENUM64}
_ANY = 1 << INT | 1 << FLOAT | 1 << STRUCT | 1 << UNION | 1 << ENUM | 1 << ENUM64 | 1 << TYPEDEF
_MEMBERS = 1 << 12  # of a struct
_LOOKS = 1 << 12  # at what could be a kernel's BTF
_DEPTH = 32  # of typedefs and const's on one another, and of structs without a name
# Magic, version 1, no flags, 24 bytes of header (include/uapi/linux/btf.h).
_MAGIC = b"\x9f\xeb\1\0\x18\0\0\0"


class Type:
    """A type of a kernel. kind: as BTF has it; size: bytes; count: of an array."""

    def __init__(self, types, kind, name, size):
        self._types = types
        self.kind: int = kind
        self.size: int = size
        self.count: int = 0
        self._name = name
        self._to = None  # a Type, or its number
        self.coding = 0  # of an INT: 1 signed, 4 bool
        self._records = self._members = None

    @property
    def to(self):
        """What a pointer points to, or an array is of: a Type, or None."""
        if isinstance(self._to, int):
            self._to = self._types.get(self._to)
        return self._to

    @property
    def name(self) -> str:
        stars, of = "", self
        while of.kind == PTR and len(stars) < _DEPTH:
            stars, of = stars + "*", of.to
        if of.kind == ARRAY:
            return f"{of.to.name}[{of.count}]" + stars
        return of._name + (" " + stars if stars else "")

    @property
    def members(self) -> dict:
        """{name: (its Type, bit, bits or 0)} of a struct or union, with what is in structs without a name in it."""
        if self._members is None:
            found = OrderedDict()
            self._types._left = _MEMBERS
            self._types.add_members(found, self._records, 0, _DEPTH)
            self._members = found
        return self._members

    def offset(self, path: str) -> int:
        """Where a member is, in bytes: of "a.b" in struct a. KeyError when there is none."""
        at, of = 0, self
        for name in path.split("."):
            if name not in of.members:
                raise KeyError(f"{of.name} has no member {name}{_near(name, of.members)}")
            of, bit, _ = of.members[name]
            at += bit // 8
        return at

    def __repr__(self):
        if self.kind not in (STRUCT, UNION):
            return self.name
        lines = [f"{self.name} {{  // {self.size} bytes"]
        for name, (of, bit, bits) in self.members.items():
            lines.append(
                f"  +{bit // 8:#x} {of.name} {name}"
                + (f": {bits} bits at {bit % 8}" if bits else "")
            )
        return "\n".join(lines) + "\n}"


def _near(name, names):
    near = [each for each in names if name in each or each in name]
    return f"; it has {', '.join(near[:3])}" if near else ""


class Types:
    """All of a kernel, by their names and numbers."""

    def __init__(self, memory, at, types, types_size, strings, strings_size):
        self._memory = memory
        self._place = at + types, types_size
        self._strings = at + strings, strings_size
        self._index = [0]  # where each 256th of them is, from number 1 on
        self._known, self._named = {}, {}
        self._depth = self._left = 0

    def find(self, name: str) -> Type:
        """Of "struct task_struct", "task_struct", "u64", "struct list_head *". KeyError when there is none."""
        if name not in self._named:
            self._named[name] = self._find(name)
        return self._named[name]

    def _find(self, name):
        if name.endswith("*"):
            return self._pointer(self.find(name[:-1].rstrip()))
        if name == "void":
            return self.get(0)
        first, _, last = name.partition(" ")
        kinds = _NAMED.get(first, _ANY) if last else _ANY
        start, size = self._strings
        text = (last if first in _NAMED and last else name).encode()
        at = self._memory.find(b"\0" + text + b"\0", start, start + size)
        found = at >= 0 and self._search(0, 1, at + 1 - start, kinds)
        if not found:
            raise KeyError(f"this Linux has no type {name}")
        return self.get(found[0])

    def _search(self, at, number, wanted, kinds):
        return _hv.btf(self._memory.view(*self._place), at, number, wanted, kinds)

    def get(self, number: int) -> Type:
        """By its number, what it is an alias for."""
        if number not in self._known:
            self._depth += 1
            try:
                if self._depth > _DEPTH:
                    raise ValueError(
                        f"the BTF of this Linux is corrupt: type {number} is made of itself"
                    )
                self._known[number] = self._made(number)
            finally:
                self._depth -= 1
        return self._known[number]

    def _where(self, number):
        index, page = self._index, number - 1 >> 8
        while len(index) <= page:
            first = len(index) << 8
            found = self._search(index[-1], first - 255, first + 1, 0)
            if not found:
                break
            index.append(found[1])
        page = min(page, len(index) - 1)
        found = self._search(index[page], (page << 8) + 1, number, 0)
        if not found:
            raise ValueError(f"the BTF of this Linux has no type {number}: it is corrupt")
        return found[1]

    def _made(self, number):
        if number == 0:
            return Type(self, VOID, "void", 0)
        at = self._place[0] + self._where(number)
        name, info, size = struct.unpack("<3I", self._memory[at : at + 12])
        kind, at = info >> 24 & 31, at + 12
        if _ALIASES >> kind & 1:
            return self.get(size)
        name = self.text(name)
        if kind in (STRUCT, UNION, FWD):
            union = kind == UNION or (kind == FWD and info >> 31)
            name = ("union " if union else "struct ") + (name or "(no name)")
        elif kind in (ENUM, ENUM64):
            name = "enum " + name
        made = Type(self, kind, name or "function", size)
        if kind == PTR:
            made.size, made._to = 8, size
        elif kind == ARRAY:
            number, _, made.count = struct.unpack("<3I", self._memory[at : at + 12])
            made._to = self.get(number)
            made.size = made._to.size * made.count
        elif kind == INT:
            made.coding = self._memory[at + 3] & 15
        elif kind in (ENUM, ENUM64):
            made.coding = info >> 31
        elif kind in (STRUCT, UNION):
            made._records = at, info & 0xFFFF, info >> 31
        else:
            made.size = 4 if kind == FLOAT else 0
        return made

    def _pointer(self, to):
        made = Type(self, PTR, "", 8)
        made._to = to
        return made

    def add_members(self, found, records, base, depth):
        at, count, fields = records or (0, 0, 0)
        self._left -= count + 1
        if depth == 0 or self._left < 0:
            raise ValueError("the BTF of this Linux is corrupt: a struct is in itself")
        data = self._memory[at : at + 12 * count] if count else b""
        for n in range(count):
            name, number, bit = struct.unpack_from("<3I", data, 12 * n)
            bits, bit = (bit >> 24, bit & 0xFF_FFFF) if fields else (0, bit)
            of = self.get(number)
            if name:
                found[self.text(name)] = of, base + bit, bits
            elif of.kind in (STRUCT, UNION):
                self.add_members(found, of._records, base + bit, depth - 1)

    def text(self, place):
        start, size = self._strings
        if place >= size:
            return "?"
        data = self._memory[start + place : start + min(place + 128, size)]
        return string(data)


def find(memory, start, end):
    """The Types of the kernel in [start, end) of a VM's memory, or None."""
    for _ in range(_LOOKS):
        start = memory.find(_MAGIC, start, end)
        if start < 0 or start + 24 > end:
            return None
        places = struct.unpack("<4I", memory[start + 8 : start + 24])
        size = 24 + max(places[0] + places[1], places[2] + places[3])
        if start + size <= end and places[1] > 1 << 20:  # a module's is smaller
            return Types(memory, start + 24, *places)
        start += 8
    return None
