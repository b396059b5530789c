# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/processes.py.
"""What pid= is in a Linux: its processes' address spaces.

CONTEXTIDR_EL1 would not do for a process: it is the thread's number, and only where Linux is built with
PID_IN_CONTEXTIDR."""

from typing import Any

from .stage1 import Tables as Tables
def processes(vm: Any) -> dict:
    """{pid: name} of the Linux that runs in a VM."""
def current(cpu: Any) -> Any:
    """The pid of the process that a stopped cpu is in, or None: it is at EL0 and in none of them."""
def is_current(vm: Any, pid: Any) -> Any:
    """A function that says of a cpu at EL1 whether it is there for that process."""
def space(vm: Any, pid: Any) -> Any:
    """What TTBR0_EL1 is in a process, its ASID aside."""
def translate(vm: Any, va: Any, root: Any=None) -> Any:
    """The IPA that a Linux has at va, by the tables of its kernel or those at `root`, or None. With KPTI a cpu that is in
    user space has but a few pages of the kernel's in its own."""
def members(vm: Any) -> Any:
    """Where in its struct a task's process number and name are, of a Linux that runs, or that will."""
def has(vm: Any) -> Any:
    """Whether there is a Linux that says enough of itself."""
