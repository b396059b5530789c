# SPDX-License-Identifier: MIT
"""The names of a Linux that runs in a guest, for gdb: its own kallsyms, fetched over gdb's line, as an ELF file."""

import os
import select
import socket
import struct
import tty
from pathlib import Path

WHERE = "k = vm.symbols.kernel(); print(repr(k and not vm._images and (k.places(), k.base())))"
# Of each name in these tables: so many instructions from its function's start on x29 is its frame record; 255: it makes none.
RECORDS = """
import micropython
@micropython.viper
def _records(offsets: ptr32, n: int, text: ptr32, words: int, found: ptr8):
    for i in range(n):
        at = int(offsets[i]) >> 2
        found[i] = 255
        for k in range(24):
            if at + k >= words:
                break
            word = int(text[at + k])
            if word == 0xD65F03C0:
                break
            if word & 0xFFC003FF == 0x910003FD:
                found[i] = k + 1
                break
def _tell():
    from binascii import hexlify
    m, (place, size) = vm.memory, k.places()[3]
    offsets, begin = m.view(place, size), hv.breaks.find(vm, k.base())[1]
    last = int.from_bytes(m[place + size - 4 : place + size], "little") & ~3
    found = bytearray(size // 4)
    text = m.view(begin, last + 4)
    _records(offsets, size // 4, text, (last + 4) // 4, found)
    for at in range(0, len(found), 4096):
        print(hexlify(found[at : at + 4096]).decode(), end="")
_tell()
"""
PIECE = 0x1F00  # bytes of a packet
Where = tuple[list[tuple[int, int]], int]  # of the tables (IPA, bytes), and kallsyms_relative_base
Names = list[tuple[int, str, str]]  # (address, type as in /proc/kallsyms, name)


class Line:
    """gdb's remote serial protocol, as far as memory by physical addresses wants it. path: a socket's, or a terminal's."""

    def __init__(self, path: Path | str):
        if Path(path).is_socket():
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(path))
                self._fd = line.detach()
        else:
            self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self._fd)
        self._unread = b""
        self.ask(b"qSupported:binary-upload+")
        self.ask(b"qRcmd," + b"phys on".hex().encode())

    def ask(self, payload: bytes) -> bytes:
        """What it answers."""
        os.write(self._fd, b"$%s#%02x" % (payload, sum(payload) & 255))
        while True:
            start, end = self._unread.find(b"$"), self._unread.find(b"#")
            if 0 <= start < end and len(self._unread) >= end + 3:
                answer, self._unread = self._unread[start + 1 : end], self._unread[end + 3 :]
                os.write(self._fd, b"+")
                return answer
            if not select.select([self._fd], [], [], 60)[0]:
                raise ConnectionError("the target does not answer on gdb's line")
            if not (fresh := os.read(self._fd, 65536)):
                raise ConnectionError("the target has closed gdb's line")
            self._unread += fresh

    def read(self, ipa: int, size: int) -> bytes:
        data = b""
        while len(data) < size:
            answer = self.ask(b"x%x,%x" % (ipa + len(data), min(PIECE, size - len(data))))
            if not answer.startswith(b"b") or len(answer) == 1:
                raise ConnectionError(f"no RAM at {ipa + len(data):#x}: {answer[:80]!r}")
            head, *rest = answer[1:].split(b"}")
            for piece in rest:
                head += bytes((piece[0] ^ 0x20,)) + piece[1:] if piece else b""
            data += head
        return data

    def close(self) -> None:
        self.ask(b"D")
        os.close(self._fd)


def names(parts: list[bytes], base: int) -> Names:
    """What kallsyms_names, _token_table, _token_index and _offsets say (kernel/kallsyms.c)."""
    packed, table, index, offsets = parts
    starts = struct.unpack("<256H", index[:512])
    tokens = [table[at : table.find(b"\0", at)].decode("latin-1") for at in starts]
    found, at = [], 0
    for (offset,) in struct.iter_unpack("<I", offsets):
        size, at = packed[at], at + 1
        if size & 0x80:
            size, at = size & 0x7F | packed[at] << 7, at + 1
        text = "".join([tokens[c] for c in packed[at : at + size]])
        found.append((base + offset & (1 << 64) - 1, text[:1], text[1:]))
        at += size
    return found


