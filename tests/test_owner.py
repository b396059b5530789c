# SPDX-License-Identifier: MIT
"""Memory has an owner: what Python can reach of native memory stays; a collection changes nothing; and a VM may be
closed from wherever Python runs.
"""

import re
from pathlib import Path

import pytest
from guestcode import run
from harness import ROOT
from test_virtio_devices import DISK
from virtiodriver import CODE
from virtiodriver import SCRIPT as DRIVER

DRIVEN = f"{DRIVER}{DISK}vm = guest(code)\n"

# Takes what has been freed, and says so in it: who still uses it reads "stolen!!".
STEAL = """
import gc
from _hv import Pages
def steal():
    "Collect; then have all memory that is free given to somebody else."
    gc.collect()
    kept = []
    while True:
        size = hv.mem()[2]
        if size < 1 << 16:
            return kept
        view = memoryview(Pages(size))
        for at in range(0, size, 1 << 16):
            view[at:at + 8][:] = b"stolen!!"  # in two steps: in one, MicroPython moves the rest as well
        kept.append(view)
"""


def on(target, script, seconds=60):
    return run(target, CODE, DRIVEN + STEAL + script, seconds).splitlines()


def test_disks_survive_collections(each_target):
    """RAM disks and cow disks keep their memory, whoever else wants it; only what is free is given away."""
    script = """
free = hv.mem()[0]
vm.block(8 << 20)
vm.block(bytes(300000), cow=True)
vm.block(bytearray(65536))
kept = None
print(free - hv.mem()[0] >= 8 << 20)
drivers = []
for slot in range(3):
    d = Driver(vm, slot).start()
    drivers.append(d)
    print(write(d, 3, sectors(slot, 2)), write(d, 127, sectors(9)))
kept = steal()
print(free - hv.mem()[0] >= 8 << 20)
for slot in range(3):
    d = drivers[slot]
    print(read(d, 3, 1000, 24)[0] == sectors(slot, 2), read(d, 127, 512)[0] == sectors(9), read(d, 5, 512)[0] == bytes(512))
    print(write(d, 60, b"odd", sectors(4)[3:] + sectors(7, 9)), read(d, 61, 512)[0] == sectors(7))
for view in kept:
    if any([view[at:at + 8] != b"stolen!!" for at in range(0, len(view), 1 << 16)]):
        print("a disk wrote into memory that is not its own")
"""
    assert on(each_target, script) == [
        "True",
        *["0 0"] * 3,
        "True",
        *["True True True", "0 True"] * 3,
    ]


def test_disk_during_collections(each_target):
    """A handler that allocates as a guest makes it to: disks are read and written while collections come by themselves."""
    script = """
disk = vm.block(2 << 20)
cow = vm.block(bytes(1 << 20), cow=True)
one, two = Driver(vm, 0).start(), Driver(vm, 1).start()
bad = 0
for n in range(60):
    gc.collect() if n % 3 == 0 else None
    waste = [bytes(1000) for _ in range(100)]
    thief = memoryview(Pages(1 << 16))
    thief[:] = b"!" * (1 << 16)
    for d in one, two:
        bad += write(d, 30 * n % 2000, sectors(n, 4))
        bad += read(d, 30 * n % 2000, 2048)[0] != sectors(n, 4)
for n in range(45, 60):
    for d in one, two:
        bad += read(d, 30 * n % 2000, 2048)[0] != sectors(n, 4)
print(bad)
"""
    assert on(each_target, script, 90) == ["0"]


def test_requests_do_not_lose_their_memory(target):
    """A device that collects, and takes all memory that is free, in the middle of its work."""
    script = """
class Thief(Device):
    id = 42
    def request(self, queue, r):
        data, room = r.data(), r.room()
        kept = steal()
        room[0][:] = bytes(reversed(bytes(data[0])))
        self.seen = data, room
thief = vm.virtio(Thief())
d = Driver(vm).start()
print(d.ask(0, b"abcdef", 6))
data, room = thief.seen
vm.close()
kept = steal()
print(bytes(data[0]), bytes(room[0]))
room[0][:] = b"stale."
print(any([bytes(view[at:at + 6]) == b"stale." for view in kept for at in range(0, len(view), 4096)]))
"""
    assert on(target, script) == ["[b'fedcba']", "b'abcdef' b'fedcba'", "False"]


