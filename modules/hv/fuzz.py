# SPDX-License-Identifier: MIT
"""Fuzzing on snapshots: vm.fuzz().

The loop is in C: back to the snapshot, an input, the guest until the round ends, what came of it. What the guest is, where
a round ends and what counts as a crash is said here.
"""

from .traps import number

_OK, _CRASH, _HANG, _FAULT = 0, 1, 2, 3
_VERDICTS = {"ok": _OK, "crash": _CRASH, "hang": _HANG}
_NO_REGISTER = 31
_STOP = 2  # what vm._vm.breakpoint() does: hv.breaks
# Of until=: where a guest says that it is broken.
_BAD = ("panic", "abort", "die", "__stack_chk_fail", "__assert_fail", "kasan_report")
_WHYS = ("", "trap", "serror", "", "", "", "", "idle", "raised", "stop", "off", "reset", "off")
_HANGS = ("", "instructions", "time", "idle")


class Crash:
    """An input that ends badly: input, reason, pc, esr, far, frames (who called, innermost first, by return addresses),
    round (0: it was given), times (how often the like has happened).
    """

    def __init__(self, fz, found):
        self._fz = fz
        self.input, self.round, self.times, self.parent, end = found
        why, hang, stop, self.pc, self.esr, self.far, self.frames = end
        if hang and not (stop >= 0 and fz._stops[stop][1]):
            self.reason = f"hang: {_HANGS[hang]}"
        elif stop >= 0 and fz._stops[stop][2] != _FAULT:
            self.reason = fz._stops[stop][0]
        elif self.esr:
            from .syndrome import class_name

            self.reason = class_name(self.esr >> 26)
        else:
            self.reason = _WHYS[why]

    @property
    def where(self) -> str:
        """Where it was, and who called, by names in so far as there are any."""
        return " < ".join([self._name(self.pc)] + [self._name(back - 4) for back in self.frames])

    def _name(self, address):
        from .symbols import at

        try:
            return at(self._fz._vm, address)
        except (KeyError, ValueError):
            return hex(address)

    def __repr__(self):
        more = "" if self.times == 1 else f", {self.times} times"
        return f"<{self.reason} at {self.where}: {len(self.input)} bytes{more}>"


