# SPDX-License-Identifier: MIT
"""What a page shows: the target's answers, as of the last one, and how fast exits come."""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..draw import CLASSES

KEPT = 480  # points of a chart: two minutes at four a second
SAID = 1 << 18  # bytes of a console for a page that is opened later
OTHER = {0x19: "SVE", 0x30: "breakpoint", 0x32: "step", 0x34: "watchpoint", 0x3C: "BRK"}


def class_of(key: str) -> str:
    """An exception class as cpu.exits has it, as text in a JSON object, in words."""
    if not key.isdigit():
        return CLASSES.get(key, key)
    ec = int(key)
    return CLASSES.get(ec) or OTHER.get(ec) or f"class {ec:#04x}"


@dataclass
class Cpu:
    """A vCPU. state, core, pc, pstate: as cpu.now; place: the PC as function and offset; exits: by class."""

    state: str
    core: int | None
    pin: int | None
    pc: int
    place: str
    pstate: int
    exits: dict[str, int]

    @property
    def level(self) -> str:
        return f"EL{self.pstate >> 2 & 3}" + (" (AArch32)" if self.pstate & 16 else "")


@dataclass
class Vm:
    """A VM. at_prompt: its name there; said: what its console has printed, and how far that goes on the target."""

    key: int
    at_prompt: str = ""
    name: str = ""
    ram: int = 0
    running: bool = False
    ended: str = ""
    cpus: list[Cpu] = field(default_factory=list)
    breaks: list[tuple[str, int, bool, str]] = field(default_factory=list)
    snapshots: list[tuple[int, str | None]] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    said: bytearray = field(default_factory=bytearray)
    seen: int = 0
    rates: deque[tuple[float, dict[str, float]]] = field(
        default_factory=lambda: deque(maxlen=KEPT)
    )
    _before: tuple[int, dict[str, int]] | None = None

    def totals(self) -> dict[str, int]:
        """Exits by class, of all of its vCPUs."""
        sums: dict[str, int] = {}
        for cpu in self.cpus:
            for key, count in cpu.exits.items():
                sums[class_of(key)] = sums.get(class_of(key), 0) + count
        return sums

    def take(self, said: dict[str, Any], us: int) -> bytes:
        """The target's answer about it; what its console has printed since the last one."""
        for name in ("at_prompt", "name", "ram", "running", "ended", "counts"):
            setattr(self, name, said[name])
        self.cpus = [Cpu(*each) for each in said["cpus"]]
        self.breaks = [(str(b[0]), b[1], b[2], b[3]) for b in said["breaks"]]
        self.snapshots = [(s[0], s[1]) for s in said["snapshots"]]
        self.seen, text = said["said"]
        fresh = base64.b64decode(text)
        self.said += fresh
        del self.said[:-SAID]
        self._measure(us)
        return fresh

    def _measure(self, us: int) -> None:
        totals = self.totals()
        if self._before:
            then, counted = self._before
            seconds = ((us - then) % (1 << 30)) / 1e6  # time.ticks_us() goes round
            if seconds <= 0:
                return
            # After vm.back() counters of rules go back, and these stay; a new VM of the same name begins at 0.
            rates = {k: max(0, n - counted.get(k, 0)) / seconds for k, n in totals.items()}
            self.rates.append((us / 1e6, rates))
        self._before = us, totals


class Model:
    """The VMs of a target, by key, in the order of the prompt's names."""

    def __init__(self) -> None:
        self.vms: dict[int, Vm] = {}
        self.memory = (0, 0)  # bytes free, bytes in all
        self.took = 0  # us of the target for the answers of a period

    def question(self) -> dict[str, int]:
        return {str(vm.key): vm.seen for vm in self.vms.values()}

    def take(self, answer: dict[str, Any]) -> dict[int, bytes]:
        """The target's answer; what consoles have printed since the last one, by key."""
        self.memory = answer["memory"][0], answer["memory"][1]
        self.took = answer["took"]
        known, self.vms = self.vms, {}
        fresh = {}
        for said in answer["vms"]:
            if said["key"] in self.vms:
                continue  # a second name of the same VM
            vm = self.vms[said["key"]] = known.get(said["key"]) or Vm(said["key"])
            fresh[vm.key] = vm.take(said, answer["us"])
        return fresh

    def vm(self, key: int | None) -> Vm | None:
        """That one, or the first."""
        found = self.vms.get(key) if key is not None else None
        return found or next(iter(self.vms.values()), None)
