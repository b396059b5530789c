# SPDX-License-Identifier: MIT
"""s.save(path), hv.load(path): a snapshot in a file, which another boot goes on from."""

import re
import struct
import zlib

from guestcode import run
from test_snapshot import ROUNDS, STATE
from test_storage import blank, drive

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


SMALL = """
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


def patch(old, new):
    """What of `new` is not at both ends of `old`: (bytes that are the same, those, bytes that are the same)."""
    most = min(len(old), len(new))
    before = next((i for i in range(most) if old[i] != new[i]), most)
    after = next((i for i in range(most - before) if old[-1 - i] != new[-1 - i]), most - before)
    return f"{before}, {new[before : len(new) - after]!r}, {after}"


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
