# SPDX-License-Identifier: MIT
"""Captures of a switch, as Wireshark and tshark read them: the classic pcap file (draft-ietf-opsawg-pcap), with
nanoseconds, of Ethernet frames.

    with lan.pcap("/disk/lan.pcap"):
        ...
"""

from struct import pack
from time import time_ns

from .frames import FRAME, Tap

MAGIC = 0xA1B2_3C4D  # nanoseconds
ETHERNET = 1  # LINKTYPE_ETHERNET


class Capture(Tap):
    """Writes the frames of a switch to a file: Switch.pcap(). frames, bytes: how many, and how long the file is.

    A file that cannot be written any more, as of a full disk, ends the capture, not the network.
    """

    def __init__(self, switch, path: str):
        self.path = path
        self.frames = 0
        self.file = open(path, "wb")
        self.bytes = self.file.write(pack("<IHHiIII", MAGIC, 2, 4, 0, 0, FRAME, ETHERNET))
        super().__init__(switch, self._write)

    def __repr__(self):
        state = "" if self.file else " (closed)"
        return f"<Capture {self.path!r}: {self.frames} frames, {self.bytes} bytes{state}>"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _write(self, port, frame):
        seconds, ns = divmod(time_ns(), 1_000_000_000)
        self.bytes += self.file.write(pack("<IIII", seconds, ns, len(frame), len(frame)))
        self.bytes += self.file.write(frame)
        self.frames += 1

    def flush(self) -> None:
        """What has been seen is in the file."""
        if self.file:
            self.file.flush()

    def remove(self) -> None:
        """It sees no more, and the file is closed. Again: nothing."""
        super().remove()
        file, self.file = self.file, None
        if file:
            file.close()

    close = remove
