# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/replay.py.
"""Record and replay: vm.record(), vm.replay().

While a VM is recorded each of its instructions is a step, counted, and its time goes by that count; its vCPUs follow one
another. All that it does follows from where it began, but for what is put in from outside, and what its virtio devices have
answered: that is in the log. docs/replay.md tells more."""

from typing import Any

import ujson
from ubinascii import a2b_base64 as a2b_base64, b2a_base64 as b2a_base64
from .snapshot import back as back, take as take
from .source import Parsed as Parsed, open_file as open_file

class Record:
    """What a VM did from vm.record() on. A position is a number of turns from there: an instruction is one, and so is an
    interrupt that is taken, and a sleep until a deadline."""

    stops: Any
    """(position, registers) wherever it has stopped: to compare."""
    def __init__(self, vm: Any, begin: Any=True) -> None: ...
    @property
    def position(self) -> int:
        """Where it is: so many turns from the beginning."""
    @property
    def length(self) -> int:
        """How many turns are recorded."""
    @property
    def cpu(self) -> int:
        """Whose turn is the next one: of the VM's vCPUs one after another runs."""
    @property
    def inputs(self) -> list:
        """What came from outside: (position, kind, character or INTID, level), kind 0 of the console, 1 and 2 a line, 3 a pulse.
        Of virtio devices: (position, 4, 0, address, bytes) is written to RAM, (position, 5, slot | queue << 8 | head << 16, how
        many bytes) a request that is over, (position, 6, slot, 0, bytes) a new configuration, (position, 7, slot, 0) a driver's fault."""
    @property
    def exact(self) -> bool:
        """Whether a replay is the same to the instruction; `why` tells what there was that cannot be had again."""
    @property
    def why(self) -> str:
        """Why a replay is approximate, or ""."""
    def stop(self) -> None:
        """End of the record: the VM's time is the world's again, and it goes on at its own speed. ValueError with virtio
        devices when it is not at the end: they hold what they hold there."""
    def replay(self) -> None:
        """Go back to where it began. The VM that is run from there does the same again, and stops where the record ends; run
        once more it goes on from there, and is recorded."""
    def to(self, position: int) -> Any:
        """Go to a position, back or forward. Returns None, or the Exit that has ended it on the way."""
    def back(self, n: int=1) -> Any:
        """So many turns back."""
    def check(self) -> int:
        """Replay all of it, and compare the registers at each of its stops: how many those are. ValueError names the first
        that differs."""
    def drop(self) -> None:
        """Forget it, and what is kept for it."""
    def save(self, path: str) -> None:
        """Write it to a file, for vm.replay() of a VM that has been made in the same way."""

def load(vm: Any, path: Any) -> Any: ...
def record(vm: Any) -> Any: ...
