# SPDX-License-Identifier: MIT
# ruff: noqa: F811
"""vm.record(): a replay is the same to the instruction, and gdb goes back in it."""

import re
import subprocess
import sys

import elapid
import pytest
from guestcode import assemble, built, link, run, symbols_of
from harness import ROOT
from test_breaks import NO_TABLE, NOWHERE
from test_gdb import HELLO, Machine, machine, two_machines  # noqa: F401
from test_virtio_linux import with_linux
from virtiodriver import CODE
from virtiodriver import SCRIPT as DRIVER

# x1: rounds. Reads the counters, sums them up where exclusives add to that, calls a function of floating point.
COUNTERS = """
    mov x2, #3 << 20
    msr cpacr_el1, x2
    isb
    load x5, 0x40200000
1:  mrs x0, cntvct_el0
    add x3, x3, x0
    mrs x0, cntpct_el0
    add x3, x3, x0
    fmov d0, x3
    str d0, [x5]
2:  ldxr x6, [x5]
    add x6, x6, #1
    stxr w7, x6, [x5]
    cbnz w7, 2b
    add x4, x5, #0x40
3:  ldxp x8, x9, [x4]
    add x8, x8, x3
    add x9, x9, #1
    stxp w7, x8, x9, [x4]
    cbnz w7, 3b
4:  ldaxp w8, w9, [x4]
    add w8, w8, #1
    stlxp w7, w8, w9, [x4]
    cbnz w7, 4b
    subs x1, x1, #1
    b.ne 1b
    hvc #0x100
    b 1b
"""

REGISTERS = """
def registers(vm):
    return [r for c in vm.cpu for r in [c.pc, c.pstate, c.sp] + [c.x[n] for n in range(31)]]
"""


def test_counters(each_target):
    """A guest that reads the counters in a loop has equal registers at every position, whichever way it comes there."""
    script = (
        REGISTERS
        + """
vm = guest(code)
vm.cpu[0].x[1] = 10
print(vm.run(60_000).reason)            # at its own speed, before
vm.cpu[0].x[1] = 30
r = vm.record()
print(vm.run(60_000).reason, r.exact, r.position == r.length, len(r.stops))
end = registers(vm)
print(r.check(), registers(vm) == end)
forward = []
for at in range(60):
    r.to(at)
    forward.append(registers(vm))
back = []
for at in range(60):
    back.append(registers(vm))
    r.back()if at < 59 else None
back.reverse()
print(forward == back, len(set([f[3] for f in forward])) > 3, r)
r.replay()
print(vm.run(60_000).reason, registers(vm) == end, r.position == r.length)
was = r.length
vm.cpu[0].x[1] = 3
vm.run(60_000)                          # and on from there, recorded
print(r.length - was > 30)
r.stop()
vm.cpu[0].x[1] = 3
before = vm.cpu[0].x[0]
print(vm.run(60_000).reason, vm.cpu[0].x[0] > before, r.position == r.length)
try:
    r.to(10_000)
except ValueError as e:
    print(e)
r.save("one.json")
r.drop()
print(r, vm._snapshots)
try:
    guest(code, cpus=2).replay("one.json")
except ValueError as e:
    print(e)
"""
    )
    lines = run(each_target, COUNTERS, script, 100).splitlines()
    assert lines[:6] == [
        "stop",
        "stop True True 2",
        "2 True",
        "True True <Record of test: at 0 of 662, exact>",
        "stop True True",
        "True",
    ]
    assert lines[6:] == [
        "stop True True",
        "the record is from 0 to 730, without 10000",
        "<Record of test: dropped> {}",
        "one.json is of a VM with 1 vCPUs, and not 2",
    ]


