# SPDX-License-Identifier: MIT
"""vm.kernel: what is seen of Debian's kernels from outside is what they say themselves; also when they hang, or lie."""

import re

import pytest
from test_linux_breaks import start

# A user's process with files of all kinds, and one that waits for it.
SCENE = """
k = vm.kernel
sh(vm, "mkdir /t; mount -t tmpfs none /t; mkdir /t/d; echo 1 > /t/d/a; echo 2 > /t/b")
sh(vm, "(exec 5</t/d/a 6<>/t/b 7</proc/1/stat; rm /t/b; sleep 10000 | cat) & nc -l -p 99 & sleep 10000 & true")
vm.pause()
"""


def said(target, line, seconds=60):
    """What the guest's shell says."""
    return target.exec(f"vm.start(); print(sh(vm, {line!r})); vm.pause()", seconds=seconds).strip()


def work(name):
    """A kworker's name without what it did last."""
    return re.sub(r"^(kworker/[\du:H]+)[-+].*", r"\1", name)


def agree(target):
    """Each of what k tells against what the guest's own tools do."""
    assert target.eval("k.version") == said(target, "cat /proc/version")
    assert target.eval("k.release") == said(target, "uname -r")
    for _ in range(60):  # kworkers come and go
        lines = said(target, "cat /proc/[0-9]*/stat 2>/dev/null").splitlines()
        theirs = [re.match(r"(\d+) \((.*)\) (\w) (\d+)", line).groups() for line in lines]
        theirs = sorted((int(pid), int(up), state, work(name)) for pid, name, state, up in theirs)
        ours = target.eval("[(p.pid, p.ppid, p.state, p.name) for p in k.ps()]")
        ours = sorted((*each[:3], work(each[3])) for each in ours)
        theirs = [each for each in theirs if each[3] != "cat" or each[2] == "S"]
        if theirs == ours:
            break
    assert theirs == ours and len(ours) > 30, set(theirs) ^ set(ours)
    for _ in range(20):  # it may have said more meanwhile
        log, shown = target.eval("'\\n'.join(k.dmesg()).strip()"), said(target, "dmesg")
        if log == shown:
            break
    assert log == shown
    theirs = [line.split() for line in said(target, "cat /proc/modules").splitlines()]
    assert target.eval("[tuple(m) for m in k.modules()]") == [
        (name, int(size), int(at, 16), state) for name, size, _, _, state, at in theirs
    ]
    names = {name: pid for pid, _, _, name in ours}
    fds = "for f in /proc/{}/fd/*; do echo ${{f##*/}} $(readlink $f); done"
    paths = set()
    for pid in (1, names["cat"], names["nc"], names["sleep"]):
        theirs = [line.split(" ", 1) for line in said(target, fds.format(pid)).splitlines()]
        theirs = sorted((int(fd), path) for fd, path in theirs)
        assert target.eval(f"[tuple(f) for f in k.files({pid})]") == theirs
        paths |= {path.split(":")[0] for _, path in theirs}
        theirs = re.findall(r"\] (\w[\w.]*\+0x\w+)/", said(target, f"cat /proc/{pid}/stack"))
        ours = target.eval(f"[f[1] for f in k.stack({pid}).frames]")
        first = ours.index(theirs[0])
        assert ours[first : first + len(theirs)] == theirs
    assert paths >= {"/dev/console", "pipe", "socket"}, paths
    assert target.eval("k.files(2) == []")
    assert target.eval("k.stack(2).frames[-1][1]").startswith("ret_from_fork+")
    calls = {56: "openat", 63: "read", 93: "exit", 172: "getpid", 220: "clone", 221: "execve"}
    assert calls.items() <= target.eval("k.syscalls()").items()


