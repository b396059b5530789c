# SPDX-License-Identifier: MIT
"""Bytes from the target and to it, in numbers: by its second line, or by the console where that is taken or missing.

A virtio console carries some megabytes a second, a PL011 some ten kilobytes.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from typing import Any, Protocol

from .console import CTRL_D, Console, Gone, Hung, TargetError

PIECE = 64 << 10  # fits into a socket's buffer: the target has sent it all before anybody reads


class Asked(Protocol):
    """Who asks the target: a remote.Session."""

    @property
    def line(self) -> Console: ...

    def _give(self, code: str, seconds: float = 10) -> Any: ...


class Bulk:
    """`path`: the socket of the host that is the target's hv.serial(1); None: the console alone."""

    def __init__(self, session: Asked, path: str | os.PathLike[str] | None):
        self.session = session
        self.path = path
        self.socket: socket.socket | None = None

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        self.socket = None

    def fetch(
        self, what: str, start: int, size: int, told: Callable[[int], object] | None = None
    ) -> bytes:
        """`size` bytes of view(start, n), for whatever object of the target's `what` is. told: of each piece's size."""
        data = bytearray()
        while len(data) < size:
            count = min(PIECE, size - len(data))
            data += self._piece(f"{what}.view({start + len(data)}, {count})", count)
            if told:
                told(count)
        return bytes(data)

    def give(self, data: bytes | memoryview) -> bool:
        """Bytes for the target, which has them as _elapid.held. False, and nothing done: there is no second line."""
        if self.path is None or not self._connected():
            return False
        assert self.socket is not None
        self.session._give("_elapid")  # it is there
        line, seconds = self.session.line, 30 + len(data) / 4096
        line.raw_start(f"_elapid.receive({len(data)}) and None")
        self.socket.settimeout(seconds * line.patience)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise Hung(f"the second line took none of {len(data)} bytes") from None
        except OSError:
            raise Gone("the second line is gone") from None
        line.raw_end(line.until(CTRL_D, seconds)[:-1], seconds)
        return True

    def _piece(self, view: str, count: int) -> bytes:
        if self.path is not None and self._connected():
            self.session._give(f"_elapid.send({view})", 30)
            return self._received(count)
        self.session._give("_elapid")  # it is there
        line, seconds = self.session.line, 30 + count / 4096
        line.raw_start(f"_elapid.show({view})")
        # Behind a mark: handlers may print before it.
        line.until(b"\x02" if not line.unread.startswith(CTRL_D) else CTRL_D, seconds)
        data = line.take(count, seconds)
        line.until(CTRL_D, seconds)
        line.raw_end(b"")
        return data

    def _connected(self) -> bool:
        if self.socket is None:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(str(self.path))
                self.session._give("_elapid.open()")
            except (OSError, TargetError):  # no such line, or gdb has it
                self.close()
                self.path = None
                return False
        return True

    def _received(self, count: int) -> bytes:
        assert self.socket is not None
        data = bytearray()
        while len(data) < count:
            seconds = 10 * self.session.line.patience
            if not select.select([self.socket], [], [], seconds)[0]:
                raise Hung(f"the second line brought {len(data)} of {count} bytes")
            if not (fresh := self.socket.recv(count - len(data))):
                raise Gone("the second line is gone")
            data += fresh
        return bytes(data)