@pytest.mark.parametrize("gic, smp", [(2, 1), (3, 4)])
def test_timers_and_sgis(boot, gic, smp):
    """guests/storm, whose timers and SGIs come in the middle of everything, and which is stopped anywhere, does the same again."""
    script = (
        REGISTERS
        + """
vm = guest(code, ram="16M", cpus=1)
vm.cpu[0].x[0] = 500 | 500 << 32
vm.run(5)
r = vm.record()
for _ in range(4):
    print(vm.run(400).reason, end=" ")
vm.start()
for _ in range(100):
    pass
from hv import replay
replay._MOST = 4                        # snapshots on the way
r._stride = 1000
print(vm.pause(), r.check() > 4, r.exact, r.length > 10_000, 1 < len(r._points) <= 5, r.to(5_000))
r._points = r._points[:1]
r.to(3_000)
r.to(3_500)                             # forward, and forward again
at, was = r.stops[-1]
print(r.to(at), registers(vm) == list(was))
"""
    )
    text = run(boot(gic=gic, smp=smp), built("storm"), script, 100)
    assert text.split() == ["timeout"] * 4 + ["True"] * 5 + ["None", "None", "True"]


@pytest.mark.parametrize("gic, smp, cpus", [(2, 1, 3), (3, 2, 2)])
def test_several_vcpus(boot, gic, smp, cpus):
    """guests/storm on several: they start one another, share a lock, send SGIs, wait for them and for timers. What it counts is
    right, and it does the same again, in whatever order one goes to and fro.
    """
    script = (
        REGISTERS
        + """
import time
vm = guest(code, ram="16M", cpus=cpus)
vm.cpu[0].x[0] = 4 | 4 << 32
vm.cpu[cpus - 1].pin = 0
r = vm.record()
for n in range(1_000_000):
    if vm.memory[finished] == cpus:
        break
    if n % 2:
        vm.run(40)
    else:
        vm.start()
        time.sleep_ms(20)
        vm.pause()
end = registers(vm)
print(vm.memory[finished] == cpus, vm.memory[wrong], r.exact, len(r.stops) > 2, min([c.exits[0x32] for c in vm.cpu]) > 1000, r.length > 40_000)
print(r.check() == len(r.stops), registers(vm) == end)
seen = {}
for at in (7_000, 30_000, 7_001, 33_333, 30_000):
    r.to(at)
    now = registers(vm)
    print(seen.setdefault(at, now) == now, end=" ")
back = []
for n in range(6):
    back.append(registers(vm))
    r.back()
forward = []
for n in range(6):
    r.to(r.position + 1)
    forward.append(registers(vm))
forward.reverse()
print(back == forward, r.cpu < cpus)
def parts():
    all = registers(vm)
    return [all[n:n + 34] for n in range(0, len(all), 34)]
before, own = parts(), r.cpu
vm.cpu[own].step()
print([now != was for now, was in zip(parts(), before)][own], r.position > at)
try:
    vm.cpu[0].pin = 0
except RuntimeError as e:
    print(e)
r.save("storm.json")
vm.close()
vm = guest(code, ram="16M", cpus=cpus)
vm.cpu[0].x[0] = 4 | 4 << 32
r = vm.replay("storm.json")
print(r.check() > 2, registers(vm) == end)
r.stop()
r.drop()
print([c.pin for c in vm.cpu] == [None] * cpus, vm._snapshots)
vm.start()                              # by the world's time: they are all there
while vm.running:
    time.sleep_ms(5)
print(vm.exit.reason, vm.console.read().split(b"storm")[-1])
"""
    )
    names = {name: symbols_of("storm")[name] for name in ("finished", "wrong")}
    text = run(boot(gic=gic, smp=smp), built("storm"), script, 200, cpus=cpus, **names)
    assert text.splitlines() == [
        "True 0 True True True True",
        "True True",
        "True True True True True True True",
        "True True",
        "test is recorded: its vCPUs follow one another on core 0",
        "True True",
        "True {}",
        f"off b': {cpus} cpus, 8 rounds, 0 wrong\\r\\n'",
    ]


