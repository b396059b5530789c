# SPDX-License-Identifier: MIT
"""The machine's serial lines."""

from umachine import UART, Serial


def serial(n: int | None = None):
    """The machine's n-th serial line, a stream: 0 is the console (machine.UART), then its other UARTs in the device
    tree's order, then virtio consoles (machine.Serial). Without n: all of them, as a list.
    """
    if n is not None:
        return Serial(n) if n else UART(0)
    lines = [UART(0)]
    try:
        while True:
            lines.append(Serial(len(lines)))
    except OSError:
        return lines
