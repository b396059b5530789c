# SPDX-License-Identifier: MIT
"""Symbols of an ELF64 file (System V gABI, chapter 4), read when one is asked for."""

import struct

_SHT_SYMTAB = 2
_SECTION = "<IIQQQQIIQQ"
_SYMBOL = "<IBBHQQ"
_BATCH = 64


def find(source, name: str) -> int:
    """The value of symbol `name` in a path, file or buffer; KeyError when it is not there."""
    from .source import open_source

    opened, file = open_source(source)
    try:
        for section in _sections(opened):
            if section[1] == _SHT_SYMTAB:
                value = _search(opened, section, name.encode())
                if value is not None:
                    return value
    finally:
        if file:
            file.close()
    raise KeyError(f"{opened.name} has no symbol {name}")


def at(source, address: int) -> str:
    """The function or object that an address is in, as "name" or "name+0x10"; KeyError when it is in none."""
    from .source import open_source

    opened, file = open_source(source)
    best = None
    try:
        sections = _sections(opened)
        for section in sections:
            for symbol in _symbols(opened, section) if section[1] == _SHT_SYMTAB else ():
                name, kind, _, part, value, size = symbol
                kind &= 15
                if kind > 2 or not name or part >= len(sections):
                    continue
                start, length = sections[part][3], sections[part][5]
                end = value + size if size else start + length  # of a label: to the next one
                if value <= address < end and (best is None or value >= best[0]):
                    strings = opened.read(section[10], section[11], "symbol names")
                    best = value, strings[name:].split(b"\0")[0].decode()
    finally:
        if file:
            file.close()
    if best is None:
        raise KeyError(f"{opened.name} has no symbol at {address:#x}")
    return best[1] + (f"+{address - best[0]:#x}" if address > best[0] else "")


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
    return [s + (found[s[6]][4], found[s[6]][5]) if s[1] == _SHT_SYMTAB else s for s in found]


def _search(source, section, name):
    strings = source.read(section[10], section[11], "symbol names")
    for symbol in _symbols(source, section):
        start = symbol[0]
        if strings[start : start + len(name) + 1] == name + b"\0":
            return symbol[4]
    return None


def _symbols(source, section):
    offset, size, entry = section[4], section[5], section[9]
    for at in range(0, size, entry * _BATCH):
        batch = source.read(offset + at, min(entry * _BATCH, size - at), "symbols")
        for i in range(0, len(batch), entry):
            yield struct.unpack(_SYMBOL, batch[i : i + entry])
