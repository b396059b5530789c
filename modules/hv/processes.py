# SPDX-License-Identifier: MIT
"""What pid= is in a Linux: its processes' address spaces.

CONTEXTIDR_EL1 would not do for a process: it is the thread's number, and only where Linux is built with
PID_IN_CONTEXTIDR.
"""

from .stage1 import Tables


def processes(vm) -> dict:
    """{pid: name} of the Linux that runs in a VM."""
    from .tasks import tasks

    return _of(vm)._held(lambda k: {task.tgid: task.comm for task in tasks(k)})


def current(cpu):
    """The pid of the process that a stopped cpu is in, or None: it is at EL0 and in none of them."""
    k = _of(cpu.vm)
    if cpu.pstate & 15:
        return _number(k)(cpu)
    return k._held(_owner, cpu.sysreg["TTBR0_EL1"] & 0xFFFF_FFFF_FFFE)


def _owner(k, table):
    from .tasks import root, tasks

    for task in tasks(k):
        if root(k, task) == table:
            return task.tgid
    return None


def is_current(vm, pid):
    """A function that says of a cpu at EL1 whether it is there for that process."""
    number = _number(_of(vm))
    space(vm, pid)
    return lambda cpu: number(cpu) == pid


def space(vm, pid):
    """What TTBR0_EL1 is in a process, its ASID aside."""
    return _of(vm)._held(_space, pid)


def _space(k, pid):
    from .tasks import find, root

    task = find(k, pid)
    table = root(k, task)
    if not table:
        raise ValueError(
            f"process {pid} of {k._vm.name}, {task.comm}, is a thread of the kernel's: it has no memory"
        )
    return table


def translate(vm, va, root=None):
    """The IPA that a Linux has at va, by the tables of its kernel or those at `root`, or None. With KPTI a cpu that is in
    user space has but a few pages of the kernel's in its own.
    """
    kernel = vm.symbols.kernel()
    tables = kernel and kernel.note and Tables(vm, kernel.note)
    return tables.ipa(va, root) if tables else None


def members(vm):
    """Where in its struct a task's process number and name are, of a Linux that runs, or that will."""
    from . import btf

    kernel = vm.symbols.kernel()
    memory, loaded = vm.memory, vm._linux
    ends = (loaded.base, loaded.end) if loaded else (memory.base, memory.base + memory.size)
    try:
        types = vm.kernel.types
    except AttributeError:  # it does not say enough of itself, or not yet
        types = kernel and btf.find(memory, *ends)
    if not types:
        raise ValueError(
            f"{vm.name} has no Linux with BTF: which process it switches to is not known"
        )
    task = types.find("struct task_struct")
    return task.offset("tgid"), task.offset("comm")


def has(vm):
    """Whether there is a Linux that says enough of itself."""
    kernel = vm.symbols.kernel()
    return bool(kernel and kernel.note)


def _of(vm):
    try:
        return vm.kernel
    except AttributeError as e:
        raise ValueError(f"{e}: pid= can be a TTBR0_EL1") from None


def _number(k):
    # A struct task_struct is what SP_EL0 points to in the kernel; in its first and last instructions it is the process's
    # stack, and nobody is there: 0.
    offset = k.type("struct task_struct").offset("tgid")
    return lambda cpu: int.from_bytes(k.peek(cpu.sysreg["SP_EL0"] + offset, 4), "little")
