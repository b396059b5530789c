# SPDX-License-Identifier: MIT
"""A piece of a fuzzing campaign: so many rounds of vm.fuzz() with these inputs and this seed, on a target of one's own.

A job's outcome depends on its arguments alone. So it can be done again, anywhere, when who did it is gone: nothing is lost.
"""

from __future__ import annotations

import struct
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import __version__
from .console import Gone, Hung, TargetError
from .say import Stop
from .target import Target

TRIES = 3
THERE = """
class _Job:
    def __init__(self):
        self.inputs = []

    def more(self, data):
        from struct import unpack_from
        at = 0
        while at < len(data):
            size = unpack_from("<I", data, at)[0]
            self.inputs.append(bytes(data[at + 4 : at + 4 + size]))
            at += 4 + size

    def run(self, vm, numbers, rounds, drcov, options):
        from struct import pack
        given = set([self.inputs[n] for n in numbers])
        with vm.fuzz(**options) as fz:
            for n in numbers:
                fz.add(self.inputs[n])
            fz.run(rounds)
            fresh = [each for each in fz.corpus if each not in given]
            self.found = b"".join([pack("<I", len(each)) + each for each in fresh])
            bad = [("crash", c) for c in fz.crashes] + [("hang", c) for c in fz.hangs]
            if drcov:
                fz.drcov("/campaign.cov")
                with open("/campaign.cov", "rb") as file:
                    self.found = file.read()
            covered = len(fz.covered) if fz.cover in ("blocks", "steps") else 0
            return fz.rounds, covered, len(fz.blocks), [
                (kind, c.input, c.reason, c.pc, tuple(c.frames), c.where, c.times) for kind, c in bad
            ]

_job = _Job()
"""


@dataclass(frozen=True)
class Plan:
    """What is fuzzed, and how: all that a worker needs, on whatever machine it is."""

    name: str
    guest: bytes
    options: dict[str, Any]  # of vm.fuzz()
    ram: str = "64M"
    script: str = ""
    machine: dict[str, Any] = field(default_factory=dict)  # of elapid.Target
    version: str = __version__
    campaign: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Crash:
    """As hv.fuzz's; kind is crash or hang."""

    kind: str
    input: bytes
    reason: str
    pc: int
    frames: tuple[int, ...]
    where: str
    times: int

    @property
    def key(self) -> tuple[Any, ...]:
        """The like have the same."""
        if self.kind == "hang":  # where one is when time is up is by chance
            return self.kind, self.reason
        return self.kind, self.reason, self.pc, self.frames


@dataclass(frozen=True)
class Found:
    """What came of a job. data: the drcov file, where that was asked for."""

    rounds: int
    seconds: float
    corpus: tuple[bytes, ...]
    crashes: tuple[Crash, ...]
    covered: int
    blocks: int
    data: bytes = b""


class Bench:
    """A target with the guest on it, which stands where rounds begin from the first job on."""

    def __init__(self, plan: Plan):
        self.campaign = plan.campaign
        self._folder = tempfile.TemporaryDirectory(prefix="elapid-fuzz-")
        guest = Path(self._folder.name) / plan.name
        guest.write_bytes(plan.guest)
        self.target = Target(files=[guest], **plan.machine)
        try:
            self.target.boot()
            self.vm = self.target.vm("vm", ram=plan.ram)
            self.vm.load(guest)
            self.target._give(THERE)
            if plan.script:
                self.target._give(plan.script, 600)
        except BaseException:
            self.target.close()
            raise
        self.known: dict[bytes, int] = {}  # inputs that are there, and their numbers

    def close(self) -> None:
        self.target.close()
        self._folder.cleanup()

    def do(
        self, plan: Plan, inputs: tuple[bytes, ...], seed: int, rounds: int, drcov: bool
    ) -> Found:
        start = time.monotonic()
        self._bring(inputs)
        numbers = [self.known[each] for each in inputs]
        options = ", ".join(f"{name}={value!r}" for name, value in plan.options.items())
        # What a script defines by these names is asked.
        options += "".join(
            f", {name}={name}" for name in ("put", "oracle") if f"def {name}(" in plan.script
        )
        call = f"_job.run(vm, {numbers}, {rounds}, {drcov}, dict(seed={seed}, {options}))"
        done, covered, blocks, bad = self.target.call(call, 60 + rounds / 50)
        data = self.target.fetch("_job.found")
        return Found(
            rounds=done,
            seconds=time.monotonic() - start,
            corpus=() if drcov else tuple(unpack(data)),
            crashes=tuple(Crash(*each) for each in bad),
            covered=covered,
            blocks=blocks,
            data=data if drcov else b"",
        )

    def _bring(self, inputs: tuple[bytes, ...]) -> None:
        fresh = [each for each in dict.fromkeys(inputs) if each not in self.known]
        if not fresh:
            return
        data = b"".join(struct.pack("<I", len(each)) + each for each in fresh)
        if self.target._bulk.give(data):
            self.target._give("_job.more(_elapid.held)")
        else:
            self.target._give(f"_job.more({data!r})")
        self.known |= {each: len(self.known) + n for n, each in enumerate(fresh)}


def unpack(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


_mine = threading.local()  # each thread of a worker has a bench
_benches: set[Bench] = set()
_ended: set[str] = set()  # campaigns


def do(
    plan: Plan, inputs: tuple[bytes, ...], seed: int, rounds: int, drcov: bool = False
) -> Found:
    """On this thread's target, which is made when there is none, or the last one is gone."""
    if plan.version != __version__:
        raise Stop(f"a worker has elapid {__version__}, the campaign {plan.version}")
    for left in reversed(range(TRIES)):
        try:
            return _bench(plan).do(plan, inputs, seed, rounds, drcov)
        except TargetError as error:
            # Not what passes: it says what is wrong with the plan. Text alone goes from machine to machine.
            raise Stop(error.last) from None
        except (Gone, Hung, OSError, ValueError) as error:
            _drop()
            if not left or plan.campaign in _ended:
                raise Stop(f"{TRIES} targets have ended in one job: {error}") from None
    raise AssertionError


def _bench(plan: Plan) -> Bench:
    bench: Bench | None = getattr(_mine, "bench", None)
    if plan.campaign in _ended:
        raise Stop("the campaign has ended")
    if bench is None or bench not in _benches or bench.campaign != plan.campaign:
        _drop()
        _mine.bench = bench = Bench(plan)
        _benches.add(bench)
        if plan.campaign in _ended:
            _drop()
            raise Stop("the campaign has ended")
    return bench


def _drop() -> None:
    bench: Bench | None = getattr(_mine, "bench", None)
    _mine.bench = None
    if bench is not None and bench in _benches:
        _benches.discard(bench)
        bench.close()


def close_all(campaign: str) -> None:
    """The campaign has ended: its targets of this process are switched off, also those at work."""
    _ended.add(campaign)
    for bench in [each for each in _benches if each.campaign == campaign]:
        _benches.discard(bench)
        bench.close()