STRUCTURES = """
init = k["init_task"]
first = k.container_of(init.tasks.next, "struct task_struct", "tasks")
print(init.comm, first.comm, first.pid, first.real_parent == init, first["tgid"], first.mm.mm_users.counter > 0)
print(len([t for t in k.each(init.tasks, "task_struct", "tasks")]) == len(k.ps()) <= len(k.ps(threads=True)))
print(k.cast("struct list_head", init.tasks).next == init.tasks.next, k.cast("u32", int(first) + k.type("task_struct").offset("pid")))
print(k.type("list_head"))
print(init.tasks)
print("comm: 'swapper" in repr(init), first.thread.cpu_context.pc == k.cast("struct task_struct *", first).thread.cpu_context.pc)
print(k.symbol(k.address("do_sys_openat2") + 4), k["init_uts_ns"].name.sysname, bool(k["init_task"].mm))
for slip in ('k["no_such_thing"]', 'k.type("struct no_such")', "init.no_such", "init.mm.pgd", "k.read(0x1234, 8)", "k.read(0xffff_0000_0000_0000, 8)",
    "k.files(99999)", "init.comm.x", "init.tasks[0]", 'k.type("list_head").offset("nxt")'):
    try:
        print(eval(slip))
    except Exception as e:
        print(type(e).__name__, e)
"""

# Who is where, for pid=: in the kernel's first and last instructions SP_EL0 is the process's own.
ENTRY = """
from hv.processes import is_current
class Cpu:
    def __init__(self, sp_el0):
        self.sysreg = {"SP_EL0": sp_el0}
of_init = is_current(vm, 1)
print(of_init(Cpu(int(first))), of_init(Cpu(int(init))), of_init(Cpu(0xffff_f000)), of_init(Cpu(0)))
"""

# A kernel without BTF is looked through for it once.
NO_BTF = """
known, looks = vm.symbols.kernel(), []
kept, known.linux, find, hv.btf.find = known.linux, None, hv.btf.find, lambda *where: looks.append(where)
for _ in range(2):
    try:
        vm.kernel
    except AttributeError as e:
        print(e, len(looks))
known.linux, hv.btf.find = kept, find
"""

# What a hostile kernel could have: lists that lead nowhere, to themselves, or out of its memory.
LIES = """
of = k.type("task_struct")
place = k.ipa(int(first) + of.offset("tasks"))
kept = vm.memory[place : place + 16]
def lie(next, prev=None):
    vm.memory[place : place + 16] = next.to_bytes(8, "little") + (kept[8:] if prev is None else prev.to_bytes(8, "little"))
    try:
        k.ps()
    except OSError as e:
        print(len(e.rows), e)
    finally:
        vm.memory[place : place + 16] = kept
here = int(first.tasks)
lie(0xdead_0000_0000_0100)
lie(0x1000)
lie(here)
lie(here, here)
lie(int(init.tasks.next.next.next.next))
print(len(k.ps()) > 30)
where = k.ipa(int(k["prb"])) + k.type("struct printk_ringbuffer").offset("desc_ring.count_bits")
bits = vm.memory[where : where + 4]
vm.memory[where : where + 4] = b"\\xff" * 4
try:
    k.dmesg()
except OSError as e:
    print(e)
vm.memory[where : where + 4] = bits
print(len(k.dmesg()) > 100)
"""

IN_A_HANDLER = """
seen = []
def look(cpu):
    seen.append((k.container_of(cpu.sysreg["SP_EL0"], "task_struct", "thread_info").comm, len(k.ps())))
bp = vm.on("__arm64_sys_getppid", look, once=True)
vm.start()
sh(vm, "(for n in 1 2; do (while :; do : < /init; done) & done); sh -c :")
live = k.ps()
print(vm.running, seen[0][0], seen[0][1] > 30, len([p for p in live if p.state == "R"]) >= 1)
on_cpu = [p.pid for p in live if p.state == "R"]
print(all([len(k.stack(pid).frames) > 0 for pid in on_cpu]), vm.running)
vm.pause()
"""


