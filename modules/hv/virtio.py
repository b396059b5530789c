# SPDX-License-Identifier: MIT
"""Virtio devices for guests, and what one's own are made from.

    from hv.virtio import Device

    class Reverse(Device):
        id = 42
        def request(self, queue, r):
            r.write(bytes(reversed(r.read())))

    vm.virtio(Reverse())

The transport and the queues are native (virtio 1.1, modern and legacy). A request `r` is what a driver
has put in a queue: bytes to read, then room for an answer.

    r.readable, r.writable          bytes left of each
    r.read(n), r.readinto(buffer)   take the next bytes out
    r.write(buffer)                 answer; returns how many bytes there was room for
    r.data(n), r.room(n)            the next bytes where they are: memoryviews of the guest's RAM
    r.done()                        give it back to the driver: for those that were kept
"""

import os

import _hv


class Device:
    """id: the device type; features: offered bits, 0 to 23; config: at most 256 bytes; queues: 1 to 8.

    passive: a bit for each queue whose requests are not handed to `request`, but taken with `pop`, as
    those of a receive queue. legacy: the device has the transport of before virtio 1.0.
    """

    id = 0
    features = 0
    config = b""
    queues = 1
    passive = 0
    port = None  # an _hv.Virtio, once it is in a VM: slot, status, features accepted, fault

    def __init__(self, legacy: bool = False):
        self.legacy = legacy

    def __repr__(self):
        what = type(self).__name__ + self._about()
        return f"<{what}: {repr(self.port)[1:-1]}>" if self.port else f"<{what}: in no VM>"

    def _about(self):
        return ""

    def plug(self, vm: _hv.VM, slot: int) -> None:
        """vm.virtio() has found a slot: from now on a driver sees the device."""
        if self.port:
            raise ValueError("this virtio device is in a VM already")
        self.port = None  # there is room for it
        self.port = vm.virtio(
            slot,
            self.id,
            self.features,
            self.config,
            self.queues,
            self.passive,
            self.legacy,
            self.request,
            self.ready,
            self.reset,
        )

    def request(self, queue: int, r: _hv.Request) -> object:
        """A request. It is given back on return, and void then, but not when that is true: then r.done() does it.

        One that takes long yields now and then: others are served in between, and it is given back at its end.
        """

    def ready(self, queue: int) -> None:
        """There may be something new in a passive queue."""

    def reset(self) -> None:
        """The driver has begun anew. Requests of before are void."""

    def save(self) -> object:
        """What goes into a snapshot of the VM besides the transport and the queues, which do by themselves. Requests
        that are at work on, or kept, are void when the VM has gone back, and are asked again.
        """

    def load(self, state) -> None:
        """The VM has gone back to where save() returned this."""

    def pop(self, queue: int) -> _hv.Request | None:
        """The next request in a queue, or None."""
        return self.port.pop(queue)


class Rng(Device):
    """Random numbers (virtio 1.1, 5.4)."""

    id = 4

    def request(self, queue, r):
        r.write(os.urandom(min(r.writable, 64)))


_STEP = 0x400  # bytes of a console's output that are taken at once
_FULL = 0x5000  # of what is kept of it


class Console(Device):
    """A console (virtio 1.1, 5.3): Linux's /dev/hvc0. It is a stream, of which nothing blocks.

    output: a function that is called with what the guest prints, as bytes; without it read() has the
    last 16 KB.
    """

    id = 3
    config = bytes(8)
    queues = 2  # to the driver, from the driver
    passive = 1
    LIMIT = 0x4000

    def __init__(self, output=None, legacy=False):
        super().__init__(legacy)
        if output is not None and not callable(output):
            raise TypeError(f"output= is a function of bytes, not {output!r}")
        self.output = output
        self._typed = b""
        self._kept = None  # what read() has, and some that is older: from _begin to _end
        self._begin = self._end = 0

    def request(self, queue, r):
        if r.readable > _STEP:
            return self._long(r)
        if self.output:
            self.output(r.read())
        else:
            self._keep(r)

    def _long(self, r):
        if not self.output and r.readable > self.LIMIT:
            r.data(r.readable - self.LIMIT)  # nobody would see it
        while r.readable:
            if self.output:
                self.output(r.read(_STEP))
            else:
                self._keep(r)
            yield

    def _keep(self, r):
        end = self._end
        if end > _FULL or not self._kept:
            end = self._trim()
        self._end = end + r.readinto(self._kept[end : end + _STEP])

    def _trim(self):
        # To its beginning, once in 4 KB: what is printed costs the same, however much there was before.
        if not self._kept:
            self._kept = memoryview(bytearray(_FULL + _STEP))
        self._begin = max(self._begin, self._end - self.LIMIT)
        count = self._end - self._begin
        self._kept[:count][:] = self._kept[self._begin : self._end]
        self._begin, self._end = 0, count
        return count

    def save(self):
        return self._typed

    def load(self, state):
        self._typed = state
        self.ready(0)

    def any(self) -> int:
        """How many bytes read() has."""
        return min(self._end - self._begin, self.LIMIT)

    def read(self, n: int = 0x4000) -> bytes:
        """What the guest has printed: at most n bytes, b"" when there is nothing."""
        begin = self._end - self.any()
        self._begin = self._end if n < 0 else min(self._end, begin + n)
        return bytes(self._kept[begin : self._begin]) if self._kept else b""

    def write(self, data) -> int:
        """Type at the guest. Returns how many bytes were taken: 16 KB wait at most."""
        room = self.LIMIT - len(self._typed)
        self._typed += bytes(data[:room])
        self.ready(0)
        return min(len(data), room)

    def ready(self, queue):
        while self._typed and (r := self.pop(0)):
            self._typed = self._typed[r.write(self._typed) :]
            r.done()
