# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/passthrough.py.
"""Devices of this machine for a guest alone: what the machine's device tree says of them."""

from typing import Any

import _hv
from .fdt import Node as Node, parse as parse, u64 as u64
def give(vm: Any, ipa: Any, pa: Any, size: Any, irq: Any, unsafe: Any) -> Any:
    """See hv.VM.passthrough. What the guest's tree is to say of the device: [fdt.Node] or []."""
def find(pa: Any) -> Any:
    """The node of the machine's tree whose registers are at `pa`, or None."""
def spi_of(node: Any) -> Any:
    """The INTID of a device's first interrupt, or None."""
def describe(node: Any, ipa: Any, size: Any, irq: Any) -> Any:
    """The same device for the guest's tree: elsewhere, with its clock for clocks."""
