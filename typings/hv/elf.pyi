# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/elf.py.
"""Reads ELF executables for AArch64, 64-bit, little-endian: what is to be loaded, and its entry.

The names are those of the ELF specification; a source is one of `hv.source`."""

from typing import Any

import struct
ET_EXEC: object
ET_DYN: object
EM_AARCH64 = 183
PT_LOAD = 1
MAX_HEADERS = 256
MAX_SEGMENTS = 64

class Segment:
    """A program header of type PT_LOAD; `end` is exclusive and physical."""

    name: Any
    end: Any
    def __init__(self, number: Any, fields: Any) -> None: ...

def read(source: Any) -> Any:
    """(e_type, e_entry, segments that occupy memory), checked; ValueError says what is wrong."""
def physical_entry(source: Any, entry: Any, segments: Any) -> Any:
    """The physical address of an entry that is, as it should be, virtual, or else physical."""
