# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/gdbengine.py.
"""What gdb's Z packets and vCont ask for, by vm.on() and vm.watch(): all that is planted is theirs.

A step is a breakpoint wherever the instruction may lead, for that vCPU alone, and only that vCPU runs. Interrupts and
faults on the way are handled, not shown. A breakpoint that gdb takes away for a step is left where it is until all
vCPUs run again, so that none of them slips past."""

from typing import Any

import _hv

class Engine:
    """Of one VM, for one gdb."""

    vm: Any
    def __init__(self, vm: Any) -> None: ...
    def close(self) -> Any: ...
    def point(self, insert: Any, kind: Any, at: Any, size: Any, cpu: Any) -> Any:
        """False: no such kind."""
    def resume(self, steps: Any, runs: Any) -> Any:
        """steps: {vCPU: (start, end) or None}. runs: the others do."""
    def back(self, step: Any) -> Any:
        """To the instruction before, or to the breakpoint before: as at_rest()."""
    def at_rest(self, exit: Any) -> Any:
        """(vCPU, signal, what of) of what gdb has asked for; None: something else has stopped it."""
