# SPDX-License-Identifier: MIT
"""Virtio devices of guests, seen by a driver: registers, queues, bad drivers, devices in Python."""

import pytest
from guestcode import link, run
from virtiodriver import CODE
from virtiodriver import SCRIPT as DRIVER

REVERSE = """
class Reverse(Device):
    id, features, config = 42, 1 << 5 | 1 << 9, b"configured"
    count = resets = 0
    def request(self, queue, r):
        self.count += 1
        data = r.read()
        r.write(bytes(reversed(data)))
    def reset(self):
        self.resets += 1
"""


@pytest.fixture
def driver(target):
    """driver(script): runs a script on the target that has the Driver and a `vm` for it."""

    def start(script, seconds=30, target=target):
        return run(target, CODE, f"{DRIVER}{REVERSE}vm = guest(code)\n{script}", seconds)

    return start


def test_empty_slots_say_that_they_are(driver):
    """Every slot has a magic number, a version and no device; nothing else is in it."""
    script = """
for slot in range(32):
    d = Driver(vm, slot)
    assert (d.get(0), d.get(4), d.get(8)) == (0x74726976, 2, 0), slot
d.put(0x70, 3)
d.put(0x50, 0)
print(d.get(0x70), d.get(0x34), d.get(0x100), d.byte(0x101), d.byte(0), hex(d.get(0x0c)))
"""
    assert driver(script) == "0 0 0 0 0 0x554d4551\n"


@pytest.mark.parametrize("legacy", [False, True])
def test_a_device_in_a_few_lines_of_python(driver, legacy):
    """Negotiation, a request through a queue, the interrupt and its acknowledgement; reset."""
    script = f"""
device = vm.virtio(Reverse(legacy={legacy}))
d = Driver(vm).start()
print(d.get(4), d.get(8), hex(d.features()), d.get(0x70), d.get(0x34), device.port.status)
print(d.byte(0x100), hex(d.get(0x100)), d.get(0x108))
print(d.get(0x60), d.ask(0, b"stressed", 20), d.used(0), d.get(0x60))
pending = lambda: Driver(vm).get(0x0800_0204 - 0x0A00_0000) >> 16 & 1
print(pending())
d.put(0x64, 1)
print(d.get(0x60), pending())
print(d.ask(0, b"a man", b", a plan", 3, 12), d.used(0))
d.put(0x70, 0)
print(d.get(0x70), d.get(0x60), device.resets >= 1)
d.start()
print(d.ask(0, b"again", 5), device.port.fault)
"""
    features = "0x10000220" if legacy else "0x110000220"
    assert driver(script).splitlines() == [
        f"{1 if legacy else 2} 42 {features} 15 256 15",
        "99 0x666e6f63 0",
        "0 [b'desserts\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'] [(0, 8)] 1",
        "1",
        "0 0",
        "[b'nal', b'p a ,nam a\\x00\\x00'] [(0, 13)]",
        "0 0 True",
        "[b'niaga'] None",
    ]


def test_rng(driver):
    script = """
vm.rng()
d = Driver(vm).start()
one, = d.ask(0, 64)
two, = d.ask(0, 64)
print(len(set(one)) > 30, one != two, d.used(0))
"""
    assert driver(script) == "True True [(0, 64), (0, 64)]\n"


def test_indirect_descriptors(driver):
    """A chain in a table of its own, and one that goes on there."""
    script = """
vm.virtio(Reverse())
d = Driver(vm).start()
vm.memory[BUFFERS:BUFFERS + 6] = b"tables"
table = BUFFERS + 0x1000
vm.memory[table:table + 32] = struct.pack("<QIHHQIHH", BUFFERS + 3, 3, NEXT, 1, BUFFERS + 64, 6, WRITE, 0)
d.describe(0, 0, BUFFERS, 3, NEXT, 1)
d.describe(0, 1, table, 32, INDIRECT)
d.offer(0, 0)
print(d.used(0), vm.memory[BUFFERS + 64:BUFFERS + 70])
"""
    assert driver(script) == "[(0, 6)] b'selbat'\n"


