# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/progress.py.
"""A progress bar for loads that take long enough to notice.

with progress.Bar("vmlinuz") as bar:
    loader.load(memory, "vmlinuz", progress=bar)"""

from typing import Any

import sys
import time

class Bar:
    """Called with (done, total) bytes; draws at most ten times a second, on its own line."""

    name: Any
    out: Any
    ticks_ms: Any
    next: Any
    drawn: Any
    def __init__(self, name: Any, out: Any=None, ticks_ms: Any=None) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> Any: ...
