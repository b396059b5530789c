# SPDX-License-Identifier: MIT
"""An ELF core of a guest: its RAM, its vCPUs' registers, and of a Linux its VMCOREINFO; for gdb, drgn and crash."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import vmcoreinfo

if TYPE_CHECKING:
    from .vm import VM

PAGE = 4096
EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
ET_CORE, EM_AARCH64, PT_LOAD, PT_NOTE, NT_PRSTATUS = 4, 183, 1, 4, 1
# struct elf_prstatus of arm64: 112 bytes that are the process's, x0 to x30, sp, pc, pstate, pr_fpvalid.
PRSTATUS = struct.Struct("<32xI76x34QI4x")


def note(name: bytes, kind: int, data: bytes) -> bytes:
    head = struct.pack("<III", len(name) + 1, len(data), kind)
    return head + _padded(name + b"\0") + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def notes(vm: VM) -> bytes:
    """A thread for each vCPU, numbered from 1 on."""
    made = b""
    for cpu in vm.cpu:
        # One call for all: a round trip takes milliseconds.
        values = vm._session.call(
            f"(lambda c: [c.x[n] for n in range(31)] + [c.sp, c.pc, c.pstate])({cpu._there})"
        )
        made += note(b"CORE", NT_PRSTATUS, PRSTATUS.pack(cpu.id + 1, *values, 0))
    if info := vmcoreinfo.find(vm):
        made += note(b"VMCOREINFO", 0, info)
    return made


def save(vm: VM, path: Path, told: Callable[[int, int], object] | None = None) -> None:
    """Writes the core of a VM that does not run. told(bytes so far, of how many)."""
    about, runs = notes(vm), vm.present()
    total = sum(size for _, size in runs)
    at = EHDR.size + PHDR.size * (1 + len(runs))
    headers = PHDR.pack(PT_NOTE, 0, at, 0, 0, len(about), len(about), 4)
    at += len(about) + (-at - len(about)) % PAGE
    loads = []
    for start, size in runs:
        # Virtual as physical: so it is for a kernel that runs without an MMU, or maps itself so. A Linux has tables.
        headers += PHDR.pack(PT_LOAD, 7, at, start, start, size, size, PAGE)
        loads.append((at, start, size))
        at += size
    identity = b"\x7fELF\2\1\1" + bytes(9)
    header = EHDR.pack(
        *(identity, ET_CORE, EM_AARCH64, 1, 0, EHDR.size, 0, 0),
        *(EHDR.size, PHDR.size, 1 + len(runs), 0, 0, 0),
    )
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if told:
            told(done, total)

    with path.open("wb") as file:
        file.write(header + headers + about)
        for offset, start, size in loads:
            data = vm.fetch(start, size, step)
            for page in range(0, size, PAGE):  # zeros are holes in the file
                if data.count(0, page, page + PAGE) < min(PAGE, size - page):
                    file.seek(offset + page)
                    file.write(data[page : page + PAGE])
        file.truncate(at)
