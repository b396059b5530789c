# SPDX-License-Identifier: MIT
"""A guest's console as pexpect has it: expect(), send(), sendline(), before, match, after."""

from __future__ import annotations

import re
import time
from typing import Any

import pexpect  # type: ignore[import-untyped]
from pexpect.spawnbase import SpawnBase  # type: ignore[import-untyped]

from .console import Hung
from .remote import Remote


class Stream(SpawnBase):  # type: ignore[misc]
    """pexpect's own interface; text is UTF-8, lines end in \\r\\n or as the guest has them.

    Deadlines are a quiet machine's seconds, times $PATIENCE. What nobody waits for stays on the target, 16 KB of it.
    """

    def __init__(self, vm: Remote):
        super().__init__(timeout=30, encoding="utf-8", codec_errors="replace")
        self.vm = vm
        self.log = ""
        self.fresh = ""  # of the last fetch
        self._unread = ""

    def fetch(self, ms: int = 0) -> bool:
        """Reads what is there, waiting so long for the first of it. Whether the guest runs."""
        data, runs = self.vm._session.call(f"_elapid.poll({self.vm._there}, {ms})", 10 + ms / 1000)
        self.fresh = self._decoder.decode(data)
        self.log += self.fresh
        self._unread += self.fresh
        return bool(runs)

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> str:
        """pexpect's way to more: TIMEOUT, or EOF when the guest does not run."""
        seconds = self.timeout if timeout in (None, -1) else timeout
        assert seconds is not None
        end = time.monotonic() + seconds
        while not self._unread:
            left = end - time.monotonic()
            if not self.fetch(int(1000 * min(max(left, 0.01), 1))) and not self._unread:
                self.flag_eof = True
                raise pexpect.EOF(f"{self.vm._name} does not run")
            if not self._unread and time.monotonic() >= end:
                raise pexpect.TIMEOUT("")
        self.flag_eof = False
        data, self._unread = self._unread[:size], self._unread[size:]
        self._log(data, "read")
        return data

    def expect_loop(
        self, searcher: Any, timeout: float | None = -1, searchwindowsize: int = -1
    ) -> Any:
        # pexpect's own clock ends a wait too.
        seconds = self.timeout if timeout == -1 else timeout
        if seconds is not None:
            seconds *= self.vm._session.line.patience
        return super().expect_loop(searcher, seconds, searchwindowsize)

    def send(self, text: str) -> int:
        """Types at the guest, as fast as it takes it."""
        self._log(text, "send")
        data = text.encode()
        at, end = 0, time.monotonic() + 10 * self.vm._session.line.patience
        while at < len(data):
            taken = self.vm._session.call(
                f"{self.vm._there}.console.write({data[at : at + 1024]!r})"
            )
            at += taken or 0
            if not taken and time.monotonic() > end:
                raise Hung(f"{self.vm._name} reads nothing: {len(data) - at} bytes are left")
        return len(data)

    def sendline(self, text: str = "") -> int:
        """Types a line, ended as a terminal's Enter does."""
        return self.send(text + "\r")

    write = send

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.send(line)

    def isalive(self) -> bool:
        return bool(self.vm.running)

    def wait_for(self, what: str | re.Pattern[str], seconds: float) -> str:
        """Text or a pattern; what came before it."""
        try:
            if isinstance(what, str):
                self.expect_exact(what, timeout=seconds)
            else:
                self.expect([what], timeout=seconds)
        except pexpect.EOF:
            raise self.vm.ended(repr(what)) from None
        except pexpect.TIMEOUT:
            text = f"no {what!r} from {self.vm._name}; it printed last:\n{self.log[-2000:]}"
            raise Hung(text) from None
        return str(self.before)
