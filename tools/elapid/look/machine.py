# SPDX-License-Identifier: MIT
"""The target that a page looks at: its prompt, joined to terminals, and its second line, on which it answers questions.

The prompt's line is read here, by the event loop. Only while something is put onto the target (a new target, or one
that was reset) a thread has the line to itself, by the raw REPL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..background import BUILD, Background
from ..connection import Connection
from ..console import PROMPT, Gone, Hung, TargetError
from ..qemu import escaped
from ..say import Stop
from ..session import keys
from ..target import Target

HELPER = Path(__file__).with_name("on_target.py")
SCROLLBACK = 1 << 18
LINE_SECONDS = 60.0  # how long the next line waits for one that was typed here
ANSWER_SECONDS = 3.0  # then it is asked whether the target was reset, if its prompt is free


def installing(file: Path) -> str:
    """What is run at the prompt to have a module there that leaves no names behind."""
    return f"exec(compile({file.read_text()!r}, 'elapid look', 'exec'), {{'__name__': 'look'}})"


class Machine:
    """A target of one's own (command: QEMU's line), or, without, the one that `elapid serve` has started.

    hear: called with each piece of what the prompt's line says; status: "up", "busy" (no answer: it computes, in C or
    with interrupts off), "starting", "off" and why.
    """

    def __init__(self, command: Sequence[str] | None, files: Sequence[Path] = ()):
        self.command = command
        self.files = files
        self.session: Target | Connection | None = None
        self.hear: Callable[[bytes], None] = lambda data: None
        self.changed: Callable[[], None] = lambda: None
        self.status, self.why = "starting", ""
        self.ready = False  # it can be asked
        self.screen = bytearray()
        self._heard = 0  # bytes of it, with those that are no longer kept
        self._line2: socket.socket | None = None
        self._answers = bytearray()
        self._number = 0
        self._to_send = bytearray()
        self._reading = False
        self._quiet = asyncio.Event()  # something was said
        self._typing = asyncio.Lock()
        self._asking = asyncio.Lock()

    # -- Its life

    async def start(self) -> None:
        """Starts it, or joins it; returns at its prompt."""
        self._is("starting")
        try:
            banner = await asyncio.to_thread(self._open)
        except (Stop, Gone, Hung, TargetError, OSError) as error:
            self.close()
            self._is("off", str(error))
            return
        self._say(banner)
        self._read(True)
        self.ready = True
        self._is("up")

    def _open(self) -> bytes:
        if self.command is None:
            qemu = Background("pty")
            if qemu.pid() is None:
                raise Stop("the target of `elapid serve` is no more")
            self.session = Connection(qemu.pty_file.read_text().strip(), None)
            banner = b""
        else:
            brought = [f"name=opt/{file.name},file={escaped(file)}" for file in self.files]
            more = [word for each in brought for word in ("-fw_cfg", each)]
            target = self.session = Target(command=[*self.command, *more])
            target.has_line1 = True
            banner = target.start().wait_prompt(60).replace("\n", "\r\n").encode() + PROMPT
        self._install()
        return banner or PROMPT

    def _install(self) -> None:
        assert self.session
        code = installing(HELPER)
        self.session.at_prompt = False
        self.session.exec(code, 30)
        self.session.line.unread.clear()
        self._hang_up()

    async def put(self, file: Path) -> str:
        """The file's path on the target, to which it is brought if it is not there."""
        if self.command is not None and file in self.files:
            return f"/fw/opt/{file.name}"
        assert self.session
        session = self.session
        await self._alone(lambda: session.put(file) and session._prompt())
        return file.name

    async def _alone(self, does: Callable[[], object]) -> None:
        """A thread has the line to itself meanwhile."""
        async with self._typing:
            self._read(False)
            try:
                await asyncio.to_thread(does)
            finally:
                self._read(True)

    def close(self) -> None:
        """One's own is switched off, another is left as it is."""
        self._read(False)
        self._hang_up()
        self._to_send.clear()
        self.ready = False
        session, self.session = self.session, None
        if session is not None:
            with contextlib.suppress(Exception):
                session.close()

    def _is(self, status: str, why: str = "") -> None:
        if (status, why) != (self.status, self.why):
            self.status, self.why = status, why
            self.changed()

    def _gone(self) -> None:
        why = "the machine has been switched off"
        self.close()
        self._is("off", why)

    # -- The prompt

    def _read(self, on: bool) -> None:
        if self.session is None or self.session._line is None or on == self._reading:
            return
        self._reading = on
        loop, fd = asyncio.get_running_loop(), self.session.line.fd
        if on:
            loop.add_reader(fd, self._readable)
            if self._to_send:
                loop.add_writer(fd, self._writable)
        else:
            loop.remove_reader(fd)
            loop.remove_writer(fd)

    def _readable(self) -> None:
        assert self.session
        try:
            self._say(self.session.line.receive())
            self.session.line.unread.clear()
        except Gone:
            self._gone()

    def _say(self, data: bytes) -> None:
        if data:
            self.screen += data
            self._heard += len(data)
            del self.screen[:-SCROLLBACK]
            self.hear(data)
            self._quiet.set()

    @property
    def at_prompt(self) -> bool:
        """At `>>>`, with nothing typed behind it."""
        return self.screen.endswith(PROMPT) and not self._to_send

    def type(self, data: bytes) -> None:
        """What somebody types: of any length, and as fast as the target takes it."""
        if self.session is None:
            return
        self._to_send += data
        if self._reading:
            asyncio.get_running_loop().add_writer(self.session.line.fd, self._writable)

    def _writable(self) -> None:
        assert self.session
        try:
            sent = self.session.line.send_some(bytes(self._to_send[:4096]))
            del self._to_send[:sent]
        except Gone:
            self._gone()
            return
        if not self._to_send:
            asyncio.get_running_loop().remove_writer(self.session.line.fd)

    async def type_line(self, code: str, patience: float = 0) -> bool:
        """Types a line, or a block's lines, at the prompt, and waits for the next prompt. False: the prompt is not free, nor
        in `patience` seconds.
        """
        try:
            async with asyncio.timeout(patience or None):
                await self._typing.acquire()
        except TimeoutError:
            return False
        try:
            if not await self._prompt(patience, -1):
                return False
            heard = self._heard
            self.type(b"".join(keys(code.split("\n"))))
            await self._prompt(LINE_SECONDS, heard)
        finally:
            self._typing.release()
        return True

    async def _prompt(self, seconds: float, heard: int) -> bool:
        """Waits until it is free, and more than `heard` bytes have been said. False: not in so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.session:
                    if self.at_prompt and self._heard > heard:
                        return True
                    self._quiet.clear()
                    await self._quiet.wait()
        return False

    # -- The second line

    def _path(self) -> Path:
        own = self.session.line1 if isinstance(self.session, Target) else None
        return own or BUILD / "line1"

    def _hang_up(self) -> None:
        if self._line2 is not None:
            self._line2.close()
        self._line2 = None
        self._answers.clear()

    async def ask(self, what: str, *more: Any) -> Any:
        """The target's answer; None while it has none. LookupError: it cannot, and says why."""
        async with self._asking:
            if self.session is None or not self.ready:
                return None
            try:
                async with asyncio.timeout(ANSWER_SECONDS * self.session.line.patience**0.5):
                    answer = await self._exchange(what, more)
            except TimeoutError:
                self._is("busy")
                if self.at_prompt:
                    await self._again()
                return None
            except OSError:
                self._hang_up()
                return None
        self._is("up")
        if isinstance(answer, dict) and "error" in answer:
            raise LookupError(answer["error"])
        return answer

    async def _exchange(self, what: str, more: Sequence[Any]) -> Any:
        loop = asyncio.get_running_loop()
        if self._line2 is None:
            self._line2 = socket.socket(socket.AF_UNIX)
            self._line2.setblocking(False)
            await loop.sock_connect(self._line2, os.fspath(self._path()))
        self._number += 1
        line = json.dumps([self._number, what, *more], separators=(",", ":")).encode()
        await loop.sock_sendall(self._line2, b"\n" + line + b"\n")
        while True:
            head, end, rest = self._answers.partition(b"\n")
            if not end:
                fresh = await loop.sock_recv(self._line2, 1 << 16)
                if not fresh:
                    raise OSError("the second line is gone")
                self._answers += fresh
                continue
            self._answers = rest
            with contextlib.suppress(ValueError):
                number, value = json.loads(head)
                if number == self._number:
                    return value

    async def _again(self) -> None:
        """It was reset, maybe: what answers is put there anew."""
        try:
            await self._alone(self._install)
        except (Gone, OSError):
            self._gone()
        except (Hung, TargetError) as error:
            self._is("busy", str(error).strip().splitlines()[-1])
