# SPDX-License-Identifier: MIT
"""Reads ELF executables for AArch64, 64-bit, little-endian: what is to be loaded, and its entry.

The names are those of the ELF specification; a source is one of `hv.source`.
"""

import struct

ET_EXEC, ET_DYN = 2, 3
EM_AARCH64 = 183
PT_LOAD = 1
MAX_HEADERS = 256
MAX_SEGMENTS = 64

_MACHINES = (
    (3, "x86"),
    (8, "MIPS"),
    (20, "PowerPC"),
    (21, "64-bit PowerPC"),
    (22, "S/390"),
    (40, "32-bit Arm"),
    (62, "x86-64"),
    (94, "Xtensa"),
    (EM_AARCH64, "AArch64"),
    (243, "RISC-V"),
    (258, "LoongArch"),
)


class Segment:
    """A program header of type PT_LOAD; `end` is exclusive and physical."""

    def __init__(self, number, fields):
        _, _, self.offset, self.vaddr, self.paddr, self.filesz, self.memsz, self.align = fields
        self.name = f"segment {number}"
        self.end = self.paddr + self.memsz


def read(source):
    """(e_type, e_entry, segments that occupy memory), checked; ValueError says what is wrong."""
    kind, entry, table, size, count = _header(source)
    if kind not in (ET_EXEC, ET_DYN):
        raise ValueError(f"{source.name}: an ELF of type {kind}, not an executable: link it first")
    if size != 56 or not 0 < count <= MAX_HEADERS:
        raise ValueError(
            f"{source.name}: {count} program headers of {size} bytes; "
            f"1 to {MAX_HEADERS} of 56 bytes can be loaded"
        )
    headers = source.read(table, size * count, "program headers")
    segments = []
    for number in range(count):
        fields = struct.unpack_from("<IIQQQQQQ", headers, size * number)
        if fields[0] == PT_LOAD:
            segment = Segment(number, fields)
            _check(source, segment)
            if segment.memsz:
                segments.append(segment)
    if not 0 < len(segments) <= MAX_SEGMENTS:
        raise ValueError(
            f"{source.name}: {len(segments)} segments to load; 1 to {MAX_SEGMENTS} are fine"
        )
    _check_apart(source, segments)
    return kind, entry, segments


def physical_entry(source, entry, segments):
    """The physical address of an entry that is, as it should be, virtual, or else physical."""
    for segment in segments:
        if segment.vaddr <= entry < segment.vaddr + segment.memsz:
            return entry - segment.vaddr + segment.paddr
    for segment in segments:
        if segment.paddr <= entry < segment.end:
            return entry
    raise ValueError(f"{source.name}: its entry {entry:#x} is in none of its segments")


def _header(source):
    """(e_type, e_entry, e_phoff, e_phentsize, e_phnum) of an ELF for this machine."""
    head = source.read(0, 20, "ELF header")
    big = head[5] == 2
    machine = struct.unpack_from(">H" if big else "<H", head, 18)[0]
    if head[4] != 2 or head[5] != 1 or machine != EM_AARCH64:
        name = dict(_MACHINES).get(machine, "machine")
        bits, order = {1: 32, 2: 64}.get(head[4], "?"), "big" if big else "little"
        raise ValueError(
            f"{source.name}: an ELF for {name} ({machine}), {bits}-bit, {order}-endian; "
            f"guests are AArch64 ({EM_AARCH64}), 64-bit, little-endian"
        )
    fields = struct.unpack_from("<HHIQQQIHHH", source.read(0, 64, "ELF header"), 16)
    return fields[0], fields[3], fields[4], fields[8], fields[9]


def _check(source, segment):
    if segment.filesz > segment.memsz:
        raise ValueError(
            f"{source.name}: {segment.name} (p_paddr {segment.paddr:#x}) has {segment.filesz} "
            f"bytes in the file but {segment.memsz} in memory"
        )
    if source.size is not None and segment.offset + segment.filesz > source.size:
        source.truncated(f"{segment.name} of {segment.filesz} bytes at {segment.offset:#x}")


def _check_apart(source, segments):
    inorder = sorted(segments, key=lambda segment: segment.paddr)
    for one, two in zip(inorder, inorder[1:]):
        if one.end > two.paddr:
            raise ValueError(
                f"{source.name}: {one.name} and {two.name} overlap at p_paddr {two.paddr:#x}"
            )
