# SPDX-License-Identifier: MIT
"""vm.history(every_ms=, keep=): snapshots by themselves, so that vm.back(ms=500) has something to go back to."""

from machine import Timer
from utime import ticks_diff, ticks_ms

from .snapshot import back, take


class History:
    """The snapshots of the last while: len(h), h.ms (how far back they reach), h.stop(), h.clear()."""

    def __init__(self, vm, every_ms, keep):
        if every_ms < 1 or keep < 1:
            raise ValueError("a history is of at least one snapshot, every millisecond at most")
        self._vm, self.every_ms, self.keep = vm, every_ms, keep
        self._all = []  # (ticks, snapshot), oldest first
        self._timer = Timer(-1, mode=Timer.PERIODIC, period=every_ms, callback=self._tick)

    def __repr__(self):
        return f"<History of {self._vm.name}: {len(self)} snapshots, {self.ms} ms>"

    def __len__(self):
        self._sweep()
        return len(self._all)

    @property
    def ms(self) -> int:
        """How long ago the oldest one was made."""
        self._sweep()
        return ticks_diff(ticks_ms(), self._all[0][0]) if self._all else 0

    def _sweep(self):
        # Those that memory ran out for.
        ids = self._vm._vm.hold("lost")
        for at, s in self._all if ids else ():
            if s._id in ids:
                s.drop()
        self._all = [(at, s) for at, s in self._all if s._id in self._vm._snapshots]

    def _tick(self, timer):
        try:
            if self._vm.running:
                self.take()
        except RuntimeError:
            pass  # in the middle of a step
        except ValueError:  # the VM has been closed
            timer.deinit()
        except MemoryError as error:
            timer.deinit()
            print(f"{self._vm.name}: its history ends: {error}")

    def take(self) -> None:
        """One more, now; the oldest goes when there are more than `keep`."""
        self._sweep()
        s = take(self._vm)
        self._vm._vm.hold("history", s._id)
        self._all.append((ticks_ms(), s))
        while len(self._all) > self.keep:
            self._all.pop(0)[1].drop()

    def back(self, ms, clock="world"):
        """To the youngest that is at least so old, or the oldest there is; the younger ones are dropped."""
        self._sweep()
        now = ticks_ms()
        old = [n for n, (at, _) in enumerate(self._all) if ticks_diff(now, at) >= ms]
        if not self._all:
            raise ValueError(f"{self._vm.name} has no history yet")
        n = old[-1] if old else 0
        back(self._vm, self._all[n][1], clock)
        for _, s in self._all[n + 1 :]:
            s.drop()
        self._all = self._all[: n + 1]

    def stop(self) -> None:
        """No more; those that there are stay."""
        self._timer.deinit()

    def clear(self) -> None:
        """Drop all of them."""
        self.stop()
        for _, s in self._all:
            if s._id in self._vm._snapshots:
                s.drop()
        self._all = []
