# SPDX-License-Identifier: MIT
"""drgn (drgn.readthedocs.io) on a guest, running or stopped, over the target's prompt.

A Linux is known by its VMCOREINFO: drgn then walks its page tables itself. Of any other guest addresses are the first
vCPU's, by both stages. Pages are kept until the guest has run again.
"""

from __future__ import annotations

import os
import struct
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import drgn

from . import vmcoreinfo
from .say import Stop

if TYPE_CHECKING:
    from .vm import VM

PAGE = 4096
AHEAD = 4  # pages that are brought at once
MOMENT = 0.3  # seconds for which pages of a running guest are kept


class Pages:
    """The guest's memory for drgn, a page at a time: kept until it is started, for a moment while it runs."""

    def __init__(self, vm: VM):
        self.vm = vm
        self.base, self.size = vm.memory.base, vm.memory.size
        self.known: dict[int, bytes] = {}
        self.starts, self.until = -1, 0.0
        self.fetched = 0

    def _fresh(self) -> None:
        if self.starts != self.vm._starts or time.monotonic() > self.until:
            self.known.clear()
            self.starts = self.vm._starts
            self.until = time.monotonic() + MOMENT if self.vm.running else float("inf")

    def physical(self, address: int, count: int, offset: int, is_physical: bool) -> bytes:
        """As drgn.Program.add_memory_segment() wants it."""
        self._fresh()
        data = bytearray()
        while len(data) < count:
            at = address + len(data)
            page = self._page(at & -PAGE)
            data += page[at % PAGE : at % PAGE + count - len(data)]
        return bytes(data)

    def _page(self, page: int) -> bytes:
        if page not in self.known:
            size = min(AHEAD * PAGE, self.base + self.size - page)
            data = self.vm.fetch(page, size)
            self.fetched += size
            for at in range(0, size, PAGE):
                self.known.setdefault(page + at, data[at : at + PAGE])
        return self.known[page]

    def virtual(self, address: int, count: int, offset: int, is_physical: bool) -> bytes:
        """By the first vCPU's translation."""
        data = bytearray()
        while len(data) < count:
            at = address + len(data)
            ipa = self._translated(at & -PAGE)
            if ipa is None:
                raise drgn.FaultError("no such address in the guest", at)
            some = min(PAGE - at % PAGE, count - len(data))
            data += self.physical(ipa + at % PAGE, some, 0, True)
        return bytes(data)

    def _translated(self, page: int) -> int | None:
        where = self.vm._session.call(f"_elapid.ipa({self.vm._there}.cpu[0], {page})")
        return where if where is not None and self.base <= where < self.base + self.size else None


def program(vm: VM, files: Sequence[str | os.PathLike[str]] = ()) -> Any:
    """A drgn.Program of this guest. files: with its debug information."""
    made = drgn.Program(drgn.Platform(drgn.Architecture.AARCH64))
    pages = Pages(vm)
    if info := vmcoreinfo.find(vm):
        made.add_memory_segment(pages.base, pages.size, pages.physical, True)
        made.set_linux_kernel_custom(info, True)
        if files:
            try:
                made.load_debug_info([os.fspath(file) for file in files], default=False)
            except (
                Exception
            ) as error:  # drgn's own kinds: no ELF file, no DWARF, of another kernel
                raise Stop(str(error)) from None
        return made
    made.add_memory_segment(0, (1 << 64) - 1, pages.virtual, False)
    for file in files:
        module = made.extra_module(os.fspath(file), create=True)
        module.address_ranges = loaded_at(Path(file))
        module.try_file(os.fspath(file), force=True)  # small kernels have no build ID
    return made


def loaded_at(path: Path) -> list[tuple[int, int]]:
    """Where an ELF file's segments are."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\2\1":
        raise Stop(f"{path} is no 64-bit little-endian ELF file")
    at, size, count = struct.unpack_from("<Q14xHH", data, 32)
    ranges = []
    for header in range(at, at + size * count, size):
        kind, address, _, _, memory = struct.unpack_from("<I12xQQQQ", data, header)
        if kind == 1 and memory:
            ranges.append((address, address + memory))
    return ranges


def stack(made: Any, vm: VM, cpu: int = 0) -> Any:
    """A drgn.StackTrace of a vCPU that stands still, by its frame records."""
    frames = vm.cpu[cpu].where().frames
    # drgn takes each for a return address, the first one too.
    return made.stack_trace_from_pcs([each[0] + (n == 0) for n, each in enumerate(frames)])


def run(vm: VM, files: Sequence[str | os.PathLike[str]], code: str | None) -> int:
    """A drgn prompt, or one piece of code: prog, vm and stack(cpu) are there. The exit status."""
    made = program(vm, files)
    names = {"prog": made, "vm": vm, "stack": lambda cpu=0: stack(made, vm, cpu)}
    if code is None:
        from drgn.cli import run_interactive

        run_interactive(made, globals_func=lambda given: given | names)
        return 0
    drgn.set_default_prog(made)
    helpers: dict[str, object] = {}
    exec("from drgn import *\nfrom drgn.helpers.common import *", helpers)
    if made.flags & drgn.ProgramFlags.IS_LINUX_KERNEL:
        exec("from drgn.helpers.linux import *", helpers)
    try:
        exec(compile(code, "-e", "exec"), helpers | names)
    except Exception as error:  # of the code: as Python says it, without what is around it
        inner = error.__traceback__ and error.__traceback__.tb_next
        traceback.print_exception(error.with_traceback(inner))
        return 1
    return 0
