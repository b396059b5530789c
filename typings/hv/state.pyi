# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/state.py.
"""cpu.dump(): everything a stopped vCPU has, decoded."""

from typing import Any

from . import regs as regs
def dump(cpu: Any) -> Any: ...
