# SPDX-License-Identifier: MIT
"""The virtio devices there are, as a driver sees them: block, console, net and the switch."""

import pytest
from guestcode import built, link, run
from virtiodriver import CODE
from virtiodriver import SCRIPT as DRIVER

DISK = """
IN, OUT, FLUSH, GET_ID = 0, 1, 4, 8
def header(kind, sector=0):
    return struct.pack("<IIQ", kind, 0, sector)
def read(d, sector, *rooms):
    *data, status = d.ask(0, header(IN, sector), *rooms, 1)
    return b"".join(data), status[0]
def write(d, sector, *parts):
    return d.ask(0, header(OUT, sector), *parts, 1)[0][0]
def sectors(first, count=1):
    return b"".join(bytes([(first + i) % 251]) * 512 for i in range(count))
"""


@pytest.fixture
def driver(target):
    """driver(script): runs a script on the target that has the Driver and a `vm` for it."""

    def start(script, seconds=30):
        return run(target, CODE, f"{DRIVER}{DISK}vm = guest(code)\n{script}", seconds)

    return start


def test_block_requests(driver):
    """Reads and writes in pieces of any size, what is out of range, and what is no request at all."""
    script = """
data = bytearray(sectors(0, 100))
disk = vm.block(data)
d = Driver(vm).start()
print(d.get(8), d.get(0x100), d.get(0x104), d.get(0x10C), hex(d.features()))
print(read(d, 0, 512) == (sectors(0), 0), read(d, 7, 512, 1024, 3, 509) == (sectors(7, 4), 0), d.used(0))
print(write(d, 98, sectors(5), b"x" * 100, b"y" * 412), bytes(data[98 * 512:]) == sectors(5) + b"x" * 100 + b"y" * 412)
print(read(d, 99, 1024)[1], read(d, 100, 512)[1], read(d, 1 << 60, 512)[1], read(d, (1 << 55) - 1, 512)[1], read(d, 0, 100)[1])
print(write(d, 100, bytes(512)), write(d, 0, bytes(511)), len(data))
print(d.ask(0, header(FLUSH), 1), d.ask(0, header(GET_ID), 20, 1), d.ask(0, header(77), 30, 1)[1])
d.used(0)
for parts in (b"short", 1), (b"", 8), (header(IN),), (header(IN) + b"rest", 513):
    d.ask(0, *parts)
print(d.used(0), d.get(0x70), disk.port.fault)
# The header, the data and the status need not have descriptors of their own.
got = d.ask(0, header(IN, 3)[:9], header(IN, 3)[9:], 200, 313)
print(b"".join(got) == sectors(3) + b"\\0")
"""
    assert driver(script).splitlines() == [
        "2 100 0 254 0x110000204",
        "True True [(0, 513), (0, 2049)]",
        "0 True",
        "1 1 1 1 1",
        "1 1 51200",
        "[b'\\x00'] [b'elapid" + "\\x00" * 14 + "', b'\\x00'] b'\\x02'",
        "[(0, 0), (0, 0), (0, 0), (0, 513)] 15 None",
        "True",
    ]


@pytest.mark.parametrize("legacy", [False, True])
def test_disks_that_cannot_be_written(driver, legacy):
    """Read-only ones say so and refuse; a copy-on-write disk leaves its source as it is."""
    script = f"""
from hv.block import Block
data = bytearray(sectors(0, 400))
one = vm.virtio(Block(data, readonly=True, legacy={legacy}))
two = vm.virtio(Block(bytes(data), legacy={legacy}))
three = vm.virtio(Block(memoryview(bytes(data)), cow=True, legacy={legacy}))
for slot in range(3):
    d = Driver(vm, slot).start()
    print(d.features() >> 5 & 1, write(d, 5, sectors(9, 2)), read(d, 4, 2048)[0] == sectors(4) + sectors(9, 2) + sectors(7))
print(data == sectors(0, 400))
mirror = bytearray(data)
mirror[5 * 512:7 * 512] = sectors(9, 2)
for sector, count in (126, 4), (128, 1), (250, 30), (399, 1):  # over the ends of 64 KB chunks
    write(d, sector, sectors(sector + 100, count))
    mirror[sector * 512:(sector + count) * 512] = sectors(sector + 100, count)
    print(read(d, 0, 400 * 512)[0] == mirror, sorted(three.store.chunks))
"""
    assert driver(script).splitlines() == [
        "1 1 False",
        "1 1 False",
        "0 0 True",
        "True",
        "True [0, 1]",
        "True [0, 1]",
        "True [0, 1, 2]",
        "True [0, 1, 2, 3]",
    ]


