# SPDX-License-Identifier: MIT
"""Files from outside: /disk on virtio-mmio, /fw on fw_cfg, /rom, an initrd, blobs in flash."""

import random
import re
import subprocess
import sys
import time
import zlib

import pytest
from harness import ROOT, Target, TargetError
from test_commands import make

MB = 1 << 20
EROFS = "EROFS|OSError: 30"  # MicroPython's table of names may not have it
RANDOM = random.Random(5)
BIG = RANDOM.randbytes(20 * MB - 321)
FLASH = 0x0400_0000  # the board's second flash bank, where a ROMFS image is looked for


def drive(path, name="disk", readonly=False, **options):
    """QEMU's options for one virtio disk on an image, or on a folder."""
    if path.is_dir():
        path, readonly = f"fat:{path}", True
    options = {"readonly": "on" if readonly else "off", "cache": "unsafe", **options}
    words = "".join(f",{key}={value}" for key, value in options.items())
    return [
        *("-drive", f"if=none,id={name},format=raw,file={path}{words}"),
        *("-device", f"virtio-blk-device,drive={name}"),
    ]


def transport(kind):
    return ["-global", f"virtio-mmio.force-legacy={'on' if kind == 'legacy' else 'off'}"]


def blank(path, size=16 * MB):
    path.write_bytes(b"")
    with path.open("r+b") as file:
        file.truncate(size)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of the host with big.bin, a script in sub/, and files with awkward names."""
    folder = tmp_path_factory.mktemp("disk")
    (folder / "big.bin").write_bytes(BIG)
    (folder / "sub").mkdir()
    (folder / "sub/far.py").write_text("WORD = 'imported'\n")
    (folder / "empty").write_bytes(b"")
    (folder / "A Long Name, With.several.dots").write_text("long\n")
    return folder


MACHINES = [
    pytest.param((gic, kind), id=f"gicv{gic}-{kind}")
    for gic in (2, 3)
    for kind in ("legacy", "modern")
]


@pytest.fixture(scope="module", params=MACHINES)
def _with_folder(request, image, folder):
    gic, kind = request.param
    machine = Target(gic=gic, mem="256M", args=transport(kind) + drive(folder))
    yield machine
    machine.close()


@pytest.fixture
def with_folder(_with_folder):
    """A machine with the folder as its disk: GICv2 and GICv3, both transports."""
    return _with_folder.fresh()


# Streams a file through a buffer; crc of all of it.
CRC = """
import binascii
def crc(path, piece=0x40000, at=0):
    buf = memoryview(bytearray(piece + at))[at:]
    sum = size = 0
    with open(path, "rb") as f:
        while n := f.readinto(buf):
            sum = binascii.crc32(buf[:n], sum)
            size += n
    return size, sum
"""


def summary(data):
    return str((len(data), zlib.crc32(data)))


# ---- A folder of the host


def test_folder(with_folder):
    assert with_folder.eval("sorted(__import__('os').listdir('/disk'))") == [
        "A Long Name, With.several.dots",
        "big.bin",
        "empty",
        "sub",
    ]
    assert with_folder.exec(CRC + "print(crc('/disk/big.bin'))", 30).strip() == summary(BIG)
    assert with_folder.eval("open('/disk/empty', 'rb').read()") == b""
    assert with_folder.eval("open('/disk/A Long Name, With.several.dots').read()") == "long\n"
    text = with_folder.exec(
        "import sys; sys.path.append('/disk/sub'); import far; print(far.WORD)"
    )
    assert text == "imported\n"


def test_reads_of_any_alignment_and_size(with_folder):
    """Seeks, short and odd reads to odd addresses; what is beside the buffer stays as it was."""
    cases = [
        (RANDOM.randrange(len(BIG)), RANDOM.choice([1, 511, 512, 513, 70_001])) for _ in range(40)
    ]
    cases += [(0, 1), (len(BIG) - 1, 600), (len(BIG), 5), (512, 3 * MB + 7)]
    code = (
        CRC
        + f"""
