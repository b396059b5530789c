# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/gdbstub.py.
"""gdb on a guest: the remote serial protocol (gdb's manual, appendix E), spoken at EL2.

A VM is a process, a vCPU a thread. All of a VM stops at once, by vm.pause(), and its time with it. Memory is read and
written by the vCPU's own translation. `monitor` is Python, with the names of the prompt, and `vm` and `cpu`."""

from typing import Any

import struct
from binascii import hexlify as hexlify, unhexlify as unhexlify
from machine import UART as UART, Timer as Timer
import hv
def gdb(vm: Any, line: Any=None) -> Any:
    """Let gdb attach to a VM, by a serial line of the machine: a number or a stream of hv.serial(); by itself the
    second one, if there is one. Then the prompt stays, and this returns at once; close() of what it returns ends it.
    The console it takes until gdb detaches; Ctrl-C twice ends it when gdb is gone."""

class Stub:
    """gdb's other end, on one line, of one VM."""

    vm: Any
    line: Any
    engine: Any
    going: Any
    """The VM runs, and gdb is owed a reply when it stops."""
    def __init__(self, vm: Any, line: Any) -> None: ...
    @property
    def holds(self) -> Any:
        """Whether the VM stands still because gdb wants it so."""
    def close(self) -> None:
        """No gdb any more. What it had planted is gone; the VM stays as it is."""
    def take_console(self) -> Any: ...
    def pump(self, line: Any) -> Any:
        """Something has come, or there is room again."""
    def at_rest(self, exit: Any) -> Any:
        """From hv.VM: it has stopped; exit None: somebody has stopped it."""
    def closed(self) -> Any:
        """From hv.VM: it is no more."""
