# SPDX-License-Identifier: MIT
# ruff: noqa: F811
"""vm.snapshot() and vm.back(): all that a guest can tell of its machine goes back, and what was set up around it stays."""

import subprocess

import pytest
from guestcode import built, run
from test_virtio_linux import images, machine  # noqa: F401

# x1: rounds. Each writes one of 16 pages from 0x4020_0000 on, counts in q0, in TPIDR_EL1 and in x0; HVC 0x100 at the end.
ROUNDS = """
    mov x2, #3 << 20
    msr cpacr_el1, x2
    isb
1:  add x0, x0, #1
    load x2, 0x40200000
    and x3, x0, #15
    add x2, x2, x3, lsl #12
    str x0, [x2]
    fmov d0, x0
    mov v0.d[1], x0
    msr tpidr_el1, x0
    subs x1, x1, #1
    b.ne 1b
    hvc #0x100
    b 1b
"""

STATE = """
def state(vm):
    c = vm.cpu[0]
    pages = [int.from_bytes(vm.memory[at : at + 8], "little") for at in range(0x4020_0000, 0x4021_0000, 0x1000)]
    return c.pc, c.x[0], c.x[1], c.q[0], c.sysreg["TPIDR_EL1"], c.pstate, pages
"""


def test_memory_and_registers(each_target):
    """Back to where it was, as often as one likes; forward again it does the same; only what was written is dirty."""
    script = (
        STATE
        + """
vm = guest(code)
vm.cpu[0].x[1] = 5
vm.run(60_000)
vm.cpu[0].x[1] = 20
first = state(vm)
s = vm.snapshot()
print(s.dirty, s)
vm.run(60_000)
later = state(vm)
print(first != later, len(s.dirty), s.dirty[0] == 0x4020_0000, s)
for i in range(3):
    vm.back()
    print(state(vm) == first, s.dirty)
    vm.run(60_000)
    print(state(vm) == later)
s.drop()
print(s, state(vm) == later, vm.stage2.walk(0x4020_1000)[1] >> 56 & 7)
try:
    vm.back()
except ValueError as e:
    print(e)
try:
    vm.back(s)
except ValueError as e:
    print(e)
"""
    )
    assert run(each_target, ROUNDS, script, 60).splitlines() == [
        "[] <Snapshot 1 of test: 0 pages written since>",
        "True 16 True <Snapshot 1 of test: 16 pages written since>",
        *["True []", "True"] * 3,
        "<Snapshot 1 of test: dropped> True 0",
        "test has no snapshot to go back to: vm.snapshot() makes one",
        "test has no such snapshot any more: it has been dropped",
    ]


def test_a_tree_of_snapshots(target):
    """From any to any other, in any order; what is between may be dropped."""
    script = (
        STATE
        + """
vm = guest(code)
def go(n):
    vm.cpu[0].x[1] = n
    vm.run(60_000)
    return state(vm)
was, s = [go(3)], [vm.snapshot()]
for n in (2, 20, 1):
    was.append(go(n))
    s.append(vm.snapshot())
vm.back(s[1])
was.append(go(7))           # another branch
s.append(vm.snapshot())
go(9)
for i in (0, 4, 3, 1, 2, 0, 3, 4, 4, 2):
    vm.back(s[i])
    print(state(vm) == was[i], end=" ")
print()
s[1].drop()                 # two go on from there
for i in (0, 4, 3, 2, 4):
    vm.back(s[i])
    print(state(vm) == was[i], end=" ")
print()
s[4].drop()                 # where it is
s[0].drop()
for i in (3, 2, 3):
    go(5)
    vm.back(s[i])
    print(state(vm) == was[i], end=" ")
s[2].drop()
go(17)
vm.back()
print(state(vm) == was[3])
free = hv.mem()[0] if hasattr(hv, "mem") else 0
s[3].drop()
vm.back(vm.snapshot())
print(state(vm) == was[3])
"""
    )
    lines = run(target, ROUNDS, script, 60).splitlines()
    assert [set(line.split()) for line in lines] == [{"True"}] * 4
    assert [len(line.split()) for line in lines] == [10, 5, 4, 1]


