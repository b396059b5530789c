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

def take(vm: Any) -> Any: ...
def back(vm: Any, s: Any, clock: Any) -> Any: ...
