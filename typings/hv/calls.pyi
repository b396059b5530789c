# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/calls.py.
"""The system calls of a Linux: k.syscalls()."""

from typing import Any

import struct
def syscalls(k: Any) -> Any: ...
def table(k: Any) -> Any:
    """The address of sys_call_table, which has no name in a kernel without KALLSYMS_ALL."""