@pytest.mark.parametrize("gic", [2, 3])
def test_vcpus_that_come_and_go(boot, gic):
    """guests/psci starts and stops them, by HVC and again and again."""
    script = (
        REGISTERS
        + """
vm = guest(code, ram="16M", cpus=3)
vm.cpu[0].x[0] = 3
r = vm.record()
print(vm.run(600_000).reason)
end = registers(vm)
print(r.check(), registers(vm) == end, vm.console.read())
r.to(r.length // 2)
now = registers(vm)
r.to(100)
r.to(r.length // 2)
print(registers(vm) == now)
"""
    )
    assert run(boot(gic=gic), built("psci"), script, 100).splitlines() == [
        "psci: 3 cpus, 3 rounds, 0 wrong",
        "off",
        "2 True b'psci: 3 cpus, 3 rounds, 0 wrong\\r\\n'",
        "True",
    ]


# CPU 0 counts in x4, and gives way each time; CPU 1 sleeps until SPI 40 comes: x3 how often, x8 when, x12 where the count was.
WAKES = """
    load x0, 0xC4000003
    mov x1, #1
    adr x2, second
    hvc #0
    load x10, 0x08000000
    mov w5, #1
    str w5, [x10]
    mov w6, #0x100
    str w6, [x10, #0x104]
    mov w6, #2
    strb w6, [x10, #0x828]
    load x11, 0x40200000
1:  add x4, x4, #1
    str x4, [x11]
    wfe
    b 1b
second:
    load x9, 0x08010000
    load x11, 0x40200000
    mov w6, #0xff
    str w6, [x9, #4]
    mov w5, #1
    str w5, [x9]
2:  wfi
    ldr w6, [x9, #0xc]
    str w6, [x9, #0x10]
    add x3, x3, #1
    mrs x7, cntvct_el0
    add x8, x8, x7
    ldr x7, [x11]
    add x12, x12, x7
    b 2b
"""


def test_interrupts_for_another_vcpu(target):
    """From outside, at any moment: also when a shift has just ended."""
    script = (
        REGISTERS
        + """
import time
vm = guest(code, cpus=2)
r = vm.record()
for n in range(2):
    vm.start()
    for n in range(150):
        vm.irq(40).pulse()
        time.sleep_us(n % 7 * 300)
    vm.pause()
    end = registers(vm)
    print(r.check(), registers(vm) == end, len([i for i in r.inputs if i[1] == 3]), vm.cpu[1].x[3] > 20)
"""
    )
    assert run(target, WAKES, script, 100).splitlines() == [
        "2 True 150 True",
        "3 True 300 True",
    ]


# Fetches from where nothing can be, round and round. x3: how often, x6 and x7: what its syndromes and SPSRs were.
ABORTS = """
    adr x0, vec
    msr vbar_el1, x0
    isb
    load x1, 0x0001000000000000
1:  add x4, x4, #1
    br x1
on_exception:
    add x3, x3, #1
    mrs x5, esr_el1
    add x6, x6, x5
    mrs x5, spsr_el1
    add x7, x7, x5
    adr x5, 1b
    msr elr_el1, x5
    eret
    vectors vec
"""


def test_aborts_of_fetches(target):
    """It is stopped, and goes on, also in front of one: that is taken once."""
    script = (
        REGISTERS
        + """
import time
vm = guest(code)
r = vm.record()
for n in range(60):
    vm.start()
    time.sleep_us(300 + 17 * n)
    vm.pause()
end = registers(vm)
print(r.check() > 20, registers(vm) == end, vm.cpu[0].x[3] > 500)
"""
    )
    assert run(target, ABORTS, script, 60).split() == ["True"] * 3


def test_without_vectors(each_target):
    """Nothing can be fetched at its vectors: each abort is a turn, which ends, forward and back."""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
r = vm.record()
for n in range(3):
    vm.run(30)
while r.length < 16:
    vm.run(30)