class Fuzz:
    """What vm.fuzz() returns: run(), crashes, hangs, corpus, replay(), add(), export(), load(), close()."""

    def __init__(
        self,
        vm,
        at,
        put,
        until,
        crash,
        faults,
        cover,
        map,
        blocks,
        seed,
        max,
        ms,
        instructions,
        oracle,
        quota,
        cpu,
    ):
        from .snapshot import take

        if cover not in ("blocks", "steps", "map", None):
            raise ValueError(f'cover= is "blocks", "steps", "map" or None, not {cover!r}')
        self._vm, self._native, self._n = vm, vm._vm.fuzz, cpu
        self._stops, self._breaks, self._open = [], [], False
        self._put = put if callable(put) else None
        self._oracle = oracle
        self.at, self.cover = at, cover
        self.blocks, self.max = {}, max
        self._come(at)
        self.snapshot = take(vm)
        try:
            self._native("new", self.snapshot._id, cpu, max, quota)
            self._open = True
            self._counts = self._native("limits", number(seed, "seed="), ms, instructions)
            self._ms, self._instructions = ms, instructions
            self._places(until, crash, faults)
            self._where(put)
            if cover == "map":
                self._map(map)
            elif cover == "steps":
                self._native("steps")
            elif cover == "blocks":
                self._plant(blocks)
        except BaseException:  # Ctrl-C as well
            self.close()
            self.snapshot.drop()
            raise

    # -- Setting up

    def _come(self, at):
        vm = self._vm
        cpu = vm.cpu[self._n]
        if at is not None and cpu.pc != vm.address(at):
            from .breaks import run_until

            exit = run_until(vm, at)
            if cpu.pc != vm.address(at):
                raise RuntimeError(f"{vm.name} did not come to {at}: {exit!r}")

    def _places(self, until, crash, faults):
        cpu = self._vm.cpu[self._n]
        el0 = cpu.pstate & 15 == 0
        for where in (until,) if isinstance(until, (str, int)) else until:
            if where == "ret":
                self._stop("ret", cpu.x[30], _OK, el0, cpu.sp)
            else:
                self._stop(where, self._vm.address(where), _CRASH if where in _BAD else _OK)
        for where in (crash,) if isinstance(crash, (str, int)) else crash:
            self._stop(where, self._vm.address(where), _CRASH)
        if faults:
            base = cpu.sysreg["VBAR_EL1"]
            offsets = (0, 0x180, 0x200, 0x380) + ((0x400, 0x580, 0x600, 0x780) if el0 else ())
            for offset in offsets:
                if self._vm._vm.ipa_of(base + offset) is not None:
                    self._stop("fault", base + offset, _FAULT)

    def _stop(self, name, va, verdict, el0=False, sp=None):
        ipa = self._vm._vm.ipa_of(va, el0)
        self._breaks.append(None)  # there is room for what is planted
        self._breaks[-1] = self._vm._vm.breakpoint(
            ipa, va, el0, _STOP, None, 1, False, sp, None, self._n
        )
        self._native("stop", va, verdict, sp or 0)
        self._stops.append((name if isinstance(name, str) else hex(name), va, verdict))

    def _where(self, put):
        if callable(put):
            return
        where, length = put if isinstance(put, tuple) else (put, None)
        cpu = self._vm.cpu[self._n]
        register = _register(where)
        va = self._vm.address(where) if register is None else cpu.x[register]
        length = _NO_REGISTER if length is None else _register(length)
        if length is None:
            raise ValueError(
                f'put= is a place, or a place and the register of the length such as "x1": {put!r}'
            )
        self._native("put", va, length)

    def _map(self, map):
        if map is None:
            raise ValueError(
                'cover="map" needs map=: the name of an array of bytes, or (address, size)'
            )
        if isinstance(map, str):
            from .symbols import extent

            at, size = extent(self._vm, map)
        else:
            at, size = map
            at = self._vm.address(at)
        self._native("map", at, size)

    def _plant(self, blocks):
        from .flow import discover

        cpu = self._vm.cpu[self._n]
        if blocks is None:
            blocks = discover(cpu, (cpu.pc,))
        elif not isinstance(blocks, dict):
            blocks = {self._vm.address(where): 4 for where in blocks}
        self._native("blocks", len(blocks))
        for va in sorted(blocks):
            if not self._native("block", va):
                raise ValueError(f"{va:#x}: the guest has no RAM there")
        self.blocks = blocks

    # -- Running

    def run(self, rounds: int | None = None, *, crashes: int = 0):
        """So many rounds, or with None until Ctrl-C; crashes=: or until there are so many more kinds of crash. Returns
        the Fuzz, which shows what it has come to. Ctrl-C raises KeyboardInterrupt: what was found is kept, and run()
        goes on from there.
        """
        rounds = (1 << 62) if rounds is None else number(rounds, "rounds")
        try:
            if self._put or self._oracle or self.snapshot._devices:
                self._slowly(rounds, crashes)
            else:
                self._native("run", rounds, crashes)
        finally:
            if self._open and not self._vm._vm.closed:
                self._back()
        return self

    def _back(self):
        self._native("back")
        for device, state in self.snapshot._devices:
            device.load(state)

    def _begin(self, data):
        for device, state in self.snapshot._devices:
            device.load(state)
        data = self._native("begin", data)
        if self._put:
            self._put(self._vm.cpu[self._n], data)
        return data

    def _slowly(self, rounds, crashes):
        # With functions of a script's.
        until = self._native("crashes") + (crashes or 1 << 30)
        while rounds > 0 and self._native("crashes") < until:
            rounds -= 1
            data = self._begin(None)
            verdict = said = self._native("go")
            is_new = None
            if self._oracle:
                says = self._oracle(self._vm.cpu[self._n], data, ("ok", "crash", "hang")[verdict])
                if isinstance(says, str):
                    said = _VERDICTS[says]
                elif says is not None:
                    is_new = bool(says)
            self._native("judge", said, is_new)

    def replay(self, which) -> str:
        """Run a round again, of a crash by its number in `crashes`, of a Crash, or of an input. Returns "ok", "crash" or
        "hang"; the VM is as it is then: to look at, with cpu.where() for one.
        """
        if isinstance(which, int):
            which = self.crashes[which]
        data = which.input if isinstance(which, Crash) else which
        self._begin(data)
        verdict = self._native("go")
        return ("ok", "crash", "hang")[verdict]

    # -- What was found

    @property
    def rounds(self) -> int:
        """How many there have been."""
        return self._native("rounds")

    @property
    def corpus(self) -> list:
        """The inputs that have led to something new, and those that were given, as bytes."""
        return [self._native("corpus", i)[0] for i in range(self._native("corpus"))]

    @property
    def crashes(self) -> list:
        """One Crash of each kind: by where it was, and who called."""
        return [Crash(self, self._native("crashes", i)) for i in range(self._native("crashes"))]

    @property
    def hangs(self) -> list:
        """Inputs of rounds that came to no end, one of each kind."""
        return [Crash(self, self._native("hangs", i)) for i in range(self._native("hangs"))]

    @property
    def covered(self) -> list:
        """Addresses of basic blocks that were executed; with cover="steps", of those that something branched to."""
        return sorted(set(self._native("covered")))

    @property
    def limit(self) -> str:
        """What a round may take, as it is enforced here."""
        if not self._instructions:
            return f"{self._ms} ms"
        if not self._counts and self.cover != "steps":
            return f"{self._ms} ms: this core does not count instructions"
        return f"{self._instructions} instructions, {self._ms} ms"

    def add(self, data) -> None:
        """An input, bytes, for the corpus. It is run as it is, then others are made of it."""
        self._native("add", data)

    def words(self, *words) -> None:
        """Words of the format, bytes, which are put into inputs: a dictionary."""
        for word in words:
            self._native("word", word)

    def export(self, path: str) -> None:
        """Write what was found into a directory of AFL++'s form: queue/, crashes/, hangs/, fuzzer_stats. Where names may
        not have colons (FAT) they are as with its SIMPLE_FILES: id_000000.
        """
        from .fuzzfiles import export

        export(self, path)

    def load(self, path: str) -> int:
        """Add the inputs in a directory, or of its queue/, and return how many there were. Those longer than max= are cut."""
        from .fuzzfiles import load

        return load(self, path)

    def drcov(self, path: str, base: int | None = None) -> int:
        """Write the covered blocks as a drcov file, which disassemblers' coverage plug-ins read, and return how many there
        are. base: of the module that their addresses are told from; None: the first page that has one.
        """
        from .fuzzfiles import drcov

        return drcov(self, path, base)

    def close(self) -> None:
        """Forget all of it. The VM stays as it is."""
        if self._open and not self._vm._vm.closed:
            self._open = False
            for b in self._breaks:
                if b:
                    b.remove()
            self._native("close")
            self.snapshot.drop()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        name = f"<Fuzz of {self._vm.name}"
        if not self._open or self._vm._vm.closed:
            return f"{name}: closed>"
        at = f" at {self.at}" if self.at is not None else ""
        more = ""
        if self.cover == "blocks":
            more = f", {len(self.covered)} of {len(self.blocks)} blocks"
        counts = [self._native(what) for what in ("rounds", "corpus", "crashes", "hangs")]
        found = f"{_many(counts[2], 'crash', 'crashes')}, {_many(counts[3], 'hang', 'hangs')}"
        return f"{name}{at}: {_many(counts[0], 'round', 'rounds')}, corpus {counts[1]}, {found}{more}>"


def _many(n, one, more):
    return f"{n} {one if n == 1 else more}"


def _register(name):
    # Its number, of "x0" to "x30"; None: it is none.
    if isinstance(name, str) and name[:1] == "x" and name[1:].isdigit() and int(name[1:]) < 31:
        return int(name[1:])
    return None
