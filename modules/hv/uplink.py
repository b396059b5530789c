# SPDX-License-Identifier: MIT
"""The machine's own network device as a port of a switch, through which guests reach the world.

    lan = hv.Switch()
    vm.net(lan)
    up = lan.uplink()

Under QEMU: `-netdev user,id=n -device virtio-net-device,netdev=n`. Its user network gives guests addresses by
DHCP, and has the host at 10.0.2.2.
"""

from umachine import NIC

from .frames import FRAME

_TURN = 32  # frames


class Uplink:
    """A port of a switch that is the machine's n-th virtio network device: Switch.uplink().

    sent, received, dropped: frames to the world, from it, and those for which there was no room on the way there.
    """

    def __init__(self, switch, n: int = 0):
        self.nic = NIC(n)
        if any([port.nic is self.nic for port in switch.ports if isinstance(port, Uplink)]):
            raise ValueError(f"{self.nic} is a port of this switch already")
        self.switch = switch
        self.sent = self.received = self.dropped = 0
        self._frame = memoryview(bytearray(FRAME))
        self.nic.irq(self._arrived)  # the one that had it before gets no more
        switch.ports.append(self)

    def __repr__(self):
        return f"<Uplink {self.nic}: sent {self.sent} received {self.received} dropped {self.dropped}>"

    def _arrived(self, nic):
        for _ in range(_TURN):
            n = nic.readinto(self._frame)
            if n is None:
                return
            self.received += 1
            self.switch.forward(self, self._frame[:n])
        nic.irq(self._arrived)  # the rest, after others

    def receive(self, frame) -> None:
        """A frame from the switch, to the world."""
        if self.nic.write(frame) is None:
            self.dropped += 1
        else:
            self.sent += 1

    def close(self) -> None:
        """It is a port no more. Again: nothing."""
        if self in self.switch.ports:
            self.nic.irq(None)
            self.switch.leave(self)