def test_scripts_and_devices_write(target):
    """What a script writes goes back too: by vm.memory, by a view, by the guest's addresses; and code is new code."""
    script = """
vm = guest(code)
s = vm.snapshot()
vm.memory[0x4030_0000] = 7
vm.memory[0x4030_1000 : 0x4030_1004] = b"text"
vm.memory.view(0x4030_2000, 4)[:] = b"view"
vm.memory[0x4008_0000 : 0x4008_0004] = b"\\x02\\x20\\x00\\xd4"     # HVC 0x100 in place of the first instruction
print([hex(at) for at in s.dirty])
print(vm.run(60_000).reason, vm.cpu[0].x[0])
vm.back()
print(bytes(vm.memory[0x4030_0000 : 0x4030_0001]), bytes(vm.memory[0x4030_1000 : 0x4030_1004]), bytes(vm.memory[0x4030_2000 : 0x4030_2004]))
vm.cpu[0].x[1] = 3
print(vm.run(60_000).reason, vm.cpu[0].x[0])
vm.back()
print(s.dirty, vm.cpu[0].x[0])
"""
    assert run(target, ROUNDS, script, 60).splitlines() == [
        "['0x40080000', '0x40300000', '0x40301000', '0x40302000']",
        "stop 0",
        "b'\\x00' b'\\x00\\x00\\x00\\x00' b'\\x00\\x00\\x00\\x00'",
        "stop 3",
        "[] 0",
    ]


# It runs on all the while. At its end it goes back once more, and comes there again: what it had said before the snapshot is read by then.
WHILE_IT_RUNS = """
import time
vm = guest(code, ram="16M", cpus={cpus})
vm.cpu[0].x[0] = {x0}
vm.start()
rounds, first = 0, b""
while vm.running:
    time.sleep_ms(7)
    s = vm.snapshot()
    if not vm.pause():
        break                   # it had ended: there is nothing to go back for
    vm.start()
    time.sleep_ms(5)
    if not vm.running:
        first = vm.console.read()
        print(vm.exit.reason, first)
        vm.back(s)
        vm.start()
        while vm.running:
            time.sleep_ms(5)
        break
    vm.back(s)
    rounds += 1
    s.drop()
last = vm.console.read()
print(rounds > 5, vm.exit.reason, first if last and first.endswith(last) else last)
"""


def test_interrupts_timers_and_sleepers_of_four_vcpus(each_target):
    """guests/storm counts what it is sent and what its timers do: nothing is lost, nothing comes twice."""
    script = WHILE_IT_RUNS.format(cpus=4, x0=500 | 500 << 32)
    text = run(each_target, built("storm"), script, 100)
    last = text.splitlines()[-1]  # before it, what had been printed of that when it went back
    assert last.endswith("storm: 4 cpus, 1000 rounds, 0 wrong\\r\\n'"), text
    assert last.startswith("True off b'"), text


def test_vcpus_that_come_and_go(each_target):
    """guests/psci starts and stops them."""
    text = run(each_target, built("psci"), WHILE_IT_RUNS.format(cpus=5, x0=40), 100)
    assert "psci: 5 cpus, 40 rounds, 0 wrong" in text.splitlines()[-1], text


HANDLERS = """
    mov x19, #0
1:  hvc #1                      // x0: what the handler says
    add x19, x19, #1
    load x2, 0x40200000
    str x19, [x2]
    hvc #2
    b 1b
"""


def test_in_handlers(each_target):
    """Taken in one, it is in front of that call, which asks anew; gone back to in another, whose answer is for nobody then."""
    script = """
vm = guest(code)
went, snaps = [], []
def one(cpu):
    snaps.append(cpu.vm.snapshot())
    return 5
def two(cpu):
    went.append((cpu.x[0], cpu.x[19], vm.memory[0x4020_0000]))
    if len(went) >= 4:
        return hv.STOP
    if len(went) < 3:
        vm.back(snaps[0])
    return 77
vm.hvc(imm=1, handler=one)
vm.hvc(imm=2, handler=two)
print(vm.run(60_000).reason, went, len(snaps))
went.append(None)
b = vm.on(0x4008_0004, f=lambda cpu: vm.back(snaps[1]), once=True)
print(vm.run(60_000).reason, went[5:], b.hits, len(snaps), vm.cpu[0].x[0])
vm.back(snaps[0])
print(hex(vm.cpu[0].pc), vm.cpu[0].x[19])
for c in snaps:
    c.drop()
"""
    assert run(each_target, HANDLERS, script, 60).splitlines() == [
        "stop [(5, 1, 1), (5, 1, 1), (5, 1, 1), (5, 2, 2)] 4",
        "stop [(5, 1, 1)] 1 5 5",
        "0x40080004 0",
    ]


# It stores the count in x0 to a device, for ever.
TELLS = """
    load x1, 0x0b000000
1:  add x0, x0, #1
    str x0, [x1]
    b 1b
"""


