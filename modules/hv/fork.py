# SPDX-License-Identifier: MIT
"""s.fork(): a second VM from a snapshot."""

from .block import Block, Overlay
from .net import Net, Switch
from .virtio import Console, Rng


class Forked(Net):
    """A network device of a fork. Its guest's driver knows the address of the guest it was forked from: on the switch, in
    ARP (RFC 826) and in IPv6's neighbour discovery (RFC 4861) there is the device's own in its place. Once the driver is
    bound anew it has that by itself.
    """

    was = None  # what the guest takes for its address

    def save(self):
        return self.was

    def load(self, state):
        self.was = state or self.was

    def request(self, queue, r):
        if r.readable > len(self._frame):
            return
        count = r.readinto(self._frame)
        frame = self._frame[len(self._header) : count]
        if bytes(frame[6:12]) == self.mac:
            self.was = None
        elif self.was:
            _change(frame, (6, 22, 32), self.was, self.mac)
        self.sent += 1
        self.switch.forward(self, frame)

    def receive(self, frame):
        if self.was:
            frame = memoryview(bytearray(frame))
            _change(frame, (0, 32), self.mac, self.was)
        super().receive(frame)


_OPTIONS = {133: 62, 134: 70, 135: 78, 136: 78, 137: 94}  # where they begin, by ICMPv6's type


def _change(frame, places, old, new):
    """In an Ethernet header, and behind that in ARP, or in the options of neighbour discovery."""
    kind = bytes(frame[12:14])
    for at in places:
        if (at < 12 or kind == b"\x08\x06") and bytes(frame[at : at + 6]) == old:
            frame[at : at + 6] = new
    if kind == b"\x86\xdd" and len(frame) > 62 and frame[20] == 58:
        at = _OPTIONS.get(frame[54], len(frame))
        while at + 8 <= len(frame) and frame[at + 1]:
            if frame[at] in (1, 2) and bytes(frame[at + 2 : at + 8]) == old:
                _sum(frame, old, new)
                frame[at + 2 : at + 8] = new
            at += 8 * frame[at + 1]


def _sum(frame, old, new):
    # RFC 1624: the checksum's complement goes by what has changed.
    more = ~int.from_bytes(frame[56:58], "big") & 0xFFFF
    for i in range(0, 6, 2):
        more += int.from_bytes(new[i : i + 2], "big")
        more += ~int.from_bytes(old[i : i + 2], "big") & 0xFFFF
    while more >> 16:
        more = (more & 0xFFFF) + (more >> 16)
    frame[56:58] = (~more & 0xFFFF).to_bytes(2, "big")


def forked_net(switch, mac, legacy, spoof, was):
    device = Forked(switch, mac, legacy, spoof)
    device.was = was
    return device


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
        was = getattr(device, "was", None) or device.mac
        switch = device.switch if net else Switch()
        return forked_net(switch, None, device.legacy, device.spoof, was)
    if isinstance(device, Rng):
        return Rng(device.legacy)
    if isinstance(device, Console):
        return Console(None, device.legacy)
    if hasattr(device, "fork"):
        return device.fork()
    raise TypeError(f"{device!r} has no fork(): it says what a fork of its VM has in its place")


def fork(s, name, net):
    vm = s._vm
    states = {id(device): state for device, state in s._devices}
    other = object.__new__(type(vm))
    other._forked = True
    other.__init__(name or vm.name + "-fork", vm.memory.size, len(vm.cpu))
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
