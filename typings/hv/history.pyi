# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/history.py.
"""vm.history(every_ms=, keep=): snapshots by themselves, so that vm.back(ms=500) has something to go back to."""

from typing import Any

from machine import Timer as Timer
from utime import ticks_diff as ticks_diff, ticks_ms as ticks_ms
from .snapshot import back as back, take as take

class History:
    """The snapshots of the last while: len(h), h.ms (how far back they reach), h.stop(), h.clear()."""

    def __init__(self, vm: Any, every_ms: Any, keep: Any) -> None: ...
    @property
    def ms(self) -> int:
        """How long ago the oldest one was made."""
    def take(self) -> None:
        """One more, now; the oldest goes when there are more than `keep`."""
    def back(self, ms: Any, clock: Any='world') -> Any:
        """To the youngest that is at least so old, or the oldest there is; the younger ones are dropped."""
    def stop(self) -> None:
        """No more; those that there are stay."""
    def clear(self) -> None:
        """Drop all of them."""