VIEWS = """
import gc
def views(memory):
    whole = memoryview(memory)
    return [memory.view(0x4000_0000, 8), whole[:8], memoryview(memory.view(0x4000_0000, 16))[:8]]
"""


def test_views_outlive_their_vm(each_target):
    """A view of a closed VM reads and writes what was that VM's, never what is another's; then the memory comes back."""
    script = """
gc.collect()
# What the parser has freed is taken: a word of its frame, which is there until this script ends, may be an address in it.
taken = [bytearray(100) for _ in range(300)]
before = hv.mem()[0]
def use():
    for i in range(6):
        one = hv.VM(ram="2M")
        one.memory[0x4000_0000:0x4000_0008] = b"of one.."
        v = views(one.memory)[i % 3]
        one.close()
        two = hv.VM(ram="2M")
        two.memory[0x4000_0000:0x4000_0008] = b"of two.."
        print(bytes(v), end=" ")
        v[:] = b"stale!!!"
        print(two.memory[0x4000_0000:0x4000_0008])
        two.close()
use()
gc.collect()
def clear(n):
    a = [n] * 20
    return clear(n - 1) + len(a) if n else 0
clear(20)
gc.collect()
print(before - hv.mem()[0] < 1 << 20)
"""
    lines = run(each_target, "b .", VIEWS + script, 60).splitlines()
    assert lines == [*["b'of one..' b'of two..'"] * 6, "True"]


def test_what_has_lost_its_vm(target):
    """Every object of a VM says so when the VM is gone."""
    script = """
vm = guest(code)
port = vm.block(1 << 20).port
rule = vm.rule("hvc", 5) if False else None
e = vm.run(100)
cpu = vm.cpu[0]
live = cpu.exit
things = {
    "memory": lambda: vm.memory[0x4000_0000], "slice": lambda: vm.memory[0x4000_0000:0x4000_0004],
    "view": lambda: vm.memory.view(0x4000_0000, 4), "buffer": lambda: memoryview(vm.memory),
    "clean": lambda: vm.memory.clean(0x4000_0000, 4), "find": lambda: vm.memory.find(b"x"),
    "pc": lambda: cpu.pc, "x": lambda: xs[0], "q": lambda: qs[0], "sysreg": lambda: regs["VBAR_EL1"],
    "live exit": lambda: live.pc, "el2": lambda: vm.el2["HCR_EL2"], "irq": lambda: irq.enabled,
    "console": lambda: vm.console.any(), "stage2": lambda: vm.stage2.walk(0x4000_0000), "run": lambda: vm.run(1),
    "start": lambda: vm.start(), "pause": lambda: vm.pause(), "attach": lambda: vm._vm.attach(3), "irqs": lambda: vm.irq(33),
    "port": lambda: port.status, "pop": lambda: port.pop(0),
}
xs, qs, regs, irq = cpu.x, cpu.q, cpu.sysreg, vm.irq(33)
vm.close()
for name in sorted(things):
    try:
        print(name, things[name]())
    except ValueError:
        pass
print(e, cpu, irq, vm)
vm.close()
"""
    out = run(target, "b .", script, 60).splitlines()
    assert len(out) == 1 and "closed" in out[0], out


def test_a_cow_disk_has_a_quota(target):
    """Writes beyond the quota fail, with an error of the disk's; what is there stays, and so does others' memory."""
    script = """
disk = vm.block(bytes(1 << 20), cow=True, quota="128K")
big = vm.block(hv.blob(0, 64 << 20) if False else Zero(1 << 32), cow=True)
d = Driver(vm, 0).start()
print(write(d, 0, sectors(1)), write(d, 1000, sectors(2)), write(d, 300, sectors(3)), repr(disk.error))
print(write(d, 1, sectors(4)), read(d, 0, 1024)[0] == sectors(1) + sectors(4), read(d, 300, 512)[0] == bytes(512))
free, total, _ = hv.mem()
d = Driver(vm, 1).start()
n = 0
while write(d, n * 128, b"x" * 512) == 0:
    n += 1
print(n * 65536 <= free // 2 + (1 << 18), n * 65536 > free // 4, hv.mem()[0] > total // 16, read(d, 0, 512)[0] == b"x" * 512)
greedy = [vm.block(Zero(1 << 32), cow=True, quota=1 << 32) for _ in range(2)]
for slot in 2, 3:
    d = Driver(vm, slot).start()
    n = 0
    while write(d, n * 128, b"x" * 512) == 0:
        n += 1
print(hv.mem()[0] >= total // 16, hv.VM("other", ram="1M").memory[0x4000_0000])
"""
    zero = """
class Zero:
    def __init__(self, size):
        self.size = size
    def read(self, at, view):
        view[:] = bytes(len(view))
    write = read
    def sync(self):
        pass
"""
    script = script.replace("hv.blob(0, 64 << 20) if False else ", "")
    assert on(target, zero + script) == [
        "0 0 1 OSError(28,)",
        "0 True True",
        "True True True True",
        "True 0",
    ]


