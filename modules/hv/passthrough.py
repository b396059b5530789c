# SPDX-License-Identifier: MIT
"""Devices of this machine for a guest alone: what the machine's device tree says of them."""

import _hv

from .fdt import Node, parse, u64

_CLOCK = 1  # the phandle of the clock in machine_dt's trees


def give(vm, ipa, pa, size, irq, unsafe):
    """See hv.VM.passthrough. What the guest's tree is to say of the device: [fdt.Node] or []."""
    node = find(pa)
    if irq is None:
        irq = spi_of(node)
    physical, irq = irq if isinstance(irq, tuple) else (irq, irq)
    vm.stage2.map(ipa, pa, size, type="device", unsafe=unsafe)
    try:
        if irq is not None:
            vm.irq(irq).forward(physical)
    except ValueError:
        vm.stage2.unmap(ipa, size)
        raise
    return [describe(node, ipa, size, irq)] if node else []


def find(pa):
    """The node of the machine's tree whose registers are at `pa`, or None."""
    from uctypes import bytearray_at

    at = _hv.platform()
    if not at["fdt"]:
        return None
    tree = parse(bytearray_at(at["fdt"], at["fdt_size"]))
    for path, node in tree.walk():
        if "reg" in node and "compatible" in node:
            try:
                if pa in [address for address, _ in tree.reg(path)]:
                    return node
            except ValueError:
                pass  # on a bus of its own
    return None


def spi_of(node):
    """The INTID of a device's first interrupt, or None."""
    cells = node.cells("interrupts", ()) if node else ()
    return cells[1] + 32 if len(cells) >= 3 and cells[0] == 0 else None


def describe(node, ipa, size, irq):
    """The same device for the guest's tree: elsewhere, with its clock for clocks."""
    new = Node(f"{node.name.split('@')[0]}@{ipa:x}", (("reg", u64(ipa, size)),))
    clocks = node.cells("clocks", ())
    for name in node.props:
        if name not in ("reg", "phandle", "linux,phandle", "clocks", "interrupt-parent"):
            new[name] = node[name]
    if clocks:
        new["clocks"] = [_CLOCK] * len(clocks)
    new.discard("interrupts")
    if irq is not None:
        new["interrupts"] = [0, irq - 32, 4]
    return new
