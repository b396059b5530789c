# SPDX-License-Identifier: MIT
"""Basic blocks of a guest's code, found by following its branches from where it begins (DDI 0487 C4.1.65).

Where a branch goes by a register (BR, BLR) only the guest knows: a table of a switch ends what is found.
"""

import struct


def _signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


def branch(word, pc):
    """(where a branch goes or None, whether what is behind it is executed too, whether a block ends there)."""
    if word & 0x7C00_0000 == 0x1400_0000:  # B, BL
        return pc + 4 * _signed(word & 0x3FF_FFFF, 26), word >> 31, not word >> 31
    if word & 0xFF00_0000 == 0x5400_0000 or word & 0x7E00_0000 == 0x3400_0000:  # B.cond, CBZ, CBNZ
        return pc + 4 * _signed(word >> 5 & 0x7FFFF, 19), True, True
    if word & 0x7E00_0000 == 0x3600_0000:  # TBZ, TBNZ
        return pc + 4 * _signed(word >> 5 & 0x3FFF, 14), True, True
    if word & 0xFE00_0000 == 0xD600_0000:  # BR, BLR, RET, ERET
        return None, word >> 21 & 0xF == 1, word >> 21 & 0xF != 1
    ends = word >> 16 == 0 or word & 0xFFE0_001F == 0xD420_0000  # UDF, BRK
    return None, not ends, ends


class _Code:
    # Words of the guest's, a page at a time.
    def __init__(self, cpu):
        self._cpu, self._pages = cpu, {}

    def __call__(self, at):
        page = at & -4096
        words = self._pages.get(page)
        if words is None:
            data = self._cpu.read(page, 4096)
            words = struct.unpack(f"<{len(data) // 4}I", data)
            self._pages[page] = words
        i = (at & 4095) >> 2
        return words[i] if i < len(words) else 0


def discover(cpu, entries, most=65536):
    """{address: bytes} of the blocks that are reached from these addresses, functions that they call included; most: instructions that are looked at."""
    code = _Code(cpu)
    starts, seen, todo = set(entries), set(), list(entries)
    while todo and len(seen) < most:
        pc = todo.pop()
        while pc not in seen:
            seen.add(pc)
            to, on, ends = branch(code(pc), pc)
            if to is not None and to & 3 == 0 and code(to) >> 16:
                starts.add(to)
                todo.append(to)
            pc += 4
            if not on:
                break
            if ends:
                starts.add(pc)
    return {at: size(code, at, starts) for at in starts if at in seen}


def size(code, at, starts=()):
    """The bytes of the block that begins there."""
    pc = at
    while pc - at < 0x1000:
        _, _, ends = branch(code(pc), pc)
        pc += 4
        if ends or pc in starts:
            break
    return pc - at


def sizes(cpu, starts):
    """{address: bytes} of blocks whose beginnings are known."""
    code = _Code(cpu)
    return {at: size(code, at, starts) for at in starts}
