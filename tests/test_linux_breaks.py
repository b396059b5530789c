# SPDX-License-Identifier: MIT
"""Breakpoints in Debian's kernels and programs, beside what Linux itself plants there, at the names KASLR gives."""

import ast
import re
import subprocess
import sys

import pytest
from elapid import kallsyms
from harness import ROOT
from secondline import SecondLine
from test_gdb import Gdb
from test_virtio_linux import LOADED, with_linux

GUESTS = ROOT / "build/guests-debian"

BOOT = (
    LOADED
    + """linked = vm.address("start_kernel")
early = vm.on("start_kernel", action="count")
vm.start()
until(vm, b"/ # ")
ran = vm.address("start_kernel")
"""
)

OPENS = """
va = vm.address("do_sys_openat2")
ipa = vm._vm.ipa_of(va)
def opens(n):
    f = "f() { n=$1; while [ $n -gt 0 ]; do : < /init; n=$((n-1)); done; }; "
    sh(vm, f + "(f %d & f %d & f %d & f %d & wait)" % (n, n, n, n), 600)
before = vm.memory[ipa : ipa + 64]
seen = [0]
def hook(cpu):
    seen[0] += 1
bps = [vm.on("do_sys_openat2", hook)] + [vm.on(va + 4 * n, action="count") for n in range(1, 5)]
opens(0)
zero = bps[0].hits
opens(COUNT // 4)
print({bp.hits - 2 * zero for bp in bps}, seen[0] - 2 * zero, vm.memory[ipa : ipa + 64] == before)
"""

# Its own function tracer and a kprobe at the same instructions; what it reads of its own text.
BESIDE = """
from binascii import a2b_base64
def tracing(line):
    return sh(vm, "(cd /sys/kernel/tracing; " + line + ")")
sh(vm, "mount -t tracefs none /sys/kernel/tracing 2>/dev/null")
tracing("echo 4096 > buffer_size_kb; echo do_sys_openat2 > set_ftrace_filter")
def text():
    "A page, through /proc/kcore: its file offset is in the program headers."
    head = a2b_base64(sh(vm, "dd if=/proc/kcore bs=4096 count=1 2>/dev/null | base64").replace("\\n", ""))
    from struct import unpack_from
    for at in range(64, 64 + 56 * unpack_from("<H", head, 56)[0], 56):
        kind, flags, offset, address, _, size = unpack_from("<IIQQQQ", head, at)
        if kind == 1 and address <= va < address + size:
            page = (offset + va - address) // 4096
            said = sh(vm, "dd if=/proc/kcore bs=4096 skip=%d count=1 2>/dev/null | base64" % page)
            return a2b_base64(said.replace("\\n", ""))[va & 4095:][:64]
print(text() == before)
tracing("echo 0 > tracing_on; echo function > current_tracer")
traced = text() != before
hits = bps[0].hits
tracing("echo 1 > tracing_on")
opens(10)
tracing("echo 0 > tracing_on")
ours = bps[0].hits - hits
lines = int(tracing("grep -c ': do_sys_openat2 <-' trace"))
print(traced, ours - lines in range(5), {bp.hits for bp in bps} == {bps[0].hits})
tracing("echo nop > current_tracer; echo > trace; echo 'p:mine do_sys_openat2' > kprobe_events; echo 1 > events/kprobes/mine/enable")
probed = text() != before
hits = bps[0].hits
count = lambda: int(tracing("cat kprobe_profile").split()[1])
first, at_first = count(), bps[0].hits
opens(10)
last, at_last = count(), bps[0].hits
print(probed, last - first >= 40, last - first - (at_last - at_first) in range(-4, 5), {bp.hits for bp in bps[1:]} == {bps[1].hits})
tracing("echo 0 > events/kprobes/mine/enable; echo > kprobe_events")
print(text() == before, vm.memory[ipa : ipa + 64] == before)
"""

