# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/bench.py.
"""hv.bench(): what common exits cost here. `make bench` measures more of them."""

from typing import Any

import struct
import time
import machine
import hv
def bench() -> None:
    """Print what exits cost, each the mean of 1,000: in instructions where the core can count
    them, which under QEMU takes -icount shift=0; otherwise in time, which tells of QEMU's machine."""
