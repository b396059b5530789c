# SPDX-License-Identifier: MIT
"""Networks of guests: a switch, and the virtio network devices (virtio 1.1, 5.1) that plug into it.

    lan = hv.Switch()
    one.net(lan)
    two.net(lan)

Besides guests, whatever has receive(frame) may be in lan.ports, and send with lan.forward(itself, frame).
A frame is a buffer from the destination address on, without a checksum; it is for the time of the call.
"""

from .virtio import Device

FRAME = 1514  # the longest there is, without offloads
_MACS = 256  # learnt addresses


class Switch:
    """Learns from their frames which port has which address; what it does not know goes to all others."""

    def __init__(self):
        self.ports = []
        self.macs = {}  # port by address

    def __repr__(self):
        return f"<Switch: {len(self.ports)} ports, {len(self.macs)} addresses>"

    def forward(self, sender, frame) -> None:
        """Bring a frame from the port `sender` to where it is meant for."""
        to, source = bytes(frame[:6]), bytes(frame[6:12])
        if len(source) < 6:
            return
        if not source[0] & 1 and self.macs.get(source) is not sender:
            if len(self.macs) >= _MACS:
                self.macs.clear()
            self.macs[source] = sender
        known = None if to[0] & 1 else self.macs.get(to)
        for port in (known,) if known else tuple(self.ports):
            if port is not sender:
                port.receive(frame)

    def leave(self, port) -> None:
        """A port is gone."""
        self.ports.remove(port)
        self.macs = {mac: at for mac, at in self.macs.items() if at is not port}


class Net(Device):
    """A network device on a switch. mac: 6 bytes; by itself one that no other VM here has.

    sent, received, dropped: frames; dropped are those the guest had no buffer for.
    """

    id = 1
    features = 1 << 5  # VIRTIO_NET_F_MAC
    queues = 2  # to the driver, from the driver
    passive = 1

    def __init__(self, switch: Switch, mac: bytes | None = None, legacy: bool = False):
        super().__init__(legacy)
        if not hasattr(switch, "forward"):
            raise TypeError(f"a network device is on an hv.Switch, not {switch!r}")
        if mac is not None and (
            not isinstance(mac, (bytes, bytearray)) or len(mac) != 6 or mac[0] & 1
        ):
            raise ValueError(f"a MAC address is 6 bytes, the first one even, not {mac!r}")
        self.switch = switch
        self.mac = mac
        self.sent = self.received = self.dropped = 0
        # virtio 1.1, 5.1.6: no offloads, one buffer. The count of buffers is not in the legacy header.
        self._header = bytes(10) if legacy else b"\0\0\0\0\0\0\0\0\0\0\1\0"
        self._frame = memoryview(bytearray(len(self._header) + FRAME))

    def _about(self):
        mac = self.mac and ":".join([f"{byte:02x}" for byte in self.mac])
        return f" {mac} sent {self.sent} received {self.received} dropped {self.dropped}"

    def plug(self, vm, slot):
        self.mac = self.mac or bytes((2, 0x45, 0x4C, 0, vm.vmid, slot))
        self.config = self.mac + b"\1\0"
        super().plug(vm, slot)
        self.switch.ports.append(self)

    def request(self, queue, r):
        if r.readable > len(self._frame):
            return
        count = r.readinto(self._frame)
        self.sent += 1
        self.switch.forward(self, self._frame[len(self._header) : count])

    def receive(self, frame) -> None:
        """A frame from the switch."""
        try:
            r = self.pop(0)
        except ValueError:  # the VM has been closed
            self.switch.leave(self)
            return
        if r is None:
            self.dropped += 1
            return
        r.write(self._header)
        r.write(frame)
        r.done()
        self.received += 1