def test_python_devices_and_the_guest_are_of_one_moment(each_target):
    """However long a device takes to say what it is, or to become that: the guest and the device do nothing meanwhile."""
    script = """
import time
class Device:
    n = 0
    def access(self, cpu, offset, value):
        self.n = value
    def save(self):
        n = self.n
        time.sleep_ms(20)
        return n
    def load(self, n):
        time.sleep_ms(20)
        self.n = n
vm = guest(code)
device = vm.goes_back(Device())
vm.mmio(0x0B00_0000, 0x1000, device.access)
def apart():
    return abs(vm.cpu[0].x[0] - device.n) > 1    # the one that it is at
vm.start()
for i in range(5):
    while device.n < 100 * i:
        time.sleep_ms(5)
    s = vm.snapshot()
    vm.pause()
    vm.back(s)
    print(apart(), end=" ")
    vm.start()
    time.sleep_ms(20)
    vm.back(s)                  # while it runs
    vm.pause()
    print(apart(), end=" ")
    vm.start()
    s.drop()
"""
    assert run(each_target, TELLS, script, 60).split() == ["False"] * 10


# A Linux at work: what it writes to its disk it reads back and compares, it sends frames to a switch, and notes the time.
AT_WORK = """
((while [ ! -e /tmp/stop ]; do dd if=/dev/urandom of=/tmp/r bs=64k count=6; dd if=/tmp/r of=/dev/vda bs=64k seek=3 oflag=direct;
dd if=/dev/vda of=/tmp/s bs=64k skip=3 count=6 iflag=direct; cmp /tmp/r /tmp/s || touch /tmp/wrong; date +%s >> /tmp/clock;
done; touch /tmp/done) > /dev/null 2>&1 & (while [ ! -e /tmp/stop ]; do ping -c 1 -W 1 10.0.0.2; done) > /dev/null 2>&1 &)
""".strip().replace("\n", " ")

LINUX = """
import binascii
lan = hv.Switch()
vm = hv.VM("linux", ram="128M", cpus={cpus})
vm.block(2 << 20)
vm.net(lan)
vm.rng()
boot(vm)
sh(vm, "ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up")
sh(vm, {work!r})
time.sleep_ms(500)
sent = vm._virtio[1].sent
wrong, seen = [], 0
def crc(pages):
    return [binascii.crc32(vm.memory[at : at + 0x1000]) for at in pages]
pages = []
for i in range({rounds}):
    s = vm.snapshot()
    vm.pause()
    vm.back(s)                  # where it stands still
    was = crc(pages[:50])
    vm.start()
    for n in range(400):        # until it has written some of them again, if the host has not run it at once
        time.sleep_ms(5)
        if not pages or set(pages[:50]) & set(s.dirty):
            break
    vm.pause()
    dirty = s.dirty
    seen += len([at for at in pages[:50] if at in dirty])
    vm.back(s)
    if crc(pages[:50]) != was or s.dirty:
        wrong.append(i)
    pages = dirty
    vm.start()
    time.sleep_ms(4)
    s.drop()
print(wrong, seen >= {rounds} - 1, vm._vm.hold("pages"))
vm.start() if not vm.running else None
limit = time.ticks_add(time.ticks_ms(), 60_000)
while vm._virtio[1].sent <= sent and time.ticks_diff(limit, time.ticks_ms()) > 0:
    time.sleep_ms(20)           # nobody answers it: a frame a second
sh(vm, "touch /tmp/stop; while [ ! -e /tmp/done ]; do sleep 0.2; done")
print(sh(vm, "ls /tmp/wrong; sort -nc /tmp/clock && echo in order; dmesg | grep -ciE 'oops|bug:|stall|lockup|error'"))
print(sh(vm, "cmp /tmp/r /tmp/s && echo same; [ -s /tmp/clock ] && echo often"), vm._virtio[1].sent > sent)
"""


def rounds_on_linux(target, cpus, rounds, seconds):
    text = target.exec(LINUX.format(cpus=cpus, rounds=rounds, work=AT_WORK), seconds)
    assert text.splitlines() == [
        "[] True 0",
        "ls: /tmp/wrong: No such file or directory",
        "in order",
        "0",
        "same",
        "often True",
    ], text


@pytest.mark.parametrize("gic, smp", [(2, 1), (3, 4)])
def test_linux_at_work(machine, gic, smp):
    """20 times back by 5 ms: memory is what it was, its files and its clock are right, and it goes on."""
    rounds_on_linux(machine(gic=gic, smp=smp), smp, 20, 200)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("gic, smp", [(2, 1), (2, 4), (3, 1), (3, 4)])
def test_linux_at_work_a_thousand_times(machine, gic, smp):
    rounds_on_linux(machine(gic=gic, smp=smp), smp, 1000, 1500)


