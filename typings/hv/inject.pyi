# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/inject.py.
"""vm.inject: faults of the machine, made on purpose, each in one line; the same again from the same seed.

vm.inject.irq(33, drop=0.1)         # one interrupt in ten is lost
vm.inject.irq(48, delay_ms=5)       # each comes late
vm.inject.irq(48, storm=20)         # and is followed by so many that nobody asked for
vm.inject.load(0x0900_0018, flip=1 << 5, rate=0.01)     # a bit of what a device says is wrong now and then
vm.inject.disk(disk, nth=100)       # the 100th request fails
vm.inject.clock(ms=3000)            # the guest's counter jumps; ppm=: it runs too fast

Each returns a Fault: seen, log, remove(). A log is what happened, by number; given instead of a rate it happens again."""

from typing import Any


class Dice:
    """Whether the n-th is hit: by a rate from 0 to 1 and a seed (xorshift32), or by the numbers themselves."""

    def __init__(self, rate: Any, seed: Any) -> None: ...

def start(seed: Any) -> Any:
    """What the dice begin with: not zero, and not nearly the same for seeds that are."""

class Fault:
    """A fault that is injected. what: in words; log: the numbers of those that it hit, up to 1000 of them."""

    what: str
    seed: int
    log: list
    def __init__(self, vm: Any, what: Any, seed: Any) -> None: ...
    @property
    def seen(self) -> int:
        """How many came by, hit or not."""
    def remove(self) -> None:
        """The machine is as it should be again. Once more: nothing."""


class Inject:
    """vm.inject: see hv.inject."""

    def __init__(self, vm: Any) -> None: ...
    def irq(self, intid: int, *, drop: Any=0, delay_ms: int=0, storm: int=0, rate: Any=1.0, seed: int=1) -> Fault:
        """Interrupt `intid` of a device (32 and up): drop= so many of 1 never reach the guest; or, of rate= so many of 1,
        delay_ms= each comes so much later, storm= each is followed by so many edges, one a millisecond. A line that is
        dropped is seen when it rises again. drop= and rate= may be the numbers of those that are hit (a Fault's log)."""
    def load(self, ipa: int, size: int=4, *, flip: int=1, rate: Any=1.0, nth: int=0, seed: int=1) -> Fault:
        """The guest's loads of `size` bytes at an IPA see the bits of `flip` the other way round: rate= so many of 1; or only
        the nth. Of a device in C, each in hv.events(); in RAM by vm.watch(), for that load alone, and rate= may be the
        numbers of those that are hit."""
    def disk(self, disk: Any, *, nth: int=0, rate: Any=0, kind: str | None=None, seed: int=1) -> Fault:
        """Requests of a disk (vm.block()) fail: the nth; or rate= so many of 1, or by their numbers. kind: "read" or "write"
        only. The guest gets an I/O error, the store is not touched."""
    def clock(self, ms: float=0, *, ppm: float=0) -> Fault:
        """The guest's virtual counter (CNTVCT_EL0) jumps by ms, once; or runs so many millionths too fast until remove(),
        corrected ten times a second. Backwards with negative numbers, as far as the machine's counter allows: log has the
        ticks of the jump, or of each correction."""
