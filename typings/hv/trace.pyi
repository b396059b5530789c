# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/trace.py.
"""vm.trace() and vm.count(): what a guest's exits were.

t = vm.trace("psci sysreg:TTBR0_EL1 mmio:pl011")
vm.run()
for record in t: print(record)
t.save("/disk/boot.json")  # for ui.perfetto.dev"""

from typing import Any

from collections import OrderedDict as OrderedDict, namedtuple as namedtuple
from struct import unpack_from as unpack_from
from _hv import mrs as mrs, sysreg as sysreg
from .note import string as string
from .syndrome import class_name as class_name, register as register

class Record(namedtuple('Record', ('us', 'core', 'cpu', 'kind', 'pc', 'what', 'value', 'task', 'esr'))):
    """One exit. us: of the machine's counter; kind: as in vm.trace(); what: the register, the function, the system call or
    the class.

    value: x0 of a call, x8 of an SVC, what an MSR writes, the IPA of an access or a fault, the INTID of an interrupt, the
    pid of the process that is switched to. task: "sh-123", the process on this vCPU by the last switch before, or "". esr: its syndrome."""


def device(ipa: Any) -> Any:
    """The name of the device of a guest's machine that is there, or None."""
def psci(id: Any) -> Any:
    """The name of a function of PSCI's."""

class Tracer:
    """What traces and counts have in common."""

    vm: Any
    what: str
    def __init__(self, vm: Any, what: Any, records: Any, key: Any) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, *_: Any) -> Any: ...
    def stop(self) -> None:
        """It costs nothing from now on, and its memory is free. Again: nothing."""
    @property
    def frozen(self) -> bool:
        """Nothing is added: so a flight recorder keeps what was before, as vm.trace(freeze="panic") does."""
    @frozen.setter
    def frozen(self, value: bool) -> None: ...


class Trace(Tracer):
    """The exits of a VM: vm.trace(). Iterating takes out what has come by then, oldest first."""

    def __init__(self, vm: Any, what: Any, size: Any, freeze: Any) -> None: ...
    def stop(self) -> None:
        """It costs nothing from now on, and its memory is free. Again: nothing."""
    @property
    def lost(self) -> int:
        """How many records were written over before they were taken out."""
    def peek(self, most: Any) -> Any:
        """The last of what there is, as Records, and all of it stays."""
    def save(self, path: str) -> int:
        """Take out what has come, into a file that ui.perfetto.dev and Chrome open (the Trace Event Format, JSON): the
        VM is a process, vCPUs are threads. How many records it has."""
    def write(self, f: Any) -> int:
        """The same, to anything that has write(text)."""


class Count(Tracer):
    """Exits of a VM, counted by a key: vm.count()."""

    key: str
    def __init__(self, vm: Any, what: Any, key: Any) -> None: ...
    def counts(self) -> dict:
        """{key: how often}, the most first."""
    def histogram(self, most: int=20, width: int=40) -> str:
        """The keys that come most often, with names where they have any, as lines with bars."""
