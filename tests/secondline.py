# SPDX-License-Identifier: MIT
"""A second serial line of a machine in the tests: QEMU's options for it, and the other end."""

import select
import socket
import tempfile
import time
from pathlib import Path

from harness import PATIENCE, Gone, Hung


class SecondLine:
    """A virtio console whose other end is a socket of the host's.

    line = SecondLine(); target = Target(args=line.args).boot(); line.connect()
    """

    def __init__(self, modern=False):
        self._folder = tempfile.TemporaryDirectory(prefix="elapid-line-")
        self.path = Path(self._folder.name) / "line"
        self.args = (
            *("-chardev", f"socket,id=line1,path={self.path},server=on,wait=off"),
            *("-device", "virtio-serial-device", "-device", "virtconsole,chardev=line1"),
            *(("-global", "virtio-mmio.force-legacy=false") if modern else ()),
        )
        self.socket = None
        self.unread = b""

    def connect(self):
        self.disconnect()
        self.unread = b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(self.path))
        return self

    def disconnect(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def send(self, data):
        self.socket.sendall(data)

    def until(self, count_or_end, seconds=10):
        """Reads so many bytes, or up to these; what comes behind them is for the next time."""
        end, by_count = time.monotonic() + seconds * PATIENCE, isinstance(count_or_end, int)
        while len(self.unread) < count_or_end if by_count else count_or_end not in self.unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise Hung(f"the second line said no more than {self.unread[-1000:]!r}")
            if not (fresh := self.socket.recv(65536)):
                raise Gone(f"the second line ended after {self.unread[-1000:]!r}")
            self.unread += fresh
        size = count_or_end if by_count else self.unread.index(count_or_end) + len(count_or_end)
        got, self.unread = self.unread[:size], self.unread[size:]
        return got
