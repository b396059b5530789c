# SPDX-License-Identifier: MIT
"""Disks for guests: virtio block devices (virtio 1.1, 5.2), and what they are kept in.

    vm.block("/disk/root.img")              # a file; writes go to it
    vm.block("/disk/root.img", cow=True)    # the file stays as it is
    vm.block(machine.Disk(1))               # a block device of the machine
    vm.block(hv.blob(), readonly=True)      # any buffer
    vm.block(16 << 20)                      # an empty disk in memory, 16 MB

A store has a size in bytes, read(at, view), write(at, view) and sync(), and may have a unit, the bytes that
are read and written at a time. A script may bring its own.
"""

import gc
import struct

from _hv import Pages, mem

from .source import open_file
from .virtio import Device

SECTOR = 512
CHUNK = 0x1_0000

_IN, _OUT, _FLUSH, _GET_ID = 0, 1, 4, 8
_OK, _IOERR, _UNSUPP = b"\0", b"\1", b"\2"
_SEG_MAX, _RO, _BLK_SIZE, _WITH_FLUSH = 1 << 2, 1 << 5, 1 << 6, 1 << 9


def _repr(store):
    return f"<{type(store).__name__}: {store.size} bytes>"


class Buffer:
    """Anything with the buffer protocol. Writes raise TypeError when it cannot be changed."""

    __repr__ = _repr

    def __init__(self, buffer):
        self.buffer = buffer
        self.view = memoryview(buffer)
        self.size = len(self.view)

    def read(self, at, view):
        view[:] = self.view[at : at + len(view)]

    def write(self, at, view):
        self.view[at : at + len(view)][:] = (
            view  # in two steps: in one, MicroPython moves the rest as well
        )

    def sync(self):
        pass


class File:
    """A file of the target, opened when the disk is made."""

    __repr__ = _repr

    def __init__(self, path, mode):
        self.path = path
        self.file = open_file(path, mode)
        self.size = self.file.seek(0, 2)

    def read(self, at, view):
        self.file.seek(at)
        if self.file.readinto(view) != len(view):
            raise OSError(5)

    def write(self, at, view):
        self.file.seek(at)
        if self.file.write(view) != len(view):
            raise OSError(28)

    def sync(self):
        self.file.flush()


