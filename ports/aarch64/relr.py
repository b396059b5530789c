#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pack where the linked image holds absolute addresses into the contents of its section .relr.

usage: relr.py IMAGE.elf TABLE.bin

The image is linked at a fixed address with --emit-relocs, so that every R_AARCH64_ABS64 word is still
known. The table is ELF's RELR encoding, 64-bit words, ended by a 0: an even word is the address of one
word to adjust, each odd one after it a bitmap of the 63 words that follow. A table of ELF's ordinary
relocations would be fifty times as long, a quarter of the image.
"""

import struct
import sys

SHT_RELA = 4
SHF_ALLOC = 2
R_AARCH64_ABS64 = 257
R_AARCH64_ABS32 = 258


def sections(elf):
    """Yield (name, type, flags, address, offset, size, info) of each section."""
    (shoff,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    heads = [struct.unpack_from("<IIQQQQII", elf, shoff + i * size) for i in range(count)]
    strings = heads[names][4]
    for name, kind, flags, addr, offset, length, _link, info in heads:
        end = elf.index(b"\0", strings + name)
        yield elf[strings + name : end].decode(), kind, flags, addr, offset, length, info


def absolute_words(elf):
    """The addresses of all words of the loaded image that hold an address, in order."""
    heads = list(sections(elf))
    found = set()
    for name, kind, _flags, _addr, offset, size, info in heads:
        if kind != SHT_RELA or not heads[info][2] & SHF_ALLOC:
            continue
        for where, what, _addend in struct.iter_unpack("<QQq", elf[offset : offset + size]):
            if what & 0xFFFFFFFF == R_AARCH64_ABS64:
                found.add(where)
            elif what & 0xFFFFFFFF == R_AARCH64_ABS32:
                sys.exit("relr.py: %s: a 32-bit address at %#x cannot be moved" % (name, where))
    return sorted(found)


def pack(words):
    """RELR entries for the sorted addresses, without the final 0."""
    table = []
    i = 0
    while i < len(words):
        table.append(words[i])
        base = words[i] + 8
        i += 1
        while i < len(words) and words[i] < base + 63 * 8:
            bits = 0
            while i < len(words) and words[i] < base + 63 * 8:
                bits |= 1 << ((words[i] - base) // 8)
                i += 1
            table.append(bits << 1 | 1)
            base += 63 * 8
    return table


def main():
    with open(sys.argv[1], "rb") as f:
        elf = f.read()
    words = absolute_words(elf)
    for where in words:
        if where % 8:
            sys.exit("relr.py: the address at %#x is not aligned" % where)
    table = pack(words) + [0]
    room = [size for name, _, _, _, _, size, _ in sections(elf) if name == ".relr"]
    if not room:
        table = []  # a linker script without one: the image stays where it is linked
    elif len(table) * 8 > room[0]:
        sys.exit(
            "relr.py: %d bytes of table do not fit the %d of .relr" % (len(table) * 8, room[0])
        )
    with open(sys.argv[2], "wb") as f:
        f.write(struct.pack("<%dQ" % len(table), *table).ljust(room[0] if room else 0, b"\0"))


if __name__ == "__main__":
    main()
