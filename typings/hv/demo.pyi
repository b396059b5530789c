# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/demo.py.
"""hv.demo(): a first guest, without any file."""

from typing import Any

from . import VM as VM
def demo() -> Any:
    """Launch a guest of 14 instructions: it prints, asks Python for a sum, and powers off."""
