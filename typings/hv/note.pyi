# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/note.py.
"""What a guest says of itself: its strings, fit to print, and a Linux's vmcoreinfo note
(Documentation/admin-guide/kdump/vmcoreinfo.rst)."""

from typing import Any

def printable(data: Any) -> Any: ...
def string(data: Any) -> Any:
    """Of C: up to its NUL."""

class Note:
    """Lines of KEY=value; at: the IPA of the first, OSRELEASE."""

    def __init__(self, memory: Any, at: Any) -> None: ...
    def valid(self) -> Any:
        """Whether it is still there."""
    def release(self) -> Any: ...
    def number(self, key: Any, base: Any=0) -> Any:
        """Of a line, or None. ValueError when it is none."""
    def symbol(self, name: Any) -> Any:
        """The address of a name, or None: of those that dumps need."""
    def voffset(self) -> Any:
        """What is taken off an address in the kernel's image for its IPA, or None."""

def find(memory: Any) -> Any:
    """The Notes that there may be: a kernel from 4.13 on has its own at a page's begin, behind the head of an ELF note
    (kernel/crash_core.c)."""
