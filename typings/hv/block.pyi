# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/block.py.
"""Disks for guests: virtio block devices (virtio 1.1, 5.2), and what they are kept in.

    vm.block("/disk/root.img")              # a file; writes go to it
    vm.block("/disk/root.img", cow=True)    # the file stays as it is
    vm.block(machine.Disk(1))               # a block device of the machine
    vm.block(hv.blob(), readonly=True)      # any buffer
    vm.block(16 << 20)                      # an empty disk in memory, 16 MB

A store has a size in bytes, read(at, view), write(at, view) and sync(), and may have a unit, the bytes that
are read and written at a time. A script may bring its own."""

from typing import Any

import gc
import struct
from _hv import Pages as Pages, mem as mem
from .source import open_file as open_file
from .virtio import Device as Device
SECTOR = 512
CHUNK = 65536

class Buffer:
    """Anything with the buffer protocol. Writes raise TypeError when it cannot be changed."""

    buffer: Any
    view: Any
    size: Any
    def __init__(self, buffer: Any) -> None: ...
    def read(self, at: Any, view: Any) -> Any: ...
    def write(self, at: Any, view: Any) -> Any: ...
    def sync(self) -> Any: ...


class File:
    """A file of the target, opened when the disk is made."""

    path: Any
    file: Any
    size: Any
    def __init__(self, path: Any, mode: Any) -> None: ...
    def read(self, at: Any, view: Any) -> Any: ...
    def write(self, at: Any, view: Any) -> Any: ...
    def sync(self) -> Any: ...


class Blocks:
    """A block device as MicroPython's file systems use them (vfs.AbstractBlockDev)."""

    device: Any
    unit: Any
    size: Any
    def __init__(self, device: Any) -> None: ...
    def read(self, at: Any, view: Any) -> Any: ...
    def write(self, at: Any, view: Any) -> Any: ...
    def sync(self) -> Any: ...


class Overlay:
    """What is written goes to memory, 64 KB at a time; the rest is read from `base`. quota: how many bytes
    of memory it may take, by itself half of what is free when it is made. A write that would need more
    raises OSError (ENOSPC); so does one that would leave others less than a sixteenth of the machine's."""

    base: Any
    size: Any
    unit: Any
    chunks: Any
    """Views of."""
    pages: Any
    """These."""
    frozen: Any
    """Numbers of those that a snapshot knows too."""
    quota: Any
    def __init__(self, base: Any, quota: Any=None) -> None: ...
    def read(self, at: Any, view: Any) -> Any: ...
    def write(self, at: Any, view: Any) -> Any: ...
    def save(self) -> Any: ...
    def load(self, state: Any) -> Any: ...
    def commit(self) -> Any:
        """Write it all to the base."""
    def sync(self) -> Any: ...

def store(source: Any, readonly: Any) -> Any:
    """What a disk is kept in, by what it was made from."""

class Block(Device):
    """source: a path, a buffer, a block device, a store, or bytes of memory. cow: what the guest writes
    is kept in memory (disk.store.chunks) and `source` is not changed; at most `quota` bytes, by itself half
    of what is free: a write beyond that fails. bytes objects are read-only."""

    readonly: Any
    store: Any
    features: Any
    config: Any
    error: Any
    """The last exception of the store: its request was answered as failed."""
    id = 2
    def __init__(self, source: Any, readonly: bool=False, cow: bool=False, legacy: bool=False, quota: int | None=None) -> None: ...
    def save(self) -> Any: ...
    def load(self, state: Any) -> Any: ...
    def thaw(self) -> None:
        """The last snapshot has been dropped: what was written since the first one goes to where it belongs."""
    def request(self, queue: Any, r: Any) -> Any: ...
