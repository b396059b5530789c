# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/watch.py.
"""vm.watch(): who reads or writes a range of a guest's memory.

A range may be of one byte or of gigabytes, and there may be any number. Its pages lose the right (loads, stores), each
access to them is an exit that is done in C, and those of the range are counted, or told to a function."""

from typing import Any


class Watch:
    """A watched range of a guest's memory, as vm.watch() makes it.

    address, size, rights: of what. name: how it was asked for."""

    address: int
    name: str
    size: int
    rights: str
    def __init__(self, vm: Any, where: Any, size: Any, rights: Any, handler: Any, ipa: Any, stop: Any) -> None: ...
    def on(self) -> None:
        """Watch it (again)."""
    def off(self) -> None:
        """Do not watch it until on()."""
    def remove(self) -> None:
        """For good: vm.watches() does not have it any more."""
    @property
    def hits(self) -> int:
        """Accesses to it so far."""
    @property
    def rate(self) -> int:
        """Accesses a second that went by on its pages, when they became many; 0: they have not."""
