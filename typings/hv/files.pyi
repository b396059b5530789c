# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/files.py.
"""The files that a process of a Linux has open: k.files(). Paths are made as fs/d_path.c does."""

from typing import Any

from collections import namedtuple as namedtuple
from .rows import rows as rows
from .tasks import find as find
File = namedtuple('File', ('fd', 'path'))
def files(k: Any, pid: Any) -> Any: ...
def path(k: Any, where: Any) -> Any:
    """Of a struct path."""
