# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/source.py.
"""What an image is read from: a file, a buffer, a part of one, or what gzip made of one.

A source has a `name` for messages, a `size` (None where only reading to the end tells), `done`
(bytes read so far of the file itself, for progress) and `readinto(pos, dest)`, which fills `dest`
from the position on and returns how many bytes there were: fewer than asked for only at the end."""

from typing import Any

def open_source(source: Any) -> Any:
    """(source object, what to close or None) for a path, a binary file or a buffer."""
def open_file(path: Any, mode: Any) -> Any:
    """open() whose error has the path in it."""

class Parsed:
    """with Parsed(path): of a file that is not what it should be any exception is a ValueError with its path."""

    path: Any
    def __init__(self, path: Any) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any: ...


class Source:
    """What the kinds of sources share."""

    name = 'image'
    size: Any
    packed = 0
    done = 0
    first = b''
    def read(self, pos: Any, size: Any, what: Any) -> Any:
        """Exactly `size` bytes, or a ValueError that names what is missing."""
    def head(self, size: Any) -> Any:
        """The first bytes, up to `size`; kept, since going back may be slow."""
    def finish(self) -> Any:
        """Check what can only be checked at the end."""
    def truncated(self, what: Any) -> Any: ...


class Buffer(Source):
    """A buffer: bytes, memoryview, a file in ROM."""

    name: Any
    data: Any
    size: Any
    def __init__(self, name: Any, data: Any) -> None: ...
    def readinto(self, pos: Any, dest: Any) -> Any: ...


class File(Source):
    """An open file that can seek; read from its beginning, wherever it is now."""

    name: Any
    file: Any
    size: Any
    def __init__(self, name: Any, file: Any) -> None: ...
    def readinto(self, pos: Any, dest: Any) -> Any: ...


class Part(Source):
    """Bytes `start` to `start + size` of another source."""

    name: Any
    source: Any
    start: Any
    size: Any
    def __init__(self, source: Any, start: Any, size: Any) -> None: ...
    @property
    def done(self) -> Any: ...
    def readinto(self, pos: Any, dest: Any) -> Any: ...


class Gunzip(Source):
    """What a gzip'd source unpacks to; going back means unpacking from the start again.

    DeflateIO takes its input byte by byte, which only a native stream bears: so it reads from a
    BytesIO, which is refilled between the steps."""

    name: Any
    source: Any
    packed: Any
    raw: Any
    stream: Any
    def __init__(self, source: Any) -> None: ...
    @property
    def done(self) -> Any: ...
    def readinto(self, pos: Any, dest: Any) -> Any: ...
    def finish(self) -> Any:
        """Unpack what is left: the checksum comes last."""
