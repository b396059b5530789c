# SPDX-License-Identifier: MIT
# ruff: noqa: F811
"""s.save(path), hv.load(path): a snapshot in a file, which another boot goes on from."""

import re
import struct
import subprocess
import zlib

from guestcode import link, run
from test_snapshot import ROUNDS, STATE
from test_storage import blank, drive
from test_virtio_linux import images, machine  # noqa: F401

READY = "import machine, vfs\nvfs.VfsFat.mkfs(machine.Disk())\n"


def test_another_boot_goes_on(boot, tmp_path):
    """A bare guest with a disk, flash, a clock, a console: all of it is there on the next boot, and does the same."""
    args = drive(blank(tmp_path / "disk.img"))
    script = (
        READY
        + STATE
        + """
class Counter:
    n = 7
    def save(self): return (self.n, b"raw", {"a": [1, None]})
    def load(self, state): self.n = state
vm = guest(code)
vm.flash(0, "1M")
vm.memory[0x1_0000 : 0x1_0004] = b"\\0\\0ab"
disk = vm.block(1 << 20)
disk.store.write(0x1_0200, b"on the disk" + bytes(501))
vm.goes_back(Counter())
vm.cpu[0].x[1] = 5
vm.run(60_000)
vm.console.write(b"typed")
s = vm.snapshot()
vm.cpu[0].x[1] = 20
before = state(vm)
s.save("/disk/a.snap")
vm.run(60_000)
s.save("/disk/b.snap")
import os
print(before == state(vm), os.stat("/disk/a.snap")[6] < 20_000, os.listdir("/disk"))
vm.back(s)
vm.cpu[0].x[1] = 20
print(state(vm))
vm.run(60_000)
print(state(vm))
"""
    )
    target = boot(args=args)
    first = run(target, ROUNDS, script, 60).splitlines()
    target.close()
    assert first[0] == "False True ['a.snap', 'b.snap']"
    script = (
        STATE
        + """
import time
for name in "a", "b":
    with hv.load(f"/disk/{name}.snap") as vm:
        print(vm.name, len(vm.cpu), vm.memory.size, vm.running, vm.memory[0x1_0000 : 0x1_0004], vm.memory[0x2_0000])
        view = memoryview(bytearray(512))
        vm._virtio[0].store.read(0x1_0200, view)
        print(bytes(view[:11]), vm._virtio[0].store.size, vm._virtio[0])
        class Counter:
            def save(self): pass
            def load(self, state): print(state)
        vm.goes_back(Counter())
        vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
        vm.cpu[0].x[1] = 20
        print(state(vm))
        vm.run(60_000)
        print(state(vm))
        s = vm.snapshot()
        vm.cpu[0].x[1] = 3
        vm.run(60_000)
        vm.back()
        s.drop()
        try:
            vm.reset()
        except RuntimeError as e:
            print(e)
"""
    )
    again = run(boot(args=args), b"", script, 60).splitlines()
    for lines, name in ((again[: len(again) // 2], "a"), (again[len(again) // 2 :], "b")):
        assert lines[0] == "test 1 4194304 False b'\\x00\\x00ab' 255"
        assert lines[1].startswith("b'on the disk' 1048576 <Block of 1048576 bytes")
        assert lines[2] == "(7, b'raw', {'a': [1, None]})"
        assert lines[3:5] == first[1:3]
        assert lines[6].startswith(f"test came from /disk/{name}.snap: hv.load() has it again")


def records(data):
    """(where it begins, kind, how many bytes are here) of each."""
    at = 16
    while at < len(data):
        kind, _, _, stored, _ = struct.unpack_from("<4sQIII", data, at)
        yield at, kind, stored
        at += 24 + stored


def signed(data, at):
    """The same with the right checksum of the record at `at`."""
    stored = struct.unpack_from("<I", data, at + 16)[0]
    crc = zlib.crc32(data[at : at + 20] + data[at + 24 : at + 24 + stored])
    return data[: at + 20] + struct.pack("<I", crc) + data[at + 24 :]


IN_MEMORY = """
import vfs
from _hv import Pages
class InMemory:
    view = memoryview(Pages(1 << 20))
    def readblocks(self, n, to): to[:] = self.view[n * 512 : n * 512 + len(to)]
    def writeblocks(self, n, data): self.view[n * 512 : n * 512 + len(data)][:] = data
    def ioctl(self, what, arg): return {4: 2048, 5: 512}.get(what, 0)
disk = InMemory()
vfs.VfsFat.mkfs(disk)
vfs.mount(vfs.VfsFat(disk), "/r")
"""
SMALL = (
    IN_MEMORY
    + """
vm = guest(code)
vm.rng()
vm.cpu[0].x[1] = 5
vm.run(60_000)
s = vm.snapshot()
s.save("/r/a")
state = vm._vm.hold("state", s._id)
at = state.find(vm.cpu[0].pstate.to_bytes(8, "little"), state.find(b"vcpus"))
bad = state[:at] + b"\x09" + state[at + 1 :]          # EL2h
good = open("/r/a", "rb").read()
def attempt(before, new, after):
    data = good[:before] + new + good[len(good) - after :]
    with open("/r/c", "wb") as f:
        f.write(data)
    try:
        hv.load("/r/c").close()
        return "loaded"
    except ValueError as e:
        assert str(e)[:5] == "/r/c ", e
        return str(e)
print(good.hex())
print(bad.hex())
from hv import savefile
add = savefile.Writer.add
def stopped(self, kind, where, data):
    if kind == b"ram ":
        raise KeyboardInterrupt
    add(self, kind, where, data)
savefile.Writer.add = stopped
for path in "/r/a", "/r/b":
    try:
        s.save(path)
    except KeyboardInterrupt:
        print("stopped", open("/r/a", "rb").read() == good, end=" ")
savefile.Writer.add = add
s.drop()
try:
    s.save("/r/b")
except ValueError as e:
    print(e, end=" ")
import os
print(os.listdir("/r"))
"""
)


def patch(old, new):
    """What of `new` is not at both ends of `old`: (bytes that are the same, those, bytes that are the same)."""
    most = min(len(old), len(new))
    before = next((i for i in range(most) if old[i] != new[i]), most)
    after = next((i for i in range(most - before) if old[-1 - i] != new[-1 - i]), most - before)
    return f"{before}, {new[before : len(new) - after]!r}, {after}"


# What of a head is replaced: of another kind, too few, too many, other names.
HEADS = [
    (b".+", b"[]"),
    (b".+", b"7"),
    (b".+", b"{"),
    (b'"name": "test"', b'"name": null'),
    (b'"name"', b'"nome"'),
    (b'"ram": ', b'"ram": -'),
    (b'"cpus": 1', b'"cpus": "1"'),
    (b'"cpus": 1', b'"cpus": 99'),
    (b'"flash": \\[', b'"flash": [[1], '),
    (b'"virtio": \\[\\[0,', b'"virtio": [["0",'),
    (b'"virtio": \\[\\[0,', b'"virtio": [[77,'),
    (b'"virtio": \\[', b'"virtio": [5, '),
    (b'"kind": "Rng"', b'"kind": 5'),
    (b'"kind": "Rng"', b'"kind": "Net"'),
    (b'"kind": "Rng"', b'"kind": "Block"'),
    (b'"kept": \\[', b'"kept": [["C", {"bytes": 1}]'),
    (b'"kept": \\[', b'"kept": ["C"'),
    (b'"images": \\[', b'"images": [["x"]'),
    (b'"linux": [^,]*,', b'"linux": [1, 2, 3, 4],'),
    (b'"linux": [^,]*,', b'"linux": ["elf", 2],'),
    (b'"machine": {', b'"machine": 7, "x": {'),
    (b'"gic"', b'"gac"'),
]


def test_what_is_no_such_file(target):
    """Cut anywhere, with a bit changed, of another machine, newer: ValueError with the file's name and the reason."""
    good, bad, said = run(target, ROUNDS, SMALL, 60).splitlines()
    assert (
        said
        == "stopped True stopped True test has no such snapshot any more: it has been dropped ['a']"
    )
    data, bad = bytes.fromhex(good), bytes.fromhex(bad)
    found = list(records(data))
    assert [kind for _, kind, _ in found] == [b"head", b"stat", b"ram ", b"ram ", b"end "]
    tried = [(b"", "no file"), (data[:12], "no file"), (b"\x7fELF" + data[4:], "no file")]
    tried += [(data[:8] + b"\2" + data[9:], "version 2.*reads version 1")]
    for at, _, stored in found:
        tried += [
            (data[: at + cut], "truncated")
            for cut in (0, 5, 24 + stored // 2)
            if at + cut < len(data)
        ]
        for offset in (0, 5, 13, 21, 24 + stored // 2):
            if offset < 24 + stored:
                changed = data[at + offset] ^ 0x10
                tried.append(
                    (
                        data[: at + offset] + bytes([changed]) + data[at + offset + 1 :],
                        "damaged|truncated",
                    )
                )
    for old, new, why in (
        (b'"gic": 2', b'"gic": 3', "GICv3, and this one has a GICv2"),
        (b'"counter": 62', b'"counter": 63', "counter runs at 63500000 Hz"),
        (b'"kind": "Rng"', b'"kind": "(C)"', r"a C in slot 0: devices=\{0: ...\}"),
    ):
        assert old in data
        tried.append((signed(data.replace(old, new), found[0][0]), why))
    # A head that is signed, with what is of another kind, or not there; its length is another one.
    text = data[found[0][0] + 24 : found[1][0]]
    for old, new in HEADS:
        assert re.search(old, text), old
        head = re.sub(old, new, text)
        put = struct.pack("<4sQIII", b"head", 0, len(head), len(head), 0) + head
        tried.append(
            (
                signed(data[: found[0][0]] + put + data[found[1][0] :], 16),
                "is damaged|that cannot be",
            )
        )
    # A state that is signed, and that no guest can have, or cut.
    at, after = found[1][0], found[2][0]
    for state in (bad, bad[:-1], bad[: len(bad) // 2]):
        head = struct.pack("<4sQIII", b"stat", 0, len(state), len(state), 0)
        tried.append((signed(data[:at] + head + state + data[after:], at), "does not fit"))
    free = "import gc; gc.collect(); gc.collect(); print(hv.mem()[0])"
    before = target.exec(free)
    for changed, why in tried:
        said = target.exec(f"print(attempt({patch(data, changed)}))", 30)
        assert re.search(why, said), (why, said)
    assert target.exec("print(attempt(0, b'', len(good)))").strip() == "loaded"
    assert int(before) - int(target.exec(free)) < 1 << 20


def test_capsule(target):
    """By hand and by itself, once: what was seen is in it, and stays where it was; the VM goes on."""
    script = (
        IN_MEMORY
        + STATE
        + """
vm = guest(code)
def answer(cpu): return 1
vm.hvc(imm=0x77, handler=answer)
rule = vm.rule("imm", 0x100, "log")
vm.on(0x4008_0000, f=lambda cpu: None)
t = vm.trace("hvc")
why = vm.on_crash("/r/crash", reasons=("stop",))
vm.cpu[0].x[1] = 5
print(vm.run(60_000).reason, why)
there = state(vm)
vm.cpu[0].x[1] = 3
vm.run(60_000)
vm.capsule("/r/hand")
with hv.load("/r/crash") as c:
    print(c, state(c.vm) == there, c.why[:12])
    print(c.events[0].what, len(c.events), [e for e in c.rules if "imm" in e], [h for h in c.handlers if "answer" in h])
    print(c.trace, len(c.breaks), c.watches, repr(c.console))
c = hv.load("/r/hand")
print(c, len(c.events), len(c.trace), c.vm.cpu[0].x[0], c.why)
c.close()
print(len(hv.events()), len(hv.events()), len(list(t)), len(list(t)))
said = []
vm.on_crash(lambda vm, why: said.append(why))
vm.hvc(imm=0x100, handler=lambda cpu: 1 // 0)
for i in range(2):
    vm.cpu[0].x[1] = 3
    try:
        vm.run(60_000)
    except ZeroDivisionError:
        print(said)
vm.on_crash("/nowhere/x", at=0x4008_0004)
vm.cpu[0].reset(0x4008_0000)
vm.cpu[0].x[1] = 1
vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
print(vm.run(60_000).reason)
"""
    )
    lines = run(target, ROUNDS, script, 60).splitlines()
    exit = "<Exit stop: cpu 0 at pc 0x40080034>"
    assert lines[:3] == [
        f"stop <OnCrash of test: {exit}>",
        f"<Capsule /r/crash of test: {exit}> True <Exit stop: ",
        "hvc 0x100 1 ['imm 0x100: note, 1 hits'] ['imm 0x77: answer']",
    ]
    assert lines[3].count("cpu 0 on core 0 hvc HVC") == 2 and lines[3].endswith("] 1 [] ''")
    assert lines[4:6] == ["<Capsule /r/hand of test: by hand> 2 3 8 by hand", "2 0 3 0"]
    assert lines[6] == lines[7] and "raised" in lines[6] and lines[6].count("<Exit") == 1
    assert lines[8] == "test: on_crash() failed"
    assert lines[-2:] == ["OSError: [Errno 2] ENOENT: /nowhere/x.part", "stop"]


def test_a_linux_is_forked_and_crashes(machine, boot, tmp_path):
    """A fork and its parent, which goes on and hears it by an address of its own. Then sysrq's crash: its capsule is written by itself, opens on another boot, and gdb the core that is made of it there."""
    args = drive(blank(tmp_path / "disk.img", 128 << 20))
    script = """
import machine, vfs
vfs.VfsFat.mkfs(machine.Disk())
lan = hv.Switch()
vm = hv.VM("linux", ram="128M", cpus={smp})
vm.block(1 << 20)
vm.net(lan)
boot(vm)
sh(vm, "echo 0 > /proc/sys/kernel/panic; echo it was there > /dev/vda; sync")
sh(vm, "ip addr add 10.0.0.1/24 dev eth0; ip addr add fd00::1/64 dev eth0; ip link set eth0 up; sleep 2")
s = vm.snapshot()
free = hv.mem()[0]
two = s.fork("two")
print((free - hv.mem()[0]) >> 20 < 8)
s.drop()
two.start()
sh(two, "ip addr del 10.0.0.1/24 dev eth0; ip addr del fd00::1/64 dev eth0; echo of two > /dev/vda; sync")
sh(two, "ip addr add 10.0.0.2/24 dev eth0; ip addr add fd00::2/64 dev eth0; sleep 2")
for one, other in ((two, 1), (vm, 2)):
    for to in f"10.0.0.{{other}}", f"fd00::{{other}}":
        print(sh(one, f"ping -c 3 -W 9 {{to}} | grep -m1 -o 'bytes from'; ip neigh show {{to}} | grep -o '..:..:..:..:..:..'"))
print(sh(vm, "cat /sys/class/net/eth0/address"), sh(two, "cat /sys/class/net/eth0/address"))
print([n.mac.hex(":") for n in (vm._virtio[1], two._virtio[1])], [n.forged for n in (vm._virtio[1], two._virtio[1])])
print(sh(two, "head -c 6 /dev/vda; echo"), sh(vm, "head -c 12 /dev/vda; echo"))
print((free - hv.mem()[0]) >> 20 < 64)     # of 128 MB, and what its disk has
two.close()
why = vm.on_crash("/disk/crash", at="panic")
type_at(vm, b"echo c > /proc/sysrq-trigger\\r")
until(vm, b"end Kernel panic")
print(why)
"""
    target = machine(gic=3, smp=2, args=args)
    said = target.exec(script.format(smp=2), 200)
    *forked, why = said.splitlines()
    one, two = "02:45:4c:00:01:01", "02:45:4c:00:02:01"
    assert forked == [
        "True",
        *["bytes from", one] * 2,
        *["bytes from", two] * 2,
        f"{one} {one}",
        f"['{one}', '{two}'] [0, 0]",
        "of two it was there",
        "True",
    ]
    assert "came to panic at pc 0x" in why
    target.close()
    target = boot(gic=3, smp=2, mem="1G", args=args)
    script = """
import hv, time
c = hv.load("/disk/crash")
print(c.why, "sysrq: Trigger a crash" in c.console)
cpu = c.vm.cpu[int(c.why[4])]
view = memoryview(bytearray(512))
c.vm._virtio[0].store.read(0, view)
print(c.vm.symbol(cpu.pc), bytes(view[:12]))
print(c.vm.core("/disk/core") > 1 << 20)
print(hex(cpu.pc), "0x%08x" % int.from_bytes(cpu.read(cpu.pc, 4), "little"))
c.vm.start()
said = b""
while b"end Kernel panic" not in said:
    said += c.vm.console.read() or b""
    time.sleep_ms(10)
"""
    why, place, core, numbers = target.exec(script, 200).splitlines()
    assert re.match(r"cpu \d came to panic at pc 0xffff\w+ True", why)
    assert (place, core) == ("panic b'it was there'", "True")
    target.close()
    pc, word = numbers.split()
    core = tmp_path / "core"
    subprocess.run(["mcopy", "-i", tmp_path / "disk.img", "::core", core], check=True)
    command = ["gdb-multiarch", "-nx", "-batch", "-ex", "set architecture aarch64"]
    asked = f"core-file {core}", "thread apply all p/x $pc", f"x/wx {pc}", "info threads"
    command += [word for line in asked for word in ("-ex", line)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    for what in (f" = {pc}", f":\t{word}", "LWP 1", "LWP 2"):
        assert what in said, said


# x10 on, by `look`: the clock and its match, flash and what its reads answer, debug registers, a counter. After the first HVC all are others.
AROUND = """
.macro set clock, match, mode, word, value, claim, event
    load x1, 0x09010000
    mov w2, #\\clock
    str w2, [x1, #8]
    mov w2, #\\match
    str w2, [x1, #4]
    mov x1, #0x10000
    mov w2, #0x40                   // program a word
    str w2, [x1]
    load w2, \\word
    str w2, [x1]
    mov w2, #\\mode
    str w2, [x1]
    load x2, \\value
    msr dbgbvr1_el1, x2
    msr dbgwvr0_el1, x2
    mov x2, #\\claim
    msr dbgbcr1_el1, x2
    msr pmevtyper0_el0, xzr         // SW_INCR
    mov x2, #1
    msr pmcntenset_el0, x2
    msr pmcr_el0, x2
    .rept \\event
    msr pmswinc_el0, x2
    .endr
    hvc #0x100
.endm
    set 0x1000, 0x7000, 0x90, 0xffff1234, 0xffff000000001000, 0x1e4, 3
    set 0x9000, 0x8000, 0xff, 0xff0f1230, 0xffff000000002000, 0x1e2, 2
    b .
    .global look
look:
    load x1, 0x09010000
    ldr w10, [x1]
    ldr w11, [x1, #4]
    mov x1, #0x10000
    ldr w12, [x1]
    mrs x13, dbgbvr1_el1
    mrs x14, dbgwvr0_el1
    mrs x15, dbgbcr1_el1
    mrs x16, pmevcntr0_el0
    mrs x17, pmcntenset_el0
    hvc #0x100
"""


def test_devices_and_registers_that_few_guests_use(target):
    """PL031, flash, the guest's debug registers and counters: gone back to, and out of a file."""
    script = (
        IN_MEMORY
        + """
def look(vm):
    vm.cpu[0].pc = at
    vm.run(60_000)
    return [vm.cpu[0].x[i] for i in range(10, 18)] + [vm.memory[0x1_0000 : 0x1_0004].hex()]
vm = guest(code)
vm.flash(0, "1M")
vm.run(60_000)
s = vm.snapshot()
s.save("/r/a")
print(look(vm))
vm.back()
vm.run(60_000)
print(look(vm))
vm.back()
print(look(vm))
with hv.load("/r/a") as two:
    two.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
    print(look(two))
"""
    )
    code, names = link(AROUND)
    lines = [eval(line) for line in run(target, code, script, 60, at=names["look"]).splitlines()]
    first, changed = lines[:2]
    for n, line in enumerate(lines):
        begun = 0x9000 if n == 1 else 0x1000
        assert begun <= line.pop(0) < begun + 900
    assert first[0] == 0x7000 and first[2:7] == [0xFFFF_0000_0000_1000] * 2 + [0x1E4, 3, 1], first
    assert first[7] == "3412ffff" and changed[7] == "30120fff" and first[1] != 0xFFFF1234
    assert changed[:7] == [0x8000, 0xFF0F1230] + [0xFFFF_0000_0000_2000] * 2 + [0x1E2, 5, 1], (
        changed
    )
    assert lines[2] == lines[3] == first
