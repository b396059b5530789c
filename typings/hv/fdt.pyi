# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/fdt.py.
"""Flattened device trees (Devicetree Specification v0.4, chapter 5): read, edit, write.

    tree = fdt.parse(blob)                      # any buffer; ValueError names the offset
    tree["/chosen"]["bootargs"] = "quiet"       # str, int, bytes, or a list of those
    for path, node in tree.compatible("arm,pl011"):
        print(path, tree.reg(path))
    blob = tree.pack()

A property's value is the bytes of the blob; `node.u32()`, `.u64()`, `.string()` and their kin
decode it. Trees written by dtc are packed again to the same bytes."""

from typing import Any

import struct
from collections import OrderedDict as OrderedDict
MAGIC = 3490578157
MAX_SIZE = 2097152
"""Linux refuses larger ones (arm64 booting.rst: at most 2 MB)."""
MAX_DEPTH = 64
MAX_NAME = 255
"""The specification says 31; trees in the field do not keep to it."""
MAX_PROPERTIES = 1024
"""Per node: OrderedDict is searched linearly."""
MAX_NODES = 16384
def u32(*values: Any) -> Any:
    """Cells: each value as four bytes, big-endian."""
def u64(*values: Any) -> Any:
    """Cell pairs: each value as eight bytes, big-endian."""
def encode(value: Any) -> Any:
    """The bytes of a property.

    bytes as they are, str with its NUL, int as one cell, None as nothing, a list as its items."""

class Node:
    """A node: its name (with the unit address), properties in order, children in order."""

    name: Any
    props: Any
    children: Any
    def __init__(self, name: Any='', props: Any=None) -> None: ...
    def get(self, prop: Any, default: Any=None) -> Any:
        """The bytes of a property, or `default`."""
    def update(self, props: Any) -> Any:
        """Set properties from a dict or, where their order matters, from (name, value) pairs."""
    def discard(self, *props: Any) -> Any:
        """Remove those of the properties that are there."""
    def cells(self, prop: Any, default: Any=None) -> Any:
        """A property as a tuple of 32-bit cells."""
    def u32(self, prop: Any, default: Any=None) -> Any:
        """A property of one cell."""
    def u64(self, prop: Any, default: Any=None) -> Any:
        """A property of two cells (or one, as some writers do) as one number."""
    def strings(self, prop: Any, default: Any=None) -> Any:
        """A property as a list of strings."""
    def string(self, prop: Any, default: Any=None) -> Any:
        """A property's first string."""
    @property
    def phandle(self) -> Any:
        """The node's phandle, or None."""
    def is_compatible(self, *names: Any) -> Any:
        """Whether "compatible" lists one of the names."""
    def child(self, name: Any) -> Any:
        """The child of that name or None; the unit address may be left out."""
    def add(self, name: Any, props: Any=None) -> Any:
        """Append a child (a name with its properties, or a Node) and return it."""
    def walk(self, path: Any='') -> Any:
        """(path, node) for this node and all below it, parents first; no edits meanwhile."""


class Tree:
    """A device tree: `root`, `reserved` (list of (address, size) in memory), `boot_cpu`."""

    root: Any
    reserved: Any
    boot_cpu: Any
    def __init__(self, root: Any=None, reserved: Any=(), boot_cpu: Any=0) -> None: ...
    def get(self, path: Any, default: Any=None) -> Any:
        """The node at a path, "/a/b@1" or "alias/b"; unit addresses may be left out."""
    def absolute(self, path: Any) -> Any:
        """A path without an alias and options (":115200n8"); None if there is no such alias."""
    def node(self, path: Any, props: Any=None) -> Any:
        """The node at an absolute path, made if missing, with those properties set."""
    def parent(self, path: Any) -> Any:
        """The parent of the node at a path."""
    def remove(self, path: Any) -> Any:
        """Remove the node at a path and all below it."""
    def walk(self) -> Any:
        """(path, node) for every node, parents first; no edits meanwhile."""
    def compatible(self, *names: Any) -> Any:
        """[(path, node)] of the nodes compatible with one of the names."""
    def reg(self, path: Any, prop: Any='reg') -> Any:
        """[(address, size)] of a node, by its parent's #address-cells and #size-cells."""
    def phandle(self, number: Any) -> Any:
        """The node with that phandle, or None."""
    def new_phandle(self) -> Any:
        """A phandle that no node has."""
    def pack(self, size: Any=0) -> Any:
        """The blob (version 17) as a bytearray, padded to `size` bytes if it is smaller."""

def parse(blob: Any) -> Any:
    """Read a blob of version 16 or 17; ValueError names the offset and what is wrong there."""
