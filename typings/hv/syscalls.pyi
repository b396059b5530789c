# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/syscalls.py.
"""The names of arm64 Linux's system calls, by number (include/uapi/asm-generic/unistd.h)."""

from typing import Any

def name(number: int) -> str:
    """Of a system call; the number as text where it has none."""