def test_what_a_disk_may_be_made_from(driver):
    """Files, block devices, sizes, stores of a script; one that fails fails the request, no more."""
    script = """
import os
with open("disk.img", "wb") as f:
    f.write(sectors(0, 20))
vm.block("disk.img")
vm.block("disk.img", cow=True)
vm.block(1 << 20)
class Memory:
    def __init__(self):
        self.data = bytearray(sectors(0, 64))
    def readblocks(self, n, buf, offset=0):
        buf[:] = self.data[n * 1024:n * 1024 + len(buf)]
    def writeblocks(self, n, buf, offset=0):
        self.data[n * 1024:n * 1024 + len(buf)] = buf
    def ioctl(self, op, arg):
        return {4: 32, 5: 1024}.get(op)
memory = Memory()
last = vm.block(memory)
class Broken:
    size = 4096
    def read(self, at, view):
        raise OSError(5)
    write = read
    def sync(self):
        raise ValueError("sync")
broken = vm.block(Broken())
for slot in range(4):
    d = Driver(vm, slot).start()
    print(slot, d.get(0x100), read(d, 4, 1024)[0] == (bytes(1024) if slot == 2 else sectors(4, 2)),
          write(d, 6, sectors(77, 2)), d.ask(0, header(FLUSH), 1), read(d, 6, 1024)[0] == sectors(77, 2))
with open("disk.img", "rb") as f:
    print(f.read() == sectors(0, 6) + sectors(77, 2) + sectors(8, 12))
os.remove("disk.img")
print(d.features() >> 6 & 1, d.get(0x114), read(d, 5, 512)[1], last.error)
d = Driver(vm, 4).start()
print(read(d, 5, 512)[1], write(d, 5, bytes(512)), d.ask(0, header(FLUSH), 1), repr(broken.error), d.get(0x70))
try:
    vm.block("nowhere.img")
except OSError as e:
    print(e)
"""
    assert driver(script).splitlines() == [
        "0 20 True 0 [b'\\x00'] True",
        "1 20 True 0 [b'\\x00'] True",
        "2 2048 True 0 [b'\\x00'] True",
        "3 64 True 0 [b'\\x00'] True",
        "True",
        "1 1024 1 a block device with blocks of 1024 bytes",
        "1 1 [b'\\x01'] ValueError('sync',) 15",
        "[Errno 2] ENOENT: nowhere.img",
    ]


def test_memory_of_disks_comes_back(driver):
    """What copy-on-write and RAM disks took is free after the VM, and after a soft reset."""
    script = """
import gc
gc.collect()
before = hv.mem()[0]
for i in range(3):
    with guest(code) as vm:
        vm.block(8 << 20)
        vm.block(bytes(70000), cow=True)
        d = Driver(vm, 1).start()
        print(write(d, 1, b"x" * 1024))
    d = vm = None
    gc.collect()
print((before - hv.mem()[0]) < 0x10000)
"""
    assert driver(script) == "0\n0\n0\nTrue\n"


def test_console(driver):
    """Both directions, what waits, what is too much, and a function that is told."""
    script = """
c = vm.virtio_console()
lines = []
vm.virtio_console(output=lines.append)
d = Driver(vm).start(2)
d.ask(1, b"hello ", b"world")
print(c.any(), c.read(5), c.read(), c.read())
print(c.write(b"typed"), d.used(0))
d.describe(0, 1, BUFFERS + 256, 3, WRITE)
d.offer(0, 1)
print(d.used(0), vm.memory[BUFFERS + 256:BUFFERS + 259])
d.offer(0, 1)
print(d.used(0), vm.memory[BUFFERS + 256:BUFFERS + 258])
d.offer(0, 1)
print(c.write(b"now"), d.used(0), vm.memory[BUFFERS + 256:BUFFERS + 259], c.write(bytes(20000)), c.write(b"more"))
d.ask(1, b"x" * 9000, b"y" * 9000)
print(c.any(), c.read(3), len(c.read()))
said = b""
for i in range(90):
    more = b"%03d" % i * 100
    said += more
    d.ask(1, more)
print(c.any(), c.read(0), c.read(16000) + c.read(-1) == said[-16384:], c.any())
d = Driver(vm, 1).start(2)
d.ask(1, b"told")
print(lines)
"""
    assert driver(script).splitlines() == [
        "11 b'hello' b' world' b''",
        "5 []",
        "[(1, 3)] b'typ'",
        "[(1, 2)] b'ed'",
        "3 [(1, 3)] b'now' 16384 0",
        "16384 b'xxx' 16381",
        "16384 b'' True 0",
        "[b'told']",
    ]


