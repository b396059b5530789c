# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/fork.py.
"""s.fork(): a second VM from a snapshot."""

from typing import Any

from .block import Block as Block, Overlay as Overlay
from .net import Net as Net, Switch as Switch
from .virtio import Console as Console, Rng as Rng
def fork(s: Any, name: Any, net: Any) -> Any: ...
