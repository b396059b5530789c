# SPDX-License-Identifier: MIT
"""The far end of a target's serial line, and MicroPython's REPL protocols on it.

Every wait has a deadline: a target that stops answering raises Hung, a target that went away raises Gone.
"""

import builtins
import os
import re
import select
import time
from collections.abc import Callable
from pathlib import Path

# Deadlines are seconds of a machine with nothing else to do, times this: other work may be going on beside.
PATIENCE = int(os.environ.get("PATIENCE", 10))

PROMPT = b">>> "
RAW_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


class Hung(Exception):
    """The target did not answer in time."""


class Gone(Exception):
    """The target's end of the line was closed: the emulator ended."""


class TargetError(Exception):
    """Code run by exec() raised. `traceback` is the target's text, `output` what it had printed."""

    def __init__(self, traceback: str, output: str = ""):
        self.args = (traceback,)
        self.traceback = traceback
        self.output = output

    def __str__(self) -> str:
        return self.traceback

    @property
    def last(self) -> str:
        """The exception itself: the last line of its traceback."""
        return (self.traceback.strip().splitlines() or [""])[-1]


def target_error(traceback: str, output: str) -> TargetError:
    """One that is also a KeyError, where the target raised a KeyError: any exception that the host has too."""
    plain = TargetError(traceback, output)
    kind = getattr(builtins, plain.last.partition(":")[0], None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return plain
    both: type[TargetError] = type("TargetError", (TargetError, kind), {})
    return both(traceback, output)


class Console:
    """A serial line by its file descriptor, a socket's or a terminal's.

    `show` is called with each chunk received. `mux` tells that QEMU's Ctrl-A escape is active on
    the line, so that a Ctrl-A for the target is sent twice. `patience` multiplies every deadline.
    """

    def __init__(
        self,
        fd: int,
        show: Callable[[bytes], object] | None = None,
        mux: bool = False,
        patience: int = 1,
    ):
        self.fd = fd
        self.show = show
        self.mux = mux
        self.patience = patience
        self.unread = bytearray()
        os.set_blocking(fd, False)

    def fileno(self) -> int:
        return self.fd

    def send(self, data: bytes, seconds: float = 10) -> None:
        if self.mux:
            data = data.replace(CTRL_A, CTRL_A + CTRL_A)
        self.send_keys(data, seconds)

    def send_keys(self, data: bytes, seconds: float = 10) -> None:
        """Sends bytes as a user types them: with `mux`, Ctrl-A is QEMU's.

        Receives meanwhile: a target that cannot get rid of its echo takes nothing in either.
        """
        seconds *= self.patience
        end = time.monotonic() + seconds
        while data:
            left = max(end - time.monotonic(), 0)
            readable, writable, _ = select.select([self.fd], [self.fd], [], left)
            if readable:
                self.receive()
            if writable:
                sent = self.send_some(data)
                data = data[sent:]
                end = time.monotonic() + seconds if sent else end
            elif time.monotonic() >= end:
                raise Hung(f"the target took no input for {seconds} s, {len(data)} bytes are left")

    def send_some(self, data: bytes) -> int:
        """Sends what fits without waiting; how much that was."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            raise Gone("the target is gone") from None

    def receive(self, seconds: float = 0) -> bytes:
        """Moves what arrives within `seconds` to `unread`; returns it, empty when nothing came."""
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return b""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:  # another reader of the terminal was quicker
            return b""
        except OSError:
            data = b""
        if not data:
            raise Gone("the target is gone")
        self.unread += data
        if self.show:
            self.show(data)
        return data

    def until(self, what: bytes | re.Pattern[bytes], seconds: float = 10) -> bytes:
        """Reads up to and including `what`, bytes or a compiled pattern, and returns it all."""
        pattern = what if isinstance(what, re.Pattern) else re.compile(re.escape(what), re.DOTALL)
        seconds *= self.patience
        end = time.monotonic() + seconds
        while not (match := pattern.search(self.unread)):
            left = end - time.monotonic()
            if left <= 0:
                tail = bytes(self.unread[-2000:]).decode(errors="replace")
                raise Hung(f"no {pattern.pattern!r} within {seconds} s; unread so far:\n{tail}")
            self.receive(left)
        return self._take(match.end())

    def take(self, count: int, seconds: float = 10) -> bytes:
        """Reads exactly `count` bytes."""
        seconds *= self.patience
        end = time.monotonic() + seconds
        while len(self.unread) < count:
            left = end - time.monotonic()
            if left <= 0:
                raise Hung(f"{len(self.unread)} of {count} bytes within {seconds} s")
            self.receive(left)
        return self._take(count)

    def _take(self, count: int) -> bytes:
        data = bytes(self.unread[:count])
        del self.unread[:count]
        return data

    def friendly(self, seconds: float = 10) -> None:
        """Interrupts whatever runs and comes back at a fresh `>>>`, from either REPL."""
        # By way of the raw REPL: its banner cannot be a leftover of what ran before.
        self.send(CTRL_C + CTRL_C + CTRL_A)
        self.until(RAW_PROMPT, seconds)
        self.leave_raw(seconds)

    def enter_raw(self, seconds: float = 10) -> None:
        """From `>>>` to the raw REPL."""
        self.send(CTRL_A)
        self.until(RAW_PROMPT, seconds)

    def leave_raw(self, seconds: float = 10) -> bytes:
        """From the raw REPL to `>>>`; returns the banner that is printed on the way."""
        self.send(CTRL_B)
        return self.until(b"\nMicroPython ", seconds) + self.until(PROMPT, seconds)

    def raw_start(self, code: str | bytes, seconds: float = 10) -> None:
        """At the raw REPL: hands over `code` by raw paste, with its flow control, and starts it."""
        data = code.encode() if isinstance(code, str) else code
        self.send(CTRL_E + b"A" + CTRL_A)
        # In front of the answer may be what handlers of guests print, whenever they run.
        answer = self.until(re.compile(rb"R[\x00\x01]"), seconds)
        if not answer.endswith(b"\x01"):
            raise Hung(f"no raw paste: the target answered {answer!r}")
        window = left = int.from_bytes(self.take(2, seconds), "little")
        sent = 0
        while sent < len(data):
            if left == 0 or self.unread or self.receive(0):
                signal = self.take(1, seconds)
                if signal == CTRL_D:  # the target gives up: what came is no Python, or too much
                    self.send(CTRL_D)
                    return
                if signal == CTRL_A:
                    left += window
                continue
            count = min(left, len(data) - sent)
            self.send(data[sent : sent + count])
            sent += count
            left -= count
        self.send(CTRL_D)
        self.until(CTRL_D, seconds)

    def raw_exec(self, code: str | bytes, seconds: float = 10) -> str:
        """At the raw REPL: runs `code`; returns what it printed, or raises TargetError."""
        self.raw_start(code, seconds)
        output = self.until(CTRL_D, seconds)[:-1]
        return self.raw_end(output, seconds)

    def raw_end(self, output: bytes, seconds: float = 10) -> str:
        """After the output's end mark: the traceback, if any, and the next raw prompt."""
        traceback = self.until(CTRL_D, seconds)[:-1]
        self.until(b">", seconds)
        text = output.decode(errors="replace").replace("\r\n", "\n")
        if traceback:
            raise target_error(traceback.decode(errors="replace").replace("\r\n", "\n"), text)
        return text

    def raw_copy(self, path: Path) -> None:
        """Puts one small host file into the root of the target's file system."""
        data = path.read_bytes()
        self.raw_exec(f"_f = open({path.name!r}, 'wb')")
        for at in range(0, len(data), 1024):
            self.raw_exec(f"_f.write({data[at : at + 1024]!r})")
        self.raw_exec("_f.close(); del _f")