def _entry(body: bytes) -> bytes:
    body += bytes(-len(body) % 8)  # DW_CFA_nop
    return struct.pack("<I", len(body)) + body


def frames(known: Names, behind: dict[int, int], records: bytes) -> bytes:
    """.debug_frame (DWARF 4, 6.4) of functions that keep frame records: the caller is in x30 until that is made, then x29 leads to it.

    Where the stack pointer was is not known: it is said to be behind the record.
    """
    # Version 1, code in 4s, data in -8s, x30: at first CFA is SP.
    made = bytearray(_entry(b"\xff\xff\xff\xff\1\0\4\x78\x1e\x0c\x1f\0"))
    seen = set()
    for (start, kind, name), at in zip(known, records):
        if kind not in "tTwW" or name.startswith("$") or start in seen or behind[start] <= start:
            continue
        seen.add(start)
        code = b"\x02" + bytes([at]) + b"\x0c\x1d\x10\x9d\2\x9e\1" if at < 255 else b""
        made += _entry(struct.pack("<IQQ", 0, start, behind[start] - start) + code)
    return bytes(made)


def elf(known: Names, records: bytes = b"") -> bytes:
    """An ELF file that has these names, and no code: gdb reads that from the guest."""
    code = [entry for entry in known if entry[1] in "tTwW" and not entry[2].startswith("$")]
    ends = sorted({address for address, _, _ in code})
    first, last = ends[0], ends[-1] + 4
    behind = dict(zip(ends, [*ends[1:], last]))
    symbols, texts = [bytes(24)], b"\0"
    joined = bytearray(texts)
    for address, kind, name in known:
        is_code = kind in "tTwW"
        if name.startswith("$"):
            continue
        size = behind[address] - address if is_code else 0
        info = 1 << 4 | (2 if is_code else 1)  # global; FUNC, OBJECT
        section = 1 if is_code else 0xFFF1  # SHN_ABS
        symbols.append(struct.pack("<IBBHQQ", len(joined), info, 0, section, address, size))
        joined += name.encode("latin-1") + b"\0"
    symtab, strtab = b"".join(symbols), bytes(joined)
    shstrtab, cfi = b"\0.text\0.symtab\0.strtab\0.debug_frame\0", frames(known, behind, records)
    at = 64 + 5 * 64
    places = [at, at + len(symtab), at + len(symtab) + len(strtab) + len(shstrtab)]
    header = b"\x7fELF\2\1\1" + bytes(9)
    # No entry: gdb's backtrace would end in whatever function is there.
    header += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0, 0, 64, 0, 64, 0, 0, 64, 5, 3)
    sections = [
        bytes(64),
        struct.pack("<IIQQQQIIQQ", 1, 8, 6, first, at, last - first, 0, 0, 4, 0),  # NOBITS, AX
        struct.pack("<IIQQQQIIQQ", 7, 2, 0, 0, places[0], len(symtab), 3, 1, 8, 24),
        struct.pack(
            "<IIQQQQIIQQ", 15, 3, 0, 0, places[1], len(strtab) + len(shstrtab), 0, 0, 1, 0
        ),
        struct.pack("<IIQQQQIIQQ", 23, 1, 0, 0, places[2], len(cfi), 0, 0, 8, 0),
    ]
    # One table of strings for both: the sections' names are behind the symbols'.
    sections = sections[:1] + [
        struct.pack("<I", struct.unpack_from("<I", s)[0] + len(strtab)) + s[4:]
        for s in sections[1:]
    ]
    return header + b"".join(sections) + symtab + strtab + shstrtab + cfi


def fetch(line: Path | str, where: Where, out: Path, records: str = "") -> int:
    """Writes the file; how many names it has. where, records: what WHERE and RECORDS print on the target."""
    places, base = where
    reader = Line(line)
    try:
        known = names([reader.read(*place) for place in places], base)
    finally:
        reader.close()
    out.write_bytes(elf(known, bytes.fromhex(records)))
    return len(known)
