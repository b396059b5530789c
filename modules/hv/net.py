# SPDX-License-Identifier: MIT
"""Networks of guests: a switch, and the virtio network devices (virtio 1.1, 5.1) that plug into it.

    lan = hv.Switch()
    one.net(lan)
    two.net(lan)

Besides guests, whatever has receive(frame) may be in lan.ports, and send with lan.forward(itself, frame).
A frame is a buffer from the destination address on, without a checksum; it is for the time of the call.
"""

from .frames import FRAME, Tap
from .virtio import Device

_MACS = 256  # learnt addresses


class Switch:
    """Learns from their frames which port has which address; what it does not know goes to all others.

    A port that has a `mac` sends from that address only, and nobody else can have it: frames that say otherwise are
    dropped and counted in its `forged`. Not so one whose `spoof` is true, as a bridge wants it: what it sends from is
    learnt, but for addresses that are another port's own or that another port has been learnt to have. A port
    without `mac` is the script's own, and may send from any.
    """

    def __init__(self):
        self.ports = []
        self.macs = {}  # port by address, to look at
        self.taps = ()
        self._flows = {}  # what forward() has found by a frame's two addresses: (sender, port)

    def __repr__(self):
        return f"<Switch: {len(self.ports)} ports, {len(self.macs)} addresses>"

    def forward(self, sender, frame) -> None:
        """Bring a frame from the port `sender` to where it is meant for."""
        flow = self._flows.get(bytes(frame[:12]))
        if flow and flow[0] is sender:
            flow[1].receive(frame)
        else:
            self._forward(sender, frame)

    def _forward(self, sender, frame):
        to, source = bytes(frame[:6]), bytes(frame[6:12])
        if len(source) < 6:
            return
        if self.macs.get(source) is not sender and not self._learn(sender, source):
            sender.forged += 1
            return
        for tap in self.taps:
            tap._see(sender, frame)
        known = None if to[0] & 1 else self.macs.get(to)
        if known and known is not sender and not self.taps:
            if len(self._flows) >= _MACS:
                self._flows = {}
            self._flows[to + source] = sender, known
        for port in (known,) if known else tuple(self.ports):
            if port is not sender:
                port.receive(frame)

    def tap(self, f) -> Tap:
        """Call f(port, frame) with each frame that is switched, before it is delivered: port is the sender's, and frame
        a buffer for the time of the call. Ended by remove(), or by an exception of f's.
        """
        return Tap(self, f)

    def pcap(self, path: str):
        """Write each frame that is switched to a file that Wireshark and tshark read (hv.pcap.Capture), until its close()."""
        from .pcap import Capture

        return Capture(self, path)

    def uplink(self, n: int = 0):
        """The machine's n-th virtio network device joins the switch (hv.uplink.Uplink): with QEMU's user network
        guests reach the host and what it reaches. OSError: there is none, or a guest has it.
        """
        from .uplink import Uplink

        return Uplink(self, n)

    def join(self, port) -> None:
        """A guest's port: its own address is no other's. ValueError: it is already."""
        for other in [other for other in self.ports if getattr(other, "mac", None) == port.mac]:
            try:
                other.port.status
            except ValueError:  # its VM has been closed
                self.leave(other)
            else:
                raise ValueError("a port of this switch has that mac already")
        self.ports.append(port)
        self.macs[port.mac] = port
        self._flows = {}

    def _learn(self, sender, source):
        mac = getattr(sender, "mac", None)
        if mac is None:  # the script's
            if self._owner(source):
                return True  # it may say so, and gets no answers
        elif source != mac:
            if not getattr(sender, "spoof", False) or source[0] & 1 or source in self.macs:
                return False
        if not source[0] & 1:
            if (
                len(self.macs) >= _MACS
            ):  # its own are forgotten: nobody pushes out what is another's
                owned = self.macs.items()
                self.macs = {at: p for at, p in owned if p is not sender or self._owner(at)}
            if len(self.macs) < _MACS:
                self.macs[source] = sender
            self._flows = {}
        return True

    def _owner(self, source):
        port = self.macs.get(source)
        return port if port and getattr(port, "mac", None) == source else None

    def leave(self, port) -> None:
        """A port is gone."""
        self.ports.remove(port)
        self.macs = {mac: at for mac, at in self.macs.items() if at is not port}
        self._flows = {}


class Net(Device):
    """A network device on a switch. mac: 6 bytes; by itself one that no other VM here has. spoof: the guest
    may send from other addresses than that, as a bridge or a hypervisor does.

    sent, received, dropped, forged: frames; dropped are those the guest had no buffer for, forged those it sent
    from an address that is not its own.
    """

    id = 1
    features = 1 << 5  # VIRTIO_NET_F_MAC
    queues = 2  # to the driver, from the driver
    passive = 1

    def __init__(
        self, switch: Switch, mac: bytes | None = None, legacy: bool = False, spoof: bool = False
    ):
        super().__init__(legacy)
        if not hasattr(switch, "forward"):
            raise TypeError(f"a network device is on an hv.Switch, not {switch!r}")
        if mac is not None and (
            not isinstance(mac, (bytes, bytearray)) or len(mac) != 6 or mac[0] & 1
        ):
            raise ValueError(f"a MAC address is 6 bytes, the first one even, not {mac!r}")
        self.switch = switch
        self.spoof = spoof
        self.mac = mac
        self.sent = self.received = self.dropped = self.forged = 0
        # virtio 1.1, 5.1.6: no offloads, one buffer. The count of buffers is not in the legacy header.
        self._header = bytes(10) if legacy else b"\0\0\0\0\0\0\0\0\0\0\1\0"
        self._begin = len(self._header)
        self._frame = memoryview(bytearray(self._begin + FRAME))

    def _about(self):
        mac = self.mac and ":".join([f"{byte:02x}" for byte in self.mac])
        return f" {mac} sent {self.sent} received {self.received} dropped {self.dropped}"

    def plug(self, vm, slot):
        self.mac = self.mac or bytes((2, 0x45, 0x4C, 0, vm.vmid, slot))
        self.config = self.mac + b"\1\0"
        self.switch.join(self)
        try:
            super().plug(vm, slot)
        except BaseException:
            self.switch.leave(self)
            raise

    def request(self, queue, r):
        frame = self._frame
        count = r.readinto(frame)
        if r.readable:
            return  # longer than any
        self.sent += 1
        self.switch.forward(self, frame[self._begin : count])

    def receive(self, frame) -> None:
        """A frame from the switch."""
        try:
            r = self.port.pop(0)
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
