# SPDX-License-Identifier: MIT
"""vm.trace() and vm.count(): what a guest's exits were, in their order, each core's in its ring."""

import json

import pytest
from guestcode import built, run
from harness import TargetError

# Six words that loop x4 times: a load of the PL011's flags, an MRS, PSCI_VERSION; then SYSTEM_OFF.
SETUP = """
import hv
from struct import pack
def machine(cpus=1):
    global vm
    vm = hv.VM("traced", ram="2M", cpus=cpus)
    vm.memory[0x4008_0000:0x4008_0024] = pack(
        "<9I", 0xB9401841, 0xD5381023, 0x52B08000, 0xD4000002, 0x71000484, 0x54FFFF61, 0x52B08000, 0x11002000, 0xD4000002
    )
def go(n, cpu=0):
    cpu = vm.cpu[cpu]
    cpu.reset(0x4008_0000)
    cpu.x[2], cpu.x[4] = 0x0900_0000, n
    return vm.run().reason
machine()
"""


@pytest.fixture
def traced(each_target):
    each_target.exec(SETUP)
    return each_target


def test_exits_in_their_order(traced):
    script = """
print(go(1))
t = vm.trace("exit")
print(go(2))
for r in t:
    if r.kind != "fault":  # its page, which a reset has made new
        print(r.kind, hex(r.pc), r.what, hex(r.value), r.cpu, r.core)
print(list(t), t.lost, t)
t.stop()
print(go(2))
"""
    assert traced.exec(script).splitlines() == [
        "off",
        "off",
        *["mmio 0x40080000 load pl011 0x9000018 0 0", "sysreg 0x40080004 MRS ACTLR_EL1 0x0 0 0"],
        "psci 0x4008000c PSCI_VERSION 0x84000000 0 0",
        *["mmio 0x40080000 load pl011 0x9000018 0 0", "sysreg 0x40080004 MRS ACTLR_EL1 0x0 0 0"],
        "psci 0x4008000c PSCI_VERSION 0x84000000 0 0",
        "psci 0x40080020 SYSTEM_OFF 0x84000008 0 0",
        "[] 0 <Trace of traced: exit, 0 lost>",
        "off",
    ]


def test_a_part_of_them(traced):
    script = """
for what in ("psci", "mmio:pl011", "mmio:0x0900_0000", "mmio:pl031", "virtio", "sysreg", "sysreg:ACTLR_EL1",
             "sysreg:TTBR0_EL1", "mmio:gicd sysreg:ACTLR_EL1", "mmio:pl011 psci", "hvc", "fault", "irq"):
    with vm.trace(what) as t:
        go(50)
        print(what, len(list(t)))
"""
    lines = traced.exec(script).splitlines()
    assert lines[:-1] == [
        *["psci 51", "mmio:pl011 50", "mmio:0x0900_0000 50", "mmio:pl031 0", "virtio 0"],
        *["sysreg 50", "sysreg:ACTLR_EL1 50", "sysreg:TTBR0_EL1 0"],
        *["mmio:gicd sysreg:ACTLR_EL1 50", "mmio:pl011 psci 101", "hvc 0", "fault 0"],
    ]


