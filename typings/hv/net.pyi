# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/net.py.
"""Networks of guests: a switch, and the virtio network devices (virtio 1.1, 5.1) that plug into it.

    lan = hv.Switch()
    one.net(lan)
    two.net(lan)

Besides guests, whatever has receive(frame) may be in lan.ports, and send with lan.forward(itself, frame).
A frame is a buffer from the destination address on, without a checksum; it is for the time of the call."""

from typing import Any

from .frames import FRAME as FRAME, Tap as Tap
from .virtio import Device as Device

class Switch:
    """Learns from their frames which port has which address; what it does not know goes to all others.

    A port that has a `mac` sends from that address only, and nobody else can have it: frames that say otherwise are
    dropped and counted in its `forged`. Not so one whose `spoof` is true, as a bridge wants it: what it sends from is
    learnt, but for addresses that are another port's own or that another port has been learnt to have. A port
    without `mac` is the script's own, and may send from any."""

    ports: Any
    macs: Any
    """Port by address, to look at."""
    taps: Any
    def __init__(self) -> None: ...
    def forward(self, sender: Any, frame: Any) -> None:
        """Bring a frame from the port `sender` to where it is meant for."""
    def tap(self, f: Any) -> Tap:
        """Call f(port, frame) with each frame that is switched, before it is delivered: port is the sender's, and frame
        a buffer for the time of the call. Ended by remove(), or by an exception of f's."""
    def pcap(self, path: str) -> Any:
        """Write each frame that is switched to a file that Wireshark and tshark read (hv.pcap.Capture), until its close()."""
    def uplink(self, n: int=0) -> Any:
        """The machine's n-th virtio network device joins the switch (hv.uplink.Uplink): with QEMU's user network
        guests reach the host and what it reaches. OSError: there is none, or a guest has it."""
    def join(self, port: Any) -> None:
        """A guest's port: its own address is no other's. ValueError: it is already."""
    def leave(self, port: Any) -> None:
        """A port is gone."""


class Net(Device):
    """A network device on a switch. mac: 6 bytes; by itself one that no other VM here has. spoof: the guest
    may send from other addresses than that, as a bridge or a hypervisor does.

    sent, received, dropped, forged: frames; dropped are those the guest had no buffer for, forged those it sent
    from an address that is not its own."""

    switch: Any
    spoof: Any
    mac: Any
    sent: Any
    id = 1
    features: Any
    queues = 2
    passive = 1
    def __init__(self, switch: Switch, mac: bytes | None=None, legacy: bool=False, spoof: bool=False) -> None: ...
    def plug(self, vm: Any, slot: Any) -> Any: ...
    def request(self, queue: Any, r: Any) -> Any: ...
    def receive(self, frame: Any) -> None:
        """A frame from the switch."""