# It writes the count in x0 to memory, a page further each time, for ever.
SPREAD = """
1:  add x0, x0, #1
    load x2, 0x40200000
    and x3, x0, #0xff
    add x2, x2, x3, lsl #12
    str x0, [x2]
    mov x4, #2000
2:  subs x4, x4, #1
    b.ne 2b
    b 1b
"""


def test_history_and_quota(boot):
    """In the time of the machine's instructions. Snapshots by themselves, of which the oldest go when memory does; without them the guest stops, and goes on with more."""
    script = """
import time
vm = guest(code)
h = vm.history(every_ms=5, keep=10)
vm.start()
while len(h) < 10:
    time.sleep_ms(5)
time.sleep_ms(30)
now = vm.cpu[0].x[0] if vm.pause() else 0
print(len(h) == 10, h.ms >= 40, repr(h)[:18])
vm.back(ms=20)
then = vm.cpu[0].x[0]
print(0 < then < now, 0 < len(h) < 10)
h.stop()
s = vm.snapshot(quota="128K")
vm.start()
while vm.running:
    time.sleep_ms(5)
print(vm.exit.reason, len(h), s._id in vm._snapshots, len(s.dirty) <= 32)
vm.back(s)
print(vm.cpu[0].x[0] == then)
vm.snapshot(quota="64M")
vm.start()
time.sleep_ms(50)
print(vm.running, vm.pause())
h.clear()
vm.close()
"""
    assert run(boot(icount=True), SPREAD, script, 60).splitlines() == [
        "True True <History of test: ",
        "True True",
        "memory 0 True True",
        "True",
        "True True",
    ]


def test_fork(each_target):
    """Both go on from there, each by itself."""
    script = (
        STATE
        + """
vm = guest(code)
vm.cpu[0].x[1] = 5
vm.run(60_000)
first = state(vm)
s = vm.snapshot()
vm.cpu[0].x[1] = 20
vm.run(60_000)
two = s.fork("two")
print(two.name, state(two) == first, two.memory.size == vm.memory.size, two.running)
two.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
two.cpu[0].x[1] = 3
print(two.run(60_000).reason, two.cpu[0].x[0], vm.cpu[0].x[0])
vm.back(s)
print(state(vm) == first, two.cpu[0].x[0])
two.close()
vm.close()
"""
    )
    assert run(each_target, ROUNDS, script, 60).splitlines() == [
        "two True True False",
        "stop 8 25",
        "True 8",
    ]


def test_forks_share(each_target):
    """What neither has written is there once: read, executed, written by either, by scripts, through breakpoints; a fork's fork."""
    script = (
        STATE
        + """
vm = guest(code, ram="64M")
vm.cpu[0].x[1] = 5
vm.run(60_000)
for at in range(0x4100_0000, 0x4300_0000, 0x1_0000):
    vm.memory[at] = 7
s = vm.snapshot()
first, free = state(vm), hv.mem()[0]
two = s.fork("two")
print(free - hv.mem()[0] < 2_000_000)
def go(vm, n):
    vm.cpu[0].x[1] = n
    return vm.run(60_000).reason, vm.cpu[0].x[0]
for v in (vm, two):
    v.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
print(go(vm, 20), go(two, 3), go(vm, 1), go(two, 1))     # both write the same pages
print(vm.memory[0x4020_8000], two.memory[0x4020_8000], vm.memory[0x4020_a000], two.memory[0x4020_a000])
print(free - hv.mem()[0] < 2_000_000)
# Of what is planted in the one, the other executes nothing.
b = vm.on(0x4008_0008, f=lambda cpu: None)
two.cpu[0].pc = vm.cpu[0].pc = 0x4008_0000
print(go(vm, 1), go(two, 1), b.hits)
b.remove()
s2 = two.snapshot()
two.memory[0x4100_0000] = 9
vm.memory[0x4101_0000] = 8
three = s2.fork("three")
three.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
print([v.memory[0x4100_0000] for v in (vm, two, three)], [v.memory[0x4101_0000] for v in (vm, two, three)])
print(go(three, 4), go(two, 1), go(vm, 1))
two.back(s2)
vm.back(s)
print(state(vm) == first, go(two, 1), go(three, 1), two.memory[0x4100_0000])
three.stage2.map(0x8000_0000, None, 0x2_0000)
three.memory[0x8001_0000] = 3
three.stage2.protect(0x4103_0000, 0x1000, "rw")
print(three.memory[0x8001_0000], three.stage2.translate(0x4103_0000) != vm.stage2.translate(0x4103_0000), three.memory[0x4103_0000])
print([hex(v.memory.find(b"\\x07", 0x4200_0001, 0x4204_0000)) for v in (vm, two, three)])
try:
    two.memory.find(b"\\x05", 0x4100_0000)
except MemoryError as e:
    print(e)
view = two.memory.view(0x4104_0000, 8)
s.drop()
s2.drop()
vm.close()
print(view[0], go(two, 2), go(three, 2), three.memory[0x4105_0000])
two.close()
print(view[0], go(three, 2), three.memory[0x4106_0000], three.memory[0x4020_5000] != 0)
three._vm.reset()
print(three.memory[0x4107_0000], three.memory[0x4020_5000], three.memory[0x4300_0000])
three.close()
"""
    )
    lines = run(each_target, ROUNDS, script, 60).splitlines()
    assert lines.pop(10).startswith("no room for a fork's own pages of 49152 KB: ")
    assert lines == [
        "True",
        "('stop', 25) ('stop', 8) ('stop', 26) ('stop', 9)",
        "24 8 26 0",
        "True",
        "('stop', 27) ('stop', 10) 1",
        "[7, 9, 7] [8, 7, 7]",
        "('stop', 14) ('stop', 11) ('stop', 28)",
        "True ('stop', 11) ('stop', 15) 7",
        "3 True 7",
        "['0x42010000', '0x42010000', '0x42010000']",
        "7 ('stop', 13) ('stop', 17) 7",
        "7 ('stop', 19) 7 True",
        "0 0 0",
    ]