f = open("/disk/big.bin", "rb")
room = bytearray(b"\\xA5" * 4_000_000)
for case, (pos, size) in enumerate({cases}):
    at = 7 * case % 64 + 1
    f.seek(pos)
    n = f.readinto(memoryview(room)[at : at + size])
    beside = room[at - 1] == 0xA5 and room[at + n] == 0xA5
    print(n, binascii.crc32(memoryview(room)[at : at + n]), beside)
    room[at : at + n] = b"\\xA5" * n
"""
    )
    expected = []
    for pos, size in cases:
        data = BIG[pos : pos + size]
        expected.append(f"{len(data)} {zlib.crc32(data)} True")
    assert with_folder.exec(code, 30).splitlines() == expected


def test_straight_into_guest_ram(with_folder):
    code = (
        CRC
        + f"""
import hv
vm = hv.VM("load", ram="48M")
view = vm.memory.view(0x4000_1003, {len(BIG)})
with open("/disk/big.bin", "rb") as f:
    print(f.readinto(view), binascii.crc32(view), vm.memory[0x4000_1002])
"""
    )
    assert with_folder.exec(code, 30).strip() == f"{len(BIG)} {zlib.crc32(BIG)} 0"


def test_a_folder_is_read_only(with_folder):
    for what in ("open('/disk/new', 'w')", "os.remove('/disk/empty')", "os.mkdir('/disk/d')"):
        with pytest.raises(TargetError, match=EROFS):
            with_folder.exec(f"import os; {what}")
    assert with_folder.eval("__import__('machine').Disk().writeblocks(0, bytes(512))") == -30
    assert with_folder.eval("len(__import__('os').listdir('/disk'))") == 4


def test_mpremote_sees_the_disk(with_folder):
    text = with_folder.mpremote("fs", "ls", ":/disk")
    assert "big.bin" in text and "sub/" in text
    assert re.search(r"/disk\b", with_folder.mpremote("df"))
    assert with_folder.mpremote("fs", "cat", ":/disk/sub/far.py") == "WORD = 'imported'\n"


def test_reading_while_a_guest_runs(boot, folder):
    """Interrupts of the disk and of a guest's timer slices do not get into each other's way."""
    target = boot(smp=2, mem="256M", args=drive(folder))
    code = (
        CRC
        + """
import hv
vm = hv.VM("spin", ram="4M")
vm.memory[0x4008_0000:0x4008_0008] = b"\\x00\\x04\\x00\\x91\\xff\\xff\\xff\\x17"  # add x0, x0, #1; b .-4
vm.cpu[0].reset(0x4008_0000)
vm.start()
for n in range(3):
    print(crc("/disk/big.bin"), vm.running)
while not vm.pause() or vm.cpu[0].x[0] <= 1000:  # as soon as the host has run its core
    vm.start()
print(vm.cpu[0].x[0] > 1000)
"""
    )
    lines = target.exec(code, 60).splitlines()
    assert lines == [summary(BIG) + " True"] * 3 + ["True"]


def test_ctrl_c_while_reading(with_folder):
    with_folder.repl("import gc; b = bytearray(1 << 20)")
    line = "while True: f = open('/disk/big.bin', 'rb'); _ = f.readinto(b); print('read')"
    with_folder.send(line.encode() + b"\r\r")
    with_folder.until("read\nread\n")
    assert "KeyboardInterrupt" in with_folder.interrupt()
    assert with_folder.exec(CRC + "print(crc('/disk/big.bin'))", 30).strip() == summary(BIG)


# ---- An image that is written to

NAMES = """
def name(n):
    return "/disk/many/file number %d with a long name.txt" % n
def text(n):
    return "%d;" % n * (n * 37 % 700)
