# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/symbols.py.
"""Symbols of an ELF64 file (System V gABI, chapter 4), read when one is asked for."""

from typing import Any

import struct
def find(source: Any, name: str) -> int:
    """The value of symbol `name` in a path, file or buffer; KeyError when it is not there."""
def at(source: Any, address: int) -> str:
    """The function or object that an address is in, as "name" or "name+0x10"; KeyError when it is in none."""
