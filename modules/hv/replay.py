# SPDX-License-Identifier: MIT
"""Record and replay: vm.record(), vm.replay().

While a VM is recorded each of its instructions is a step, counted, and its time goes by that count; its vCPUs follow one
another. All that it does follows from where it began, but for what is put in from outside, and what its virtio devices have
answered: that is in the log. docs/replay.md tells more.
"""

import ujson
from ubinascii import a2b_base64, b2a_base64

from .snapshot import back, take
from .source import Parsed, open_file

_STRIDE = 100_000  # turns between two snapshots on the way, until there are so many:
_MOST = 64
_VERSION = 2
_INEXACT = (
    "it has run AArch32 code, which reads the counter unseen",
    "memory for the log has run out",
    "it did otherwise when it was fed again",
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
        self._end = (
            None  # (position, snapshot) of where the record ends, with what is on the disks there
        )
        self._away = False  # it has gone back, and has not been there since
        self._otherwise = False  # when it was fed up to there it was not the same
        self._n("begin")
        if begin:
            self._start()

    def _start(self):
        s = take(self._vm)
        # What a snapshot does not hold is not there the first time either.
        back(self._vm, s, "world")
        self._points = [(0, s)]
        self._clock = self._n("clock", *self._n("clock"))
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
    def cpu(self) -> int:
        """Whose turn is the next one: of the VM's vCPUs one after another runs."""
        return self._n("cpu")

    @property
    def inputs(self) -> list:
        """What came from outside: (position, kind, character or INTID, level), kind 0 of the console, 1 and 2 a line, 3 a pulse.
        Of virtio devices: (position, 4, 0, address, bytes) is written to RAM, (position, 5, slot | queue << 8 | head << 16, how
        many bytes) a request that is over, (position, 6, slot, 0, bytes) a new configuration, (position, 7, slot, 0) a driver's fault.
        """
        return self._n("log")

    @property
    def exact(self) -> bool:
        """Whether a replay is the same to the instruction; `why` tells what there was that cannot be had again."""
        return not self._n("inexact") and not self._otherwise

    @property
    def why(self) -> str:
        """Why a replay is approximate, or ""."""
        bits = self._n("inexact")
        bits |= self._otherwise << len(_INEXACT) - 1
        return "; ".join([text for n, text in enumerate(_INEXACT) if bits >> n & 1])

    def _note(self):
        # The VM has come to rest.
        if self._points and self._n("live"):
            at, now = self.position, _registers(self._vm)
            if self._away:
                self._arrived(at, now)
                return
            self.stops = [stop for stop in self.stops if stop[0] < at]
            self.stops.append((at, now))

    def _arrived(self, at, now):
        # It has been fed up to the end, and is to go on from there: with its devices as they were.
        was, vm = self.stops[-1], self._vm
        self._otherwise = was[0] == at and was[1] != now
        if not vm._virtio:
            self._away = False
        elif self._end and self._end[0] == at and not self._otherwise:
            back(vm, self._end[1], "world")
            self._away = False

    def _leave(self):
        # The VM is about to go back. While it is fed its devices do nothing: at the end they are to be as they are there.
        if not self._points or not self._n("on"):
            return
        if self._vm._virtio and not self._away and self._n("live"):
            if self._vm.running:
                self._vm.pause()
            if self._end:
                self._end[1].drop()
            self._end = self.position, take(self._vm)
        self._away = True

    def _startable(self):
        if self._away and self._vm._virtio and self._n("live"):
            raise RuntimeError(
                f"{self._vm.name} is where its record ends, and its virtio devices are not as they were there: "
                "replay() begins again, vm.reset() ends it"
            )

    def stop(self) -> None:
        """End of the record: the VM's time is the world's again, and it goes on at its own speed. ValueError with virtio
        devices when it is not at the end: they hold what they hold there.
        """
        was = self._vm.running
        if was:
            self._vm.pause()
        if self._away and self._vm._virtio:
            raise ValueError(
                f"{self._vm.name} has virtio devices, and is at {self.position}: to({self.length}) first"
            )
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
        was = self._n("on")
        self._n("begin")
        before = [p for p in self._points if p[0] <= position]
        if not was or self.position > position or before[-1][0] > self.position:
            back(self._vm, before[-1][1], "world")
        exit = self._forward(position)
        self._note()
        return exit

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
            now = _registers(self._vm)
            if self.position != at:
                raise ValueError(f"at {self.position}, not at {at}: {exit}")
            if differs := _differs(registers, now):
                raise ValueError(
                    f"at {at}: {differs[0]} is {differs[2]:#x}, and was {differs[1]:#x}"
                )
        self._note()
        return len(self.stops)

    def drop(self) -> None:
        """Forget it, and what is kept for it."""
        if self._points and self._vm._record is self:
            if self._vm.running:
                self._vm.pause()
            self._n("free")
            self._vm._record = None
        points, self._points = self._points + ([self._end] if self._end else []), []
        self._end = None
        for _, s in points:
            if s._id in self._vm._snapshots:
                s.drop()

    def save(self, path: str) -> None:
        """Write it to a file, for vm.replay() of a VM that has been made in the same way."""
        stops = [[at, " ".join([f"{r:x}" for r in registers])] for at, registers in self.stops]
        v, p, s = self._clock
        what = {
            "elapid": "record",
            "version": _VERSION,
            "vm": self._vm.name,
            "length": self.length,
            "devices": _devices(self._vm),
            "inexact": self._n("inexact"),
        }
        what.update(exact=self.exact, why=self.why, clock=f"{v:x} {p:x} {s:x}", stops=stops)
        with open(path, "w") as file:
            file.write(ujson.dumps(what)[:-1])
            for n, one in enumerate(self.inputs):
                data = [b2a_base64(part)[:-1].decode() for part in one[4:]]
                file.write(', "inputs": [\n' if n == 0 else ",\n")
                ujson.dump(one[:4] + tuple(data), file)
            file.write("]}" if self.inputs else ', "inputs": []}')


def _registers(vm):
    all = []
    for cpu in vm.cpu:
        all += [cpu.pc, cpu.pstate, cpu.sp] + [cpu.x[n] for n in range(31)]
    return tuple(all)


def _differs(before, now):
    # (name, what it was, what it is) of the first one; or None.
    for n, (one, other) in enumerate(zip(before, now)):
        if one != other:
            cpu, n = divmod(n, len(_NAMES))
            return (f"cpu {cpu}'s " if cpu else "") + _NAMES[n], one, other


def _devices(vm):
    return [[slot, vm._virtio[slot].id] for slot in sorted(vm._virtio)]


def _word(n):
    if not isinstance(n, int) or n < 0 or n >> 64:
        raise ValueError(f"{n!r} is no number of 64 bits")
    return n


def _read(path):
    """A file of save(): what it has, with inputs, stops and the clock as the Record has them."""
    with open_file(path, "r") as file, Parsed(path):
        what = ujson.load(file)
        if what.get("elapid") != "record" or what.get("version") not in (1, _VERSION):
            raise ValueError(f"{path} is no record of version {_VERSION}")
        what["stops"] = [
            (_word(at), tuple([int(r, 16) for r in text.split()])) for at, text in what["stops"]
        ]
        what["clock"] = [_word(int(c, 16)) for c in what["clock"].split()]
        what["inputs"] = [
            (_word(at), _word(kind), _word(of), _word(value))
            + tuple([a2b_base64(d) for d in data])
            for at, kind, of, value, *data in what["inputs"]
        ]
        what["end"] = _word(what["length"]), _word(what.get("inexact", 0))
        what["stops"][0], what["clock"][2]  # there are such
    return what


def load(vm, path):
    what, devices = _read(path), _devices(vm)
    if what.get("devices", devices) != devices:
        raise ValueError(
            f"{path} is of a VM with virtio devices [slot, id] {what['devices']}, and not {devices}"
        )
    first, now = what["stops"][0][1], _registers(vm)
    if len(first) != len(now):
        cpus = len(first) // len(_NAMES)
        raise ValueError(f"{path} is of a VM with {cpus} vCPUs, and not {len(vm.cpu)}")
    if differs := _differs(first, now):
        raise ValueError(
            f"{path} begins where {differs[0]} is {differs[1]:#x}, and not {differs[2]:#x}"
        )
    for one in what["inputs"]:
        if not vm._vm.replay("input", *one[:4]):
            raise ValueError(f"{path}: {one[:4]} is no input")
    if vm._record:
        vm._record.drop()
    r = vm._record = Record(vm, False)
    r._n("clock", *what["clock"])
    r._start()
    for one in what["inputs"]:
        if not r._n("put", *one):
            r.drop()
            raise MemoryError(f"there is no room for the {len(what['inputs'])} inputs of {path}")
    r._n("cut", *what["end"])
    r.stops = what["stops"]
    r._away = bool(devices)  # this boot's have not done what is in there
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
