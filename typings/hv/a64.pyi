# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/a64.py.
"""A64 instructions as text, for cpu.where(): those of kernels and programs without floating point (DDI 0487 C4.1).

What is none of these is ".word 0x...". The host's objdump knows all; this is there where a guest has stopped."""

from typing import Any

def instruction(word: Any, pc: Any) -> Any:
    """The instruction `word` at `pc`."""
