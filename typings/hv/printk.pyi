# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/printk.py.
"""The log of a Linux: k.dmesg(). Its ring of descriptors, and that of texts, are those of
kernel/printk/printk_ringbuffer.h, from Linux 5.10 on."""

from typing import Any

import struct
from .note import printable as printable
from .rows import rows as rows
def dmesg(k: Any) -> Any: ...
