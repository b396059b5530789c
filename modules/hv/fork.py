# SPDX-License-Identifier: MIT
"""s.fork(): a second VM from a snapshot."""

from .block import Block, Overlay
from .net import Net, Switch
from .virtio import Console, Rng


def _disk(device, state):
    # What the guest wrote is copied at its first write of either; what is below belongs to both and is not written.
    base = device.store.base if isinstance(device.store, Overlay) else device.store
    disk = Block(base, device.readonly, not device.readonly, device.legacy)
    if not device.readonly:
        device._lent = False  # what is below is both's from now on
        disk.store.load(state)
    return disk


def _like(device, state, net):
    if isinstance(device, Block):
        return _disk(device, state)
    if isinstance(device, Net):
        return Net(device.switch if net else Switch(), None, device.legacy, device.spoof)
    if isinstance(device, Rng):
        return Rng(device.legacy)
    if isinstance(device, Console):
        return Console(None, device.legacy)
    if hasattr(device, "fork"):
        return device.fork()
    raise TypeError(f"{device!r} has no fork(): it says what a fork of its VM has in its place")


def fork(s, name, net):
    from .vm import VM

    vm = s._vm
    states = {id(device): state for device, state in s._devices}
    other = VM(name or vm.name + "-fork", vm.memory.size, len(vm.cpu))
    try:
        for ipa, size in vm._flash:
            other.flash(ipa, size)
        for slot, device in vm._virtio.items():
            state = states.get(id(device))
            made = _like(device, state, net)
            other.virtio(made, slot)
            if state is not None and not isinstance(made, Block):
                made.load(state)
        vm._vm.hold("fork", s._id, other._vm)
        for device in other._virtio.values():
            if isinstance(device, Net):
                device.port.configure(device.config)  # the address that it was given
    except BaseException:
        other._vm.close()
        raise
    other._images, other._linux, other._used = vm._images, vm._linux, True
    return other
