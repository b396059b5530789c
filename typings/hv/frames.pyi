# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/frames.py.
"""Frames of a switch: how long they are, and who sees them go by."""

from typing import Any

from sys import print_exception as print_exception
FRAME = 1514
"""The longest there is, without offloads."""

class Tap:
    """Sees the frames of a switch: Switch.tap()."""

    switch: Any
    f: Any
    def __init__(self, switch: Any, f: Any) -> None: ...
    def remove(self) -> None:
        """It sees no more. Again: nothing."""
