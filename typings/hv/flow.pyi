# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/flow.py.
"""Basic blocks of a guest's code, found by following its branches from where it begins (DDI 0487 C4.1.65).

Where a branch goes by a register (BR, BLR) only the guest knows: a table of a switch ends what is found."""

from typing import Any

import struct
def branch(word: Any, pc: Any) -> Any:
    """(where a branch goes or None, whether what is behind it is executed too, whether a block ends there)."""
def discover(cpu: Any, entries: Any, most: Any=65536) -> Any:
    """{address: bytes} of the blocks that are reached from these addresses, functions that they call included; most: instructions that are looked at."""
def size(code: Any, at: Any, starts: Any=()) -> Any:
    """The bytes of the block that begins there."""
def sizes(cpu: Any, starts: Any) -> Any:
    """{address: bytes} of blocks whose beginnings are known."""
