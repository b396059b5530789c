# SPDX-License-Identifier: MIT
"""Captures of a hv.Switch on the host, as they come: the classic pcap file with nanoseconds, of Ethernet frames."""

from __future__ import annotations

import struct
from typing import IO

from .remote import Session
from .say import Stop

# What hv.pcap writes first (modules/hv/pcap.py).
HEADER = struct.pack("<IHHiIII", 0xA1B2_3C4D, 2, 4, 0, 0, 1514, 1)
RECORD = 16  # bytes before each frame
ROOM = 4 << 20  # bytes of frames that wait for the host
THERE = """
class _Frames:
    def __init__(self, switch, room):
        self.data, self.room, self.seen, self.lost = bytearray(), room, 0, 0
        self.tap = switch.tap(self.see)

    def see(self, port, frame):
        from struct import pack
        from time import time_ns

        if len(self.data) + 16 + len(frame) > self.room:
            self.lost += 1
            return
        seconds, ns = divmod(time_ns(), 1_000_000_000)
        self.data += pack("<IIII", seconds, ns, len(frame), len(frame))
        self.data += frame
        self.seen += 1

    def take(self):
        data, self.data = self.data, bytearray()
        return data
"""


def find_switch(session: Session, name: str | None) -> str:
    """The name of a switch at the prompt; without one, of the only one there."""
    kind = session.module("hv").Switch
    isa = f"isinstance(v, {kind._there})"
    known: list[str] = sorted(session.call(f"[n for n, v in globals().items() if {isa}]"))
    if name in known:
        return name
    if name is None and len(known) == 1:
        return known[0]
    there = ", ".join(known) or "none"
    wanted = f"no switch {name}" if name else "which switch?"
    raise Stop(f"{wanted} at the target's prompt; there is: {there}")


class Capture:
    """The frames of a switch from now on: write() each that has come, until remove()."""

    def __init__(self, session: Session, switch: str, file: IO[bytes]):
        self.session = session
        self.file = file
        self.frames = self.lost = 0
        file.write(HEADER)
        file.flush()
        session._give(THERE)
        self._there = session.call(f"_Frames({switch}, {ROOM})")

    def write(self) -> int:
        """How many there are by now."""
        there = self._there._there
        if data := self.session.fetch(f"{there}.take()"):
            self.file.write(data)
            self.file.flush()
        self.frames, self.lost = self.session.call(f"({there}.seen, {there}.lost)")
        return self.frames

    def remove(self) -> None:
        """It sees no more; the last of them are written."""
        self._there.tap.remove()
        self.session._give("del _Frames")
        self.write()
