# SPDX-License-Identifier: MIT
"""Ctrl-C as an end that is wanted: of recordings, captures, campaigns."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Self


class Until:
    """Over after so many seconds, or by Ctrl-C (and SIGTERM); a second Ctrl-C is KeyboardInterrupt.

    with Until(seconds) as until:
        while not until.over: ...
    """

    def __init__(self, seconds: float | None = None):
        self.seconds = seconds
        self.interrupted = False
        self.begin()

    def begin(self) -> None:
        """The seconds are from now on: what had to be set up before is not counted."""
        self.end = None if self.seconds is None else time.monotonic() + self.seconds

    @property
    def over(self) -> bool:
        return self.interrupted or (self.end is not None and time.monotonic() >= self.end)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        signal.signal(number, signal.default_int_handler)

    def __enter__(self) -> Self:
        self.before = []
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before.append((number, signal.signal(number, self._stop)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self.before:
            signal.signal(number, handler)
