# SPDX-License-Identifier: MIT
"""vm.trace() recorded on the host: as long as one likes, and named there. perfetto.py writes it to a file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from .vm import VM

# modules/hv/trace.py has these too; hv_native/trap/trace.h says what they are.
KINDS = (
    "exit", "irq", "svc", "hvc", "psci", "sysreg", "mmio", "fault", "enter", "leave", "switch", "python",
)  # fmt: skip
RECORD = struct.Struct("<QQQIBBBx")
BY_VALUE = ("irq", "svc", "psci", "mmio")  # what they are called by; others by their syndrome
TAKE = 32 << 10  # records at a time
ASK = 100  # names at a time
Key = TypeVar("Key")


class Event(NamedTuple):
    """One exit. ns: of the machine's counter; what, value and task as in hv.trace's Record; at: its pc by name."""

    ns: int
    core: int
    cpu: int
    kind: str
    pc: int
    what: str
    value: int
    task: str
    at: str


class Recording:
    """What a VM does from now on. fetch() brings what has come by now, often enough that rings do not lose any."""

    def __init__(self, vm: VM, what: str, size: str = "4M", freeze: str | None = None):
        self.vm = vm
        self.session = vm._session
        self.name: str = vm.name
        self.cpus = len(vm.cpu)
        self.frequency: int = self.session.module("_hv").mrs("CNTFRQ_EL0")
        self.lost = 0
        self._raw: list[tuple[int, ...]] = []
        self._names: dict[tuple[str, int, int], str] = {}
        self._places: dict[int, str] = {}
        self._trace = vm.trace(what, size, freeze=freeze)

    def __len__(self) -> int:
        return len(self._raw)

    def fetch(self) -> int:
        """How many came."""
        count = 0
        while data := self.session.fetch(f"{self._trace._there}._trace.read({TAKE})", 60):
            self._raw += RECORD.iter_unpack(data)
            count += len(data) // RECORD.size
            if len(data) < TAKE * RECORD.size:
                break
        return count

    def stop(self) -> None:
        """The last of it, and what its names need; the VM is not traced any more."""
        self.fetch()
        self.lost = self._trace.lost
        self._raw.sort()
        self._ask()
        self._trace.stop()

    def _ask(self) -> None:
        """The target knows what things are called: it is asked once for each."""
        names = self.session.module("hv.trace")._name
        keys = {_key(raw) for raw in self._raw} - {None}
        self._names = self._asked(
            sorted(key for key in keys if key),
            f"[{names._there}(*key) for key in {{}}]",
        )
        # Places of exits that are the kernel's own; programs' have no names here.
        pcs = {raw[1] for raw in self._raw if KINDS[raw[4]] not in ("svc", "switch", "irq")}
        named = f"_elapid.places({self.vm._there}, {{}})"
        self._places = self._asked(sorted(pcs - {0})[: 40 * ASK], named)

    def _asked(self, keys: list[Key], question: str) -> dict[Key, str]:
        found: dict[Key, str] = {}
        for at in range(0, len(keys), ASK):
            some = keys[at : at + ASK]
            found |= zip(some, self.session.call(question.format(some), 60), strict=True)
        return found

    def __iter__(self) -> Iterator[Event]:
        """By time; of each the process that ran there, by the last switch before it."""
        tasks: dict[int, str] = {}
        for raw in self._raw:
            ticks, pc, value, esr, number, cpu, core = raw
            kind, ns = KINDS[number], ticks * 1_000_000_000 // self.frequency
            if kind == "switch":
                what, value = _comm(pc, value), esr
                task, tasks[cpu] = tasks.get(cpu, ""), f"{what}-{value}"
                yield Event(ns, core, cpu, kind, 0, what, value, task, "")
                continue
            key = _key(raw)
            what = self._names[key] if key else ""
            at = self._places.get(pc, "")
            yield Event(ns, core, cpu, kind, pc, what, value, tasks.get(cpu, ""), at)


def _key(raw: tuple[int, ...]) -> tuple[str, int, int] | None:
    kind = KINDS[raw[4]]
    if kind in ("enter", "leave", "switch"):
        return None
    esr = raw[3] & 64 if kind == "mmio" else 0 if kind in BY_VALUE else raw[3]
    return kind, esr, raw[2] if kind in BY_VALUE else 0


def _comm(first: int, second: int) -> str:
    data = first.to_bytes(8, "little") + second.to_bytes(8, "little")
    return "".join(chr(c) if 32 <= c < 127 else "?" for c in data.split(b"\0")[0])