# More lies: what is behind a process that is itself in its place, and what has no end.
MORE_LIES = """
pid = first.pid
def put(at, value, size=8):
    place = k.ipa(int(at))
    before = vm.memory[place : place + size]
    vm.memory[place : place + size] = value.to_bytes(size, "little")
    return place, before
def wrong(at, value, f, size=8):
    place, before = put(at, value, size)
    try:
        got = f()
        print("not noticed", got)
    except (OSError, ValueError) as e:
        print(len(e.rows) if hasattr(e, "rows") else "", e)
    finally:
        vm.memory[place : place + size] = before
def where(v, type, path):
    return int(v) + k.type(type).offset(path)
table = first.files.fdt
wrong(where(table, "struct fdtable", "fd"), 0xFFFF_1234_5678_0000, lambda: k.files(pid))
wrong(where(table, "struct fdtable", "max_fds"), 0xFFFF_FFFF, lambda: k.files(pid), 4)
dentry = k.cast("struct file *", table.fd[0]).f_path.dentry
wrong(where(dentry, "struct dentry", "d_parent"), 0x10, lambda: k.files(pid))
inside = dentry.d_parent
wrong(where(first, "task_struct", "signal"), 0, lambda: k.ps(threads=True))
wrong(where(first, "task_struct", "signal"), int(first), lambda: k.ps(threads=True))
frame = where(first, "task_struct", "thread.cpu_context.fp")
for value in (frame & -16, 8, 0xFFFF_FFFF_FFFF_FFF8):
    place, before = put(frame, value)
    print(0 < len(k.stack(pid).frames) <= 33)
    vm.memory[place : place + 8] = before
head = k["modules"]
wrong(int(head), 0xFFFF_0000_0000_0000, k.modules)
second = int(head.next)
wrong(second, second, k.modules)
k._most = 500
for f in (k.ps, k.dmesg):
    try:
        f()
    except OSError as e:
        print(len(e.rows) > 5, str(e).partition(": ")[2])
del k._most
print(len(k.ps()) > 30, len(k.files(pid)) > 2, len(k.modules()) > 3)
"""
NOTICED = (
    r"0 linux at 0xffff123456780000: no address of its kernel's is mapped there; .*",
    r"\d+ linux at 0x\w+: .*; what was found before, \d+, is in .rows",
    r"0 linux at 0x\w+: no address of its kernel's is mapped there; .*",
    r"1? ?linux at 0x\w+: .*|\d linux at 0x.*",
    r"\d linux at 0x.*",
    *["True"] * 3,
    r"0 linux at 0xffff000000000008: no address of its kernel's is mapped there; .*",
    r"\d linux at 0x\w+: the list at 0x\w+ is corrupt: .*",
    *[r"True there is no end to it: 500 reads; what was found before, \d+, is in .rows"] * 2,
    "True True True",
)

# A vCPU that goes round in a loop with its interrupts masked; of the shell's child, and in the way of everything.
STUCK = """
vm.snapshot()
va = vm.address("__arm64_sys_getppid")
place = k.ipa(va) + 8
vm.memory[place : place + 4] = b"\\0\\0\\0\\x14"  # b .
def mask(cpu):
    cpu.pstate |= 0x3C0
bp = vm.on("__arm64_sys_getppid", mask, once=True)
vm.start()
type_at(vm, b"sh -c :\\r")
while not bp.hits:
    time.sleep_ms(20)
here = "__arm64_sys_getppid+0x8"
stuck = ()
for i in range(600):  # two instructions on
    time.sleep_ms(100)
    stuck = [p.pid for p in k.ps() if p.name == "sh" and p.state == "R" and here in str(k.stack(p.pid))]
    if stuck:
        break
print(vm.running, len(stuck), len(k.dmesg()) > 100)
vm.pause()
bp.remove()
print(k.stack(stuck[0]).frames[0][1] == here, len(k.files(stuck[0])) > 2, k.version.startswith("Linux version"))
vm.back()
"""


def hangs(target):
    """A panic: nothing runs any more, and what no console has shown is there."""
    target.exec("vm.start(); type_at(vm, b'echo c > /proc/sysrq-trigger\\r')")
    target.exec("while not 'end Kernel panic' in k.dmesg()[-1]: time.sleep_ms(50)", seconds=120)
    assert target.eval("vm.running and len(k.ps()) > 30")
    stacks = target.exec("for p in k.ps():\n if p.state == 'R': print(k.stack(p.pid))", seconds=60)
    assert " panic+0x" in stacks and " sysrq_handle_crash+0x" in stacks
    target.exec("vm.pause()")
    assert target.eval("'sysrq: Trigger a crash' in '\\n'.join(k.dmesg())")