KINDS = """
vm.memory[0x4008_0000:0x4008_0038] = pack("<14I", 0xB9401841, 0xD5381023, 0xB94000A1, 0xF90000C1, 0xD4000022, 0x914004C6,
    0x52B08000, 0xD4000002, 0x71000484, 0x54FFFEE1, 0x52B08000, 0x11002000, 0xD4000002, 0x14000000)
vm.virtio_console()
@vm.hvc(imm=1)
def one(cpu, x1): return x1
def around(n):
    cpu = vm.cpu[0]
    cpu.reset(0x4008_0000)
    cpu.x[2], cpu.x[4], cpu.x[5], cpu.x[6] = 0x0900_0000, n, 0x0A00_0000, 0x4014_0000
    return vm.run().reason
def seen(what, kind=None):
    with vm.trace(what) as t:
        around(20)
        got = list(t)
    return [r for r in got if r.kind == (kind or what.partition(":")[0])]
faults = [r for r in seen("fault") if r.value >= 0x4014_0000]  # once: of RAM that is new
print("fault", [hex(r.value) for r in faults], faults[0].what)
for what in ("hvc", "psci", "sysreg", "sysreg:ACTLR_EL1", "mmio", "mmio:pl011"):
    print(what, len(seen(what)), end=" ")
print("virtio", len(seen("virtio", "mmio")), seen("virtio", "mmio")[0].what)
asked = seen("python")
print("python", len(asked), asked[0].what, hex(asked[0].pc))
print("sched", [r.kind for r in seen("sched", "enter")], [r.kind for r in seen("sched", "leave")])
with vm.trace("exit") as t:
    around(20)
    print("exit", sorted(set([r.kind for r in t])))
with vm.count("mmio hvc", "value") as c:
    around(20)
    print(c.histogram(2, 8))
vm.cpu[0].reset(0x4008_0034)  # a branch to itself
with vm.trace("irq") as t:
    vm.run(50)
    print("irq", set([r.what for r in t]) & {"26 EL2 timer"})
"""


def test_each_kind(traced):
    """What each of the words sees, and nothing else: 20 times round."""
    assert traced.exec(KINDS, seconds=60).splitlines() == [
        "fault ['0x40140000', '0x40150000'] Data abort from a lower EL",
        "hvc 20 psci 21 sysreg 20 sysreg:ACTLR_EL1 20 mmio 40 mmio:pl011 20 virtio 20 load virtio",
        "python 20 HVC in AArch64 state 0x40080010",
        "sched ['enter'] ['leave']",
        "exit ['hvc', 'mmio', 'psci', 'sysreg']",
        "0x9000018       20 ########",
        "0xa000000       20 ########",
        "irq {'26 EL2 timer'}",
    ]


def test_a_ring_loses_its_oldest(traced):
    script = """
t = vm.trace("psci", "4K")
go(1000)
lost = t.lost
got = list(t)
print(len(got) + lost, lost == t.lost, 120 < len(got) <= 128, got[-1].what, sorted(r.us for r in got) == [r.us for r in got])
t.frozen = True
go(5)
print(list(t), t.frozen)
t.frozen = False
go(5)
print(len(list(t)))
"""
    assert traced.exec(script).splitlines() == ["1001 True True SYSTEM_OFF True", "[] True", "6"]


def test_counts(traced):
    script = """
with vm.count("mmio sysreg psci") as c, vm.count("psci", "x0") as d, vm.count("mmio", "value") as e, vm.trace("psci") as t:
    go(300)
    print([(hex(k), n) for k, n in c.counts().items()][-1:], sum(c.counts().values()), c)
    print(dict(d.counts()) == {0x8400_0000: 300, 0x8400_0008: 1}, dict(e.counts()) == {0x0900_0018: 300}, len(list(t)))
with vm.count("psci", "x4") as c:
    go(20_000)
    counts = c.counts()
    print(sum(counts.values()), counts[None] > 0, len(counts) > 512)
"""
    assert traced.exec(script, seconds=60).splitlines() == [
        "[('0x40080020', 1)] 901 <Count of traced: mmio sysreg psci by pc, 901>",
        "True True 301",
        "20001 True True",
    ]