"""


@pytest.mark.parametrize(("gic", "kind"), [(2, "legacy"), (3, "modern")])
def test_writes_survive(boot, tmp_path, gic, kind):
    args = transport(kind) + drive(blank(tmp_path / "disk.img", 64 * MB))
    target = boot(gic=gic, mem="256M", args=args)
    with pytest.raises(TargetError, match="ENODEV"):
        target.exec("import os; os.listdir('/disk')")  # nothing on it yet
    code = (
        NAMES
        + f"""
import os, machine, vfs
vfs.VfsFat.mkfs(machine.Disk())
os.mkdir("/disk/many")
for n in range(300):
    with open(name(n), "w") as f:
        f.write(text(n))
for n in range(0, 300, 3):
    os.remove(name(n))
os.rename(name(1), name(0))
big = bytearray({len(BIG)} + 5)
with open("/fw/opt/big", "rb") as f:
    f.readinto(memoryview(big)[5:])
with open("/disk/big.bin", "wb") as f:
    f.write(memoryview(big)[5:])
"""
    )
    (tmp_path / "big").write_bytes(BIG)
    target.close()
    target = boot(
        gic=gic, mem="256M", args=[*args, "-fw_cfg", f"name=opt/big,file={tmp_path}/big"]
    )
    target.exec(code, 60)
    target.soft_reset()
    assert target.exec(CRC + "print(crc('/disk/big.bin', at=3))", 30).strip() == summary(BIG)
    target.close()

    target = boot(gic=gic, mem="256M", args=args)
    code = (
        NAMES
        + CRC
        + """
import os
print(crc("/disk/big.bin", 99_999))
print(len(os.listdir("/disk/many")), open(name(0)).read() == text(1))
print(all(open(name(n)).read() == text(n) for n in range(300) if n % 3 and n != 1))
"""
    )
    assert target.exec(code, 60).splitlines() == [summary(BIG), "200 True", "True"]


def test_two_disks(boot, tmp_path, folder):
    """The first on the command line is /disk, the second /disk1; more than that, more of those."""
    args = [
        *drive(folder, "a"),
        *drive(blank(tmp_path / "b"), "b"),
        *drive(blank(tmp_path / "c"), "c"),
    ]
    target = boot(gic=3, args=args)
    code = """
import machine, os, vfs
print(sorted(d for d in os.listdir("/") if d.startswith("disk")))
one, two = machine.Disk(1), machine.Disk(2)
vfs.VfsFat.mkfs(one)
print(one.ioctl(4, 0), one.ioctl(5, 0), os.listdir("/disk1"), "big.bin" in os.listdir("/disk"))
# As blocks: one request of many sectors, an offset, what is beside it.
data = bytes(range(256)) * 4096
print(two.writeblocks(3, data), two.writeblocks(9, b"x" * 512, 512))
back = bytearray(len(data) + 513)
print(two.readblocks(3, memoryview(back)[1:-512]))
print(back[1 : 7 * 512 + 1] == data[: 7 * 512], back[7 * 512 + 1 : 8 * 512 + 1] == b"x" * 512)
print(back[8 * 512 + 1 : -512] == data[8 * 512 :], back[0], back[-512:] == bytes(512))
print(two.readblocks(1 << 40, back[:512]), two.readblocks(two.ioctl(4, 0) - 1, bytearray(1024)))
try:
    machine.Disk(3)
except OSError as error:
    print(error)
for args in (0, bytearray(100)), (0, bytearray(512), 100):
    try:
        one.readblocks(*args)
    except OSError as error:
        print(error)
"""
    assert target.exec(code, 30).splitlines() == [
        "['disk', 'disk1', 'disk2']",
        "32768 512 [] True",
        "0 0",
        "0",
        "True True",
        "True 0 True",
        "-5 -5",
        "[Errno 19] ENODEV",
        "[Errno 22] EINVAL",
        "[Errno 22] EINVAL",
    ]


def test_littlefs_too(boot, tmp_path):
    target = boot(args=drive(blank(tmp_path / "disk.img")))
    code = """
