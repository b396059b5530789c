# SPDX-License-Identifier: MIT
"""A trace of Linux's boot: its system calls and processes by name, with nothing put into it."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from harness import ROOT
from test_virtio_linux import LOADED, with_linux

GUESTS = ROOT / "build/guests-debian"

BOOT = (
    LOADED
    + """t = vm.trace("svc switch irq psci", "8M", freeze="panic")
c = vm.count("svc", "x8")
vm.start()
until(vm, b"/ # ")
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
    events = perfetto(target.exec(SAVED, seconds=120))
    slices = [e for e in events if e["ph"] == "X" and e["tid"] >= smp]
    assert {e["name"].partition("-")[0] for e in slices} >= {"sh", "busybox"}
    assert all(e["dur"] >= 0 for e in slices)
    named = {e["name"]: e["args"]["task"] for e in events if e["ph"] == "i"}
    assert named["svc uname"].startswith("busybox-") and named["svc execve"].startswith("sh-")
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
with vm.trace("svc switch sched", "64K") as t:
    sh(vm, "/bin/busybox uname")
    t.frozen = True
    t.save("/t.json")
with open("/t.json") as f:
    while text := f.read(4096): print(text, end="")
__import__("os").remove("/t.json")
"""

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


def perfetto(text):
    """The events of a file; asked of Perfetto's own trace processor too, where there is one."""
    shell = shutil.which("trace_processor_shell")
    if shell:
        with tempfile.TemporaryDirectory() as folder:
            path, sql = Path(folder, "t.json"), Path(folder, "q.sql")
            path.write_text(text)
            sql.write_text("select count(*) as n from slice where name like 'busybox-%';")
            done = subprocess.run(
                [shell, "-q", sql, path], capture_output=True, text=True, check=True
            )
            assert int(done.stdout.split()[-1]) > 0
    return json.loads(text)["traceEvents"]
