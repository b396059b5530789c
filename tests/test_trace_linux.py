# SPDX-License-Identifier: MIT
"""A trace of Linux's boot: its system calls and processes by name, with nothing put into it."""

import io
import re
import subprocess
import sys

import pytest
import traceprocessor
from elapid.perfetto import write_protobuf
from elapid.recording import Recording
from harness import ROOT
from test_virtio_linux import LOADED, with_linux

GUESTS = ROOT / "build/guests-debian"

BOOT = (
    LOADED
    + """t = vm.trace("svc switch irq psci", "8M", freeze="panic")
boot = vm.trace("switch psci sched", "1M")
c = vm.count("svc", "x8")
vm.start()
until(vm, b"/ # ")
boot.frozen = True
"""
)


@pytest.mark.parametrize(
    "kernel, kaslr, gic, smp",
    [
        ("6.12-cloud", True, 3, 4),
        pytest.param("6.1-cloud", False, 2, 1, marks=pytest.mark.long),
    ],
)
def test_a_boot(boot, kernel, kaslr, gic, smp):
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", kernel], check=True)
    target = with_linux(boot, GUESTS / kernel, gic=gic, smp=smp)
    target.exec(BOOT.format(cpus=smp, kaslr=kaslr), seconds=300)
    lines = target.exec(SEEN, seconds=120).splitlines()
    assert lines[0] == "0 True True True True"
    assert lines[1] == "True [] True"
    assert re.search(r"^ *symlinkat +\d+ #{40}$", lines[2]), lines[2]
    # As many as the kernel opens files, by 4 processes at a time.
    assert target.exec(OPENS, seconds=300) == "40 40 True\n"
    boot = target.exec(SAVED.format(trace="boot"), seconds=300)
    with traceprocessor.opened(boot.encode()) as perfetto:
        seen_boot(perfetto, smp)
    with traceprocessor.opened(target.exec(UNAME, seconds=120).encode()) as perfetto:
        (one,) = perfetto.query(TASKS.format(name="svc uname"))
        assert one.task.startswith("busybox-"), one.task
        assert {
            one.task.partition("-")[0] for one in perfetto.query(TASKS.format(name="svc execve"))
        } >= {"sh"}
    recorded_on_the_host(target)
    lines = target.exec(PANIC, seconds=120).splitlines()
    assert lines == ["True svc write", "True 0", "[] []"]


# What has been called, by whom, and that the kernel reads its own text as if nothing were planted.
SEEN = """
records = list(t)
names = set([(r.what, r.task.rpartition("-")[0]) for r in records if r.kind == "svc"])
called = set([name for name, _ in names])
# busybox is /proc/self/exe before it calls itself sh, which a trace sees at the next process switch.
shell = ("write", "sh") in names or ("write", "exe") in names
print(t.lost, "execve" in called, "mount" in called, shell, len(records) > 2000)
irqs = set([r.what for r in records if r.kind == "irq"])
unknown = [r.what for r in records if r.kind == "svc" and r.what.isdigit()]
print("27 virtual timer" in irqs, unknown, all([r.value < 1 << 22 for r in records if r.kind == "switch"]))
print(c.histogram(5).split("\\n")[0])
del records, names, called, irqs, unknown
"""

OPENS = """
b = vm.on("do_sys_openat2", action="count")
def opens(n):
    f = "f() { n=$1; while [ $n -gt 0 ]; do : < /init; n=$((n-1)); done; }; "
    hits, calls = b.hits, c.counts()[56]
    sh(vm, f + "(f %d & f %d & f %d & f %d & wait)" % (n, n, n, n), 300)
    return b.hits - hits, c.counts()[56] - calls
zero = opens(0)
some = opens(10)
print(some[0] - zero[0], some[1] - zero[1], zero[0] == zero[1])
b.remove()
t.stop()
"""

SAVED = """
class Out:
    def write(self, text):
        print(text, end="")
{trace}.write(Out())
{trace}.stop()
"""
UNAME = """
u = vm.trace("svc switch sched", "64K")
sh(vm, "/bin/busybox uname")
u.frozen = True
""" + SAVED.format(trace="u")

# A VM is a process, its vCPUs are threads, and what Linux's processes ran is on threads of their own.
SLICES = """select process.name as vm, thread.name as thread, slice.name as what, count(*) as n, sum(dur) as ns, min(dur) as least
from slice join thread_track on slice.track_id = thread_track.id join thread using(utid) join process using(upid)
where dur {more} group by 1, 2, 3"""
TASKS = """select extract_arg(arg_set_id, 'args.task') as task from slice where name = '{name}'"""


def seen_boot(perfetto, smp):
    """What Perfetto knows of a boot: on which cores the vCPUs ran, and what Linux's processes ran on them."""
    rows = list(perfetto.query(SLICES.format(more="> 0")))
    assert {row.vm for row in rows} == {"linux"}
    ran = {row.thread for row in rows if row.what.startswith("on core ")}
    assert ran == {f"vCPU {n}" for n in range(smp)}
    tasks = {row.what for row in rows if row.thread.startswith("processes of vCPU ")}
    assert "init-1" in tasks and len(tasks) > 30 and all(row.least >= 0 for row in rows)
    # A vCPU is on a core for no longer than the boot took, of which there is all.
    (whole,) = perfetto.query("select max(ts + dur) - min(ts) as ns from slice")
    spent = {thread: sum(row.ns for row in rows if row.thread == thread) for thread in ran}
    assert all(0 < ns <= whole.ns for ns in spent.values()), (spent, whole.ns)
    calls = {row.what for row in perfetto.query(SLICES.format(more="= 0"))}
    assert calls >= ({"psci CPU_ON"} if smp > 1 else {"psci PSCI_VERSION"})


def recorded_on_the_host(target):
    """As `elapid trace` does it: Perfetto's protobuf, and the same processes in it."""
    recording = Recording(target.vm("vm"), "svc switch sched")
    target.exec('sh(vm, "/bin/busybox uname")', seconds=120)
    recording.stop()
    file = io.BytesIO()
    write_protobuf(recording, file)
    with traceprocessor.opened(file.getvalue()) as perfetto:
        rows = list(perfetto.query(SLICES.format(more="> 0")))
        ran = {row.what for row in rows if row.thread.startswith("processes of vCPU ")}
        assert {name.partition("-")[0] for name in ran} >= {"sh", "busybox"}, ran
        (one,) = perfetto.query(TASKS.replace("args.", "debug.").format(name="svc uname"))
        assert one.task.startswith("busybox-"), one.task


PANIC = """
before = vm.memory[0x4000_0000:0x4000_0008]
with vm.trace("svc", "4K", freeze="panic") as t:
    type_at(vm, b"echo c > /proc/sysrq-trigger\\r")
    until(vm, b"Kernel panic")
    print(t.frozen, "svc", list(t)[-1].what)
    print(t.frozen, t.lost)
vm.pause()
c.stop()
print([b for b in vm.breaks()], list(vm._told))
"""