last = min(r.length, 30)
def at(n):
    r.to(n)
    return r.position, cpu.pc, cpu.pstate, cpu.sysreg["ELR_EL1"], cpu.sysreg["SPSR_EL1"], cpu.sysreg["ESR_EL1"]
there = [at(n) for n in range(last + 1)]
print([n for n in range(last, -1, -1) if at(n) != there[n]], there[12:] == [(n,) + there[12][1:] for n in range(12, last + 1)])
print(r.check() > 2, r.replay(), r.exact)
end = r.length
while r.position < end:
    vm.run(100)
print(cpu.step(3).reason, r.back(2), r.check() > 2)
"""
    for source in NOWHERE, NO_TABLE:
        assert run(each_target, source, script, 60).splitlines() == [
            "[] True",
            "True None True",
            "step None True",
        ]


# Calls what stage 2 does not have, round and round: a handler answers.
CALLS = """
    load x1, 0x60000000
1:  add x4, x4, #1
    blr x1
    b 1b
"""


def test_handlers_of_fetches(target):
    """A handler that answers one is asked once, also where it had been stopped in front of it."""
    script = (
        REGISTERS
        + """
import time
vm = guest(code)
asked = 0
def answer(cpu):
    global asked
    asked += 1
    cpu.x[3] += asked
    cpu.pc = cpu.x[30]
    return hv.RETRY
vm.exception(0x20, answer)
r = vm.record()
for n in range(60):
    vm.start()
    time.sleep_us(300 + 17 * n)
    vm.pause()
end, times = registers(vm), asked
asked = 0
print(r.check() > 20, registers(vm) == end, asked == times > 100)
asked = 0
for at in range(41):                    # in front of each
    r.to(at)
one = registers(vm), asked
r.to(0)
asked = 0
r.to(40)
print((registers(vm), asked) == one, asked)
"""
    )
    assert run(target, CALLS, script, 60).splitlines() == ["True True True", "True 10"]


# What is typed is summed up and said again; x4 counts the time it takes.
ECHO = """
    load x1, 0x09000000
