# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/event.py.
"""hv.events(): what rules with action "log" have seen."""

from typing import Any

from collections import namedtuple as namedtuple
from _hv import event as event, mrs as mrs
from .syndrome import register as register

class Event(namedtuple('Event', ('us', 'vmid', 'cpu', 'what', 'write', 'value', 'pc', 'lost'))):
    """What a rule with action "log" has seen. us: of the machine's counter; what: "hvc 0xc6000001",
    "SCTLR_EL1", "mmio 0xb000000"; lost: events overwritten before this one was taken out."""


def events() -> list:
    """Take all events out of the ring: a list, oldest first."""
def peek() -> Any:
    """All events, which stay for events()."""
