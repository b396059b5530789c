# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/pcap.py.
"""Captures of a switch, as Wireshark and tshark read them: the classic pcap file (draft-ietf-opsawg-pcap), with
nanoseconds, of Ethernet frames.

    with lan.pcap("/disk/lan.pcap"):
        ..."""

from typing import Any

from struct import pack as pack
from time import time_ns as time_ns
from .frames import FRAME as FRAME, Tap as Tap
MAGIC = 2712812621
"""Nanoseconds."""
ETHERNET = 1
"""LINKTYPE_ETHERNET."""

class Capture(Tap):
    """Writes the frames of a switch to a file: Switch.pcap(). frames, bytes: how many, and how long the file is.

    A file that cannot be written any more, as of a full disk, ends the capture, not the network."""

    path: Any
    frames: Any
    file: Any
    bytes: Any
    def __init__(self, switch: Any, path: str) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, *_: Any) -> Any: ...
    def flush(self) -> None:
        """What has been seen is in the file."""
    def remove(self) -> None:
        """It sees no more, and the file is closed. Again: nothing."""
    close: Any