# ---- Closing from anywhere ----------------------------------------------------------------------

# Two VMs that work, and `end`: closes what it may and takes the memory away.
CLOSE = (
    STEAL
    + """
import hv, time
vms = []
def make(name, **more):
    vm = hv.VM(name, ram="1M", **more)
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    vm.cpu[0].reset(0x4008_0000)
    vms.append(vm)
    return vm
said = []
def end():
    for vm in vms:
        try:
            vm.close()
        except RuntimeError as error:
            said.append("own")
    steal()
def wait(what):
    while not what():
        time.sleep_ms(1)
"""
)

GUEST = """
1:  mov w0, #0x77
    movk w0, #0xC600, lsl #16
    hvc #0
    ldr x1, =0x0B000000
    ldr w2, [x1]
    mrs x0, actlr_el1
    b 1b
"""

PLACES = {
    "hvc": "a.hvc(0xC600_0077, lambda cpu: end())",
    "mmio": "a.mmio(0x0B00_0000, 4, lambda cpu, o, v: end() or 0)",
    "sysreg": "a.sysreg('ACTLR_EL1', lambda cpu, v: end() or 0)",
    "exception": "a.exception(0x24, lambda cpu, esr: end() or hv.SKIP)",
    "default": "a.default(lambda cpu, esr: end() or hv.SKIP)",
    "rule": "a.rule('hvc', 0xC600_0077, 'count', nth=2, promote=lambda cpu: end())",
}


@pytest.mark.parametrize("where", PLACES)
def test_closing_in_handlers(each_target, where):
    """A handler closes every VM there is but its own, which says that it cannot be; the machine goes on."""
    script = f"""
a, b, c = make("a"), make("b", cpus=2), make("c")
for v in (b, c) if {where in ("mmio", "exception", "default")} else (a, b, c):
    v.mmio(0x0B00_0000, 4, lambda cpu, o, v: 0)
{PLACES[where]}
b.start()
c.start()
a.start()
wait(lambda: said)
print(said[0], b, c)
a.close()
print(a, hv.VM("new", ram="1M").memory[0x4000_0000])
"""
    got = run(each_target, GUEST, CLOSE + script, 60).splitlines()
    assert got == ["own <VM b: closed> <VM c: closed>", "<VM a: closed> 0"], got


def test_closing_in_a_watch(each_target):
    """The handlers of interrupts that wait close their own VM, the next one and the one before."""
    script = """
asked = []
def watch(irq):
    asked.append(1)
    return end()
for n in range(6):
    for v in make("a"), make("b"), make("c"):
        v.mmio(0x0B00_0000, 4, lambda cpu, o, v: 0)
        v.irq(33).watch(watch)
        v.irq(35).watch(watch)
    for v in vms:
        v.start()
    try:
        for v in vms:
            v.irq(33).pulse()
            v.irq(35).pulse()
    except ValueError:
        pass  # closed by now
    wait(lambda: asked)
    print(*vms, said)
    del vms[:], asked[:]
print(hv.VM("new", ram="1M").memory[0x4000_0000])
"""
    got = run(each_target, GUEST, CLOSE + script, 90).splitlines()
    assert got == ["<VM a: closed> <VM b: closed> <VM c: closed> []"] * 6 + ["0"], got


