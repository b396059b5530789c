# SPDX-License-Identifier: MIT
"""vm.inject: faults of the machine, on purpose and again; vm.why() and vm.explain(): who answers, in words."""

import pytest
from harness import TargetError
from test_trace import SETUP

MORE = """
import time
def now():
    for _ in range(40): time.sleep_ms(1)
"""


@pytest.fixture
def faulty(each_target):
    each_target.exec(SETUP + MORE)
    return each_target


def test_interrupts(faulty):
    script = """
vm.memory[0x4008_0000:0x4008_0004] = pack("<I", 0x1400_0000)
vm.cpu[0].reset(0x4008_0000)
vm.start()
irq = vm.irq(40)
def until(done):
    for _ in range(30_000):
        if done(): break
        time.sleep_ms(1)
def edges(n, f=None):
    got = []
    for _ in range(n):
        seen = f and f.seen
        irq.set(True)
        until(lambda: f is None or f.seen > seen)
        got.append(irq.level)
        irq.set(False)
        time.sleep_ms(1)
    return got
f = vm.inject.irq(40, drop=0.4, seed=7)
first = edges(40, f)
print(f.seen, 5 < len(f.log) < 30, [n + 1 for n, got in enumerate(first) if not got] == f.log, vm.faults() == (f,))
f.remove()
f.remove()
print(edges(3), vm.faults(), f)
g = vm.inject.irq(40, drop=0.4, seed=7)
print(edges(40, g) == first)
g.remove()
h = vm.inject.irq(40, drop=f.log)
print(edges(40, h) == first, h.log == f.log)
h.remove()
early = True
while early:  # again, if it was looked at too late
    with_delay = vm.inject.irq(40, delay_ms=300)
    begun = time.ticks_ms()
    irq.set(True)
    until(lambda: with_delay.seen)
    early = irq.level
    if time.ticks_diff(time.ticks_ms(), begun) < 300:
        print(early, end=" ")
        early = False
    until(lambda: irq.level)
    late = irq.level, with_delay.log
    with_delay.remove()
    irq.set(False)
print(*late)
w = vm.inject.irq(40, storm=5, rate=(2,))
before = edges(2, w)
now()
print(before, w.seen, w.log)
until(lambda: irq.hits == 2 + 5)
print(irq.hits)
w.remove()
vm.pause()
"""
    lines = faulty.exec(script, seconds=60).splitlines()
    assert lines[0] == "40 True True True"
    assert lines[1].startswith("[True, True, True] () <Fault irq 40 drop=0.4, seed 7: ")
    assert lines[2:] == ["True", "True True", "False True [1]", "[True, True] 2 [2]", "7"]


def test_loads(faulty):
    """Of a device by a rule in C, of RAM for one load."""
    script = """
go(1)
right = vm.cpu[0].x[1]
f = vm.inject.load(0x0900_0018, flip=1 << 9)
hv.events()
print(go(3), vm.cpu[0].x[1] ^ right == 1 << 9, f.seen, [e.value for e in hv.events()])
f.remove()
print(go(3), vm.cpu[0].x[1] == right, f)
f = vm.inject.load(0x0900_0018, flip=2, rate=0.5, seed=3)
def which():
    go(40)
    return [e.value for e in hv.events()]
some = which()
f.remove()
f = vm.inject.load(0x0900_0018, flip=2, rate=0.5, seed=3)
print(which() == some, 8 < len(some) < 32)
f.remove()
f = vm.inject.load(0x0900_0018, flip=2, nth=4)
print(which())
f.remove()
vm.memory[0x4008_0000:0x4008_0010] = pack("<4I", 0xB940_0041, 0xB940_0043, 0xD400_2002, 0x1400_0000)
vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
vm.memory[0x4009_0000:0x4009_0004] = pack("<I", 0x100)
cpu = vm.cpu[0]
cpu.reset(0x4008_0000)
cpu.x[2] = 0x4009_0000
f = vm.inject.load(0x4009_0000, flip=8, nth=1)
vm.run()
print(hex(cpu.x[1]), hex(cpu.x[3]), vm.memory[0x4009_0000], f.log, f.seen)
f.remove()
"""
    lines = faulty.exec(script, seconds=60).splitlines()
    assert lines[:2] == [
        "off True 3 [1, 2, 3]",
        "off True <Fault load 0x9000018 flip=0x200, seed 1: 0 of 3, removed>",
    ]
    assert lines[2:] == ["True True", "[4]", "0x108 0x100 0 [1] 2"]


