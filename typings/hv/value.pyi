# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/value.py.
"""Structures in a Linux's memory: what k["init_task"] is, and what its members are."""

from typing import Any

from .btf import ARRAY as ARRAY, ENUM as ENUM, ENUM64 as ENUM64, FLOAT as FLOAT, INT as INT, PTR as PTR, STRUCT as STRUCT, UNION as UNION
from .note import string as string

class Value:
    """A struct, union or array where it is in a kernel, or a pointer that has been read.

    v.member, v["member"]: a member, of what a pointer points to as well; v[n]: an element; int(v): its address, or where a
    pointer points to. Numbers are int, arrays of char str. Read when asked for."""

    def __init__(self, kernel: Any, of: Any, at: Any) -> None: ...

def read(kernel: Any, of: Any, at: Any, bit: Any=0, bits: Any=0) -> Any:
    """What is at an address, of a Type: an int, a bool, a str, or a Value."""
