# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/machine_dt.py.
"""The device tree a guest sees: made for the machine a VM offers, or the user's own, fitted to it.

The machine is QEMU's "virt" as far as a guest can tell, so that what runs there runs here. Plain
numbers in, an `fdt.Tree` out; nothing here knows the VM."""

from typing import Any

from .fdt import Node as Node, Tree as Tree, u64 as u64
RAM_BASE = 1073741824
GICD: object
GICC: object
GICR: object
GIC_FRAME = 65536
"""GICD, GICC."""
GICR_FRAMES = 131072
"""Per CPU: RD_base and SGI_base."""
UART: object
UART_SPI: object
RTC: object
RTC_SPI: object
VIRTIO: object
VIRTIO_STRIDE: object
VIRTIO_SPI: object
VIRTIO_SLOTS: object
TIMER_PPIS: object
"""Secure physical, physical, virtual, hypervisor."""
PMU_PPI = 7
ABSENT: object
def virt(ram: Any, cpus: Any=1, gic: Any=2, *, cpu: Any='arm,cortex-a53', uart: Any=True, rtc: Any=True, virtio: Any=(), flash: Any=(), pmu: Any=False, nodes: Any=(), reserved: Any=(), model: Any='linux,dummy-virt', **chosen: Any) -> Any:
    """The tree of a virt-compatible machine.

    ram      bytes from 0x4000_0000, or [(address, size)]
    cpus     how many, or the list of their MPIDR affinity values
    gic      2 or 3
    virtio   the virtio-mmio slots in use, 0..31
    flash    [(address, size)] of CFI flash banks
    nodes    more nodes for the root: fdt.Node, or (name, properties)
    reserved memory reservations, [(address, size)]
    chosen   bootargs=, initrd=(start, end), rng_seed=bytes, kaslr_seed=int"""
def choose(tree: Any, bootargs: Any=None, initrd: Any=None, rng_seed: Any=None, kaslr_seed: Any=None) -> Any:
    """Set what is given in /chosen; stale seeds and initrd addresses go in any case."""
def adapt(tree: Any, ram: Any, cpus: Any=1, gic: Any=2, *, virtio: Any=None, drop: Any=ABSENT, **chosen: Any) -> Any:
    """Fit a user's tree, in place, to a VM: arguments as for `virt`; returns the tree.

    Memory, CPUs, PSCI, /chosen and, if given, the virtio slots become the VM's. The GIC keeps only
    the frames a guest has; its ITS and MSI frames go, as do other nodes compatible with one of
    `drop` and reservations outside RAM."""
