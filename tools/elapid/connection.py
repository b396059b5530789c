# SPDX-License-Identifier: MIT
"""The prompt of a target that somebody else has started."""

import contextlib
import os
import termios
import tty
from typing import Self

from .background import BUILD, Background
from .bulk import Bulk
from .console import PATIENCE, Console, Gone, Hung, TargetError
from .say import Stop
from .vm import VmSession


class Connection(VmSession):
    """A target that runs already: on a pseudo-terminal of `elapid serve`, or a board's serial port."""

    def __init__(
        self, path: str | os.PathLike[str], line1: str | os.PathLike[str] | None, patience: int = 0
    ):
        self.path = str(path)
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        if os.isatty(fd):
            tty.setraw(fd)
            mode = termios.tcgetattr(fd)
            mode[4] = mode[5] = termios.B115200
            termios.tcsetattr(fd, termios.TCSANOW, mode)
        super().__init__(Console(fd, patience=patience or PATIENCE))
        self._bulk = Bulk(self, line1)
        self.life += 1

    def __repr__(self) -> str:
        return f"<Connection {self.path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the target at its prompt, as it is."""
        if self._line is None:
            return
        self._bulk.close()
        with contextlib.suppress(Gone, Hung, TargetError):
            if self.at_raw:
                self._give("del _elapid")
                self._line.leave_raw()
        os.close(self._line.fd)
        self._line = None


def connect(path: str | os.PathLike[str] | None = None) -> Connection:
    """The prompt of a target that runs: of `elapid serve`, or at this terminal or serial port (115200 baud)."""
    if path is not None:
        return Connection(path, None)
    qemu = Background("pty")
    if qemu.pid() is None:
        raise Stop("no target in the background: `elapid serve` (make serve) starts one")
    return Connection(qemu.pty_file.read_text().strip(), BUILD / "line1")
