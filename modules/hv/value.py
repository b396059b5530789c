# SPDX-License-Identifier: MIT
"""Structures in a Linux's memory: what k["init_task"] is, and what its members are."""

from .btf import ARRAY, ENUM, ENUM64, FLOAT, INT, PTR, STRUCT, UNION
from .note import string

_SHOWN = 16  # elements of an array


class Value:
    """A struct, union or array where it is in a kernel, or a pointer that has been read.

    v.member, v["member"]: a member, of what a pointer points to as well; v[n]: an element; int(v): its address, or where a
    pointer points to. Numbers are int, arrays of char str. Read when asked for.
    """

    def __init__(self, kernel, of, at):
        self._k, self._of, self._at = kernel, of, at

    def __getattr__(self, name):
        of = self._of.to if self._of.kind == PTR else self._of
        if of.kind not in (STRUCT, UNION):
            raise AttributeError(f"{self._of.name} has no members, nor {name}")
        if name not in of.members:
            raise AttributeError(f"{of.name} has no member {name}")
        of, bit, bits = of.members[name]
        if not self._at and self._of.kind == PTR:
            self._k._fault(0, f"{self._of.name} is NULL, and has no {name}")
        return read(self._k, of, self._at + bit // 8, bit & 7, bits)

    def __getitem__(self, n):
        if isinstance(n, str):
            return self.__getattr__(n)
        of = self._of
        if of.kind not in (ARRAY, PTR):
            raise TypeError(f"{of.name} has no elements")
        if of.kind == ARRAY and of.count and not 0 <= n < of.count:
            raise IndexError(f"{of.name} has {of.count} elements, from 0 on, and no {n}")
        return read(self._k, of.to, self._at + n * of.to.size, 0, 0)

    def __len__(self):
        if self._of.kind != ARRAY:
            raise TypeError(f"{self._of.name} has no length")
        return self._of.count

    def __int__(self):
        return self._at

    def __bool__(self):
        return self._at != 0

    def __hash__(self):
        return self._at

    def __eq__(self, other):
        return isinstance(other, (Value, int)) and self._at == int(other)

    def __repr__(self):
        of = self._of
        if of.kind == PTR:
            name = "" if not self._at else self._k._name_of(self._at)
            text = ""
            if of.to._name == "char" and self._at:
                try:
                    text = " " + repr(self._k.string(self._at))
                except OSError:
                    pass
            return f"({of.name}){self._at:#x}{name}{text}"
        if of.kind == ARRAY:
            return f"({of.name}) at {self._at:#x}: [{self._elements()}]"
        if of.kind not in (STRUCT, UNION):
            return f"({of.name}) at {self._at:#x}{self._k._name_of(self._at)}"
        lines = [f"{of.name} at {self._at:#x}" + " {"]
        for name in of.members:
            lines.append(f"  {name}: {self._short(name)}")
        return "\n".join(lines) + "\n}"

    def _short(self, name):
        try:
            value = self.__getattr__(name)
        except OSError as e:
            return f"({e})"
        if not isinstance(value, Value) or value._of.kind in (PTR, ARRAY):
            return repr(value)
        return f"{value._of.name} at {value._at:#x}"

    def _elements(self):
        shown = [
            repr(self[n]) if self._of.to.kind != STRUCT else "..."
            for n in range(min(self._of.count, _SHOWN))
        ]
        return ", ".join(shown) + (", ..." if self._of.count > _SHOWN else "")


def read(kernel, of, at, bit=0, bits=0):
    """What is at an address, of a Type: an int, a bool, a str, or a Value."""
    kind = of.kind
    if kind == PTR:
        return Value(kernel, of, kernel.number(at))
    if kind == ARRAY and of.to._name == "char":
        return string(kernel.read(at, of.size))
    if kind not in (INT, ENUM, ENUM64, FLOAT):
        return Value(kernel, of, at)
    number = kernel.number(at, of.size)
    if bits:
        number = number >> bit & (1 << bits) - 1
    bits = bits or 8 * of.size
    if kind == INT and of.coding & 4:
        return bool(number)
    if of.coding & 1 and number >> bits - 1:
        number -= 1 << bits
    return number
