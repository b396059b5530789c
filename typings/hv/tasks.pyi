# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/tasks.py.
"""The processes and threads of a Linux: k.ps(), k.stack()."""

from typing import Any

from collections import namedtuple as namedtuple
from .rows import rows as rows
from .where import Where as Where
Process = namedtuple('Process', ('pid', 'ppid', 'uid', 'state', 'name'))
def tasks(k: Any) -> Any:
    """The struct task_struct of each process."""
def threads(k: Any, task: Any) -> Any:
    """Those of a process's threads."""
def ps(k: Any, each_thread: Any) -> Any: ...
def name(k: Any, task: Any) -> Any:
    """As /proc says it: of a thread of the kernel's not cut off, of a worker with what it works for (get_kthread_comm(),
    wq_worker_comm())."""
def state(task: Any) -> Any:
    """Its letter (fs/proc/array.c)."""
def find(k: Any, pid: Any) -> Any:
    """The struct task_struct of a process, or of a thread by its number."""
def root(k: Any, task: Any) -> Any:
    """What TTBR0_EL1 is where it runs, its ASID aside; 0 of a thread of the kernel's."""
def first(k: Any) -> Any:
    """The address of init_task, which is not among the names of a kernel without KALLSYMS_ALL."""

class Stack(Where):
    """cpu.where() of a task that waits: `frames`."""


def stack(k: Any, pid: Any) -> Any: ...
