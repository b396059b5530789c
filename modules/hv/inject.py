# SPDX-License-Identifier: MIT
"""vm.inject: faults of the machine, made on purpose, each in one line; the same again from the same seed.

vm.inject.irq(33, drop=0.1)         # one interrupt in ten is lost
vm.inject.irq(48, delay_ms=5)       # each comes late
vm.inject.irq(48, storm=20)         # and is followed by so many that nobody asked for
vm.inject.load(0x0900_0018, flip=1 << 5, rate=0.01)     # a bit of what a device says is wrong now and then
vm.inject.disk(disk, nth=100)       # the 100th request fails
vm.inject.clock(ms=3000)            # the guest's counter jumps; ppm=: it runs too fast

Each returns a Fault: seen, log, remove(). A log is what happened, by number; given instead of a rate it happens again.
"""

_LOG = 1000


class Dice:
    """Whether the n-th is hit: by a rate from 0 to 1 and a seed (xorshift32), or by the numbers themselves."""

    def __init__(self, rate, seed):
        self._numbers = None
        if not isinstance(rate, (int, float, bool)):
            self._numbers = set(rate)
        elif not 0 <= rate <= 1:
            raise ValueError(
                f"a rate is from 0 to 1, or the numbers of those that are hit, not {rate!r}"
            )
        self._below = 0 if self._numbers else int(rate * 4294967295)
        self._state = start(seed)

    def __call__(self, n):
        if self._numbers is not None:
            return n in self._numbers
        x = self._state
        x ^= x << 13 & 0xFFFF_FFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFF_FFFF
        self._state = x
        return 0 < self._below >= x


def start(seed):
    """What the dice begin with: not zero, and not nearly the same for seeds that are."""
    return (seed * 0x9E37_79B1 + 0x7F4A_7C15) & 0xFFFF_FFFF or 1


class Fault:
    """A fault that is injected. what: in words; log: the numbers of those that it hit, up to 1000 of them."""

    def __init__(self, vm, what, seed):
        self.what: str = what
        self.seed: int = seed
        self.log: list = []
        self._vm = vm
        self._seen = 0
        self._undo = None

    @property
    def seen(self) -> int:
        """How many came by, hit or not."""
        return self._seen

    def remove(self) -> None:
        """The machine is as it should be again. Once more: nothing."""
        undo, self._undo = self._undo, None
        if undo:
            self._vm._faults = tuple([each for each in self._vm._faults if each is not self])
            undo()

    def _hit(self, n):
        if len(self.log) < _LOG:
            self.log.append(n)

    def _begin(self, undo):
        self._undo = undo
        self._vm._faults += (self,)
        return self

    def __repr__(self):
        state = "" if self._undo else ", removed"
        return f"<Fault {self.what}, seed {self.seed}: {len(self.log)} of {self.seen}{state}>"


class _Late(Fault):
    """Of an interrupt."""

    def _start(self, intid, dice, delay_ms, storm):
        self._irq, self._dice, self._delay, self._storm = (
            self._vm.irq(intid),
            dice,
            delay_ms,
            storm,
        )
        self._own = 0  # those of this fault's making that are still to be asked about
        self._timers = []
        self._irq.watch(self._asked)
        return self._begin(self._end)

    def _end(self):
        for timer in self._timers:
            timer.deinit()
        self._irq.unwatch()

    def _asked(self, irq):
        if self._own:
            self._own -= 1
            return True
        self._seen += 1
        if not self._dice(self._seen):
            return True
        self._hit(self._seen)
        if self._delay:
            self._after(self._delay, self._pass)
            return False
        if self._storm:
            self._more(self._storm)
            return True
        return False

    def _after(self, ms, f):
        from umachine import Timer

        def now(timer):
            if timer in self._timers:
                self._timers.remove(timer)
            try:
                if self._undo:
                    f()
            except ValueError:
                self._undo = None  # the VM is closed

        self._timers.append(Timer(-1, mode=Timer.ONE_SHOT, period=ms, callback=now))

    def _pass(self):
        # To the guest, as it is by now: a line that has fallen meanwhile is one that was missed.
        irq = self._irq
        irq.unwatch()
        irq.watch(self._asked)

    def _more(self, left):
        def one():
            self._own = 1
            self._irq.pulse()
            if left > 1:
                self._more(left - 1)

        self._after(1, one)


class _Flip(Fault):
    """Of what a device's register says: a rule, in C."""

    @property
    def seen(self) -> int:
        """How many loads there were."""
        return self._rule.hits if self._rule else self._seen

    def _start(self, ipa, size, flip, rate, nth):
        often = int(rate * 0xFFFF_FFFF) << 32 | start(self.seed)
        self._rule = self._vm._vm.rule("mmio", ipa, size, "flip", flip, often, None, nth, 0, None)
        return self._begin(self._end)

    def _end(self):
        self._seen = self._rule.hits
        self._rule.remove()
        self._rule = None


class _Memory(Fault):
    """Of what RAM says. A watch is told of a load behind it: what is to be wrong is wrong in memory from the access before on,
    and right again behind that load.
    """

    def _start(self, ipa, size, flip, dice):
        self._ipa, self._size, self._flip, self._dice = ipa, size, flip, dice
        self._wrong = False
        self._watch = self._vm.watch(ipa=ipa, size=size, rights="rw", f=self._access)
        self._ahead()
        return self._begin(self._end)

    def _ahead(self):
        if self._dice(self._seen + 1):
            self._turn()

    def _turn(self):
        memory, at, size = self._vm.memory, self._ipa, self._size
        value = int.from_bytes(memory[at : at + size], "little") ^ self._flip
        memory[at : at + size] = value.to_bytes(size, "little")
        self._wrong = not self._wrong

    def _access(self, cpu, address, size, old, new):
        store = cpu is None or cpu.exit.write
        if not store:
            self._seen += 1
        if self._wrong:
            self._turn()
            if not store:
                self._hit(self._seen)
        if not store:
            self._ahead()

    def _end(self):
        self._watch.remove()
        if self._wrong:
            self._turn()


