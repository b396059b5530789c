# SPDX-License-Identifier: MIT
"""Files of the host, damaged by dice: into the loaders, trees, archives and file systems of a target.

Each case is one sound file, damaged many times on the target by hostkit's mutate(). What comes is refused
with an exception of these, or taken.
"""

import base64
import gzip
import os
import random
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import hostpkg
from harness import ROOT
from test_loader import SMALL, elf, gz, image, zboot

TARGET = (
    (ROOT / "tests/hostkit.py").read_text()
    + """
from binascii import a2b_base64
import deflate, hv.fdt, io, json, os, vfs

REFUSED = (ValueError, OSError, EOFError, MemoryError, hv.Fault)

class Ram:
    "A block device in memory, of 512 bytes a block."
    def __init__(self, data):
        self.data = bytearray(data + bytes(-len(data) % 512))
    def readblocks(self, n, buffer, offset=0):
        at = n * 512 + offset
        if at + len(buffer) > len(self.data):
            raise OSError(5)
        buffer[:] = self.data[at : at + len(buffer)]
    def writeblocks(self, n, buffer, offset=0):
        at = n * 512 + offset
        if at + len(buffer) > len(self.data):
            raise OSError(5)
        self.data[at : at + len(buffer)] = buffer
    def ioctl(self, op, arg):
        return len(self.data) // 512 if op == 4 else 512 if op == 5 else 0

def walk(fs, path, depth, seen):
    for entry in fs.ilistdir(path):
        seen[0] += 1
        if seen[0] > 200:
            return
        name = path + "/" + entry[0]
        if entry[1] & 0x4000 and depth < 6:
            walk(fs, name, depth + 1, seen)
        elif not entry[1] & 0x4000:
            try:
                with fs.open(name, "rb") as f:
                    f.read(4096)
                fs.stat(name)
            except REFUSED:
                pass

def into_vm(blob, **more):
    with hv.VM("files", ram="2M") as vm:
        if more:
            vm.linux(**more)
        else:
            vm.load(blob)
        vm.run(2)

def into_fat(blob):
    fs = vfs.VfsFat(Ram(blob))
    walk(fs, "", 0, [0])
    with fs.open("new.txt", "w") as f:
        f.write("x" * 3000)
    fs.mkdir("folder")
    fs.remove("new.txt")

def into_tree(blob):
    tree = hv.fdt.parse(blob)
    str(tree), tree.pack()

def into_inflate(blob):
    for form in deflate.GZIP, deflate.ZLIB, deflate.RAW:
        try:
            stream = deflate.DeflateIO(io.BytesIO(blob), form)
            for _ in range(64):
                if not stream.read(4096):
                    break
        except REFUSED:
            pass

WAYS = {
    "load": into_vm,
    "tree": into_tree,
    "fat": into_fat,
    "rom": lambda blob: walk(vfs.VfsRom(blob), "", 0, [0]),
    "inflate": into_inflate,
    "dtb": lambda blob: into_vm(None, kernel=KERNEL, dtb=blob),
    "initrd": lambda blob: into_vm(None, kernel=KERNEL, initrd=blob),
    "json": lambda blob: json.loads(blob),
    "disk": lambda blob: into_disk(blob),
}

def into_disk(blob):
    with hv.VM("files", ram="1M") as vm:
        vm.block(blob, cow=True)

def damage(way, blob, seed, times, hot):
    dice, counts = Dice(seed), [0, 0]
    blob = deflate.DeflateIO(io.BytesIO(a2b_base64(blob)), deflate.ZLIB).read()
    for n in range(times):
        bad = mutate(blob, dice, hot)
        try:
            WAYS[way](bad)
        except REFUSED as error:
            str(error)
            counts[0] += 1
        else:
            counts[1] += 1
    return counts
"""
)


def _fat():
    """A small FAT file system, by the host's mkfs; by hand when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fat"
        path.write_bytes(bytes(64 << 10))
        for tool in ("/usr/sbin/mkfs.fat", "/sbin/mkfs.fat", "mkfs.fat"):
            try:
                subprocess.run([tool, path], check=True, capture_output=True)
                return path.read_bytes()
            except (OSError, subprocess.CalledProcessError):
                continue
    boot = b"\xeb\x3c\x90MSDOS5.0" + struct.pack(
        "<HBHBHHBHHHII", 512, 1, 1, 2, 512, 128, 0xF8, 2, 32, 2, 0, 0
    )
    boot += b"\x80\0\x29abcdNO NAME    FAT12   "
    boot = boot.ljust(510, b"\0") + b"\x55\xaa"
    table = (b"\xf8\xff\xff" + b"\xff\x0f\0").ljust(1024, b"\0")
    entry = b"README  TXT\x20" + bytes(14) + struct.pack("<HI", 2, 5)
    return (boot + table * 2 + entry.ljust(512 * 32, b"\0") + b"hello").ljust(64 << 10, b"\0")


def _rom():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "files/sub").mkdir(parents=True)
        (Path(folder) / "files/a.txt").write_text("a text")
        (Path(folder) / "files/sub/b.bin").write_bytes(bytes(range(256)))
        out = Path(folder) / "rom"
        command = [
            sys.executable,
            "-m",
            "mpremote",
            "romfs",
            "--no-mpy",
            "-o",
            out,
            "build",
            Path(folder) / "files",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=os.environ)
        return out.read_bytes()


def sound():
    """(way, file, how much of its beginning is hot)."""
    base = 0x4008_0000
    tree = bytes(hostpkg.load("machine_dt").virt(2 << 20).pack())
    text = SMALL * 3
    return [
        ("load", elf([(base, base, SMALL, 1000)]), 150),
        (
            "load",
            elf([(base, base, SMALL, 1000), (base + 0x8000, base + 0x8000, b"data", 8)]),
            200,
        ),
        ("load", image(body=SMALL), 64),
        ("load", gz(SMALL), 20),
        ("load", gzip.compress(image(body=SMALL), mtime=0), 60),
        ("load", zboot(gz(image(body=SMALL))), 100),
        ("load", tree, 60),
        ("tree", tree, 60),
        ("dtb", tree, 60),
        ("initrd", gzip.compress(b"070701" + b"0" * 104 + b"TRAILER!!!\0\0\0\0", mtime=0), 20),
        ("inflate", gzip.compress(text, mtime=0), 20),
        ("inflate", zlib.compress(bytes(random.Random(1).choices(b"abcdef \n", k=2000))), 20),
        ("rom", _rom(), 64),
        ("fat", _fat(), 0x1400),
        ("json", b'{"a": [1, 2.5, null, "x\\u1234"], "b": {"c": true}}', None),
        ("disk", bytes(range(256)) * 8, None),
    ]


def prelude():
    return TARGET + f"KERNEL = {image(body=SMALL)!r}\n"


def script(dice, cases):
    way, blob, hot = dice.choice(cases)
    times = 4 if way == "fat" else 12
    packed = base64.b64encode(zlib.compress(blob, wbits=12))
    return (
        f"damage({way!r}, {packed!r}, {dice.getrandbits(31) | 1}, {times}, {hot})",
        f"{way}, {len(blob)} bytes",
    )