@pytest.mark.parametrize(
    "what, fault",
    [
        ("d.describe(0, 0, 0x1000, 4)", "not all RAM"),
        ("d.describe(0, 0, (1 << 64) - 2, 4)", "not all RAM"),
        ("d.describe(0, 0, 0x403f_fffe, 4)", "not all RAM"),
        ("d.describe(0, 0, 0x4000_0000, 0xffff_ffff)", "more than 256 MB"),
        ("d.describe(0, 0, BUFFERS, 4, NEXT, 0)", "too many descriptors"),
        ("d.describe(0, 0, BUFFERS, 0, NEXT, 0)", "without an end"),
        ("d.describe(0, 0, BUFFERS, 4, NEXT, 8)", "not in the table"),
        ("head = 8", "not in the table"),
        ("head = 0xffff", "not in the table"),
        ("d.rings[0][3] = 8", "too far ahead"),
        ("d.describe(0, 0, BUFFERS, 16, INDIRECT)\nvm.memory[BUFFERS + 12] = INDIRECT", "bad indirect"),
        ("d.describe(0, 0, BUFFERS, 15, INDIRECT)", "bad indirect"),
        ("d.describe(0, 0, 0x1000, 16, INDIRECT)", "bad indirect"),
        ("d.describe(0, 0, BUFFERS, 16, INDIRECT | NEXT)", "bad indirect"),
        ("d.describe(0, 0, BUFFERS, 4, WRITE | NEXT, 1)\nd.describe(0, 1, BUFFERS, 4)", "to be read behind"),
        ("d.put(0x44, 0); d.put(0x38, 3); d.put(0x44, 1)", "1 to 256"),
        ("d.put(0x44, 0); d.put(0x38, 512); d.put(0x44, 1)", "1 to 256"),
        ("d.put(0x44, 0); d.put(0x84, 1); d.put(0x44, 1)", "not all in RAM"),
        ("d.put(0x44, 0); d.put(0x90, 0x4010_0001); d.put(0x44, 1)", "not aligned"),
    ],
)  # fmt: skip
def test_a_bad_driver_must_reset_the_device(driver, what, fault):
    """It is told so by status and interrupt; nothing more is done for it before that, but then is."""
    script = f"""
device = vm.virtio(Reverse())
d = Driver(vm).start()
head = 0
d.describe(0, 0, BUFFERS, 4)
{what}
d.offer(0, head)
print(d.get(0x70), d.get(0x60) & 2, d.used(0))
print(device.port.fault)
d.put(0x70, 15)
d.offer(0, 0)
print(d.get(0x70), d.used(0))
d.start()
print(d.get(0x70), d.ask(0, b"good", 4), device.port.fault)
"""
    lines = driver(script).splitlines()
    assert fault in lines.pop(1)
    assert lines == ["79 2 []", "79 []", "15 [b'doog'] None"]


def test_features_that_were_not_offered_are_refused(driver):
    """FEATURES_OK does not stay: with one too many, or without VERSION_1 on the modern transport."""
    script = """
vm.virtio(Reverse())
d = Driver(vm)
print(d.begin(1 << 32 | 1), d.begin(1 << 5), d.begin(1 << 63 | 1 << 32), d.begin(1 << 32 | 1 << 9))
"""
    assert driver(script) == "3 3 3 11\n"


def test_a_device_that_raises(driver):
    """Its traceback is printed and the driver has to reset it; others go on."""
    script = """
class Bad(Device):
    id = 43
    def request(self, queue, r):
        raise ValueError("no good")
vm.virtio(Bad())
vm.rng()
d = Driver(vm).start()
d.ask(0, 4)
print(d.get(0x70), d.used(0), len(Driver(vm, 1).start().ask(0, 8)[0]))
"""
    out = driver(script)
    assert "ValueError: no good\n" in out and out.endswith("79 [] 8\n")


def test_requests_kept_and_given_back_later(driver):
    """A device may answer when it likes, in any order, but not across a reset, nor after the VM."""
    script = """
class Slow(Device):
    id, queues, passive = 44, 3, 1 << 2
    told = 0
    def __init__(self):
        super().__init__()
        self.kept = []
    def request(self, queue, r):
        self.kept.append(r)
        return True
    def ready(self, queue):
        self.told += 1
s = vm.virtio(Slow())
d = Driver(vm).start(3)
for i in range(3):
    d.describe(1, i, BUFFERS + 8 * i, 8, WRITE)
    d.offer(1, i)
print(d.used(1), [r.writable for r in s.kept])
for i in 2, 0:
    s.kept[i].write(bytes([48 + i]) * i)
    s.kept[i].done()
    s.kept[i].done()
print(d.used(1), vm.memory[BUFFERS + 16:BUFFERS + 19], d.get(0x60))
d.describe(2, 0, BUFFERS, 4)
vm.memory[BUFFERS:BUFFERS + 4] = b"here"
d.offer(2, 0)
r = s.pop(2)
print(s.told >= 1, s.pop(2), s.pop(7), [bytes(view) for view in r.data()], r.read())
d.start(3)
s.kept[1].done()
r.done()
print(d.used(1), d.used(2))
vm.close()
for act in s.kept[1].done, s.kept[1].read, lambda: s.pop(0), lambda: r.write(b""), lambda: s.kept[1].room():
    try:
        print(act())
    except ValueError as e:
        print(e)
"""
    lines = driver(script).splitlines()
    assert lines[:5] == [
        "[] [8, 8, 8]",
        "[(2, 2), (0, 0)] b'22\\x00' 1",
        "True None None [b'here'] b''",
        "[] []",
        "None",
    ]
    assert lines[5:] == ["b''", "this VM has been closed", "0", "this VM has been closed"]