def check(target):
    target.exec(SCENE, seconds=120)
    agree(target)
    lines = target.exec(STRUCTURES, seconds=120).splitlines()
    assert lines[0] == "swapper/0 init 1 True 1 True"
    assert lines[1:3] == ["True", "True 1"]
    assert lines[3:7] == [
        "struct list_head {  // 16 bytes",
        "  +0x0 struct list_head * next",
        "  +0x8 struct list_head * prev",
        "}",
    ]
    assert re.fullmatch(r"struct list_head at 0xffff\w{12} \{", lines[7])
    assert re.fullmatch(r"  next: \(struct list_head \*\)0xffff\w{12}", lines[8])
    assert lines[11:13] == ["True True", "do_sys_openat2+0x4 Linux False"]
    slips = lines[13:]
    assert slips[0].startswith("KeyError its kernel has no symbol no_such_thing")
    assert slips[1] == "KeyError this Linux has no type struct no_such"
    assert slips[2] == "AttributeError struct task_struct has no member no_such"
    assert slips[3] == "Fault linux at 0x0: struct mm_struct * is NULL, and has no pgd"
    assert slips[4] == "Fault linux at 0x1234: no address of its kernel's is mapped there"
    assert (
        slips[5] == "Fault linux at 0xffff000000000000: no address of its kernel's is mapped there"
    )
    assert slips[6].startswith("ValueError linux has no process 99999; the last ones: ")
    assert slips[7].startswith("AttributeError") and slips[8].startswith("TypeError")
    assert slips[9].startswith("KeyError struct list_head has no member nxt")
    assert target.exec(ENTRY, seconds=60).split() == ["True", "False", "False", "False"]
    said = target.exec(NO_BTF, seconds=60)
    assert said == 2 * "the Linux of linux has no BTF (CONFIG_DEBUG_INFO_BTF) 1\n"
    lines = target.exec(LIES, seconds=120).splitlines()
    assert [line.split(" ", 1)[0] for line in lines[:5]] == ["1", "1", "2", "0", "1"], lines
    assert "at 0xdead000000000108: no address of its kernel's is mapped there" in lines[0]
    assert "does not lead back; what was found before, 2, is in .rows" in lines[2]
    assert lines[5] == "True" and lines[6].startswith("linux at 0x") and lines[7] == "True"
    lines = target.exec(IN_A_HANDLER, seconds=300).splitlines()
    assert lines == ["True sh True True", "True True"]
    lines = target.exec(MORE_LIES, seconds=300).splitlines()
    for line, noticed in zip(lines, NOTICED, strict=True):
        assert re.fullmatch(noticed, line), f"{line!r} is not {noticed!r}: {lines}"
    lines = target.exec(STUCK, seconds=300).splitlines()
    assert lines == ["True 1 True", "True True True"]
    hangs(target)


SHORT = [("6.1-cloud", 2, 1), ("6.12-cloud", 3, 4)]
LONG = [(kernel, gic, 4) for kernel in ("6.1", "6.12", "6.1-cloud") for gic in (2, 3)]


@pytest.mark.parametrize(("kernel", "gic", "smp"), SHORT)
def test_linux(boot, kernel, gic, smp):
    check(start(boot, kernel, True, gic, smp, smp))


@pytest.mark.long
@pytest.mark.parametrize(("kernel", "gic", "smp"), LONG)
def test_other_kernels(boot, kernel, gic, smp):
    check(start(boot, kernel, True, gic, smp, smp))


def test_what_is_no_linux(target):
    target.exec("import hv\nvm = hv.VM('empty', ram='1M')")
    said = target.repl("vm.kernel").splitlines()[-1]
    assert said == "AttributeError: empty runs no Linux that is known here, or not yet"
