# SPDX-License-Identifier: MIT
"""Frames of a switch: how long they are, and who sees them go by."""

from sys import print_exception

FRAME = 1514  # the longest there is, without offloads


class Tap:
    """Sees the frames of a switch: Switch.tap()."""

    def __init__(self, switch, f):
        if not callable(f):
            raise TypeError(f"a tap calls a function, not {f!r}")
        self.switch = switch
        self.f = f
        switch.taps += (self,)
        switch._flows = {}

    def _see(self, port, frame):
        try:
            self.f(port, frame)
        except Exception as error:  # the guests' network goes on
            self.remove()
            print("a tap has ended by")
            print_exception(error)

    def remove(self) -> None:
        """It sees no more. Again: nothing."""
        self.switch.taps = tuple([tap for tap in self.switch.taps if tap is not self])