import machine, vfs
disk = machine.Disk()
options = {"readsize": 512, "progsize": 512}
vfs.VfsLfs2.mkfs(disk, **options)
vfs.umount("/disk")
vfs.mount(vfs.VfsLfs2(disk, **options), "/disk")
with open("/disk/a", "w") as f:
    f.write("lfs" * 10_000)
print(open("/disk/a").read() == "lfs" * 10_000)
"""
    assert target.exec(code, 30) == "True\n"


# ---- Errors


def test_no_disk(boot):
    target = boot()
    assert "disk" not in target.eval("__import__('os').listdir('/')")
    with pytest.raises(TargetError, match="ENODEV"):
        target.exec("import machine; machine.Disk()")
    with pytest.raises(TargetError, match="ENOENT"):
        target.exec("open('/disk/x')")


@pytest.mark.parametrize("kind", ["legacy", "modern"])
def test_disk_taken_away(boot, folder, kind):
    target = boot(args=transport(kind) + drive(folder))
    target.exec("f = open('/disk/big.bin', 'rb'); b = bytearray(MB := 1 << 20); f.readinto(b)")
    target.monitor("drive_del disk")
    for code in ("f.readinto(b)", "open('/disk/sub/far.py').read()"):
        with pytest.raises(TargetError, match="OSError.*EIO"):
            target.exec(code)
    assert target.repl("6 * 7") == "42"
    target.soft_reset()
    with pytest.raises(TargetError, match="OSError"):
        target.exec("import os; os.listdir('/disk')")
    assert target.repl("6 * 7") == "42"


def test_a_disk_that_does_not_answer(boot, folder):
    """Ctrl-C ends the wait for it, and the disk can be used again when it is itself again."""
    args = drive(folder, **{"throttling.bps-total": 100_000})
    target = boot(args=args)
    target.repl("import machine; d = machine.Disk(); b = bytearray(8 << 20)")
    target.repl("d.readblocks(0, bytearray(512))")
    line = "d.readblocks(0, b); d.readblocks(0, b)"
    target.send(line.encode() + b"\r")
    target.until(line)
    time.sleep(3)  # 16 MB at 100 KB/s: it waits, for minutes yet
    assert "KeyboardInterrupt" in target.interrupt()
    target.monitor("block_set_io_throttle disk 0 0 0 0 0 0")
    assert target.repl("d.readblocks(0, bytearray(512))") == "0"


def test_not_a_fat_file_system(boot, tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(RANDOM.randbytes(MB))
    target = boot(args=drive(path))
    for code in (
        "open('/disk/x')",
        "import os; os.listdir('/disk')",
        "import os; os.chdir('/disk')",
    ):
        with pytest.raises(TargetError, match="ENODEV"):
            target.exec(code)
    assert target.repl("6 * 7") == "42"


# ---- fw_cfg


@pytest.fixture(scope="module")
def _with_fw(image, folder):
    machine = Target(
        mem="256M",
        args=[
            *("-fw_cfg", f"name=opt/org.example/big,file={folder / 'big.bin'}"),
            *("-fw_cfg", "name=opt/hello,string=hello world"),
            *("-fw_cfg", "name=opt/lines,file=pyproject.toml"),
            *("-fw_cfg", f"name=opt/lib/far.py,file={folder / 'sub/far.py'}"),
        ],
    )
    yield machine
    machine.close()


@pytest.fixture
def with_fw(_with_fw):
    return _with_fw.fresh()


def test_fw_tree(with_fw):
    code = """