def test_a_disk(faulty):
    """By its store's requests, as the device makes them."""
    script = """
disk = vm.block(bytearray(64 << 10))
class R:
    def __init__(self, kind, sector):
        self.head, self.said, self.writable = [kind, sector], b"", 513 if kind == 0 else 1
        self.readable = 16 + 512 * (kind == 1)
    def number(self, n):
        self.readable -= n
        return self.head.pop(0)
    def readinto(self, place):
        self.readable = 0
    def write(self, data):
        self.said = bytes((data,) if isinstance(data, int) else data)
        self.writable -= len(self.said)
    def room(self, n):
        self.writable -= n
def ask(kinds):
    said = []
    for n, kind in enumerate(kinds):
        r = R(kind, n)
        disk.request(0, r)
        said.append(r.said[-1])
    return said
f = vm.inject.disk(disk, nth=3)
print(ask([0, 1, 0, 0]), f.log, disk.error)
f.remove()
f = vm.inject.disk(disk, rate=1, kind="write")
print(ask([0, 1, 0, 1]), f.log, f)
f.remove()
print(ask([0, 1]))
"""
    assert faulty.exec(script).splitlines() == [
        "[0, 0, 1, 0] [3] [Errno 5] EIO",
        "[0, 1, 0, 1] [1, 2] <Fault disk rate=1, seed 1: 2 of 2>",
        "[0, 0]",
    ]


def test_the_clock(faulty):
    """CNTVCT_EL0, which the guest reads by itself."""
    script = """
vm.memory[0x4008_0000:0x4008_000c] = pack("<3I", 0xD53B_E041, 0x52B0_8000, 0xD400_0002)
vm.hvc(0x8400_0000, lambda cpu: hv.STOP)
cpu, frequency = vm.cpu[0], hv.regs.CNTFRQ_EL0.read()
cpu.reset(0x4008_0000)
def count():
    cpu.pc = 0x4008_0000
    vm.run()
    return cpu.x[1] / frequency
a = count()
f = vm.inject.clock(ms=3_600_000)
b = count()
print(f.log[0] in (0, 3600 * frequency), 0 <= b - a - f.log[0] / frequency < 60, vm.faults())
vm.memory[0x4008_0000:0x4008_0004] = pack("<I", 0x1400_0000)
vm.cpu[0].pc = 0x4008_0000
ahead = f.log[0] > 0  # as far as this machine's counter allows
f = vm.inject.clock(ppm=500_000 if ahead else -500_000)
vm.start()
for _ in range(30_000):
    if f.seen >= 5: break
    time.sleep_ms(1)
vm.pause()
f.remove()
step = frequency // 20 * (1 if ahead else -1)
print(f.seen >= 5, len(f.log) == f.seen, all([abs(by - step) <= 1 for by in f.log[:5]]))
print(str(f).partition(":")[0])
"""
    lines = faulty.exec(script, seconds=60).splitlines()
    assert lines[:2] == ["True True ()", "True True True"]
    assert lines[2] in ("<Fault clock ppm=500000, seed 0", "<Fault clock ppm=-500000, seed 0")


def test_why(faulty):
    script = """
t = vm.trace("exit")
go(1)
def dice(cpu): return hv.PASS
vm.hvc(0x8400_0000, dice)
vm.rule("mmio", 0x0900_0018, "count", pc=4)
for r in list(t):
    if r.kind in ("mmio", "sysreg", "psci"):
        vm.why(r)
t.stop()
vm.memory[0x4008_0000:0x4008_0004] = pack("<I", 0xB940_0041)
cpu = vm.cpu[0]
cpu.reset(0x4008_0000)
cpu.x[2] = 0x0C00_0000
vm.run()
vm.why()
b = vm.on(ipa=0x4008_0000, action="count")
vm.explain(0x4008_0000)
vm.explain(0x0900_0018)
"""
    text = faulty.exec(script)
    for line in (
        "answered by: the rule count 0x9000018-0x900001b, 0 hits: C, with all registers saved",
        "answered by: the device pl011 0x9000000-0x9000fff in C; ",
        "answered by: ACTLR_EL1: its emulation, in C; ",
        "answered by: the handler dice: a short one is ",
        "answered by: nobody: nothing is at IPA 0xc000000; vm.mmio(0xc000000, 0x1000, f)",
        "IPA 0x40080000, RAM, stage 2: --x normal",
        "a right of its page is taken by a breakpoint",
        "b9400041  ldr w1, [x2]",
        "<Breakpoint ipa 0x40080000: 0 hits>",
        "IPA 0x9000018, no RAM, stage 2: not mapped",
    ):
        assert line in text, text


@pytest.mark.parametrize(
    "line, error",
    [
        ("vm.inject.irq(40)", "one of drop=, delay_ms= and storm="),
        ("vm.inject.irq(5, drop=1)", "a vCPU's own"),
        ("vm.inject.irq(40, drop=2)", "a rate is from 0 to 1"),
        ("vm.inject.load(0x0900_0000, flip=0)", "bits of 4 bytes"),
        ("vm.inject.load(0x0900_0000, 9)", "bits of 9 bytes"),
        ("vm.inject.disk(None)", "nth= or rate="),
        ("vm.inject.disk(None, nth=1, kind='flush')", "not 'flush'"),
        ("vm.inject.clock()", "one of ms= and ppm="),
    ],
)
def test_mistakes(target, line, error):
    target.exec(SETUP)
    with pytest.raises(TargetError, match=error):
        target.exec(line)
    assert target.exec("print(go(3), vm.faults())") == "off ()\n"
