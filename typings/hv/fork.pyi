# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/fork.py.
"""s.fork(): a second VM from a snapshot."""

from typing import Any

from .block import Block as Block, Overlay as Overlay
from .net import Net as Net, Switch as Switch
from .virtio import Console as Console, Rng as Rng

class Forked(Net):
    """A network device of a fork. Its guest's driver knows the address of the guest it was forked from: on the switch, in
    ARP (RFC 826) and in IPv6's neighbour discovery (RFC 4861) there is the device's own in its place. Once the driver is
    bound anew it has that by itself."""

    was: Any
    def save(self) -> Any: ...
    def load(self, state: Any) -> Any: ...
    def request(self, queue: Any, r: Any) -> Any: ...
    def receive(self, frame: Any) -> Any: ...

def forked_net(switch: Any, mac: Any, legacy: Any, spoof: Any, was: Any) -> Any: ...
def fork(s: Any, name: Any, net: Any) -> Any: ...