@pytest.mark.parametrize("method", ["request", "ready", "reset"])
def test_closing_in_virtio(each_target, method):
    """A virtio device's Python closes its own VM and the others, and the device is asked no more."""
    script = f"""
other = hv.VM("other", ram="1M")
asked = []
class Last(Device):
    id, queues, passive = 42, 2, 2
    def {method}(self, *args):
        asked.append(1)
        vm.close()
        other.close()
        self.kept = steal()
device = vm.virtio(Last())
vm.virtio(Device())
try:
    d = Driver(vm).start(2)
    d.ask(0, b"x", 8)
    d.ask(1, b"x", 8)
    d.put(0x70, 0)
    import time
    time.sleep_ms(50)
    print("no error")
except ValueError as error:
    print(error)
print(len(asked), vm, other, device.kept and 1)
"""
    got = on(each_target, script)
    assert got[1:] == ["1 <VM test: closed> <VM other: closed> 1"] and "closed" in got[0], got


def test_closing_what_is_waited_for(each_target):
    """run(), attach() and pause() say so when what runs meanwhile closes their VM; a deadline too is forgotten."""
    script = """
import machine, micropython
def later(vm):
    return machine.Timer(-1, mode=machine.Timer.ONE_SHOT, period=20, callback=lambda t: end())
for way in "run", "deadline", "attach", "start":
    v = make(way)
    v.mmio(0x0B00_0000, 4, lambda cpu, o, v: 0)
    timer = later(v)
    try:
        if way == "run":
            v.run()
        elif way == "deadline":
            v.run(2000)
        elif way == "attach":
            v.attach()
        else:
            v.start()
            wait(lambda: v._vm.closed)
            v.pause()
    except ValueError as error:
        print(way, error, v)
v = make("a")
v.mmio(0x0B00_0000, 4, lambda cpu, o, v: 0)
v.start()
micropython.schedule(lambda x: end(), 0)
try:
    v.pause()
except ValueError:
    pass
print("paused")
time.sleep_ms(2100)
print(hv.VM("new", ram="1M").memory[0x4000_0000])
"""
    got = run(each_target, GUEST, CLOSE + script, 90).splitlines()
    closed = "this VM has been closed"
    ways = [f"{way} {closed} <VM {way}: closed>" for way in ("run", "deadline", "attach", "start")]
    assert got == [*ways, "paused", "0"], got


def test_closing_at_the_end_of_another(each_target):
    """What is told of a VM's end (_ended, a traceback on a console of Python's) closes it, and others."""
    script = """
import os, io
class Screen(io.IOBase):
    def write(self, data):
        if b"Traceback" in bytes(data):
            shown.append(bytes(data))
            end()
        return len(data)
    def readinto(self, buf):
        return None
shown = []
class Mine(hv.VM):
    def _ended(self, exit):
        end()
        print(exit.reason, exit.cpu, self)
a = Mine("mine", ram="1M")
vms.append(a)
a.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
a.cpu[0].reset(0x4008_0000)
b = make("b")
a.start()
wait(lambda: a._vm.closed)
print(b)
b = make("raises")
b.hvc(0xC600_0077, lambda cpu: 1 // 0)
os.dupterm(Screen())
b.start()
wait(lambda: b._vm.closed)
os.dupterm(None)
print(len(shown) > 0, b)
"""
    got = run(each_target, GUEST, CLOSE + script, 90).splitlines()
    assert got[0] == "mmio <VCPU closed> <VM mine: closed>", got
    assert got[1] == "<VM b: closed>" and got[-1] == "True <VM raises: closed>", got