# Two processes of one program; and Linux's own BRK of a WARN() meanwhile, with a breakpoint on that too.
PROCESSES = """
from hv.processes import current, processes
for bp in bps: bp.remove()
a, b = [int(n) for n in sh(vm, "(for n in 1 2; do (while :; do : < /init; done) & echo $!; done)").split()]
print([processes(vm)[n] for n in (1, a, b)])
me = None
while me is None:
    time.sleep_ms(3)
    vm.pause()
    for cpu in vm.cpu:
        if cpu.pstate & 15 == 0 and current(cpu) in (a, b):
            me = cpu
    if me is None:
        vm.start()
user = me.pc
who = []
of_a, of_b = vm.on(user, action="count", pid=a), vm.on(user, lambda cpu: who.append(current(cpu)) if len(who) < 9 else None, pid=b)
all = vm.on(ipa=me.translate(user, False, True)[0], action="count")
in_a, in_all = vm.on("do_sys_openat2", action="count", pid=a), vm.on("do_sys_openat2", action="count")
vm.start()
def wait(done):
    end = time.ticks_add(time.ticks_ms(), 600_000)
    while not done():
        assert time.ticks_diff(end, time.ticks_ms()) > 0, vm.breaks()
        time.sleep_ms(5)
wait(lambda: min(of_a.hits, len(who), in_a.hits, in_all.hits - in_a.hits) > 5)
vm.pause()
print(set(who) == {b}, of_a.hits + of_b.hits <= all.hits, in_a.hits < in_all.hits)
found = [hv.breaks.find(vm, "do_sys_openat2")[1] == ipa]
for _ in range(20): # the kernel is not mapped in user space, with KPTI
    vm.start()
    time.sleep_ms(3)
    vm.pause()
    found.append(hv.breaks.find(vm, "do_sys_openat2")[1] == ipa)
for pid in (99_999, 2):
    try:
        vm.on(user, action="count", pid=pid)
    except ValueError as e:
        print(e)
warn = vm.address("refcount_warn_saturate")
size = hv.symbols.extent(vm, "refcount_warn_saturate")[1]
code = vm.memory[vm._vm.ipa_of(warn) : vm._vm.ipa_of(warn) + size]
called = vm.on(warn, action="count")
warned = [vm.on(warn + at, action="count") for at in range(0, size, 4) if code[at : at + 4] == b"\\x00\\x00\\x21\\xd4"]
def to_warn(cpu):
    cpu.x[0], cpu.x[1], cpu.pc = (cpu.sp & -0x4000) + 0x100, 9, warn
vm.on("__arm64_sys_getppid", to_warn, once=True)
vm.start()
sh(vm, "kill %d %d; sh -c :" % (a, b))
said = sh(vm, "dmesg | grep -E 'refcount_t|WARNING|Oops|BRK'")
print(all.hits > 10, set(found), called.hits, sum([bp.hits for bp in warned]), said.count("WARNING:"), said.count("refcount_t:"), "Oops" in said, "BRK" in said)
for bp in vm.breaks(): bp.remove()
print(vm.memory[ipa : ipa + 64] == before, sh(vm, "echo $((6*7))"))
"""

# In a module, by name: it goes and comes, and is elsewhere in memory; before its first instruction; back in time.
MODULES = """
entry = "vfat_mount" if "6.1." in vm.kernel.release else "vfat_init_fs_context"
mount = "mount -t vfat /dev/null /mnt 2>/dev/null"
bp, made = vm.on(entry, action="count", count=2), []
back = vm.on(entry, lambda cpu: made.append(vm.symbol(cpu.pc)), ret=lambda cpu: made.append("back"))
def comes(cpu):
    module = vm.kernel.cast("struct module", cpu.x[0])
    name = vm.symbol(int(module.init))
    made.append((module.name, name, vm.on(name, action="count")))
sh(vm, "dmesg -n 1; " + mount)
print(bp.hits, made, bp.kind, vm.symbol(vm.address(entry) + 4))
made.clear()
vm.pause()
then, was = vm.snapshot(), vm._vm.ipa_of(vm.address(entry))
vm.start()
sh(vm, "rmmod vfat")
print(bp, back.kind)
for name in (entry, entry + "_"):
    try:
        vm.address(name)
    except KeyError as e:
        print(e.args[0].split(";")[0])
bp.off()
once = vm.on("do_init_module", comes, once=True)
sh(vm, "insmod /modules/vfat.ko; " + mount)
print(bp, len(made))
bp.on()
sh(vm, mount + "; rmmod vfat; insmod /modules/vfat.ko; " + mount)
print(bp, [each for each in made if not isinstance(each, tuple)])
for each in [each[2] for each in made if isinstance(each, tuple)]:
    while each.kind != "waiting": # its memory is freed by a worker
        time.sleep_ms(5)
print([(name, at, init.hits, init.kind) for name, at, init in [each for each in made if isinstance(each, tuple)]])
sh(vm, "rmmod vfat")
vm.pause()
vm.back(then)
print(bp.kind, bp._at == (vm.address(entry), was))
vm.start()
sh(vm, mount)
print(bp)
then.drop()
for bp in vm.breaks(): bp.remove()
print(sh(vm, "rmmod vfat; insmod /modules/vfat.ko; " + mount + "; dmesg | grep -cE 'Oops|BUG|undefined'"), vm.breaks())
"""


