# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/breaks.py.
"""Breakpoints in guests: vm.on() and what is made of it."""

from typing import Any

from .traps import number as number
def on(vm: Any, where: Any, f: Any, ret: Any, when: Any, count: Any, once: Any, action: Any, ipa: Any, pid: Any, el0: Any) -> Any: ...

class Breakpoint:
    """A breakpoint: hits, on(), off(), remove(). As a decorator vm.on() leaves it under the function's name."""

    where: Any
    def __init__(self, vm: Any, where: Any, f: Any, ret: Any, when: Any, count: Any, once: Any, action: Any, ipa: Any, pid: Any, el0: Any) -> None: ...
    @property
    def kind(self) -> str:
        """How it is made: "planted", in the place of the instruction; "hardware", where that cannot be: in one of the
        vCPUs' own six; "waiting", for its module to be loaded again."""
    @property
    def hits(self) -> int:
        """How often the guest has come by, `when` held."""
    def on(self) -> None:
        """Again, after off()."""
    def off(self) -> None:
        """It does and counts nothing until on()."""
    def remove(self) -> None:
        """Take it away: the guest's instruction is in its place again. Once more: nothing."""

def find_again(vm: Any) -> Any:
    """The guest is another than it was: calls that were under way are not, modules come and go."""
def find(vm: Any, where: Any, space: Any=None) -> Any:
    """A place of a guest: its VA, its IPA, or None where nothing is now, and whether a program executes it. space: which,
    by TTBR0_EL1 or CONTEXTIDR_EL1."""
def run_until(vm: Any, where: Any, timeout_ms: Any=None, **how: Any) -> Any:
    """Run a VM until it comes to a place."""
def step_next(cpu: Any) -> Any:
    """As cpu.step(), over a call."""
def finish(cpu: Any) -> Any:
    """Run until the function that the cpu is in has returned."""