1:  add x4, x4, #1
    ldr w0, [x1, #0x18]
    tbnz w0, #4, 1b
    ldr w0, [x1]
    str w0, [x1]
    add x3, x3, x0
    cmp w0, #'.'
    b.ne 1b
    mrs x5, cntvct_el0
    hvc #0x100
    b 1b
"""


def test_input(target):
    """What was typed comes again at the same instruction, by itself; while it does nothing else is let in."""
    script = (
        REGISTERS
        + """
import time
vm = guest(code)
r = vm.record()
vm.start()
for text in (b"abc", b"", b"de."):
    time.sleep_ms(30)
    if text:
        vm.console.write(text)
while vm.running:
    pass
end = registers(vm)
print(len(r.inputs), vm.console.read(), vm.exit.reason)
r.replay()
print(vm.console.write(b"no"), vm.run(60_000).reason, registers(vm) == end, r.position == r.length)
print(r.check(), len(r.inputs))
vm.console.read()
r.save("echo.json")
vm.close()
vm = guest(code, ram="8M")
r = vm.replay("echo.json")
print(r.check(), vm.console.read(), registers(vm) == end)
vm.cpu[0].reset(0x4008_0008)
try:
    vm.replay("echo.json")
except ValueError as e:
    print(e)
"""
    )
    assert run(target, ECHO, script, 60).splitlines() == [
        "6 b'abcde.' stop",
        "abcde.None stop True True",
        "2 6",
        "2 b'abcde.' True",
        "echo.json begins where pc is 0x40080000, and not 0x40080008",
    ]


# What of a record's file is replaced by what.
ODD = [
    ('{"', '["'),
    ('"record"', '"recorded"'),
    ('"elapid"', '"elapsed"'),
    ('"version": 2', '"version": []'),
    ('"stops": [[', '"stops": [["'),
    ('"stops": [[0, "', '"stops": [[0, "z'),
    ('"stops": [[0, "', '"stops": [[0, "0 '),
    ('"stops": [', '"stops": [], "s": ['),
    ('"stops": [', '"stops": [5, '),
    ('"clock": "', '"clock": "-1 1 1", "c": "'),
    ('"clock": "', '"clock": "1 1", "c": "'),
    ('"clock": "', '"clock": 5, "c": "'),
    ('"length": ', '"length": -'),
    ('"length": ', '"length": 1.'),
    ('"length"', '"size"'),
    ('"inexact": 0', '"inexact": "no"'),
    ('"inputs": [', '"inputs": 5, "i": ['),
    ('"inputs": [', '"inputs": [[0, 0]], "i": ['),
    ('"inputs": [', '"inputs": [[0, 9, 0, 0]], "i": ['),
    ('"inputs": [', '"inputs": [[0, -1, 0, 0]], "i": ['),
    ('"inputs": [', '"inputs": [[0, 1, 70000, 0]], "i": ['),
    ('"inputs": [', '"inputs": [[36893488147419103232, 0, 0, 0]], "i": ['),
    ('"inputs": [', '"inputs": [["0", 0, 0, 0]], "i": ['),
    ('"inputs": [', '"inputs": [[0, 4, 0, 1073741824, 5]], "i": ['),
    ('"inputs": [', '"inputs": [[0, 4, 0, 1073741824, "AAA"]], "i": ['),
    ('"devices": []', '"devices": 7'),
    ("]}", "]"),
]


def test_what_is_no_record(target):
    """Of another kind, cut, with what it cannot have: ValueError with its name, and the record there is stays."""
    script = """
vm = guest(code)
r = vm.record()
vm.console.write(b"ab.")
vm.run(60_000)
r.save("good.json")
good = open("good.json").read()
r.replay()
for old, new in odd:
    assert good.count(old) > 0, old
    with open("odd.json", "w") as f:
        f.write(good.replace(old, new, 1) if new != "]" else good[:-1])
    try:
        print(old, new, vm.replay("odd.json"))
    except ValueError as e:
        if not str(e).startswith("odd.json"):
            print(old, new, e)
try:
    vm.replay("none.json")
except OSError as e:
    print(e)
print(vm._record is r, r.check(), r.replay(), vm.replay("good.json").check())
"""
    assert run(target, ECHO, script, 60, odd=ODD).splitlines() == [
        "ab.[Errno 2] ENOENT: none.json",
        "True 2 None 2",
    ]


def test_a_record_is_a_test_on_the_host(tmp_path):
    """What was recorded in one boot is checked in another, of another machine."""
    trace = tmp_path / "hello.json"
    first = {"smp": 1, "kernel": ROOT / "hypervisor.elf"}
    for which in (first, {**first, "gic": 3, "smp": 4}):
        with elapid.Target(**which) as target:
            vm = target.vm("mine", ram="4M")
            vm.load(ROOT / HELLO)
            target.exec("mine.hvc(0xC600_0001, handler=lambda cpu, x1, x2: x1 + x2)")
            target.exec("mine.mmio(0x0B00_0000, 0x1000, lambda cpu, offset, value: 0xCAFE)")
            if trace.exists():
                assert vm.replay(trace).check() == 2
                continue
            r = vm.record()
            assert vm.run().reason == "off"
            r.save("hello.json")
            trace.write_text(target.exec("print(open('hello.json').read())"))


@pytest.mark.long
@pytest.mark.parametrize("cpus", [1, 2])
def test_linux(boot, cpus):
    """A process that begins, which copies pages on a store-exclusive, random numbers and a disk: Debian's kernel does it again."""
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"], check=True)
    target = with_linux(boot, ROOT / "build/guests-debian/6.1-cloud", gic=3)
    script = (
        REGISTERS
        + """
def type_at(vm, line):                  # what is recorded reads slowly
    while line:
        line = line[vm.console.write(line):]
vm = hv.VM("linux", ram="128M", cpus=cpus)
disk = vm.block(1 << 20)
vm.rng()
boot(vm)
sh(vm, "date")
r = vm.record()
sh(vm, "head -c 9 /dev/hwrng > /dev/vda")
vm.pause()
end = registers(vm)
wrote = bytes(disk.store.chunks[0][:9])
kinds = [i[1] for i in r.inputs]
print(r.exact, kinds.count(5) >= 3, r.length > 100_000)
print(r.check() >= 2, registers(vm) == end, bytes(disk.store.chunks[0][:9]) == wrote != bytes(9), r.why)
at = r.position
before = []
for n in range(3):
    r.back()
    before.append(registers(vm))
after = []
for n in range(3):
    after.append(registers(vm))
    r.to(r.position + 1)
after.reverse()
print(before == after, registers(vm) == end, r.position == at)
while vm.console.read(4096):
    pass
vm.start()
print(sh(vm, "head -c 9 /dev/vda | wc -c"))
"""
    )
    assert target.exec(f"cpus = {cpus}\n{script}", seconds=300).splitlines() == [
        "True True True",
        "True True True ",
        "True True True",
        "9",
    ]


@two_machines
def test_gdb_goes_back(machine):
    """reverse-stepi lands on the instruction before, reverse-continue at the breakpoint before, and at the beginning."""
    machine.guest(HELLO)
    gdb = machine.gdb(HELLO)
    assert "vm.record()" in gdb("reverse-stepi")
    assert "<Record of guest: at 0 of 0, exact>" in gdb("monitor vm.record()")

    def where():
        return re.findall(
            r"0x[0-9a-f]+", gdb("p/x $pc", "p/x $sp", "p/x $x0", "p/x $x1", "p/x $x29")
        )

    assert ", print (text=" in gdb("break print", "continue")
    first = where()
    assert ", print (text=" in gdb("continue")
    second = where()
    way = []
    gdb("delete")
    for _ in range(8):
        way.append(where())
        gdb("stepi")
    for at in reversed(way):
        gdb("reverse-stepi")
        assert where() == at
    assert way[0] == second
    gdb("break print", "stepi", "stepi")
    assert ", print (text=" in gdb("reverse-continue")
    assert where() == second
    assert ", print (text=" in gdb("reverse-continue")
    assert where() == first
    assert "No more reverse-execution history" in gdb("reverse-continue")
    assert gdb("monitor vm._record.position") == "0"
    assert ", print (text=" in gdb("continue")
    assert where() == first
    assert "guest_main" in gdb("reverse-finish")
    assert "No more reverse-execution history" in gdb("delete", "reverse-continue")
    assert "exited normally" in gdb("continue", "continue")


# Kicks x1 requests of what queue 0's descriptors say, and sums up what the driver can tell of each; x4 counts the time it takes.
ASKS = """
asks:
    load x9, 0x0A000000
    load x10, 0x40101000
    load x11, 0x40102000
    load x12, 0x40180000
1:  ldrh w5, [x10, #2]
    add w5, w5, #1
    and w5, w5, #0xffff
    strh w5, [x10, #2]
    dmb ish
    str wzr, [x9, #0x50]
2:  add x4, x4, #1
    ldrh w6, [x11, #2]
    cmp w6, w5
    b.ne 2b
    ldr w7, [x9, #0x60]
    str w7, [x9, #0x64]
    add x3, x3, x7
    ldr x8, [x12, #0x40]
    add x3, x3, x8
    ldr w8, [x9, #0x100]
    add x3, x3, x8
    ldr w8, [x9, #0x70]
    add x3, x3, x8
    subs x1, x1, #1
    b.ne 1b
    hvc #0x100
"""


def test_virtio(each_target):
    """What a virtio device answers, and when, comes again out of the log; the device is as it was where the record ends."""
    code, symbols = link(CODE + ASKS)
    script = (
        DRIVER
        + REGISTERS
        + """
import os, time
class Late(Device):
    id, config = 42, b"wxyz"
    asked = 0
    def request(self, queue, r):
        self.asked += 1
        word = r.read()
        if self.asked % 3 == 0:
            for n in range(3):
                yield
        if self.asked % 2:
            r.room(8)[0][:] = os.urandom(8)
        else:
            r.write(os.urandom(4))
            r.write(os.urandom(4))
        if self.asked % 5 == 0:
            self.port.configure(os.urandom(4))
    def save(self):
        return self.asked
    def load(self, state):
        self.asked = state

def made():
    vm = guest(code)
    device = vm.virtio(Late())
    d = Driver(vm).start()
    d.describe(0, 0, BUFFERS, 8, NEXT, 1)
    d.describe(0, 1, BUFFERS + 0x40, 8, WRITE)
    vm.cpu[0].pc = asks
    for n in range(3, 14):
        vm.cpu[0].x[n] = 0
    return vm, device

def ask(n):
    vm.cpu[0].pc, vm.cpu[0].x[1] = asks, n

vm, device = made()
ask(10)
r = vm.record()
print(vm.run(60_000).reason, device.asked, r.exact, repr(r)[-7:-1])
end = registers(vm)
print(sorted(set([i[1] for i in r.inputs])), len([i for i in r.inputs if i[1] == 5]))
print(r.check(), registers(vm) == end, device.asked)    # it is at the end again
r.to(r.length // 2)
at = registers(vm)
r.back(100)
r.to(r.length // 2)
print(registers(vm) == at, device.asked)                # asked nothing meanwhile
try:
    r.stop()
except ValueError as e:
    print(e)
r.replay()
print(vm.run(60_000).reason, registers(vm) == end, device.asked, r.exact)
vm.cpu[0].pc = asks                                      # not logged: a record has what the guest does
r.save("asks.json")
r.stop()
ask(2)
print(vm.run(60_000).reason, device.asked)
r.drop()
print(vm._snapshots)
vm.close()

vm, device = made()
ask(10)
r = vm.replay("asks.json")
print(r.check(), registers(vm) == end, device.asked, r.exact)
try:
    vm.run(1)
except RuntimeError as e:
    print(e)
vm.close()
vm = guest(code)
try:
    vm.replay("asks.json")
except ValueError as e:
    print(e)
vm.close()

# Another guest does otherwise: where, and in which register.
vm, device = made()
ask(10)
vm.memory[asks + 0x50:asks + 0x54] = vm.memory[asks + 0x54:asks + 0x58]
r = vm.replay("asks.json")
try:
    r.check()
except ValueError as e:
    print(e, r.exact)
"""
    )
    lines = run(each_target, code, script, 100, asks=symbols["asks"]).splitlines()
    assert lines == [
        "stop 10 True  exact",
        "[4, 5, 6] 10",
        "2 True 10",
        "True 0",
        lines[4],
        "stop True 10 True",
        "stop 12",
        "{}",
        "2 True 0 True",
        "test is where its record ends, and its virtio devices are not as they were there: replay() begins again, vm.reset() "
        "ends it",
        "asks.json is of a VM with virtio devices [slot, id] [[0, 42]], and not []",
        lines[11],
    ]
    assert re.fullmatch(r"test has virtio devices, and is at \d+: to\(\d+\) first", lines[4])
    assert re.fullmatch(r"at \d+: x3 is 0x[0-9a-f]+, and was 0x[0-9a-f]+ True", lines[11])


def test_in_the_background(target):
    """A slice for guests comes at any interrupt: none between that something is noted and that it is done."""
    code, symbols = link(CODE + ASKS)
    script = (
        DRIVER
        + REGISTERS
        + """
class Soon(Device):
    id = 42
    def request(self, queue, r):
        r.write(b"12345678")

vm = guest(code)
vm.virtio(Soon())
d = Driver(vm).start()
d.describe(0, 0, BUFFERS, 8, NEXT, 1)
d.describe(0, 1, BUFFERS + 0x40, 8, WRITE)
for n in range(3, 14):
    vm.cpu[0].x[n] = 0
for n in range(4):
    vm.cpu[0].pc, vm.cpu[0].x[1] = asks, 150
    r = vm.record()
    vm.start()
    while vm.running:
        vm.console.write(b"x")
    end = registers(vm)
    print(r.check(), registers(vm) == end, len(r.inputs) >= 300)
    r.drop()
"""
    )
    text = run(target, code, script, 100, asks=symbols["asks"])
    assert text.splitlines() == ["2 True True"] * 4


# x3: the sum of what the PL031 and the cycle counter say, each time its alarm has rung.
ALARMS = """
    load x0, 0x09010000
    load x9, 0x08010000
    load x10, 0x08000000
    mov w5, #1
    str w5, [x10]
    mov w6, #4
    str w6, [x10, #0x104]
    mov w6, #0xff
    str w6, [x9, #4]
    str w5, [x9]
    mov x2, #0x80000000
    msr pmcntenset_el0, x2
    mov x2, #0x45
    msr pmcr_el0, x2
1:  ldr w4, [x0]
    add x3, x3, x4
    add w4, w4, #1
    str w4, [x0, #4]
    str w5, [x0, #0x10]
    wfi
    ldr w6, [x0, #0x14]
    add x3, x3, x6, lsl #40
    ldr w8, [x9, #0xc]
    str w5, [x0, #0x1c]
    str w8, [x9, #0x10]
    mrs x7, pmccntr_el0
    add x3, x3, x7
    hvc #0x100
    b 1b
"""

# Sleeps until SPI 40 comes; x3 counts, x4 has who it was.
SLEEPS = """
    load x9, 0x08010000
    load x10, 0x08000000
    mov w5, #1
    str w5, [x10]
    mov w6, #0x100
    str w6, [x10, #0x104]
    mov w6, #0xff
    str w6, [x9, #4]
    str w5, [x9]
1:  wfi
    add x3, x3, #1
    ldr w4, [x9, #0xc]
    str w4, [x9, #0x10]
    str w3, [sp]
    b 1b
"""


def test_clock_and_cycles(target):
    """The PL031 goes by the same time, and its alarm; the PMU counts turns."""
    script = (
        REGISTERS
        + """
import time
vm = guest(code)
r = vm.record()
began = time.time()
seen = []
for n in range(3):
    print(vm.run(60_000).reason, end=" ")
    seen.append((vm.cpu[0].x[4], vm.cpu[0].x[7], vm.cpu[0].x[8]))
print([b[0] - a[0] for a, b in zip(seen, seen[1:])], [b[1] - a[1] for a, b in zip(seen, seen[1:])], seen[0][2], r.exact)
end = registers(vm)
time.sleep_ms(1100)
print(r.check(), registers(vm) == end)
r.save("alarms.json")
vm.close()
vm = guest(code, ram="8M")
print(vm.replay("alarms.json").check(), registers(vm) == end)
vm.close()
vm = guest(sleeps)
r = vm.record()
vm.start()
for n in range(1, 4):
    time.sleep_ms(20)
    vm.irq(40).pulse()
    while vm.memory[0x4007_0000] < n:
        pass
time.sleep_ms(20)
print(vm.pause(), vm.cpu[0].x[3], vm.cpu[0].x[4], r.position < 50, [i[1] for i in r.inputs])
end = registers(vm)
print(r.check(), registers(vm) == end, r.position == r.length)
"""
    )
    text = run(target, ALARMS, script, 60, sleeps=assemble(SLEEPS))
    assert text.splitlines() == [
        "stop stop stop [1, 1] [16, 16] 34 True",
        "4 True",
        "4 True",
        "True 3 40 True [3, 8, 3, 8, 3, 8]",
        "2 True True",
    ]
