# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/kernel.py.
"""vm.kernel: a Linux that runs in a VM, seen from outside, with no debug package and no profile of it.

k = vm.kernel
k.ps(); k.dmesg(); k.files(1); k.stack(1); k["init_task"].comm

What is where in a struct is in the kernel's own BTF, in its image; names are its kallsyms; the root and the shape of its
translation tables are in its vmcoreinfo note. Nothing of it runs for that: it may stand still, hang, or be corrupt."""

from typing import Any

from _hv import Fault as Fault
from . import btf as btf
from .note import printable as printable, string as string
from .stage1 import Tables as Tables
from .symbols import text as text
from .value import PTR as PTR, Value as Value, read as read
def of(vm: Any) -> Any:
    """The Kernel of a VM's Linux. AttributeError, for dir() and hasattr(), when there is none that says enough of itself."""

class Kernel(Tables):
    """A running Linux: `vm.kernel`. A VM that runs stands still while one of its methods looks; in a handler the other
    vCPUs do.

    hv.Fault, which names the address, where something is not mapped, a list leads nowhere, or there is no end to what is
    read; what was found before is in the exception's `rows`."""

    types: Any
    def __init__(self, vm: Any, symbols: Any) -> None: ...
    @property
    def release(self) -> str:
        """As `uname -r` says: "6.1.0-50-cloud-arm64"."""
    @property
    def version(self) -> str:
        """As /proc/version says."""
    def ps(self, threads: bool=False) -> list:
        """Its processes: (pid, ppid, uid, state, name), state as ps has it (R, S, D, T, t, X, Z, P, I). threads: each of
        their threads, by its own number."""
    def dmesg(self) -> list:
        """What it has logged, the lines of `dmesg`: of its printk ring, so also what no console has shown."""
    def files(self, pid: int) -> list:
        """The files that a process has open: (fd, path), as /proc/PID/fd has them."""
    def modules(self) -> list:
        """Its modules, newest first: (name, size, address, state), as /proc/modules has them."""
    def syscalls(self) -> dict:
        """{number: name} of its system calls, as openat for __arm64_sys_openat; those it does not have are left out."""
    def stack(self, pid: int) -> Any:
        """Where a process, or a thread by its number, is in the kernel, and beyond: an hv.where.Where, with `frames`."""
    def address(self, name: str) -> int:
        """The address of a variable or function. Those that a kernel without KALLSYMS_ALL has no name for are found by
        what is in them: init_task, modules, prb, sys_call_table."""
    def symbol(self, address: Any) -> str:
        """The function or variable an address (or Value) is in, as "name+0x10". KeyError when it is in none."""
    def type(self, name: str) -> Any:
        """A type by its name, "struct list_head", "list_head", "u64", "struct page *": printed it is its members and
        where they are. size, members, offset("a.b"). KeyError when there is none."""
    def cast(self, type: Any, where: Any) -> Any:
        """What is at an address (or Value) as of a type: a Value or a number. Of "struct page *" the address is the pointer."""
    def container_of(self, where: Any, type: str, member: str) -> Any:
        """The struct that has this member, "a" or "a.b", at an address (or Value)."""
    def each(self, head: Any, type: str, member: str) -> Any:
        """Iterate over the structs that are in a list (struct list_head) by this member. hv.Fault when it has no end."""
    def read(self, where: Any, size: int) -> bytes:
        """Bytes at an address (or Value) of the kernel's. hv.Fault where nothing is mapped."""
    def string(self, where: Any, limit: int=256) -> str:
        """Text up to its NUL, at an address (or Value)."""
    def number(self, va: int, size: int=8) -> int:
        """An unsigned number of so many bytes at an address of the kernel's. hv.Fault where nothing is mapped."""
    def peek(self, va: int, size: int, root: int | None=None) -> bytes:
        """As read(), also of a process whose tables are at `root`; fewer bytes where nothing is mapped."""
