# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/savefile.py.
"""Files of snapshots: s.save(path), hv.load(path).

b"ELAPID\\x1a\\n", a version, then records: a kind of four letters, where it belongs (8 bytes), how many bytes it is and how
many of them are here (4 each: fewer are an LZ4 block), a CRC-32 of all that and of what follows. The first one is "head", JSON; "end "
has the number of those before it. "ram " and "disk" are of 64 KB, without those of zeros."""

from typing import Any

import json
import os
import struct
from binascii import crc32 as crc32
import _hv
from .block import CHUNK as CHUNK, SECTOR as SECTOR, Block as Block, File as File, Overlay as Overlay
from .loader import Loaded as Loaded
from .net import Net as Net, Switch as Switch
from .progress import Bar as Bar
from .source import Parsed as Parsed, open_file as open_file
from .virtio import Console as Console, Rng as Rng
from .whole import Whole as Whole
MAGIC = b'ELAPID\x1a\n'
VERSION = 1

class Writer:
    """Records into a file."""

    data: Any
    small: Any
    def __init__(self, vm: Any, file: Any) -> None: ...
    def add(self, kind: Any, where: Any, data: Any) -> Any: ...
    def long(self, kind: Any, data: Any) -> Any: ...


class Reader:
    """Records out of a file. ValueError: it is none, or not as it was written."""

    data: Any
    small: Any
    file: Any
    def __init__(self, path: Any) -> None: ...
    def fail(self, why: Any) -> Any: ...
    def next(self) -> Any:
        """To the next one: kind, where, and item()."""
    def item(self) -> Any:
        """What it is, until the next one."""
    def long(self, kind: Any) -> Any:
        """All of a kind, as bytes."""

def write(writer: Any, s: Any, progress: Any) -> Any:
    """All records of a snapshot but the last one."""
def save(s: Any, path: Any) -> Any: ...

class Zeros:
    """What a disk was whose contents are all in the file."""

    def __init__(self, size: Any, unit: Any) -> None: ...
    def read(self, at: Any, view: Any) -> Any: ...
    def sync(self) -> Any: ...

def load(path: Any, make: Any, capsule: Any, name: Any, net: Any, given: Any) -> Any:
    """See hv.load(). make: hv.VM; capsule(reader, vm): what becomes of a file of vm.capsule()'s, from where it is one."""