def test_a_guest_sends_from_its_own_address(driver):
    """What a guest says of where a frame comes from is checked: not another's address, not one that was learnt."""
    script = """
lan = hv.Switch()
class Probe:
    def __init__(self):
        self.got = []
        lan.ports.append(self)
    def receive(self, frame):
        self.got.append(bytes(frame[6:12]))
probe, other = Probe(), Probe()
nic, bridge = vm.net(lan), vm.net(lan, spoof=True)
one, two = Driver(vm, 0).start(2), Driver(vm, 1).start(2)
h, A, B, C, ALL = bytes(12), b"\\x02AAAAA", b"\\x02BBBBB", b"\\x02CCCCC", b"\\xff" * 6
lan.forward(probe, ALL + B + b"..learn")
other.got.clear()
for d, port in (one, nic), (two, bridge):
    for source in port.mac, A, B, ALL, bridge.mac if port is nic else nic.mac:
        d.ask(1, h + ALL + source + b"..")
    print(port.sent, port.forged, [a == port.mac or a for a in other.got])
    other.got.clear()
print(lan.macs[B] is probe, lan.macs[nic.mac] is nic, lan.macs[A] is bridge)
for i in range(600):
    two.ask(1, h + ALL + bytes([2, 0, 0, 0, i >> 8, i & 255]) + b"..")
print(lan.macs[B] is probe, lan.macs[nic.mac] is nic, len(lan.macs) <= 256)
for source in bridge.mac, nic.mac:  # what one has sent before, the other does not get through with
    for d in two, one, one, two:
        probe.got.clear()
        d.ask(1, h + B + source + b"..")
        print(len(probe.got), end=" ")
print(port.forged)
try:
    vm.net(lan, mac=nic.mac)
except ValueError as error:
    print(error, len(lan.ports))
mac = nic.mac
vm.close()
with hv.VM("new", ram="1M") as new:
    print(new.net(lan, mac=mac).mac == mac, len(lan.ports))
"""
    assert driver(script, 60).splitlines() == [
        "5 4 [True]",
        "5 3 [True, b'\\x02AAAAA']",
        "True True True",
        "True True True",
        "1 0 0 1 0 1 1 0 5",
        "a port of this switch has that mac already 4",
        "True 4",
    ]


@pytest.mark.parametrize("legacy", [False, True])
def test_net_and_switch(driver, legacy):
    """Flooding, learning, broadcast; the header; ports in Python; no buffers, a VM that is gone."""
    script = f"""
from hv.net import Net
lan = hv.Switch()
class Probe:
    def __init__(self):
        self.got = []
        lan.ports.append(self)
    def receive(self, frame):
        self.got.append(bytes(frame))
probe, other = Probe(), Probe()
nic = vm.virtio(Net(lan, legacy={legacy}))
d = Driver(vm).start(2)
mac = bytes(d.byte(0x100 + i) for i in range(6))
print(mac == nic.mac, mac[:4])
h = {10 if legacy else 12}
A, B, ALL = b"\\x02AAAAA", b"\\x02BBBBB", b"\\xff" * 6
def seen():
    n = [len(p.got) for p in (probe, other)]
    probe.got, other.got = [], []
    return n
d.ask(1, bytes(h), A + mac + b"..payload")
print(probe.got == [A + mac + b"..payload"], seen())
def room(n):
    d.describe(0, 1, BUFFERS + 0x1000, n, WRITE)
    d.offer(0, 1)
room(1600)
lan.forward(probe, mac + A + b"..answer")
at = BUFFERS + 0x1000
print(d.used(0) == [(1, h + 20)], vm.memory[at:at + h], vm.memory[at + h:at + h + 20] == mac + A + b"..answer", seen())
d.ask(1, bytes(h) + A + mac + b"..known")
print(seen())
lan.forward(other, ALL + B + b"..broadcast")
print(seen(), nic.dropped)
room(20)
lan.forward(other, ALL + B + b"..cut to what there is room for")
print(d.used(0), seen())
for bad in b"", bytes(h - 1), bytes(h), bytes(h + 11), bytes(h + 1515):
    d.ask(1, bad)
print(seen(), len(d.used(1)), d.get(0x70), nic.sent, nic.received)
for i in range(1000):
    lan.forward(probe, A + bytes([2, 0, 0, 0, i >> 8, i & 255]))
print(len(lan.macs) <= 256, seen()[0])
d.ask(1, bytes(h) + A + mac)
vm.close()
lan.forward(probe, mac + A + b"..nobody")
print(len(lan.ports), mac in lan.macs)
"""
    header = bytes(10) if legacy else bytes(10) + b"\x01\x00"
    assert driver(script).splitlines() == [
        "True b'\\x02EL\\x00'",
        "True [1, 1]",
        f"True {header!r} True [0, 0]",
        "[1, 0]",
        "[1, 0] 1",
        "[(1, 20)] [1, 0]",
        "[0, 0] 7 15 6 2",
        "True 0",
        "2 False",
    ]


