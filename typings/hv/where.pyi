# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/where.py.
"""cpu.where(): the function a vCPU is in, who called it, and the instructions around its PC.

Callers are found by frame records, the chain from x29 on (AAPCS64, "The Frame Pointer"): a pair of the caller's x29
and the address to return to. Where Linux has taken an exception its record is in a struct pt_regs, and so is what was
interrupted (arch/arm64/include/asm/ptrace.h): the chain goes on there, at EL0 too."""

from typing import Any

import struct
from .symbols import place as place, text as text

class Where:
    """frames: (address, "name+0x10" or None, how one came there) from the innermost on: "pc", "call",
    "exception" for what an exception interrupted, "EL0" for what it did so in user space.
    code: (address, word, text) around the PC."""

    frames: Any
    code: Any
    def __init__(self, cpu: Any, limit: Any=32) -> None: ...
