# SPDX-License-Identifier: MIT
"""A Linux's own note on itself, in its memory: VMCOREINFO (Documentation/admin-guide/kdump/vmcoreinfo.rst)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .vm import VM

PAGE = 4096
# The kernel keeps the text behind an ELF note's header in a page of its own: 3 words, then the padded name.
HEADER = 12
NAME = b"VMCOREINFO\0\0"


def find(vm: VM) -> bytes | None:
    """Its text, None when this guest is no Linux that has come so far."""
    base = vm.memory.base
    for start, size in vm.present():
        at = start
        while (at := vm.memory.find(NAME + b"OSRELEASE=", at, start + size)) >= 0:
            if (at - HEADER - base) % PAGE == 0:
                head = vm.fetch(at - HEADER, HEADER)
                names, length = (int.from_bytes(head[n : n + 4], "little") for n in (0, 4))
                if names == 11 and length < 2 * PAGE:
                    return vm.fetch(at + len(NAME), length).rstrip(b"\0")
            at += 1
    return None
