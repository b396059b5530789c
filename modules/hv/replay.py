# SPDX-License-Identifier: MIT
"""Record and replay: vm.record(), vm.replay().

While a VM of one vCPU is recorded each of its instructions is a step, counted, and its time goes by that count: all that
it does follows from where it began, but for what is put in from outside, which is in the log. docs/replay.md tells more.
"""

import ujson

from .snapshot import back, take

_STRIDE = 100_000  # turns between two snapshots on the way, until there are so many:
_MOST = 64
_VERSION = 1
_INEXACT = (
    "its virtio devices answer when they have done what they do",
    "it has run AArch32 code, which reads the counter unseen",
    "memory for the log has run out",
)
_NAMES = ("pc", "pstate", "sp") + tuple([f"x{n}" for n in range(31)])


class Record:
    """What a VM did from vm.record() on. A position is a number of turns from there: an instruction is one, and so is an
    interrupt that is taken, and a sleep until a deadline.
    """

    def __init__(self, vm, begin=True):
        self._vm = vm
        self._n = vm._vm.replay
        self._points = []  # (position, snapshot), in order
        self._stride = _STRIDE
        self.stops = []  # (position, registers) wherever it has stopped: to compare
        self._n("begin")
        if begin:
            self._start()

    def _start(self):
        s = take(self._vm)
        self._points = [(0, s)]
        back(
            self._vm, s, "world"
        )  # what a snapshot does not hold is not there the first time either
        self._clock = self._n("clock")
        self._note()

    def __repr__(self):
        if not self._points:
            return f"<Record of {self._vm.name}: dropped>"
        how = "exact" if self.exact else "approximate"
        return f"<Record of {self._vm.name}: at {self.position} of {self.length}, {how}>"

    @property
    def position(self) -> int:
        """Where it is: so many turns from the beginning."""
        return self._n("count")

    @property
    def length(self) -> int:
        """How many turns are recorded."""
        return self._n("length")

    @property
    def inputs(self) -> list:
        """What came from outside: (position, kind, character or INTID, level), kind 0 of the console, 1 and 2 a line, 3 a pulse."""
        return self._n("log")

    @property
    def exact(self) -> bool:
        """Whether a replay is the same to the instruction; `why` tells what there was that cannot be had again."""
        return not self._n("inexact")

    @property
    def why(self) -> str:
        """Why a replay is approximate, or ""."""
        bits = self._n("inexact")
        return "; ".join([text for n, text in enumerate(_INEXACT) if bits >> n & 1])

    def _note(self):
        # The VM has come to rest.
        if self._points and self._n("live"):
            at = self.position
            self.stops = [stop for stop in self.stops if stop[0] < at]
            self.stops.append((at, _registers(self._vm.cpu[0])))

    def stop(self) -> None:
        """End of the record: the VM's time is the world's again, and it goes on at its own speed."""
        was = self._vm.running
        if was:
            self._vm.pause()
        self._note()
        self._n("end")
        if was:
            self._vm.start()

    def replay(self) -> None:
        """Go back to where it began. The VM that is run from there does the same again, and stops where the record ends; run
        once more it goes on from there, and is recorded.
        """
        if not self._points:
            raise ValueError("this record has been dropped")
        if self._vm.running:
            self._vm.pause()
        self._n("begin")
        back(self._vm, self._points[0][1], "world")

    def to(self, position: int):
        """Go to a position, back or forward. Returns None, or the Exit that has ended it on the way."""
        if not 0 <= position <= max(self.length, self.position):
            raise ValueError(f"the record is from 0 to {self.length}, without {position}")
        if self._vm.running:
            self._vm.pause()
            self._note()
        self._n("begin")
        before = [p for p in self._points if p[0] <= position]
        if not before[0][0] <= self.position <= position or before[-1][0] > self.position:
            back(self._vm, before[-1][1], "world")
        return self._forward(position)

    def _forward(self, position):
        exit = None
        while (at := self.position) < position:
            exit = self._n("to", min(position, (at // self._stride + 1) * self._stride))
            if exit and self.position == at:
                return exit  # it does not go on
            at = self.position
            if at % self._stride == 0 and at < self.length and at > self._points[-1][0]:
                self._points.append((at, take(self._vm)))
                self._thin()
        return exit

    def _thin(self):
        # A long one has them further apart.
        if len(self._points) > _MOST:
            self._stride *= 2
            for at, s in self._points:
                if at % self._stride:
                    s.drop()
            self._points = [p for p in self._points if p[0] % self._stride == 0]

    def back(self, n: int = 1):
        """So many turns back."""
        return self.to(self.position - n)

    def check(self) -> int:
        """Replay all of it, and compare the registers at each of its stops: how many those are. ValueError names the first
        that differs.
        """
        self.replay()
        for at, registers in self.stops:
            exit = self._forward(at)
            now = _registers(self._vm.cpu[0])
            if self.position != at:
                raise ValueError(f"at {self.position}, not at {at}: {exit}")
            for name, one, other in zip(_NAMES, registers, now):
                if one != other:
                    raise ValueError(f"at {at}: {name} is {other:#x}, and was {one:#x}")
        return len(self.stops)

    def drop(self) -> None:
        """Forget it, and what is kept for it."""
        if self._points and self._vm._record is self:
            if self._vm.running:
                self._vm.pause()
            self._n("free")
            self._vm._record = None
        points, self._points = self._points, []
        for _, s in points:
            if s._id in self._vm._snapshots:
                s.drop()

    def save(self, path: str) -> None:
        """Write it to a file, for vm.replay() of a VM that has been made in the same way."""
        stops = [[at, " ".join([f"{r:x}" for r in registers])] for at, registers in self.stops]
        v, p = self._clock
        what = {
            "elapid": "record",
            "version": _VERSION,
            "vm": self._vm.name,
            "length": self.length,
        }
        what.update(
            exact=self.exact, why=self.why, clock=f"{v:x} {p:x}", inputs=self.inputs, stops=stops
        )
        with open(path, "w") as file:
            ujson.dump(what, file)


def _registers(cpu):
    return (cpu.pc, cpu.pstate, cpu.sp) + tuple([cpu.x[n] for n in range(31)])


def load(vm, path):
    with open(path) as file:
        what = ujson.load(file)
    if what.get("elapid") != "record" or what.get("version") != _VERSION:
        raise ValueError(f"{path} is no record of version {_VERSION}")
    stops = [(at, tuple([int(r, 16) for r in text.split()])) for at, text in what["stops"]]
    now = _registers(vm.cpu[0])
    for name, one, other in zip(_NAMES, stops[0][1], now):
        if one != other:
            raise ValueError(f"{path} begins where {name} is {one:#x}, and not {other:#x}")
    if vm._record:
        vm._record.drop()
    r = vm._record = Record(vm, False)
    r._n("clock", *[int(c, 16) for c in what["clock"].split()])
    r._start()
    for one in what["inputs"]:
        r._n("put", *one)
    r._n("cut", what["length"])
    r.stops = stops
    return r


def record(vm):
    was = vm.running
    if was:
        vm.pause()
    if vm._record:
        vm._record.drop()
    r = vm._record = Record(vm)
    if was:
        vm.start()
    return r
