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
        self._vm._vm.hold("moment", self._drop)

    def _drop(self):
        self._vm._vm.hold("drop", self._id)
        self._vm._snapshots.pop(self._id, None)
        for device in () if self._vm._snapshots else _devices(self._vm):
            if hasattr(device, "thaw"):
                device.thaw()

    def save(self, path: str) -> None:
        """Write it to a file, from which hv.load(path) makes a VM, also on another boot: all of it, and of RAM what is not
        zeros, compressed. The VM may run meanwhile. Ctrl-C leaves what was there before.
        """
        from .savefile import save

        save(self, path)

    def fork(self, name: str | None = None, *, net: bool = True):
        """A second VM that goes on from here by itself: hv.VM, ready to start. Its RAM is what this has until one of the two
        writes it. It has a console of its own, and disks
        that begin as they were here and are kept in memory; its network devices are on the same switches with new
        addresses, or with net=False on none. Handlers, rules and breakpoints are the first one's alone.
        """
        from .fork import fork

        return fork(self, name, net)


def _devices(vm):
    return list(vm._virtio.values()) + list(vm._kept)


def take(vm, quota=None):
    # Or a request would be answered between the one and the other, and be undone here but not there.
    def now():
        devices = [(d, d.save()) for d in _devices(vm)]
        return Snapshot(vm, vm._vm.hold("take"), devices)

    s = vm._vm.hold("moment", now) if vm._virtio or vm._kept else now()
    if quota is not None:
        vm._vm.hold("quota", quota)
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
    if vm._record:
        vm._record._leave()

    def then():
        vm._vm.hold("back", s._id, clock == "guest")
        for device, state in s._devices:
            device.load(state)

    vm._vm.hold("moment", then) if s._devices else then()
    for bp in vm._breaks:
        bp._find_again()
