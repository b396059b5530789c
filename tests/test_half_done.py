# SPDX-License-Identifier: MIT
"""What is interrupted, or finds no memory, half way: nothing is left behind, and what was there is as it was."""

import re

from guestcode import run
from harness import ROOT

GROWN = """
import micropython
from array import array
from collections import OrderedDict

def item(c, n):
    c[n] = n

makes = (
    ("set", set, set.add), ("OrderedDict", OrderedDict, item), ("dict", dict, item), ("list", list, list.append),
    ("bytearray", bytearray, bytearray.append), ("array", lambda: array("Q"), array.append),
)
for name, make, add in makes:
    c, neighbours, failed = make(), [], 0
    for n in range(200):
        neighbours.append(bytearray(b"as it was" * 3))
        micropython.heap_lock()
        try:
            add(c, n)
        except MemoryError:
            failed += 1
        micropython.heap_unlock()
        if len(c) == n:
            add(c, n)
    whole = all(each == b"as it was" * 3 for each in neighbours)
    print(name, failed > 0, whole, sorted(c) == list(range(200)))

import hv, select, sys
failed = 0
for name in ("hv.pcap", "hv.uplink", "hv.mmu", "hv.gdbstub", "hv.fuzzfiles"):
    micropython.heap_lock()
    try:
        __import__(name)
    except MemoryError:
        failed += 1
    micropython.heap_unlock()
    found = getattr(__import__(name), name[3:])
    failed += found is not sys.modules[name]
print("modules", failed)
poll = select.poll()
for what in 5, sys.stdin:
    micropython.heap_lock()
    try:
        poll.register(what)
    except MemoryError:
        failed += 1
    micropython.heap_unlock()
print("polls", failed)
try:
    poll.register(5)
except OSError:
    print(poll.poll(0))
"""


def test_what_cannot_grow_is_as_it_was(target):
    names = ("set", "OrderedDict", "dict", "list", "bytearray", "array")
    got = target.exec(GROWN, 60).splitlines()
    polls = ["modules 5", "polls 7", "[]"]
    assert got == [f"{name} True True True" for name in names] + polls, got


GUEST = """
    mov x0, #1
1:  add x0, x0, #1
    load x2, 0x40100000
    str x0, [x2]
    hvc #0x100
    b 1b
"""


def test_what_raises_leaves_nothing_planted(target):
    """A list with no room for what is made, and a Ctrl-C: no breakpoint, watch or fuzzer that nobody can remove."""
    script = """
import gc
class Full:
    def __add__(self, other):
        raise MemoryError
vm = guest(code, "2M")
def asked(make):
    vm._breaks = vm._watches = Full()
    try:
        make()
    except MemoryError:
        vm._breaks = vm._watches = ()
    return vm.run().reason
print(asked(lambda: vm.on(0x4008_0004, action="stop")), hex(vm.cpu[0].pc), int.from_bytes(vm.memory[0x4008_0004:0x4008_0008], "little") >> 24)
print(asked(lambda: vm.watch(ipa=0x4010_0000, size=64, action="stop")), hex(vm.cpu[0].pc))
b, w = vm.on(0x4008_0004, lambda cpu: None), vm.watch(ipa=0x4010_0000, size=64)
for _ in range(2):
    b.remove()
    w.remove()
import hv.virtio
class Device(hv.virtio.Device):
    def __init__(self, fails):
        super().__init__()
        self.fails = fails
    def plug(self, vm, slot):
        if self.fails == "before":
            raise MemoryError
        super().plug(vm, slot)
        if self.fails == "behind":
            raise KeyboardInterrupt
for fails in "before", "behind", "not":
    try:
        vm.virtio(Device(fails))
    except (MemoryError, KeyboardInterrupt):
        pass
print(list(vm._virtio), vm.block(65536).port.slot, vm.net(hv.Switch()).port.slot)
try:
    vm.virtio(Device("not"), 0)
except ValueError:
    print(vm._virtio[0].fails)
crash = vm.on_crash(print, at=(0x4008_0004, 0x4008_0008))
vm.breaks()[0].remove()
vm.on_crash(print).remove()
print(vm.breaks(), vm.watches())
def blocks():
    yield 0x4008_0004
    raise KeyboardInterrupt
vm.snapshot().drop()
gc.collect()
free = hv.mem()[0]
for _ in range(3):
    try:
        vm.fuzz(None, (0x4010_0000, "x1"), (0x4008_0008,), blocks=blocks())
    except KeyboardInterrupt:
        print("interrupted", vm._vm.hold("at"))
print(hv.mem()[0] == free)
few = 0
for cover in "steps", "blocks":
    for quota in range(4096, 300_000, 4096):
        try:
            vm.fuzz(None, (0x4010_0000, "x1"), (0x4008_0008,), cover=cover, quota=quota).close()
        except MemoryError:
            few += 1
print(few > 5, hv.mem()[0] == free)
"""
    got = run(target, GUEST, script, 60).splitlines()
    assert got == [
        "stop 0x40080014 145",
        "stop 0x40080014",
        "[0, 1] 2 3",
        "behind",
        "() ()",
        *["interrupted None"] * 3,
        "True",
        "True True",
    ], got


def test_what_is_undone_is_undone_after_ctrl_c_too():
    """KeyboardInterrupt is no Exception: who cleans up and raises again catches BaseException."""
    for path in (ROOT / "modules").rglob("*.py"):
        lines = path.read_text().split("\n")
        for n, line in enumerate(lines):
            if re.match(r" *except( Exception)?( as \w+)?:", line) and "BaseException" not in line:
                depth = len(line) - len(line.lstrip())
                body = []
                for each in lines[n + 1 :]:
                    if each.strip() and len(each) - len(each.lstrip()) <= depth:
                        break
                    body.append(each.strip())
                assert "raise" not in body, f"{path}:{n + 1}"
