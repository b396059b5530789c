# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/stage1.py.
"""A Linux's memory by the tables of its kernel, or of one of its processes, with no vCPU that would be there: where its
MMU has them is in its vmcoreinfo note."""

from typing import Any


class Tables:
    """Stage 1 (DDI 0487 D5.3, VMSAv8-64), walked by hand."""

    offset: Any
    def __init__(self, vm: Any, note: Any) -> None: ...
    def long(self, ipa: Any) -> Any:
        """Of 8 bytes; 0 where no RAM is."""
    def ipa(self, va: Any, root: Any=None) -> Any:
        """Where it is, or None. root: of the tables for addresses of a process."""