def test_closing_while_arguments_are_looked_at(target):
    """No Python runs while C takes its arguments: not of numbers, not of flags, not of registers' names."""
    script = """
class Number:
    def __int__(self):
        end()
        return 1
    __index__ = __bool__ = __len__ = __int__
    enc = property(__int__)
n = Number()
v = make("v")
irq, cpu, x = v.irq(33), v.cpu[0], v.cpu[0].x
calls = [
    lambda: v.irq(n), lambda: v.irq(33, n), lambda: irq.set(n), lambda: irq.watch(None, n), lambda: irq.forward(n),
    lambda: v.memory[n], lambda: v.memory[n:], lambda: v.memory.view(n, n), lambda: v.memory.find(b"a", n),
    lambda: cpu.x[n], lambda: cpu.sysreg[n], lambda: v.el2[n], lambda: cpu.reset(n), lambda: cpu.translate(0, n),
    lambda: cpu.inject("abort", n), lambda: v._vm.stage2("map", 0, 4096, None, n, n), lambda: v._vm.flash(n, n),
    lambda: v._vm.mmio(n, n, print), lambda: v._vm.hook("hvc", n, print), lambda: v._vm.attach(n), lambda: v.run(n),
    lambda: v._vm.virtio(n, 1, 0, b"", n, 0, n, 1, 1, 1), lambda: hv.mmu.translate(n) if hasattr(hv, "mmu") else int("x"),
    lambda: v.el2.set("HCR_EL2", 0, n), lambda: v._vm.el1(n, n, print), lambda: setattr(cpu, "pc", n),
    lambda: setattr(cpu, "pin", n), lambda: setattr(v._vm, "stop_time", n), lambda: v.memory.__setitem__(0x4000_0000, n),
    lambda: x.__setitem__(0, n), lambda: v._vm.rule("hvc", 1, 0, "const", n, None, None, 0, 0, None),
]
for i, call in enumerate(calls):
    try:
        call()
        print(i, "no error")
    except (TypeError, ValueError, AttributeError):
        pass
v.memory[0x4000_0000] = 7
print(v.memory[0x4000_0000], v)
"""
    got = run(target, GUEST, CLOSE + script, 90).splitlines()
    assert got[-1].startswith("7 <VM v: 1 cpus"), got
    assert not [line for line in got if "no error" in line], got


def test_closing_while_it_is_printed(target):
    """Where a VM's things are printed to may be Python that closes the VM."""
    script = """
import io
class Paper(io.IOBase):
    def __init__(self, vm):
        self.vm, self.text = vm, b""
    def write(self, data):
        self.text += bytes(data)
        self.vm.close()
        return len(data)
v = make("v")
things = [lambda v: v.memory, lambda v: v.cpu[0], lambda v: v.cpu[0].x, lambda v: v.cpu[0].q, lambda v: v.cpu[0].sysreg,
          lambda v: v.el2, lambda v: v.irq(33), lambda v: v.cpu[0].exit,
          lambda v: v.console, lambda v: v.rule("hvc", 5, "log"), lambda v: v.rng().port]
for thing in things:
    v = make("v")
    shown = thing(v)
    text = repr(shown)
    paper = Paper(v)
    print(shown, file=paper)
    print(paper.text.decode().strip() == text.strip(), v)
"""
    got = run(target, GUEST, CLOSE + script, 90).splitlines()
    assert got == ["True <VM v: closed>"] * 11, got


def test_finalisers_by_hand(each_target):
    """__del__ called by a script: of a VM that runs, in its handler, of Pages with a view."""
    script = """
def own(cpu):
    try:
        a._vm.__del__()
    except RuntimeError:
        said.append("own")
a, b = make("a"), make("b")
for v in a, b:
    v.mmio(0x0B00_0000, 4, lambda cpu, o, v: 0)
a.hvc(0xC600_0077, own)
b.start()
a.start()
wait(lambda: said)
b._vm.__del__()
b._vm.__del__()
a.close()
print(a, b, said[0])
pages = Pages(1 << 16)
view = memoryview(pages)
view[:4] = b"mine"
pages.__del__()
pages.__del__()
kept = steal()
print(bytes(view[:4]))
try:
    memoryview(pages)
except TypeError as error:
    print(error)
"""
    got = run(each_target, GUEST, CLOSE + script, 60).splitlines()
    assert got[:2] == ["<VM a: closed> <VM b: closed> own", "b'mine'"], got


# ---- How it is kept so --------------------------------------------------------------------------


def test_no_python_in_arguments():
    """C of the hypervisor takes numbers and flags by python/numbers.h alone: what MicroPython has for that asks __int__
    and __bool__ of the caller's classes, behind whose back a VM may go.
    """
    asks = re.compile(
        r"\b(mp_obj_get_int|mp_obj_get_int_truncated|mp_obj_is_true|mp_obj_get_float|mp_obj_len)\("
    )
    found = []
    for path in sorted(Path(ROOT / "hv_native").rglob("*.c")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if asks.search(line) and path.name != "numbers.c":
                found.append(f"{path.name}: {line.strip()}")
    assert found == [
        "obj_virtio.c: if (!mp_obj_is_true(result)) {",
        "sysreg_table.c: mp_int_t enc = mp_obj_get_int_truncated(what);",
    ]
