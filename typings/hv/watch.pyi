# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/watch.py.
"""vm.watch(): who reads or writes a range of a guest's memory.

A range may be of one byte or of gigabytes, and there may be any number. It is in a debug register of the vCPUs, or its pages
lose the right (loads, stores), each access to them is an exit that is done in C, and those of the range are counted, or told
to a function."""

from typing import Any

from .traps import number as number
def watch(vm: Any, where: Any, size: Any, rights: Any, f: Any, ipa: Any, action: Any) -> Any: ...

class Watch:
    """A watched range of a guest's memory: hits, on(), off(), remove(). where, address, size, rights: of what."""

    address: int
    where: str
    size: int
    rights: str
    def __init__(self, vm: Any, where: Any, size: Any, rights: Any, f: Any, ipa: Any, action: Any) -> None: ...
    @property
    def hits(self) -> int:
        """How many accesses to it there were."""
    @property
    def kind(self) -> str:
        """How it is made: "hardware", in one of the vCPUs' own four; "pages", whose accesses are all exits."""
    @property
    def rate(self) -> int:
        """Accesses a second that went by on its pages, once they were many: then its page is hot, which is said."""
    def on(self) -> None:
        """Again, after off(): by the guest's tables as they are then."""
    def off(self) -> None:
        """It costs and counts nothing until on()."""
    def remove(self) -> None:
        """For good."""