def test_plugging_in(driver):
    """Slots are given in order or chosen; what cannot be says so; the device tree tells the guest."""
    script = """
a = vm.virtio(Reverse(), slot=3)
b, c = vm.rng(), vm.rng()
print(a.port.slot, b.port.slot, c.port.slot)
class Huge(Device):
    config = bytes(257)
class Many(Device):
    queues = 9
for act in (lambda: vm.virtio(a), lambda: vm.virtio(Huge()), lambda: vm.virtio(Many()),
            lambda: vm.virtio(Reverse(), slot=3), lambda: vm.virtio(Reverse(), slot=32)):
    try:
        act()
    except ValueError as e:
        print(e)
tree = vm.device_tree()
print([path for path, node in tree.compatible("virtio,mmio")])
print([tree.reg(path)[0] for path, node in tree.compatible("virtio,mmio")][2] == (0x0A00_0600, 512))
a.port.configure(b"new")
d = Driver(vm, 3).start()
print(d.byte(0x100), d.get(0xFC), d.get(0x60))
a.port.configure(b"more")
print(hex(d.get(0x100)), d.get(0xFC), d.get(0x60))
"""
    assert driver(script).splitlines() == [
        "3 0 1",
        "this virtio device is in a VM already",
        "a virtio device has at most 256 bytes of configuration",
        "virtio slot 2 with 9 queues: a free one of 0 to 31, 1 to 8 queues",
        "virtio slot 3 with 1 queues: a free one of 0 to 31, 1 to 8 queues",
        "virtio slot 32 with 1 queues: a free one of 0 to 31, 1 to 8 queues",
        "['/virtio_mmio@a000000', '/virtio_mmio@a000200', '/virtio_mmio@a000600']",
        "True",
        "110 2 0",
        "0x65726f6d 3 2",
    ]


FUZZ = """
import random
def wild(small):
    pick = random.getrandbits(3)
    return (random.getrandbits(8) % small, RINGS + 16 * random.getrandbits(8), random.getrandbits(32),
            BUFFERS + random.getrandbits(12), 0, 0x403f_fff0, random.getrandbits(16), random.getrandbits(4))[pick]

def scribble(d):
    desc, avail, used = d.rings[0][:3]
    for i in range(d.num):
        at = BUFFERS + random.getrandbits(14)
        if random.getrandbits(3) == 0:
            at = wild(256) | random.getrandbits(32) << 32 * random.getrandbits(1)
        size = (random.getrandbits(12), 16 * random.getrandbits(4), 0, random.getrandbits(32))[random.getrandbits(3) % 4]
        flags = random.choice((0, NEXT, NEXT, WRITE, WRITE, NEXT | WRITE, INDIRECT, random.getrandbits(3)))
        d.describe(0, i, at, size, flags, random.getrandbits(4) % (d.num + 1))
    table = b"".join(struct.pack("<QIHH", BUFFERS + random.getrandbits(14), random.getrandbits(10), random.getrandbits(2),
                                 random.getrandbits(2)) for i in range(16))
    vm.memory[BUFFERS:BUFFERS + 256] = table
    for i in range(d.num):
        vm.memory[avail + 4 + 2 * i:avail + 6 + 2 * i] = struct.pack("<H", random.getrandbits(4) % (d.num + 1))
    step = random.getrandbits(3) if random.getrandbits(3) else random.getrandbits(16)
    index = struct.unpack("<H", vm.memory[avail + 2:avail + 4])[0] + step & 0xFFFF
    vm.memory[avail + 2:avail + 4] = struct.pack("<H", index)

random.seed({seed})
other = hv.VM("bystander", ram="1M")
other.memory[0x4000_0000:0x4010_0000] = b"\\xA5" * 0x10_0000
device = vm.virtio(Reverse(legacy={legacy}))
d = Driver(vm)
d.start()
faults = set()
for i in range({rounds}):
    if d.get(0x70) & 64 or random.getrandbits(4) == 0:
        faults.add(device.port.fault)
        d.start()
    scribble(d)
    if random.getrandbits(3) == 0:
        for j in range(4):
            at = random.choice((0x20, 0x24, 0x28, 0x30, 0x38, 0x3c, 0x40, 0x44, 0x64, 0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4))
            d.put(at, wild(16))
    d.put(0x50, 0)
print(len(faults) > 3, device.count > 50)
print(other.memory[0x4000_0000:0x4010_0000] == b"\\xA5" * 0x10_0000)
print(d.start().ask(0, b"still works", 11), device.port.fault)
"""


