# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/virtio.py.
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
    r.done()                        give it back to the driver: for those that were kept"""

from typing import Any

import os
import _hv

class Device:
    """id: the device type; features: offered bits, 0 to 23; config: at most 256 bytes; queues: 1 to 8.

    passive: a bit for each queue whose requests are not handed to `request`, but taken with `pop`, as
    those of a receive queue. legacy: the device has the transport of before virtio 1.0."""

    legacy: Any
    id = 0
    features = 0
    config = b''
    queues = 1
    passive = 0
    port: Any
    def __init__(self, legacy: bool=False) -> None: ...
    def plug(self, vm: _hv.VM, slot: int) -> None:
        """vm.virtio() has found a slot: from now on a driver sees the device."""
    def request(self, queue: int, r: _hv.Request) -> object:
        """A request. It is given back on return, and void then, but not when that is true: then r.done() does it.

        One that takes long yields now and then: others are served in between, and it is given back at its end."""
    def ready(self, queue: int) -> None:
        """There may be something new in a passive queue."""
    def reset(self) -> None:
        """The driver has begun anew. Requests of before are void."""
    def save(self) -> object:
        """What goes into a snapshot of the VM besides the transport and the queues, which do by themselves. Requests
        that are at work on, or kept, are void when the VM has gone back, and are asked again."""
    def load(self, state: Any) -> None:
        """The VM has gone back to where save() returned this."""
    def pop(self, queue: int) -> _hv.Request | None:
        """The next request in a queue, or None."""


class Rng(Device):
    """Random numbers (virtio 1.1, 5.4)."""

    id = 4
    def request(self, queue: Any, r: Any) -> Any: ...


class Console(Device):
    """A console (virtio 1.1, 5.3): Linux's /dev/hvc0. It is a stream, of which nothing blocks.

    output: a function that is called with what the guest prints, as bytes; without it read() has the
    last 16 KB."""

    output: Any
    id = 3
    config: Any
    queues = 2
    passive = 1
    LIMIT = 16384
    def __init__(self, output: Any=None, legacy: Any=False) -> None: ...
    def request(self, queue: Any, r: Any) -> Any: ...
    def save(self) -> Any: ...
    def load(self, state: Any) -> Any: ...
    def any(self) -> int:
        """How many bytes read() has."""
    def read(self, n: int=16384) -> bytes:
        """What the guest has printed: at most n bytes, b"" when there is nothing."""
    def write(self, data: Any) -> int:
        """Type at the guest. Returns how many bytes were taken: 16 KB wait at most."""
    def ready(self, queue: Any) -> Any: ...
