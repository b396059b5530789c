# SPDX-License-Identifier: MIT
"""What an image is read from: a file, a buffer, a part of one, or what gzip made of one.

A source has a `name` for messages, a `size` (None where only reading to the end tells), `done`
(bytes read so far of the file itself, for progress) and `readinto(pos, dest)`, which fills `dest`
from the position on and returns how many bytes there were: fewer than asked for only at the end.
"""

_FEED = 0x8000  # compressed bytes at hand
_RESERVE = (
    0x4000  # the least of them to go on with, for _STEP bytes out: a sane stream needs far fewer
)
_STEP = 0x1000


def open_source(source):
    """(source object, what to close or None) for a path, a binary file or a buffer."""
    if isinstance(source, str):
        file = open_file(source, "rb")
        return _file_or_buffer(source, file), file
    return _file_or_buffer(getattr(source, "name", "image"), source), None


def open_file(path, mode):
    """open() whose error has the path in it."""
    try:
        return open(path, mode)
    except OSError as error:
        raise OSError(error.errno, path) from None


class Parsed:
    """with Parsed(path): of a file that is not what it should be any exception is a ValueError with its path."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        pass

    def __exit__(self, kind, error, trace):
        named = str(error).startswith(str(self.path))
        if kind in _ODD or (kind is ValueError and not named):
            raise ValueError(f"{self.path} is damaged: {kind.__name__}, {error}")


_ODD = (TypeError, KeyError, IndexError, AttributeError, OverflowError)


def _file_or_buffer(name, source):
    try:
        return Buffer(name, memoryview(source))  # a ROMFS file is one too, and is not copied
    except TypeError:
        pass
    if not hasattr(source, "readinto"):
        raise TypeError(f"{name}: not a path, a file open in binary mode, or a buffer")
    return File(name, source)


class Source:
    """What the kinds of sources share."""

    name = "image"
    size = None
    packed = 0  # bytes of the file itself, where `size` is unknown
    done = 0
    first = b""

    def read(self, pos, size, what):
        """Exactly `size` bytes, or a ValueError that names what is missing."""
        if pos + size <= len(self.first):
            return self.first[pos : pos + size]
        data = bytearray(size)
        if self.readinto(pos, data) < size:
            self.truncated(f"{what} at {pos:#x}")
        return bytes(data)

    def head(self, size):
        """The first bytes, up to `size`; kept, since going back may be slow."""
        data = bytearray(size)
        self.first = bytes(data[: self.readinto(0, data)])
        return self.first

    def finish(self):
        """Check what can only be checked at the end."""

    def truncated(self, what):
        size = "" if self.size is None else f" (it has {self.size} bytes)"
        raise ValueError(f"{self.name} is truncated: no {what}{size}")


class Buffer(Source):
    """A buffer: bytes, memoryview, a file in ROM."""

    def __init__(self, name, data):
        self.name = name
        self.data = data
        self.size = len(data)

    def readinto(self, pos, dest):
        size = max(0, min(len(dest), self.size - pos))
        if size:
            memoryview(dest)[:size] = self.data[pos : pos + size]
        self.done += size
        return size


class File(Source):
    """An open file that can seek; read from its beginning, wherever it is now."""

    def __init__(self, name, file):
        self.name = name
        self.file = file
        self.size = self.at = file.seek(0, 2)

    def readinto(self, pos, dest):
        if pos >= self.size:
            return 0
        if pos != self.at:
            self.at = self.file.seek(pos)
        dest = memoryview(dest)
        size = 0
        while size < len(dest):
            got = self.file.readinto(dest[size:] if size else dest)
            if not got:
                break
            size += got
        self.at += size
        self.done += size
        return size


class Part(Source):
    """Bytes `start` to `start + size` of another source."""

    def __init__(self, source, start, size):
        if source.size is not None and start + size > source.size:
            source.truncated(f"payload of {size} bytes at {start:#x}")
        self.name = source.name
        self.source = source
        self.start = start
        self.size = size

    @property
    def done(self):
        return self.source.done

    def readinto(self, pos, dest):
        size = max(0, min(len(dest), self.size - pos))
        return self.source.readinto(self.start + pos, memoryview(dest)[:size])


class Gunzip(Source):
    """What a gzip'd source unpacks to; going back means unpacking from the start again.

    DeflateIO takes its input byte by byte, which only a native stream bears: so it reads from a
    BytesIO, which is refilled between the steps.
    """

    def __init__(self, source):
        self.name = source.name
        self.source = source
        self.packed = source.size or source.packed
        self.raw = bytearray(_FEED)
        self.stream = None
        self._restart()

    @property
    def done(self):
        return self.source.done

    def readinto(self, pos, dest):
        if pos < self.at:
            self._restart()
        if pos > self.at:
            scratch = memoryview(bytearray(_STEP))
            while self.at < pos:
                if not self._unpack(scratch[: min(_STEP, pos - self.at)]):
                    return 0
        return self._unpack(memoryview(dest))

    def finish(self):
        """Unpack what is left: the checksum comes last."""
        scratch = memoryview(bytearray(_STEP))
        while self._unpack(scratch):
            pass

    def _restart(self):
        import io

        import deflate

        self.at = 0  # in what is unpacked
        self.taken = 0  # of what is packed
        self.feed = io.BytesIO(self.raw)
        self.feed.seek(_FEED)
        self.stream = deflate.DeflateIO(self.feed, deflate.GZIP, 15)

    def _unpack(self, dest):
        size = 0
        while size < len(dest):
            self._refill()
            try:
                got = self.stream.readinto(dest[size : size + _STEP])
            except EOFError:
                self.truncated(f"end of the gzip'd data after {self.at} unpacked bytes")
            except OSError:
                raise ValueError(
                    f"{self.name}: bad gzip data, {self.at} bytes unpacked so far"
                ) from None
            if not got:
                break
            size += got
            self.at += got
        return size

    def _refill(self):
        """Keep the feed supplied. Its data ends where the BytesIO does, so that the end shows."""
        used = self.feed.tell()
        left = _FEED - used
        if left >= _RESERVE or self.taken == self.source.size:
            return
        raw = memoryview(self.raw)
        raw[:left] = raw[used:]
        got = self.source.readinto(self.taken, raw[left:])
        self.taken += got
        if got < used:
            raw[used - got :] = raw[: left + got]
        self.feed.seek(0)
        self.feed.write(raw)
        self.feed.seek(used - got)