def start(boot, kernel, kaslr, gic, cpus, smp, *more):
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", kernel], check=True)
    target = with_linux(boot, GUESTS / kernel, args=more, gic=gic, smp=smp)
    target.exec(BOOT.format(cpus=cpus, kaslr=kaslr), seconds=150)
    # Planted before it had run, by the name of where it is linked, and hit where it runs.
    assert target.eval("(early.hits, linked != ran)") == (1, kaslr)
    return target


def check(target, count, beside=True):
    lines = target.exec(OPENS.replace("COUNT", str(count)), seconds=900).splitlines()
    assert lines == [f"{{{count}}} {count} True"]
    if beside:
        lines = target.exec(BESIDE, seconds=300).splitlines()
        assert lines == ["True", "True True True", "True True True True", "True True"]
    lines = target.exec(PROCESSES, seconds=300).splitlines()
    assert lines[0] == "['init', 'sh', 'sh']"
    assert lines[1] == "True True True"
    assert lines[2].startswith("linux has no process 99999; the last ones: ")
    assert (
        lines[3] == "process 2 of linux, kthreadd, is a thread of the kernel's: it has no memory"
    )
    assert lines[4:] == ["True {True} 1 1 1 1 False False", "True 42"]
    lines = target.exec(MODULES, seconds=300).splitlines()
    entry = target.eval("entry")
    assert lines == [
        f"1 ['{entry}', 'back'] planted {entry}+0x4",
        f"<Breakpoint {entry}: 1 hit, waiting> waiting",
        f"its kernel has no symbol {entry}",
        f"its kernel has no symbol {entry}_",
        f"<Breakpoint {entry}: 1 hit, off> 3",
        f"<Breakpoint {entry}: 3 hits> {[entry, 'back'] * 3}",
        "[('vfat', 'init_vfat_fs', 2, 'waiting')]",
        "planted True",
        f"<Breakpoint {entry}: 4 hits>",
        "0 ()",
    ]


def session(target, line, file):
    """gdb with the names that the kernel has: a breakpoint, all backtraces, finish, steps; and Linux goes on."""
    target.exec("g = hv.gdb(vm); sh(vm, '((while :; do : < /init; done) &)')", seconds=60)
    where = ast.literal_eval(target.exec(kallsyms.WHERE, seconds=60))
    records = target.exec(kallsyms.RECORDS, seconds=60).strip()
    assert kallsyms.fetch(line.path, where, file, records) > 20_000
    gdb = Gdb(line.path, file)
    try:
        assert gdb("p/x (long)&start_kernel").endswith(f"{target.eval('ran'):#x}")
        assert "in do_sys_openat2 ()" in gdb("break do_sys_openat2", "continue", seconds=60)
        callers = [
            "do_sys_openat2",
            "__arm64_sys_openat",
            "invoke_syscall",
            "do_el0_svc",
            "el0t_64_sync",
        ]
        for text in (gdb("monitor cpu.where()", seconds=60), gdb("backtrace", seconds=60)):
            found = [text.find(f" {name}") for name in callers]
            assert -1 not in found and found == sorted(found), text
        text = gdb("thread apply all backtrace", seconds=120)
        assert (
            all(f"Thread 1.{n}" in text for n in (1, 2, 3, 4)) and "in __arm64_sys_openat" in text
        )
        # Through an exception, from the interrupts' stack to another one.
        gdb("delete", "break *generic_handle_domain_irq", "continue", seconds=60)
        text = gdb("backtrace", "delete", seconds=60)
        assert " in el1h_64_irq ()" in text or " in el0t_64_irq ()" in text, text
        gdb("break *do_sys_openat2", "continue", seconds=60)
        assert "Run till exit" in gdb("delete", "finish", seconds=60)
        before = gdb("p/x $pc")
        assert "in " in gdb("stepi", "stepi", seconds=60) and gdb("p/x $pc") != before
        assert "detached" in gdb("detach")
    finally:
        gdb.close()
    assert target.exec("print(sh(vm, 'echo $((6*7))'))", seconds=60) == "42\n"


