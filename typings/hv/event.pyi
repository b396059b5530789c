# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/event.py.
"""hv.events(): what rules with action "log" have seen."""

from typing import Any

from collections import namedtuple as namedtuple
from _hv import event as event, mrs as mrs, sysreg as sysreg
Event = namedtuple('Event', ('us', 'vmid', 'cpu', 'what', 'write', 'value', 'pc', 'lost'))
def events() -> list:
    """Take all events out of the ring: a list, oldest first."""
