# SPDX-License-Identifier: MIT
"""Names and addresses of a guest, both ways: what vm.symbol(), vm.address() and all that takes a place in a guest
use. Names come from the ELF files that were loaded (System V gABI, chapter 4), the newest first.
"""

import struct

_SHT_SYMTAB = 2
_SECTION = "<IIQQQQIIQQ"
_SYMBOL = "<IBBHQQ"
_BATCH = 64


def resolve(vm, where) -> int:
    """The address of a place in a guest: an int as it is, "name", "name+0x10", "name-4".

    KeyError for a name that nothing knows, with names that are nearly it; ValueError when nothing is known at all.
    """
    if isinstance(where, int):
        return where
    if not isinstance(where, str):
        raise TypeError(f"a place is an address or a name, as in 'main+0x10', not {where!r}")
    name, offset = _split(where)
    tables = _tables(vm)
    for table in tables:
        value = table.find(name)
        if value is not None:
            return value + offset & (1 << 64) - 1
    near = []
    for table in tables:
        near += [each for each in table.near(name) if each not in near]
    text = f"; it has {', '.join(near[:3])}" if near else ""
    raise KeyError(f"{', '.join([table.name for table in tables])} has no symbol {name}{text}")


def at(vm, address: int) -> str:
    """The function or object that an address is in, as "name" or "name+0x10"; KeyError when it is in none."""
    tables = _tables(vm)
    best = None
    for table in tables:
        found = table.at(address)
        if found and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        names = ", ".join([table.name for table in tables])
        raise KeyError(f"{names} has no symbol at {address:#x}")
    return best[2] + (f"+{address - best[0]:#x}" if address > best[0] else "")


def _split(where):
    """("name", 0x10) of "name+0x10"."""
    for sign in "+-":
        name, mark, offset = where.rpartition(sign)
        if mark and name:
            try:
                return name, int(sign + offset, 0)
            except ValueError:
                pass  # part of the name
    return where, 0


def _tables(vm):
    if not vm._images:
        raise ValueError(f"{vm.name} has no symbols: nothing has been loaded")
    return [Elf(source, slide) for source, slide in reversed(vm._images)]


def _alike(one, two):
    """How much of two names is the same at both ends: of one that is a slip away, all of it."""
    most = min(len(one), len(two))
    head = tail = 0
    while head < most and one[head] == two[head]:
        head += 1
    while tail < most - head and one[-1 - tail] == two[-1 - tail]:
        tail += 1
    return 2 * (head + tail) - max(len(one), len(two)) if 3 * (head + tail) >= 2 * most else None


class Elf:
    """The symbols of an ELF file; `slide` is added to its addresses."""

    def __init__(self, source, slide):
        from .source import open_source

        self.slide = slide
        opened, file = open_source(source)
        try:
            self.name = opened.name
            self.sections = _sections(opened)
            self.parts = [
                (opened.read(s[4], s[5], "symbols"), opened.read(s[10], s[11], "symbol names"))
                for s in self.sections
                if s[1] == _SHT_SYMTAB
            ]
        finally:
            if file:
                file.close()

    def find(self, name):
        name = name.encode()
        for fields, names in self._all():
            start = fields[0]
            if fields[3] and names[start : start + len(name) + 1] == name + b"\0":
                return fields[4] + self.slide
        return None

    def at(self, address):
        """(address, size, name) of what it is in, or None."""
        address -= self.slide
        best = None
        for fields, names in self._all():
            start, kind, _, part, value, size = fields
            if kind & 15 > 2 or not start or part >= len(self.sections) or not value:
                continue
            first, length = self.sections[part][3], self.sections[part][5]
            end = value + size if size else first + length  # of a label: to the next one
            if value <= address < end and (best is None or value >= best[0]):
                best = value, size, names[start:].split(b"\0")[0].decode()
        return best and (best[0] + self.slide, best[1], best[2])

    def near(self, name):
        found = []
        for fields, names in self._all():
            other = names[fields[0] :].split(b"\0")[0].decode()
            score = _alike(name, other)
            if score is not None and other and other[0] != "$":
                found.append((-score, other))
        return [other for _, other in sorted(found)[:3]]

    def _all(self):
        for symbols, names in self.parts:
            for offset in range(0, len(symbols) - 23, 24):
                yield struct.unpack_from(_SYMBOL, symbols, offset), names


def _sections(source):
    head = source.read(0, 64, "ELF header")
    (offset,) = struct.unpack("<Q", head[40:48])
    size, count = struct.unpack("<HH", head[58:62])
    if head[:4] != b"\x7fELF" or size != 64:
        return []
    found = [
        struct.unpack(_SECTION, source.read(offset + i * size, size, "section header"))
        for i in range(count)
    ]
    # A symbol table's names are in the section its sh_link names.
    return [
        s + (found[s[6]][4], found[s[6]][5]) if s[1] == _SHT_SYMTAB and s[6] < count else s
        for s in found
    ]
