# SPDX-License-Identifier: MIT
"""vm.snapshot() and vm.back(): all that a guest can tell of its machine goes back, and what was set up around it stays."""

from guestcode import built, run

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


# It runs on all the while. At its end it goes back once more, and comes there again.
WHILE_IT_RUNS = """
import time
vm = guest(code, ram="16M", cpus={cpus})
vm.cpu[0].x[0] = {x0}
vm.start()
rounds = 0
while vm.running:
    time.sleep_ms(7)
    if not vm.running:
        break
    s = vm.snapshot()
    time.sleep_ms(5)
    if not vm.running:
        print(vm.exit.reason, vm.console.read())
        vm.back(s)
        vm.start()
        while vm.running:
            time.sleep_ms(5)
        break
    vm.back(s)
    rounds += 1
    s.drop()
print(rounds > 5, vm.exit.reason, vm.console.read())
"""


def test_interrupts_timers_and_sleepers_of_four_vcpus(each_target):
    """guests/storm counts what it is sent and what its timers do: nothing is lost, nothing comes twice."""
    script = WHILE_IT_RUNS.format(cpus=4, x0=500 | 500 << 32)
    text = run(each_target, built("storm"), script, 100)
    assert text.splitlines()[-1].endswith("off b'storm: 4 cpus, 1000 rounds, 0 wrong\\r\\n'"), text
    assert "wrong" in text and "True" in text.splitlines()[-1]


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