import os
print(sorted(os.listdir("/fw/opt")), "etc" in os.listdir("/fw"), os.listdir("/fw/opt/org.example"))
print(os.stat("/fw/opt/hello")[6], hex(os.stat("/fw/opt")[0]), hex(os.stat("/fw/")[0]))
print(sorted(os.ilistdir("/fw/opt"))[0][:2])
os.chdir("/fw/opt")
print(os.getcwd(), open("hello").read(), "lines" in os.listdir())
os.chdir("/")
import sys
sys.path.append("/fw/opt/lib")
import far
print(far.WORD)
"""
    assert with_fw.exec(code).splitlines() == [
        "['hello', 'lib', 'lines', 'org.example'] True ['big']",
        "11 0x4000 0x4000",
        "('hello', 32768)",
        "/fw/opt hello world True",
        "imported",
    ]


def test_fw_files(with_fw):
    lines = (ROOT / "pyproject.toml").read_text().splitlines(keepends=True)
    assert with_fw.eval("open('/fw/opt/lines').readlines()") == lines
    assert with_fw.eval("[line for line in open('/fw/opt/lines')]") == lines
    assert with_fw.eval("open('/fw/opt/hello', 'rb').read()") == b"hello world"
    code = """
f = open("/fw/opt/hello", "rb")
print(f.seek(6), f.read(3), f.tell(), f.seek(-2, 1), f.seek(-4, 2), f.read(), f.read(), f.seek(0, 2))
try:
    f.seek(-1)
except OSError as error:
    print(error)
f.seek(100)
print(f.read())
"""
    assert with_fw.exec(code).splitlines() == [
        "6 b'wor' 9 7 7 b'orld' b'' 11",
        "[Errno 22] EINVAL",
        "b''",
    ]


def test_fw_at_speed_to_any_address(with_fw):
    code = (
        CRC
        + "print(crc('/fw/opt/org.example/big', at=1))\nprint(crc('/fw/opt/org.example/big', 9999))"
    )
    assert with_fw.exec(code, 30).splitlines() == [summary(BIG)] * 2


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("open('/fw/opt/nothing')", "ENOENT"),
        ("open('/fw/opt')", "ENOENT"),
        ("os.stat('/fw/op')", "ENOENT"),
        ("os.listdir('/fw/nothing')", "ENOENT"),
        ("open('/fw/opt/hello', 'w')", EROFS),
        ("open('/fw/opt/hello', 'r+b')", EROFS),
    ],
)
def test_fw_errors(with_fw, code, error):
    with pytest.raises(TargetError, match=error):
        with_fw.exec("import os; " + code)


# ---- ROMFS, initrd, flash


@pytest.fixture(scope="module")
def romfs(tmp_path_factory):
    """A ROMFS image, made as the documentation says."""
    folder = tmp_path_factory.mktemp("rom")
    (folder / "files").mkdir()
    (folder / "files/big.bin").write_bytes(BIG)
    (folder / "files/far.py").write_text("WORD = 'from ROM'\n")
    image = folder / "rom.romfs"
    command = [sys.executable, "-m", "mpremote", "romfs", "-o", str(image), "build"]
    subprocess.run([*command, str(folder / "files")], check=True, stdout=subprocess.DEVNULL)
    return image


@pytest.mark.parametrize("where", ["flash", "initrd"])
def test_romfs(boot, romfs, where):
    if where == "flash":
        args = ["-device", f"loader,file={romfs},addr={FLASH:#x},force-raw=on"]
        target = boot(mem="256M", args=args)
    else:
        target = boot(mem="256M", kernel="hypervisor.bin", args=["-initrd", romfs])
    code = (
        CRC
        + """
import far, gc
gc.collect()
before = gc.mem_free()
with open("/rom/big.bin", "rb") as f:
    view = memoryview(f)
    print(far.WORD, len(view), binascii.crc32(view), before - gc.mem_free() < 10_000)
