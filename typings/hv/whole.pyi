# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/whole.py.
"""Files that are there whole, or not at all: written under another name first."""

from typing import Any

import os
from .progress import Bar as Bar
from .source import open_file as open_file

class Whole:
    """with Whole(path) as (file, bar): what is written has the name `path` at the end. Ctrl-C and other exceptions
    leave what was there before."""

    def __init__(self, path: Any) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any: ...