def test_example(each_target):
    """A device of one's own, and a guest whose caches are off."""
    copy = ("cp", "build/guests/virtio.elf", ":virtio.elf", "+")
    said = each_target.mpremote(*copy, "run", "examples/virtio_device.py").replace("\r", "")
    assert (
        """
guest: the device is "notes in Python"
guest: colour -> blue
guest: shape -> ?
guest: shape=round -> round
guest: shape -> round
"""
        in said
    )
    assert "<Exit off" in said
    assert "python: {'shape': 'round', 'colour': 'blue'}" in said


def test_a_disk_of_the_machine(boot, tmp_path):
    """Sectors go between the host's image and the guest's memory; copy-on-write leaves the image."""
    image = tmp_path / "disk.img"
    image.write_bytes(b"".join(bytes([n]) * 512 for n in range(64)))
    drive = f"if=none,id=disk,format=raw,file={image},cache=unsafe"
    target = boot(args=["-device", "virtio-blk-device,drive=disk", "-drive", drive])
    script = f"""{DRIVER}{DISK}
import machine
vm = guest(code)
disks = [vm.block(machine.Disk(0), cow=True), vm.block(machine.Disk(0))]
for slot in range(2):
    d = Driver(vm, slot).start()
    print(read(d, 10, 512, 1024)[0] == sectors(10, 3), write(d, 20 + slot, b"w" * 512), d.ask(0, header(FLUSH), 1))
    print(read(d, 20, 100, 924)[0] == (b"w" * 512 + sectors(21), sectors(20) + b"w" * 512)[slot])
    print(write(d, 30, sectors(40)[:99], sectors(40)[99:]), read(d, 30, 512)[0] == sectors(40), disks[slot].error)
"""
    lines = run(target, CODE, script).splitlines()
    assert lines == ["True 0 [b'\\x00']", "True", "0 True None"] * 2
    data = image.read_bytes()
    assert data[20 * 512] == 20 and data[21 * 512 : 22 * 512] == b"w" * 512


KICKS = """
kicks:
    ldr x20, =0x0a000000
    ldr x22, =0x40101000
    ldr x23, =0x40102000
1:  ldrh w0, [x22, #2]
    add w0, w0, #1
    and w0, w0, #0xffff
    strh w0, [x22, #2]
    str wzr, [x20, #0x50]
2:  ldrh w1, [x23, #2]
    cmp w0, w1
    b.ne 2b
    subs x9, x9, #1
    b.ne 1b
    hvc #0x100
"""


def test_instructions_of_a_request(boot):
    """From kick to kick, on a machine whose clock counts them; and beside a big object on the heap."""
    script = f"""{DRIVER}{DISK}
import time
from hv.block import Block
def cost(device, *parts):
    with guest(code) as vm:
        vm.virtio(device)
        Driver(vm).start().ask(0, *parts)
        vm.cpu[0].pc = kicks
        vm.cpu[0].x[9] = 100
        start = time.ticks_us()
        assert vm.run(60_000).reason == "stop"
        return time.ticks_diff(time.ticks_us(), start) * 10
disk = bytearray(1 << 20)
print(cost(Device(), 8), cost(Block(disk), header(IN), 4096, 1), cost(Block(disk), header(OUT), bytes(4096), 1))
"""
    source = CODE + KICKS
    target = boot(icount=True)
    costs = run(target, source, script, 60, kicks=link(source)[1]["kicks"]).split()
    assert [int(n) <= most for n, most in zip(costs, (8000, 20000, 20000))] == [True] * 3, costs


KICK = """
from hv.virtio import Device
class Burst(Device):  # eight completions in a row, as fast as they can be
    def plug(self, vm, slot):
        self.kept = []
        super().plug(vm, slot)
    def request(self, queue, r):
        self.kept.append(r)
        if len(self.kept) == 8:
            for r in self.kept:
                r.done()
            self.kept.clear()
        return True
with guest(code, ram="16M", cpus=4) as vm:
    for _ in range(4):
        vm.virtio(Burst())
    vm.cpu[0].x[0] = {requests}
    print(vm.run().reason)
"""


@pytest.mark.parametrize("gic", [2, 3])
def test_no_interrupt_is_lost_while_others_are_acknowledged(boot, gic):
    """Four vCPUs on four cores acknowledge while the boot core completes. The race that lost one was too narrow
    to be met for certain here: `make test-long` has Linux's own load.
    """
    target = boot(gic=gic, smp=4)
    said = run(target, built("kick"), KICK.format(requests=3000), seconds=100)
    assert said == "kick: 4 cpus, 3000 requests, 0 lost\noff\n"