@pytest.mark.parametrize("gic", [2, 3])
def test_cores_have_rings_of_their_own(boot, gic):
    """Four vCPUs on four cores that send each other SGIs: who turned whom on, on which core, and none is mixed up."""
    script = """
with guest(code, ram="16M", cpus=4) as vm:
    vm.cpu[0].x[0] = 200
    t = vm.trace("psci sched", "256K")
    c = vm.count("psci", "cpu")
    print(vm.run().reason)
    got = list(t)
    print(t.lost, [(r.cpu, r.what) for r in got if r.what in ("CPU_ON", "SYSTEM_OFF")], c.counts()[0])
    print(sorted(set([r.cpu for r in got])), len(set([r.core for r in got])) > 1, all([r.pc for r in got]))
    names = [[r.kind for r in got if r.cpu == n and r.kind in ("enter", "leave")] for n in range(4)]
    print([name[:4] == ["enter", "leave"] * 2 and name.count("enter") - name.count("leave") for name in names])
try:
    list(t)
except ValueError as e:
    print(e)
t.stop()
"""
    said = run(boot(gic=gic, smp=4), built("storm"), script, 60).splitlines()
    assert said[:2] == ["storm: 4 cpus, 200 rounds, 0 wrong", "off"]
    assert said[2].startswith("0 [(0, 'CPU_ON'), (0, 'CPU_ON'), (0, 'CPU_ON'), (")
    assert said[2].count("SYSTEM_OFF") == 1 and said[3] == "[0, 1, 2, 3] True True"
    assert said[4] == "[0, 0, 0, 0]" and "closed" in said[5]


def test_a_file_for_perfetto(traced):
    script = """
t = vm.trace("mmio sysreg psci sched")
go(3)
print(t.save("/trace.json"))
import os
print(open("/trace.json").read())
os.remove("/trace.json")
"""
    count, _, text = traced.exec(script).partition("\n")
    events = json.loads(text)["traceEvents"]
    names = [event["name"] for event in events if event["ph"] == "i"]
    assert names[:2] == ["mmio load pl011", "sysreg MRS ACTLR_EL1"] and len(names) == 10
    assert names[-1] == "psci SYSTEM_OFF"
    (run,) = [event for event in events if event["ph"] == "X"]
    assert run["name"] == "on core 0" and run["dur"] > 0
    inside = [event["ts"] for event in events if event["ph"] == "i"]
    assert run["ts"] <= inside[0] and inside == sorted(inside)
    assert inside[-1] <= run["ts"] + run["dur"] and int(count) == 12
    assert {
        "name": "process_name",
        "ph": "M",
        "pid": 1,
        "tid": 1000,
        "args": {"name": "traced"},
    } in [dict(event, pid=1) for event in events]


def test_while_it_is_stepped_and_watched(traced):
    """The debugger's vectors and the trace's are for the same exits."""
    script = """
go(1)
t = vm.trace("exit")
cpu = vm.cpu[0]
cpu.reset(0x4008_0000)
cpu.x[2], cpu.x[4] = 0x0900_0000, 5
b = vm.on(ipa=0x4008_0010, action="count")
for _ in range(4):
    cpu.step()
print(hex(cpu.pc))
vm.run()
kinds = [r.kind for r in t]
print(b.hits, kinds.count("psci"), kinds.count("mmio"), kinds.count("sysreg"))
"""
    assert traced.exec(script).splitlines() == ["0x40080010", "5 6 5 5"]


@pytest.mark.parametrize(
    "line, error",
    [
        ("vm.trace('')", "ValueError: what is to be traced"),
        ("vm.trace('sandwich')", "ValueError: no exits of kind 'sandwich'"),
        ("vm.trace('enter')", "ValueError: no exits of kind 'enter'"),
        ("vm.trace('mmio:teapot')", "neither an address nor one of flash, gicc"),
        ("vm.trace('sysreg:TEAPOT_EL1')", "TEAPOT_EL1"),
        ("vm.trace('psci:5')", "only sysreg: and mmio: have"),
        ("vm.trace('exit', '1T')", "a size is bytes"),
        ("vm.trace('exit', '100G')", r"2\^24 records"),
        ("vm.trace('exit', '512M')", "MemoryError"),
        ("vm.trace(5)", "Error"),
        ("vm.trace('mmio:pl011 ' * 17)", "at most 16"),
        ("vm.count('exit', 'x31')", "a key is"),
        ("vm.count('exit', 5)", "a key is"),
    ],
)
def test_mistakes(target, line, error):
    target.exec(SETUP)
    with pytest.raises(TargetError, match=error):
        target.exec(line)
    assert target.exec("print(go(3))") == "off\n"