"""
    )
    assert target.exec(code, 30).strip() == f"from ROM {len(BIG)} {zlib.crc32(BIG)} True"
    text = target.mpremote("romfs", "query")
    assert "ROMFS0" in text and "ROMFS image size" in text


def test_initrd(boot, folder):
    args = ["-initrd", folder / "big.bin"]
    target = boot(mem="256M", kernel="hypervisor.bin", args=args)
    code = CRC + "import hv; m = hv.initrd(); print((len(m), binascii.crc32(m)))"
    assert target.exec(code).strip() == summary(BIG)
    target.exec(
        "b = [bytearray(1 << 20) for n in range(16)]; import hv; vm = hv.VM('x', ram='64M')"
    )
    assert target.exec(code).strip() == summary(BIG)  # nobody was given its RAM
    with pytest.raises(TargetError, match="ENODEV"):
        boot().exec("import hv; hv.initrd()")


def test_blob_in_flash(boot, folder):
    at = FLASH + 0x1234
    args = ["-device", f"loader,file={folder / 'big.bin'},addr={at:#x},force-raw=on"]
    target = boot(args=args)
    code = CRC + f"import hv; m = hv.blob({at:#x}, {len(BIG)}); print((len(m), binascii.crc32(m)))"
    assert target.exec(code).strip() == summary(BIG)
    assert target.exec(code).strip() == summary(BIG)
    with pytest.raises(TargetError, match="TypeError"):
        target.exec("m[0] = 1")
    for code, error in (
        ("hv.blob(0x4400_0000, 16)", "ValueError.*0x44000000.*RAM"),
        ("hv.blob(0, 16)", "ValueError"),
        ("hv.blob(0x0B00_0000, 16)", "Fault.*0xb000000"),
        ("hv.blob(1 << 63, 1 << 63)", "ValueError"),
    ):
        with pytest.raises(TargetError, match=error):
            target.exec("import hv; " + code)
    assert target.repl("6 * 7") == "42"


# ---- As a user meets it, and what it costs


def test_make_run_disk(image, tmp_path, folder):
    script = tmp_path / "script.py"
    script.write_text("import os\nprint('found', os.stat('/disk/big.bin')[6])\n")
    status, text = make("run", f"SCRIPT={script}", f"DISK={folder}")
    assert status == 0 and f"found {len(BIG)}" in text, text
    script.write_text(
        "import machine, vfs\n"
        "vfs.VfsFat.mkfs(machine.Disk())\n"
        "with open('/disk/a', 'w') as f:\n    f.write('kept, and kept')\n"
        "print('wrote', open('/disk/a').read())\n"
    )
    disk = blank(tmp_path / "disk,1.img")
    status, text = make("run", f"SCRIPT={script}", f"DISK={disk}")
    assert status == 0 and "wrote kept" in text, text
    assert b"kept, and kept" in disk.read_bytes()


def test_loading_is_cheap(boot, tmp_path):
    """A kernel of 38 MB: below 3 instructions a byte, from /disk and from /fw; below a second, says the host."""
    size = 38 * MB + 777
    (tmp_path / "files").mkdir()
    kernel = tmp_path / "files/kernel"
    kernel.write_bytes(RANDOM.randbytes(size))
    args = [*drive(tmp_path / "files"), "-fw_cfg", f"name=opt/kernel,file={kernel}"]
    code = """
import hv, time
vm = hv.VM("big", ram="64M")
vm.memory.view(0x4000_0000, 60 << 20)  # zeroed, and given to us by the host
for path in "/disk/kernel", "/fw/opt/kernel":
    vm.load(path)
    start = time.ticks_cpu()
    vm.load(path)
    print(time.ticks_diff(time.ticks_cpu(), start) / machine.freq())
"""
    code = "import machine\n" + code
    target = boot(icount=True, mem="256M", args=args)
    per_byte = [float(line) * 1e9 / size for line in target.exec(code, 60).splitlines()]
    target.close()
    print("instructions a byte:", *(f"{n:.2f}" for n in per_byte))
    assert max(per_byte) < 3
    target = boot(mem="256M", args=args)
    print("seconds:", target.exec(code, 60).split())  # not held: what else the host does is in it