@pytest.mark.parametrize("legacy", [False, True])
def test_random_rings_and_registers_harm_nobody(driver, legacy):
    script = FUZZ.format(seed=7 + legacy, legacy=legacy, rounds=400)
    assert driver(script, 90) == "True True\nTrue\n[b'skrow llits'] None\n"


STORM = """
// Two vCPUs: one sets the device up and kicks it, without end, the other writes rubbish over the rings.
storm:
    mrs x9, mpidr_el1
    and x9, x9, #3
    cbnz x9, 2f
    ldr x20, =0x0a000000
    ldr x0, =0xC4000003             // CPU_ON of the other one, here
    mov x1, #1
    adr x2, storm
    hvc #0
1:  adr x2, setup
5:  ldp w0, w1, [x2], #8
    str w1, [x20, x0]
    cbnz w0, 5b
    mov x3, #200
6:  str wzr, [x20, #0x50]
    subs x3, x3, #1
    b.ne 6b
    add x21, x21, #1
    b 1b
setup:
    .word 0x70, 0, 0x70, 3, 0x24, 1, 0x20, 1, 0x70, 11, 0x38, 8, 0x80, 0x40100000, 0x90, 0x40101000
    .word 0xa0, 0x40102000, 0x44, 1, 0x70, 15, 0, 0
2:  ldr x20, =0x40100000
    adr x4, words
    ldr x1, =88172645463325252
3:  eor x1, x1, x1, lsl #13
    eor x1, x1, x1, lsr #7
    eor x1, x1, x1, lsl #17
    and x2, x1, #0xf8
    and x3, x1, #0x1000
    add x2, x2, x3
    ubfx x3, x1, #20, #3
    ldr x3, [x4, x3, lsl #3]
    str x3, [x20, x2]
    b 3b
words:
    .quad 0x40180000, 0x0001000100000010, 0x0000000200000020, 0x00030000, 0x0001000000050000, 0x403ffff8, -1, 0
"""


def test_a_guest_that_kicks_and_scribbles_without_end(each_target):
    """On cores of its own or the only one: the prompt answers, and the guest can be stopped."""
    script = f"""{DRIVER}{REVERSE}
import time
vm = guest(code, cpus=2)
device = vm.virtio(Reverse())
d = Driver(vm).start()
vm.cpu[0].pc = storm
turns = 0
while turns < 6000:  # until the guest, which may have to wait for the host, has gone round
    vm.start()
    for _ in range(10):
        time.sleep_ms(10)
        turns += 1
    paused = vm.pause()
    if vm.cpu[0].x[21] > 1 and device.resets > 1:
        break
print(turns > 1, paused, vm.cpu[0].x[21] > 1, device.resets > 1)
"""
    source = CODE + STORM
    out = run(each_target, source, script, 60, storm=link(source)[1]["storm"])
    assert out == "True True True True\n"
    assert each_target.repl("6 * 7") == "42"


STUCK = """
import time
class Stuck(Reverse):
    stuck = True
    def request(self, queue, r):
        print("asked")
        while self.stuck:
            pass
        super().request(queue, r)
device = vm.virtio(Stuck())
d = Driver(vm).start()
vm.memory[BUFFERS:BUFFERS + 4] = b"live"
d.describe(0, 0, BUFFERS, 4, NEXT, 1)
d.describe(0, 1, BUFFERS + 8, 4, WRITE)
d.offer(0, 0, kick=False)
x = vm.cpu[0].x
x[0], x[1], x[2] = 1, 0x0A00_0050, 0
"""


def test_ctrl_c_while_a_device_works(driver, target):
    """It ends the run in the foreground, not the request, which is asked again by the next run."""
    driver(STUCK)
    target.send(b"vm.run()\r")
    target.until("asked\n")
    assert "KeyboardInterrupt" in target.interrupt()
    assert target.repl("d.used(0)") == "[]"
    target.repl("Stuck.stuck = False")
    assert target.repl("vm.run().reason") == "asked\n'stop'"
    assert target.repl("d.used(0), vm.memory[BUFFERS + 8:BUFFERS + 12]") == "([(0, 4)], b'evil')"


