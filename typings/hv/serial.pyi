# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/serial.py.
"""The machine's serial lines."""

from typing import Any

from machine import UART as UART, Serial as Serial
def serial(n: int | None=None) -> Any:
    """The machine's n-th serial line, a stream: 0 is the console (machine.UART), then its other UARTs in the device
    tree's order, then virtio consoles (machine.Serial). Without n: all of them, as a list."""
