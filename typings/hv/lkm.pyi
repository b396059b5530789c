# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/lkm.py.
"""The modules of a Linux: k.modules()."""

from typing import Any

from collections import namedtuple as namedtuple
from .rows import rows as rows
Module = namedtuple('Module', ('name', 'size', 'address', 'state'))
def modules(k: Any) -> Any: ...
def head(k: Any) -> Any:
    """The address of the list of them, which has no name in a kernel without KALLSYMS_ALL: its functions use it."""
