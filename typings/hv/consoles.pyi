# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/consoles.py.
"""Several guests' consoles on one."""

from typing import Any

import sys
from time import sleep_ms as sleep_ms
def consoles(*vms: Any) -> None:
    """Print what these guests print, line by line behind their VMs' names, until none of them runs
    any more. Ctrl-C ends it earlier, and leaves them running."""
