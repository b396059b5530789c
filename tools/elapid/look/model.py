# SPDX-License-Identifier: MIT
"""What a page shows: the target's answers, as of the last one, and how fast exits come."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..draw import CLASSES

KEPT = 480  # points of a chart: two minutes at four a second
SAID = 1 << 18  # bytes of a console for a page that is opened later
SAMPLE = "sample"  # how the names of traces begin that are the page's
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


# What answers, and what it is.
TIERS = {"native": "native: C, vectors", "rules": "rules", "Python": "Python handlers"}
COST = re.compile(r"([\d,]+) instructions")


@dataclass
class Answer:
    """Who answers exits of a kind: by a trace that samples them. kind: as in vm.trace(); said: vm.why()'s words; last: the
    latest, (us, vCPU, core, PC, its place, ESR_EL2, value); share: of the sample.
    """

    tier: str
    said: str
    kind: str
    share: float
    last: tuple[int, int, int, int, str, int, int]

    @property
    def who(self) -> str:
        return re.split(r"[:;]", re.sub(r", \d+ hits?", "", self.said))[0]

    @property
    def cost(self) -> str:
        """How many instructions; "": vm.why() does not say."""
        found = COST.search(self.said)
        return found[1] if found else ""

    @property
    def key(self) -> str:
        return f"{self.kind} {self.who}"

    @property
    def of_class(self) -> str:
        """As in the table of exits by class."""
        return CLASSES["irq"] if self.kind == "irq" else class_of(str(self.last[5] >> 26))


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
    watches: list[tuple[str, int, bool, str]] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    rules: list[tuple[str, int]] = field(default_factory=list)
    single: deque[tuple[int, int, str, str]] = field(default_factory=lambda: deque(maxlen=600))
    answers: dict[str, Answer] = field(default_factory=dict)
    said: bytearray = field(default_factory=bytearray)
    seen: int = 0
    rates: deque[tuple[float, dict[str, float]]] = field(
        default_factory=lambda: deque(maxlen=KEPT)
    )
    tiers: deque[tuple[float, dict[str, float]]] = field(
        default_factory=lambda: deque(maxlen=KEPT)
    )
    _before: tuple[int, dict[str, int]] | None = None

    @property
    def sample(self) -> str | None:
        """The trace that says who answers."""
        return next((name for name in self.traces if name.startswith(SAMPLE)), None)

    @property
    def rate(self) -> float:
        """Exits a second."""
        return sum(self.rates[-1][1].values()) if self.rates else 0

    def take_sample(
        self, rows: Sequence[Sequence[Any]], single: Sequence[Sequence[Any]] = ()
    ) -> None:
        """The target's answer about its sample: with how fast exits come, how fast each tier answers."""
        self.single += [(e[0], e[1], e[2], e[3]) for e in single]
        total = sum(row[3] for row in rows)
        part = 0.3 if self.answers else 1.0  # of the new one: a sample is of a few exits
        for answer in self.answers.values():
            answer.share *= 1 - part if total else 1
        for tier, said, kind, n, last in rows:
            fresh = Answer(tier, said, kind, part * n / total, tuple(last))
            if old := self.answers.get(fresh.key):
                fresh.share += old.share
            self.answers[fresh.key] = fresh
        self.answers = {k: a for k, a in self.answers.items() if a.share > 1e-4}
        if self.rates:
            us, _ = self.rates[-1]
            if not self.tiers or self.tiers[-1][0] < us:
                self.tiers.append((us, {tier: self.rate * self.part(tier) for tier in TIERS}))

    def part(self, tier: str) -> float:
        """Which part of its exits that tier answers."""
        return sum(answer.share for answer in self.answers.values() if answer.tier == tier)

    def totals(self) -> dict[str, int]:
        """Exits by class, of all of its vCPUs."""
        sums: dict[str, int] = {}
        for cpu in self.cpus:
            for key, count in cpu.exits.items():
                sums[class_of(key)] = sums.get(class_of(key), 0) + count
        return sums

    def take(self, said: dict[str, Any], us: int) -> bytes:
        """The target's answer about it; what its console has printed since the last one."""
        for name in ("at_prompt", "name", "ram", "running", "ended", "counts", "traces"):
            setattr(self, name, said[name])
        self.cpus = [Cpu(*each) for each in said["cpus"]]
        self.breaks = [(str(b[0]), b[1], b[2], b[3]) for b in said["breaks"]]
        self.watches = [(str(w[0]), w[1], w[2], w[3]) for w in said["watches"]]
        self.rules = [(r[0], r[1]) for r in said["rules"]]
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
