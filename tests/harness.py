# SPDX-License-Identifier: MIT
"""Drives a real QEMU with Elapid on it, the way a user would: typing, raw REPL, mpremote.

    target = Target(gic=3, smp=4).boot()
    target.repl("1 + 1")                 -> "2"
    target.exec("import os; print(os.listdir())")
    target.mpremote("fs", "ls")
    target.close()

The package `elapid` (tools/elapid) is what does it, for users too. Here is what only tests need. Every wait is for
an event, and has a deadline: seconds of a machine with nothing else to do, times PATIENCE.
"""

import contextlib
import os
import pty
import select
import subprocess
import time
from pathlib import Path

import elapid
from elapid import Gone, Hung, TargetError
from elapid.console import PATIENCE

__all__ = ["Gone", "Hung", "ROOT", "Target", "TargetError", "Terminal", "how_long", "in_time"]

ROOT = Path(__file__).resolve().parent.parent
# MicroPython's source as it is built, patched: the Makefile's MPY_TOP.
MPY_TOP = ROOT / "build" / ("micropython-own" if os.environ.get("MICROPY_DIR") else "micropython")


def how_long(action):
    """Seconds of the host that something took which must come out true."""
    start = time.monotonic()
    assert action()
    return time.monotonic() - start


def in_time(times, measure, most=0.05):
    """Measures until it was at most so much this often. The host may have other work, a good deal of
    the time; what is slow by itself never gets there.
    """
    took, end = [], time.monotonic() + 600
    while sum(each <= most for each in took) < times:
        assert time.monotonic() < end, took
        took.append(measure())


class Target(elapid.Target):
    """One of this repository's root: paths in options and of mpremote are relative to it."""

    def __init__(self, gic=2, smp=1, mem="128M", kernel="hypervisor.elf", command=None, **options):
        if command is None:
            options["kernel"] = kernel
        super().__init__(gic, smp, mem, command=command, cwd=ROOT, line1=False, **options)


class Terminal:
    """A program on a terminal of its own, with a person at it."""

    def __init__(self, *command):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.seen = b""
        self.longest = 0  # pause in what was typed at once

    def type(self, keys):
        os.write(self.master, keys)

    def type_all(self, keys):
        """Types more than a terminal holds: waits while nobody reads it."""
        last = time.monotonic()
        while keys:
            keys = keys[os.write(self.master, keys[:1024]) :]
            self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()

    def until(self, text, seconds=30):
        """Reads up to `text`, which is taken together with all before it. Lines end in \\n."""
        end = time.monotonic() + seconds * PATIENCE
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.seen += os.read(self.master, 4096).replace(b"\r", b"")
                except OSError:
                    raise AssertionError(f"ended before {text!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(text)
        return before

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 15)
        self.process.wait(10 * PATIENCE)
        os.close(self.master)
