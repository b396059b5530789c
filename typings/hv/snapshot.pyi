# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/snapshot.py.
"""Snapshots of a VM: vm.snapshot(), vm.back().

A snapshot costs nothing but the pages that are written afterwards: each is kept, as it was, when it is first
written. Going back puts those in their places again."""

from typing import Any


class Snapshot:
    """What a VM was at one moment: vm.back(s) goes back to that."""

    def __init__(self, vm: Any, id: Any, devices: Any) -> None: ...
    @property
    def dirty(self) -> list:
        """The pages of RAM that are not what they were, by their addresses: by the guest, devices and scripts."""
    def drop(self) -> None:
        """Forget it, and free what is kept for it."""
    def save(self, path: str) -> None:
        """Write it to a file, from which hv.load(path) makes a VM, also on another boot: all of it, and of RAM what is not
        zeros, compressed. The VM may run meanwhile. Ctrl-C leaves what was there before."""
    def fork(self, name: str | None=None, *, net: bool=True) -> Any:
        """A second VM that goes on from here by itself: hv.VM, ready to start. Its RAM is what this has until one of the two
        writes it. It has a console of its own, and disks
        that begin as they were here and are kept in memory; its network devices are on the same switches with new
        addresses, or with net=False on none. Handlers, rules and breakpoints are the first one's alone."""

def take(vm: Any, quota: Any=None) -> Any: ...
def back(vm: Any, s: Any, clock: Any) -> Any: ...
