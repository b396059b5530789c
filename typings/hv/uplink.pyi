# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/uplink.py.
"""The machine's own network device as a port of a switch, through which guests reach the world.

    lan = hv.Switch()
    vm.net(lan)
    up = lan.uplink()

Under QEMU: `-netdev user,id=n -device virtio-net-device,netdev=n`. Its user network gives guests addresses by
DHCP, and has the host at 10.0.2.2."""

from typing import Any

from machine import NIC as NIC
from .frames import FRAME as FRAME

class Uplink:
    """A port of a switch that is the machine's n-th virtio network device: Switch.uplink().

    sent, received, dropped: frames to the world, from it, and those for which there was no room on the way there."""

    nic: Any
    switch: Any
    sent: Any
    def __init__(self, switch: Any, n: int=0) -> None: ...
    def receive(self, frame: Any) -> None:
        """A frame from the switch, to the world."""
    def close(self) -> None:
        """It is a port no more. Again: nothing."""