class Blocks:
    """A block device as MicroPython's file systems use them (vfs.AbstractBlockDev)."""

    __repr__ = _repr

    def __init__(self, device):
        self.device = device
        self.unit = device.ioctl(5, 0)
        self.size = device.ioctl(4, 0) * self.unit

    def read(self, at, view):
        self._move(self.device.readblocks, at, view)

    def write(self, at, view):
        self._move(self.device.writeblocks, at, view)

    def _move(self, do, at, view):
        if at % self.unit or len(view) % self.unit:
            raise ValueError(f"a block device with blocks of {self.unit} bytes")
        error = do(at // self.unit, view)
        if error:
            raise OSError(-error)

    def sync(self):
        self.device.ioctl(3, 0)


class Overlay:
    """What is written goes to memory, 64 KB at a time; the rest is read from `base`. quota: how many bytes
    of memory it may take, by itself half of what is free when it is made. A write that would need more
    raises OSError (ENOSPC); so does one that would leave others less than a sixteenth of the machine's.
    """

    __repr__ = _repr

    def __init__(self, base, quota=None):
        self.base = base
        self.size = base.size
        self.unit = getattr(base, "unit", SECTOR)
        self.chunks = {}  # views of
        self.pages = {}  # these
        self.frozen = ()  # numbers of those that a snapshot knows too
        self.quota = mem()[0] // 2 if quota is None else quota

    def read(self, at, view):
        for number, offset, part in _parts(at, view):
            chunk = self.chunks.get(number)
            if chunk is None:
                self.base.read(number * CHUNK + offset, part)
            else:
                part[:] = chunk[offset : offset + len(part)]

    def write(self, at, view):
        for number, offset, part in _parts(at, view):
            chunk = self.chunks.get(number)
            if chunk is None or number in self.frozen:
                chunk = self._add(number, len(part) < CHUNK, chunk)
            chunk[offset : offset + len(part)][:] = part

    def _add(self, number, fill, was):
        # A view alone would keep its pages too, but each collection would have to find that out.
        if (len(self.pages) + (was is None)) * CHUNK > self.quota or not _enough():
            raise OSError(28)
        pages = Pages(CHUNK)
        chunk = memoryview(pages)
        start = number * CHUNK
        if fill and was:
            chunk[:] = was
        elif fill:
            self.base.read(start, chunk[: min(CHUNK, self.size - start)])
        self.pages[number] = pages
        self.chunks[number] = chunk
        self.frozen = self.frozen and self.frozen - {number}
        return chunk

    def save(self):
        self.frozen = set(self.chunks)
        return dict(self.chunks), dict(self.pages)

    def load(self, state):
        self.chunks, self.pages = dict(state[0]), dict(state[1])
        self.frozen = set(self.chunks)

    def commit(self):
        """Write it all to the base."""
        for number, chunk in self.chunks.items():
            start = number * CHUNK
            self.base.write(start, chunk[: min(CHUNK, self.size - start)])
        self.base.sync()

    def sync(self):
        pass


def _enough():
    """Memory for one more, and a sixteenth for others; perhaps when what nobody knows any more is gone."""
    if mem()[0] - CHUNK < mem()[1] // 16:
        gc.collect()
    return mem()[0] - CHUNK >= mem()[1] // 16


def _parts(at, view):
    """The pieces of a view by chunk: (number of the chunk, offset in it, view)."""
    done = 0
    while done < len(view):
        number, offset = divmod(at + done, CHUNK)
        count = min(CHUNK - offset, len(view) - done)
        yield number, offset, view[done : done + count]
        done += count


def store(source, readonly):
    """What a disk is kept in, by what it was made from."""
    if isinstance(source, str):
        return File(source, "rb" if readonly else "r+b")
    if isinstance(source, int):
        return Buffer(Pages(source))
    if hasattr(source, "readblocks"):
        return Blocks(source)
    return source if hasattr(source, "sync") else Buffer(source)


class Block(Device):
    """source: a path, a buffer, a block device, a store, or bytes of memory. cow: what the guest writes
    is kept in memory (disk.store.chunks) and `source` is not changed; at most `quota` bytes, by itself half
    of what is free: a write beyond that fails. bytes objects are read-only.
    """

    id = 2
    _lent = False

    def __init__(
        self,
        source,
        readonly: bool = False,
        cow: bool = False,
        legacy: bool = False,
        quota: int | None = None,
    ):
        super().__init__(legacy)
        self.readonly = readonly or (isinstance(source, bytes) and not cow)
        self.store = store(source, readonly or cow)
        if cow:
            self.store = Overlay(self.store, quota)
        self.features = _SEG_MAX | _WITH_FLUSH | (_RO if self.readonly else 0)
        if self.store.size < SECTOR:
            raise ValueError(f"a disk is at least {SECTOR} bytes, not {self.store.size}")
        unit = getattr(self.store, "unit", SECTOR)
        if unit != SECTOR:
            self.features |= _BLK_SIZE
        self.config = struct.pack("<QIIII", self.store.size // SECTOR, 0, 254, 0, unit)
        self.error = None  # the last exception of the store: its request was answered as failed

    def save(self):
        # From the first snapshot on, what is written goes to memory, until there is none any more.
        if not self.readonly and not isinstance(self.store, Overlay):
            self.store = Overlay(self.store)
            self._lent = True
        return self.readonly or self.store.save()

    def load(self, state):
        if not self.readonly:
            self.store.load(state)

    def thaw(self) -> None:
        """The last snapshot has been dropped: what was written since the first one goes to where it belongs."""
        if self._lent:
            self.store.commit()
            self.store, self._lent = self.store.base, False

    def _about(self):
        return f" of {self.store.size} bytes{' read-only' if self.readonly else ''}"

    def request(self, queue, r):
        room = r.writable
        if r.readable < 16 or not room:
            return
        kind = r.number(8) & 0xFFFF_FFFF  # above is what is reserved
        at = r.number(8) * SECTOR
        status = _OK
        try:
            if kind == _IN or kind == _OUT:
                count = r.readable if kind == _OUT else room - 1
                if count > CHUNK:
                    return self._long(r, at, count, kind == _OUT)
                status = self._move(r, at, count, kind == _OUT)
            elif kind == _FLUSH:
                self.store.sync()
            elif kind == _GET_ID:
                r.write((b"elapid" + bytes(14))[: r.writable - 1])
            else:
                status = _UNSUPP
        except Exception as error:
            self.error = error
            status = _IOERR
        if r.writable > 1:
            r.room(r.writable - 1)  # the status is the last byte
        r.write(status)

    def _long(self, r, at, count, write):
        status = _IOERR if count % SECTOR or at + count > self.store.size else _OK
        try:
            while status == _OK and count:
                step = min(count, CHUNK)
                status = self._move(r, at, step, write)
                at += step
                count -= step
                yield
        except Exception as error:
            self.error = error
            status = _IOERR
        if r.writable > 1:
            r.room(r.writable - 1)
        r.write(status)

    def _move(self, r, at, count, write):
        if count % SECTOR or at + count > self.store.size or (write and self.readonly):
            return _IOERR
        store = self.store
        if type(store) is Buffer:  # without a memoryview for each piece
            place = store.view[at : at + count]
            r.readinto(place) if write else r.write(place)
            return _OK
        do = store.write if write else store.read
        views = r.data(count) if write else r.room(count)
        if any([len(view) % SECTOR for view in views]):
            _odd(views, do, at, count, write)
            return _OK
        for view in views:
            do(at, view)
            at += len(view)
        return _OK


def _odd(views, do, at, count, write):
    """Pieces that are not of whole sectors go by way of a buffer."""
    bounce = memoryview(bytearray(min(count, CHUNK)))
    fill = size = 0
    for view in views:
        while view:
            if fill == size:
                fill, size = 0, min(count, CHUNK)
                if not write:
                    do(at, bounce[:size])
            n = min(len(view), size - fill)
            if write:
                bounce[fill : fill + n][:] = view[:n]
            else:
                view[:n] = bounce[fill : fill + n]
            view, fill, count = view[n:], fill + n, count - n
            if fill == size:
                if write:
                    do(at, bounce[:size])
                at += size
