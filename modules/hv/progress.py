# SPDX-License-Identifier: MIT
"""A progress bar for loads that take long enough to notice.

with progress.Bar("vmlinuz") as bar:
    loader.load(memory, "vmlinuz", progress=bar)
"""

import sys
import time

_WIDTH = 30
_PATIENCE_MS = 500  # a load that is done by then shows nothing
_PERIOD_MS = 100


class Bar:
    """Called with (done, total) bytes; draws at most ten times a second, on its own line."""

    def __init__(self, name, out=None, ticks_ms=None):
        self.name = name
        self.out = out or sys.stdout
        self.ticks_ms = ticks_ms or time.ticks_ms
        self.next = self.ticks_ms() + _PATIENCE_MS
        self.drawn = False

    def __call__(self, done, total):
        now = self.ticks_ms()
        if now - self.next >= 0 or (self.drawn and done == total):
            self.next = now + _PERIOD_MS
            self.drawn = True
            full = _WIDTH * done // (total or 1)
            bar = "#" * full + "." * (_WIDTH - full)
            self.out.write(f"\r{self.name} [{bar}] {done >> 20} of {total >> 20} MB")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.drawn:
            self.out.write("\n")
