# SPDX-License-Identifier: MIT
"""hv.share(): how much of the first core is guests' while MicroPython computes."""

import _hv


def share(part: float | None = None) -> float:
    """The part of the first core that guests in the background get while MicroPython computes or collects: 0 to 0.95, at
    first 0.5. Returns what it was. While MicroPython waits they have all of it. 0: slices only between two of
    MicroPython's instructions, and vCPUs can be looked into without vm.pause() where there is one core.
    """
    before = _hv.share() if part is None else _hv.share(round(part * 1000))
    return before / 1000
