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

    def connect(self):
        self.disconnect()
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
        """Reads so many bytes, or up to these."""
        end, got = time.monotonic() + seconds * PATIENCE, b""
        by_count = isinstance(count_or_end, int)
        while len(got) < count_or_end if by_count else not got.endswith(count_or_end):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise Hung(f"the second line said no more than {got[-1000:]!r}")
            if not (fresh := self.socket.recv(65536 if not by_count else count_or_end - len(got))):
                raise Gone(f"the second line ended after {got[-1000:]!r}")
            got += fresh
        return got
