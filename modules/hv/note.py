# SPDX-License-Identifier: MIT
"""What a guest says of itself: its strings, fit to print, and a Linux's vmcoreinfo note
(Documentation/admin-guide/kdump/vmcoreinfo.rst).
"""

_PAGE = 0x1000


def printable(data):
    return "".join([chr(c) if 32 <= c < 127 or c == 9 else "?" for c in data])


def string(data):
    """Of C: up to its NUL."""
    return printable(data.split(b"\0")[0])


class Note:
    """Lines of KEY=value; at: the IPA of the first, OSRELEASE."""

    def __init__(self, memory, at):
        self._memory = memory
        self._at = at
        end = min(at + _PAGE, memory.base + memory.size)
        self._text = memory[at:end].split(b"\0")[0]

    def valid(self):
        """Whether it is still there."""
        return self._memory[self._at : self._at + len(self._text)] == self._text

    def release(self):
        return printable(self._text.split(b"\n")[0][10:])

    def number(self, key, base=0):
        """Of a line, or None. ValueError when it is none."""
        _, found, rest = self._text.partition(b"\n" + key.encode() + b"=")
        return int(rest.split(b"\n")[0], base) if found else None

    def symbol(self, name):
        """The address of a name, or None: of those that dumps need."""
        return self.number(f"SYMBOL({name})", 16)

    def voffset(self):
        """What is taken off an address in the kernel's image for its IPA, or None."""
        return self.number("NUMBER(kimage_voffset)", 16)


def find(memory):
    """The Notes that there may be: a kernel from 4.13 on has its own at a page's begin, behind the head of an ELF note
    (kernel/crash_core.c).
    """
    end = memory.base + memory.size
    start = memory.base + 0x18
    while (at := memory.find(b"OSRELEASE=", start, end, _PAGE)) >= 0:
        yield Note(memory, at)
        start = at + _PAGE
