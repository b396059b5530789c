# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/core.py.
"""vm.core(path): an ELF core of a VM, which gdb opens: gdb-multiarch vmlinux core.

A thread is a vCPU. Memory is where the first one's tables have it, kernel's and user's; where its MMU is off, where it
is. Pages of zeros are not in the file."""

from typing import Any

import struct
from array import array as array
from _hv import Pages as Pages
PAGE = 4096
STEP = 65536
def core(vm: Any, path: Any) -> Any: ...