def test_forks_leak_nothing(target):
    """Whichever goes first, and whether snapshots have been dropped before or not."""
    script = """
import gc
vm = guest(code, ram="16M")
vm.cpu[0].x[1] = 20
vm.run(60_000)
def turn(order, drop, deep):
    vm = hv.VM("a", "16M")
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    vm.cpu[0].reset(0x4008_0000)
    vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
    vm.cpu[0].x[1] = 20
    vm.run(60_000)
    s = vm.snapshot()
    two = s.fork()
    s2 = (two if deep else vm).snapshot()
    three = s2.fork()
    vms = [vm, two, three]
    for v in vms:
        v.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
        v.cpu[0].x[1] = 9
    for v in vms:
        v.run(60_000)
    if drop:
        s.drop()
        s2.drop()
    for i in order:
        vms[i].close()
        for v in vms:
            if not v._vm.closed:
                v.cpu[0].x[1] = 3
                assert v.run(60_000).reason == "stop" and v.memory[0x4020_3000]
turn((0, 1, 2), True, True)
gc.collect()
free = hv.mem()[0]
for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
    for drop in (False, True):
        for deep in (False, True):
            turn(order, drop, deep)
gc.collect()
print(hv.mem()[0] - free)
"""
    assert run(target, ROUNDS, script, 120).splitlines() == ["0"]


def test_core(target, tmp_path):
    """gdb opens it: registers of each vCPU, memory, and a backtrace."""
    script = """
import binascii
from hv import core
class File:
    def __init__(self): self.data = []
    def write(self, data): self.data.append(bytes(data)); return len(data)
vm = guest(code, cpus=2)
vm.cpu[0].x[1] = 5
vm.run(60_000)
vm.cpu[1].x[3] = 0x1234
f = File()
size = core._write(vm, f, None)
print(size == sum([len(d) for d in f.data]))
for d in f.data:
    for at in range(0, len(d), 4096):
        print(binascii.hexlify(d[at : at + 4096]).decode())
try:
    vm.core("/nowhere/core")
except OSError as e:
    print("raised")
"""
    lines = run(target, ROUNDS, script, 60).splitlines()
    assert lines[0] == "True" and lines[-1] == "raised"
    file = tmp_path / "core"
    file.write_bytes(bytes.fromhex("".join(lines[1:-1])))
    command = [
        "gdb-multiarch",
        "-nx",
        "-batch",
        "-ex",
        "set architecture aarch64",
        "-ex",
        f"core-file {file}",
    ]
    command += [
        "-ex",
        "info threads",
        "-ex",
        "p/x $x0",
        "-ex",
        "p/x $pc",
        "-ex",
        "p/x $v0.d.u",
        "-ex",
        "x/2gx 0x40201000",
    ]
    command += ["-ex", "thread apply all p/x $x3"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    for what in (
        "LWP 1",
        "LWP 2",
        "$1 = 0x5",
        "$3 = {0x5, 0x5}",
        "0x40201000:\t0x0000000000000001",
        "= 0x1234",
    ):
        assert what in said, said