SHORT = [("6.1-cloud", False, 2, 4, 4), ("6.12-cloud", True, 3, 4, 4)]
LONG = [
    (kernel, kaslr, gic, 4, smp)
    for kernel, kaslr in (("6.1-cloud", True), ("6.12-cloud", False), ("6.12", True))
    for gic in (2, 3)
    for smp in (1, 4)
]


@pytest.mark.parametrize(("kernel", "kaslr", "gic", "cpus", "smp"), SHORT)
def test_linux(boot, tmp_path, kernel, kaslr, gic, cpus, smp):
    """As many hits as opens by four processes; ftrace, kprobes, WARN and what reads text are right; a process alone."""
    line = SecondLine()
    target = start(boot, kernel, kaslr, gic, cpus, smp, *line.args)
    check(target, 400, beside=kaslr)
    session(target, line, tmp_path / "linux.elf")


@pytest.mark.long
@pytest.mark.parametrize("gic", [2, 3])
def test_gdb_with_debug_information(boot, gic):
    """Debian's vmlinux: from a breakpoint before the MMU is on; lines, types, arguments, conditions, values, a watch."""
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud-dbg"], check=True)
    line = SecondLine()
    target = with_linux(boot, GUESTS / "6.1-cloud", args=line.args, gic=gic, smp=2)
    target.exec(LOADED.format(cpus=2, kaslr=False).replace("quiet", "quiet nokaslr"))
    target.exec("g = hv.gdb(vm)")
    gdb = Gdb(line.path, str(GUESTS / "6.1-cloud-dbg/vmlinux"))
    try:
        assert " in start_kernel ()" in gdb("hbreak start_kernel", "continue", seconds=120)
        text = gdb("delete", "next", "next", "print linux_banner", seconds=60)
        assert re.search(r"kernel/\w+\.c|init/main\.c", text) and '"Linux version 6.1.' in text, (
            text
        )
        gdb("break do_sys_openat2 if how->flags & 0x80000", seconds=60)
        text = gdb("continue", "backtrace 6", "print *how", seconds=300)
        assert "at fs/open.c:" in text and "__arm64_sys_openat" in text, text
        assert re.search(r"flags = \d+, mode = 0, resolve = 0", text), text
        assert re.search(r"Value returned is \$\d+ = \d", gdb("delete", "finish", seconds=60))
        text = gdb("watch jiffies_64", "continue", "backtrace 3", "delete", seconds=120)
        assert "New value = " in text and "tick_do_update_jiffies64" in text, text
        assert '"swapper/0' in gdb("print init_task.comm") and "detached" in gdb("detach")
    finally:
        gdb.close()
    target.exec("until(vm, b'/ # ')", seconds=150)
    assert target.exec("print(sh(vm, 'echo $((6*7))'))", seconds=60) == "42\n"


@pytest.mark.long
@pytest.mark.parametrize(("kernel", "kaslr", "gic", "cpus", "smp"), LONG)
def test_ten_thousand_opens(boot, kernel, kaslr, gic, cpus, smp):
    check(start(boot, kernel, kaslr, gic, cpus, smp), 10_000)