def test_ctrl_c_at_a_device_of_a_guest_in_the_background(driver, target):
    """The request is asked again at once; the second Ctrl-C stops the guest, which can go on later.

    It runs on beside the request, and must not have ended before: what is asked of one that stands still waits.
    """
    driver(STUCK + "x[3] = 1\n")
    target.send(b"vm.start()\r")
    target.until("asked\n")
    target.send(b"\x03")
    target.until("asked\n")
    target.interrupt()
    target.exec("while vm.running:\n    time.sleep_ms(10)", seconds=30)
    assert target.repl("d.used(0)") == "[]"
    target.repl("Stuck.stuck = False; x[3] = 0")
    assert target.repl("vm.run().reason") == "asked\n'stop'"
    assert target.repl("d.used(0)") == "[(0, 4)]"


def test_a_device_that_ends_its_vm(driver):
    """Paused or closed from inside a request, as by anyone else."""
    script = """
import time
class Last(Device):
    id = 45
    def request(self, queue, r):
        print("asked")
        self.end()
        self.asked = True
device = vm.virtio(Last())
d = Driver(vm).start()
d.describe(0, 0, BUFFERS, 4)
def kick():
    d.offer(0, 0, kick=False)
    x = vm.cpu[0].x
    x[0], x[1], x[2], x[3] = 1, 0x0A00_0050, 0, 1
    device.asked = False
    vm.start()                  # it must not have ended before it is served
    while not device.asked:
        time.sleep_ms(1)
device.end = vm.pause
kick()
vm.cpu[0].x[3] = 0
print(vm.running, d.used(0), vm.run().reason)
device.end = vm.close
kick()
print(vm)
"""
    assert driver(script) == "asked\nFalse [(0, 0)] stop\nasked\n<VM test: closed>\n"


def test_reset_of_the_vm(driver):
    """The devices begin anew with it; what was kept of before is void."""
    script = """
device = vm.virtio(Reverse())
d = Driver(vm).start()
d.ask(0, b"before", 6)
vm.reset()
print(device.port.status)
vm.memory[0x4008_0000:0x4008_0000 + len(code)] = code
vm.cpu[0].reset(0x4008_0000)
resets = device.resets
d = Driver(vm)
print(d.get(0x70), d.get(0x60), d.start().ask(0, b"after", 5), device.resets > resets)
"""
    assert driver(script) == "0\n0 0 [b'retfa'] True\n"


def test_a_second_reason_is_an_edge_of_its_own(driver):
    """The configuration changes while the driver looks at a queue's interrupt: it acknowledges that one, and the
    other would never be seen on a line of edges, as the device tree says it is.
    """
    script = """
device = vm.virtio(Reverse())
d = Driver(vm).start()
irq = vm.irq(48)
irq.watch()
d.ask(0, b"abc", 3)
print(irq.hits, d.get(0x60))
device.port.configure(b"changed")
print(irq.hits, d.get(0x60))
d.put(0x64, 1)
print(irq.hits, d.get(0x60), irq.level)
d.put(0x64, 1)
print(irq.hits, d.get(0x60), irq.level)
d.put(0x64, 2)
print(irq.hits, d.get(0x60), irq.level)
"""
    assert driver(script).splitlines() == ["1 1", "1 3", "2 2 True", "2 2 True", "2 0 False"]


def test_tracebacks_that_a_driver_provokes_are_counted(driver):
    """A device that raises each time, reset in a loop by its driver: one traceback, not a flood."""
    script = """
class Raises(Device):
    id = 43
    def request(self, queue, r):
        raise ValueError("again")
device = vm.virtio(Raises())
for i in range(20):
    d = Driver(vm).start()
    d.ask(0, b"x", 4)
    assert device.port.fault
print("end")
"""
    said = driver(script)
    assert said.count("Traceback") == 1 and said.endswith("end\n")


def test_a_request_that_takes_several_turns(driver):
    """A generator: what it yields is nothing, and the request is given back at its end; a reset drops it."""
    script = """
import time
class Slow(Device):
    id, queues = 44, 2
    steps = []
    def request(self, queue, r):
        if queue == 1:
            self.steps.append("other")
            return
        while r.readable:
            self.steps.append(len(r.read(4)))
            time.sleep_ms(3)
            yield
        r.write(b"done")
device = vm.virtio(Slow())
d = Driver(vm).start(2)
print(d.ask(0, bytes(10), 4), d.used(0), device.steps)
"""
    assert driver(script) == "[b'done'] [(0, 4)] [4, 4, 2]\n"