class _Disk(Fault):
    """Of a disk: its requests end with VIRTIO_BLK_S_IOERR."""

    def _start(self, disk, dice, kind):
        move, self._next, self._bad = disk._move, None, False

        def faulty(r, at, count, write):
            if at != self._next or not write == self._write:  # not the next part of a long one
                self._bad = False
                if kind in (None, "write" if write else "read"):
                    self._seen += 1
                    self._bad = dice(self._seen)
                    if self._bad:
                        self._hit(self._seen)
            self._next, self._write = (at + count, write) if count == 0x1_0000 else (None, write)
            if self._bad:
                raise OSError(5)
            return move(r, at, count, write)

        def undo():
            disk._move = move

        self._write = False
        disk._move = faulty
        return self._begin(undo)


class _Clock(Fault):
    """Of the counter: it drifts."""

    def _start(self, ppm):
        from _hv import mrs
        from umachine import Timer

        self._step = mrs("CNTFRQ_EL0") * ppm / 10_000_000  # of a tenth of a second
        self._rest = 0.0
        self._timer = Timer(-1, mode=Timer.PERIODIC, period=100, callback=self._tick)
        return self._begin(self._timer.deinit)

    def _tick(self, timer):
        try:
            if self._vm.running:
                self._seen += 1
                self._rest += self._step
                by = self._vm._vm.skew(int(self._rest))
                self._rest -= by
                self._hit(by)
        except RuntimeError:
            pass  # in the middle of a step
        except ValueError:  # the VM has been closed
            timer.deinit()


class Inject:
    """vm.inject: see hv.inject."""

    def __init__(self, vm):
        self._vm = vm

    def irq(
        self, intid: int, *, drop=0, delay_ms: int = 0, storm: int = 0, rate=1.0, seed: int = 1
    ) -> Fault:
        """Interrupt `intid` of a device (32 and up): drop= so many of 1 never reach the guest; or, of rate= so many of 1,
        delay_ms= each comes so much later, storm= each is followed by so many edges, one a millisecond. A line that is
        dropped is seen when it rises again. drop= and rate= may be the numbers of those that are hit (a Fault's log).
        """
        if (drop != 0) + (delay_ms != 0) + (storm != 0) != 1:
            raise TypeError("a fault of an interrupt is one of drop=, delay_ms= and storm=")
        what = (
            f"drop={drop!r}" if drop else f"delay_ms={delay_ms}" if delay_ms else f"storm={storm}"
        )
        dice = Dice(drop or rate, seed)
        return _Late(self._vm, f"irq {intid} {what}", seed)._start(intid, dice, delay_ms, storm)

    def load(
        self, ipa: int, size: int = 4, *, flip: int = 1, rate=1.0, nth: int = 0, seed: int = 1
    ) -> Fault:
        """The guest's loads of `size` bytes at an IPA see the bits of `flip` the other way round: rate= so many of 1; or only
        the nth. Of a device in C, each in hv.events(); in RAM by vm.watch(), for that load alone, and rate= may be the
        numbers of those that are hit.
        """
        if not 0 < flip < 1 << 8 * size or size > 8:
            raise ValueError(f"bits of {size} bytes, at most 8, not {flip:#x}")
        memory = self._vm.memory
        dice = Dice((nth,) if nth else rate, seed)
        if memory.base <= ipa < memory.base + memory.size:
            return _Memory(self._vm, f"load {ipa:#x} flip={flip:#x}", seed)._start(
                ipa, size, flip, dice
            )
        return _Flip(self._vm, f"load {ipa:#x} flip={flip:#x}", seed)._start(
            ipa, size, flip, rate, nth
        )

    def disk(self, disk, *, nth: int = 0, rate=0, kind: str | None = None, seed: int = 1) -> Fault:
        """Requests of a disk (vm.block()) fail: the nth; or rate= so many of 1, or by their numbers. kind: "read" or "write"
        only. The guest gets an I/O error, the store is not touched.
        """
        if kind not in (None, "read", "write"):
            raise ValueError(f'requests are "read" or "write", not {kind!r}')
        if not nth and not rate:
            raise TypeError("which requests fail: nth= or rate=")
        dice = Dice((nth,) if nth else rate, seed)
        what = f"disk nth={nth}" if nth else f"disk rate={rate!r}"
        return _Disk(self._vm, what, seed)._start(disk, dice, kind)

    def clock(self, ms: float = 0, *, ppm: float = 0) -> Fault:
        """The guest's virtual counter (CNTVCT_EL0) jumps by ms, once; or runs so many millionths too fast until remove(),
        corrected ten times a second. Backwards with negative numbers, as far as the machine's counter allows: log has the
        ticks of the jump, or of each correction.
        """
        if (ms != 0) + (ppm != 0) != 1:
            raise TypeError("a fault of the clock is one of ms= and ppm=")
        if ppm:
            return _Clock(self._vm, f"clock ppm={ppm}", 0)._start(ppm)
        from _hv import mrs

        fault = Fault(self._vm, f"clock ms={ms}", 0)
        fault._seen = 1
        fault.log.append(self._vm._vm.skew(int(ms * mrs("CNTFRQ_EL0") / 1000)))
        return fault
