# SPDX-License-Identifier: MIT
"""Snapshots of a VM: vm.snapshot(), vm.back().

A snapshot costs nothing but the pages that are written afterwards: each is kept, as it was, when it is first
written. Going back puts those in their places again.
"""


class Snapshot:
    """What a VM was at one moment: vm.back(s) goes back to that."""

    def __init__(self, vm, id, devices):
        self._vm, self._id, self._devices = vm, id, devices

    def __repr__(self):
        try:
            n = len(self.dirty)
        except ValueError:
            return f"<Snapshot {self._id} of {self._vm.name}: dropped>"
        return f"<Snapshot {self._id} of {self._vm.name}: {n} pages written since>"

    @property
    def dirty(self) -> list:
        """The pages of RAM that are not what they were, by their addresses: by the guest, devices and scripts."""
        return self._vm._vm.hold("written", self._id)

    def drop(self) -> None:
        """Forget it, and free what is kept for it."""
        self._vm._vm.hold("drop", self._id)
        self._vm._snapshots.pop(self._id, None)


def take(vm):
    devices = [(d, d.save()) for d in vm._virtio.values() if hasattr(d, "save")]
    s = Snapshot(vm, vm._vm.hold("take"), devices)
    if not vm._snapshots:
        vm._snapshots = {}
    vm._snapshots[s._id] = s
    return s


def back(vm, s, clock):
    if clock not in ("world", "guest"):
        raise ValueError(f'clock= is "world" or "guest", not {clock!r}')
    if s is None:
        s = vm._snapshots and vm._snapshots.get(vm._vm.hold("at"))
        if not s:
            raise ValueError(f"{vm.name} has no snapshot to go back to: vm.snapshot() makes one")
    if not isinstance(s, Snapshot) or s._vm is not vm:
        raise ValueError(f"{s!r} is no snapshot of {vm.name}")
    vm._vm.hold("back", s._id, clock == "guest")
    for device, state in s._devices:
        device.load(state)
