# SPDX-License-Identifier: MIT
"""The processes and threads of a Linux: k.ps(), k.stack()."""

from collections import namedtuple

from .rows import rows
from .where import Where

Process = namedtuple("Process", ("pid", "ppid", "uid", "state", "name"))
_KTHREAD, _WORKER = 0x20_0000, 0x20  # PF_KTHREAD, PF_WQ_WORKER (include/linux/sched.h)
_LOOKS = 1 << 12  # at what could be init_task
_IDLE = 0x402  # TASK_UNINTERRUPTIBLE | TASK_NOLOAD


def tasks(k):
    """The struct task_struct of each process."""
    init = k["init_task"]
    return k.each(init.tasks, "struct task_struct", "tasks")


def threads(k, task):
    """Those of a process's threads."""
    return k.each(task.signal.thread_head, "struct task_struct", "thread_node")


def ps(k, each_thread):
    return rows(("pid", "ppid", "uid", "state", "name"), _ps(k, each_thread))


def _ps(k, each_thread):
    for task in tasks(k):
        for one in threads(k, task) if each_thread else (task,):
            pid = one.pid if each_thread else one.tgid
            parent = one.real_parent.tgid if one.real_parent else 0
            yield Process(pid, parent, one.cred.uid.val, state(one), name(k, one))


def name(k, task):
    """As /proc says it: of a thread of the kernel's not cut off, of a worker with what it works for (get_kthread_comm(),
    wq_worker_comm()).
    """
    comm, flags = task.comm, task.flags
    if not flags & _KTHREAD or not task.worker_private:
        return comm
    kthread = k.cast("struct kthread", task.worker_private)
    if not flags & _WORKER:
        return k.string(kthread.full_name) if kthread.full_name else comm
    worker = k.cast("struct worker", kthread.data)
    if comm.startswith("kworker/R-"):
        comm = "kworker/R-" + worker.rescue_wq.name
    desc = worker.desc if worker.pool else ""
    return comm + (("+" if worker.current_work else "-") + desc if desc else "")


def state(task):
    """Its letter (fs/proc/array.c)."""
    now = task["__state"]
    if now & _IDLE == _IDLE:
        return "I"
    n = 0
    while (now | task.exit_state) & 0x7F & -1 << n:
        n += 1
    return "RSDTtXZP"[n]


def find(k, pid):
    """The struct task_struct of a process, or of a thread by its number."""
    known = []
    for task in tasks(k):
        if task.pid == pid:
            return task
        known.append(f"{task.tgid} {task.comm}")
    for task in tasks(k):
        for one in threads(k, task):
            if one.pid == pid:
                return one
    raise ValueError(f"{k._vm.name} has no process {pid}; the last ones: {', '.join(known[-5:])}")


def root(k, task):
    """What TTBR0_EL1 is where it runs, its ASID aside; 0 of a thread of the kernel's."""
    return k.ipa(int(task.mm.pgd)) if task.mm else 0


def first(k):
    """The address of init_task, which is not among the names of a kernel without KALLSYMS_ALL."""
    of = k.type("struct task_struct")
    comm, head = of.offset("comm"), of.offset("tasks")
    start, end = k._image
    for _ in range(_LOOKS):
        start = k._memory.find(b"swapper", start, end)
        if start < 0:
            break
        at = start - comm + k.offset & (1 << 64) - 1
        try:
            if k.number(at + of.offset("tgid"), 4) == 0 and at + head in (
                k.number(k.number(at + head) + 8),
                k.number(k.number(at + head + 8)),
            ):
                return at
        except OSError:
            pass
        start += 1
    raise ValueError(f"the Linux of {k._vm.name} has no processes yet")


class _Asleep:
    """A task that no vCPU is in, as Where wants a cpu: what __switch_to() has kept of it."""

    pstate = 5
    sysreg = {"VBAR_EL1": 1 << 63}

    def __init__(self, k, task):
        context = task.thread.cpu_context
        self.pc, self.x = context.pc, {29: context.fp, 30: 0}
        self.vm, self._k, self._root = k._vm, k, root(k, task) or None

    def read(self, va, size):
        return self._k.peek(va, size, self._root)


class Stack(Where):
    """cpu.where() of a task that waits: `frames`."""

    def _decode(self):
        pass  # it is in the scheduler


def stack(k, pid):
    task = find(k, pid)
    if task.on_cpu:
        number = task.thread_info.cpu
        if number < len(k._vm.cpu):
            return k._vm.cpu[number].where()
    return Stack(_Asleep(k, task))
