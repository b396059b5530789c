# SPDX-License-Identifier: MIT
"""elapid look: which target, and which guest it begins with."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from ..background import Background
from ..image import IN_SOURCE, PACKAGE, SOURCE
from ..say import say
from .machine import Machine
from .server import Server, libraries, serve

GUEST = (SOURCE / "build/guests" if IN_SOURCE else PACKAGE / "data") / "pulse.elf"
# What is typed when no VM is there. Each is shown, as somebody would have typed it.
LINES = (
    "import hv",
    'vm = hv.VM("pulse", ram="16M", cpus=2)',
    "vm.load({path!r})",
    "vm.hvc(0xC600_0001, lambda cpu, a, b, *more: a + b)",
    "vm.mmio(0x0B00_0000, 0x1000, lambda cpu, offset, value: 20 + cpu.exits[22] % 5)",
    'sample1 = vm.trace("exit irq", "2K")',
    "vm.start()",
)


def look(machine: Sequence[str], port: int, headless: bool) -> int:
    """Serves the page until Ctrl-C. The exit status."""
    libraries()
    joins = Background("pty").pid() is not None
    if joins:
        say("joins the target of `elapid serve`")
    guest = GUEST if GUEST.is_file() else None
    on_virt = not joins and "virt" in machine[list(machine).index("-machine") + 1]
    files: list[Path] = [guest] if guest and on_virt else []
    target = Machine(None if joins else machine, files)
    server = Server(target, guest, LINES if guest else (), port)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(server, headless))
    return 0
