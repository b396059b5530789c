# SPDX-License-Identifier: MIT
"""hv.loader on the host, with a bytearray for guest RAM: what goes where, what is refused how."""

import io
import struct
from binascii import crc32

import hostpkg
import pytest
from hostkit import Dice, Memory, mutate

fdt = hostpkg.load("fdt")
loader = hostpkg.load("loader")

MB = 1 << 20
RAM = 0x4000_0000
CODE = bytes(range(1, 256)) * 80  # no zero byte: what is missing shows


# Images made by hand


def elf(segments, entry=None, kind=2, machine=183, gap=0, **override):
    """An ELF64 of segments (vaddr, paddr, data, memsz); `override` sets header fields by name."""
    table = 64
    offset = table + 56 * len(segments) + gap
    headers = body = b""
    for vaddr, paddr, data, memsz in segments:
        place = (offset + len(body), vaddr, paddr, len(data), memsz, 0x1000)
        headers += struct.pack("<IIQQQQQQ", 1, 7, *place)
        body += data
    fields = {
        "ident": b"\x7fELF\x02\x01\x01" + bytes(9),
        "kind": kind,
        "machine": machine,
        "version": 1,
        "entry": segments[0][0] if entry is None else entry,
        "phoff": table,
        "shoff": 0,
        "flags": 0,
        "ehsize": 64,
        "phentsize": 56,
        "phnum": len(segments),
        "shentsize": 0,
        "shnum": 0,
        "shstrndx": 0,
    }
    names = "ident kind machine version entry phoff shoff flags ehsize phentsize phnum"
    names += " shentsize shnum shstrndx"
    values = [override.get(name, fields[name]) for name in names.split()]
    return struct.pack("<16sHHIQQQIHHHHHH", *values) + headers + bytes(gap) + body


def image(size=None, text_offset=0, flags=0xA, body=CODE, pe=0):
    """An arm64 Image; without a size its bss is 4 KB."""
    size = 64 + len(body) + 0x1000 if size is None else size
    header = struct.pack(
        "<IIQQQQQQ4sI", 0x1400_0000, 0, text_offset, size, flags, 0, 0, 0, b"ARM\x64", pe
    )
    return header + body


def gz(data, name=b""):
    """gzip'd in stored blocks, which any Python can write."""
    out = (
        b"\x1f\x8b\x08" + (b"\x08" if name else b"\0") + bytes(6) + (name + b"\0" if name else b"")
    )
    for at in range(0, max(1, len(data)), 0xFFFF):
        piece = data[at : at + 0xFFFF]
        out += (
            struct.pack("<BHH", at + 0xFFFF >= len(data), len(piece), len(piece) ^ 0xFFFF) + piece
        )
    return out + struct.pack("<II", crc32(data) & 0xFFFF_FFFF, len(data) & 0xFFFF_FFFF)


def zboot(payload, method=b"gzip", size=None, start=64):
    size = len(payload) if size is None else size
    header = b"MZ\0\0zimg" + struct.pack("<IIII", start, size, 0, 0) + method
    return header + bytes(start - len(header)) + payload


def load(source, memory=None, **options):
    """(memory, Loaded), having checked what holds for every load."""
    memory = memory or Memory(4 * MB)
    loaded = loader.load(memory, source, **options)
    assert memory.base <= loaded.base <= loaded.entry < loaded.end <= memory.base + memory.size
    assert f"{loaded.entry:#x}" in repr(loaded) and loaded.kind in repr(loaded)
    return memory, loaded


def refused(source, *words, memory=None, **options):
    """Loading must fail with ValueError with these words and leave RAM as it was."""
    memory = memory or Memory(4 * MB)
    try:
        loader.load(memory, source, **options)
    except ValueError as error:
        text = str(error)
        for word in words:
            assert word in text, text
        assert not any(memory.ram), "RAM was left with something in it"
        return text
    raise AssertionError("loaded")


class File:
    """A binary file with nothing but what is asked of one; reads come in small helpings."""

    def __init__(self, data, helping=1000):
        self.data = data
        self.at = 5
        self.helping = helping

    def seek(self, offset, whence=0):
        self.at = offset + (len(self.data) if whence == 2 else 0)
        return self.at

    def readinto(self, dest):
        piece = self.data[self.at : self.at + min(len(dest), self.helping)]
        dest[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)


# Telling them apart


def test_identify():
    identify = loader.identify
    assert identify(elf([(RAM, RAM, b"x", 1)])) == "elf"
    assert identify(image()) == "image"
    assert identify(gz(b"x")) == "gzip"
    assert identify(zboot(gz(b"x"))) == "zboot"
    assert identify(memoryview(b"\x01\x02\x03\x04")) == "flat"
    assert identify(b"\0", 0) == "foreign: empty"
    foreign = (
        b"",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"BZh91AY&SY",
        b"\x27\x05\x19\x56",
        b"070701",
        b"MZ" + bytes(70) + b"PE\0\0",
    )
    foreign += (
        b"\xd0\x0d\xfe\xed",
        b"!<arch>\n",
        bytes(0x24) + b"\x18\x28\x6f\x01",
        bytes(0x202) + b"HdrS",
    )
    for head in foreign:
        assert identify(head + bytes(len(head) and 100)).startswith("foreign: "), head
        refused(head, "image is ")


# Flat binaries and where they come from


def test_flat_goes_512_kb_into_ram_and_is_entered_there():
    memory, loaded = load(CODE)
    assert (loaded.kind, loaded.via) == ("flat", "")
    assert loaded.base == loaded.entry == RAM + 0x8_0000 and loaded.end == loaded.base + len(CODE)
    assert memory.at(loaded.base, len(CODE)) == CODE
    assert memory.at(loaded.end, 16) == bytes(16) == memory.at(loaded.base - 16, 16)
    assert memory.cleaned == [(loaded.base, loaded.end)]


def test_at_and_entry():
    memory, loaded = load(CODE, at=RAM + 0x1000, entry=RAM + 0x1040)
    assert (loaded.base, loaded.entry) == (RAM + 0x1000, RAM + 0x1040)
    assert memory.at(RAM + 0x1000, len(CODE)) == CODE
    load(CODE, at=RAM + 4 * MB - len(CODE), entry=RAM + 4 * MB - 4)
    refused(CODE, "0x40400000", "RAM 0x40000000-0x40400000", at=RAM + 4 * MB)
    refused(CODE, "not in the guest's", at=RAM + 4 * MB - len(CODE) + 1)
    refused(CODE, "not in the guest's", at=RAM - 1)
    refused(CODE, "not in the guest's", at=-1)
    refused(CODE, "not in the guest's", at=1 << 64)
    refused(CODE, "entry", "not in the guest's", entry=0)
    refused(CODE, "aligned", entry=RAM + 2)
    refused(bytes(5 * MB), "5242880 bytes")
    refused(image(), "kind=", kind="elf")


def test_flat_can_be_asked_for():
    data = elf([(RAM, RAM, b"x", 1)])
    memory, loaded = load(data, kind="flat")
    assert loaded.kind == "flat" and memory.at(loaded.base, len(data)) == data
    memory, loaded = load(gz(data), kind="flat")
    assert memory.at(loaded.base, 2) == b"\x1f\x8b"


def test_sources(tmp_path):
    path = tmp_path / "guest.bin"
    path.write_bytes(CODE)
    with open(str(path), "rb") as file:
        file.read(7)
        for source in (
            str(path),
            file,
            io.BytesIO(CODE),
            bytearray(CODE),
            memoryview(CODE),
            File(CODE),
        ):
            memory, loaded = load(source)
            assert memory.at(loaded.base, len(CODE)) == CODE
        file.seek(0)
        assert file.read(3) == CODE[:3]  # not closed


def test_sources_that_are_none(tmp_path):
    memory = Memory(MB)
    missing = str(tmp_path / "nobody.elf")
    try:
        loader.load(memory, missing)
        raise AssertionError("loaded")
    except OSError as error:
        assert error.errno == 2 and "nobody.elf" in str(error)
    for wrong in (5, None, object()):
        with pytest.raises(TypeError):
            loader.load(memory, wrong)
    empty = tmp_path / "empty.bin"
    empty.write_bytes(b"")
    assert "empty.bin is empty" in refused(str(empty))


def test_progress():
    data = bytes(3 * MB)
    for source, total in ((data, len(data)), (gz(data), len(gz(data)))):
        seen = []
        load(source, progress=lambda done, total: seen.append((done, total)), at=RAM)
        assert seen[-1] == (total, total) and len(seen) > 8
        assert seen == sorted(seen) and {of for _, of in seen} == {total}


# ELF


def test_elf_goes_to_its_physical_addresses():
    high = 0xFFFF_8000_0000_0000
    data = elf(
        [(high, RAM, CODE, len(CODE) + 100), (high + MB, RAM + MB, b"data", 4)], entry=high + 8
    )
    memory = Memory(4 * MB)
    memory.ram[:] = b"\xaa" * len(memory.ram)
    loaded = loader.load(memory, data)
    assert loaded.kind == "elf" and loaded.entry == RAM + 8
    assert (loaded.base, loaded.end) == (RAM, RAM + MB + 4)
    assert memory.at(RAM, len(CODE)) == CODE and memory.at(RAM + MB, 4) == b"data"
    assert memory.at(RAM + len(CODE), 101) == bytes(100) + b"\xaa"
    assert memory.is_clean(RAM, len(CODE) + 100) and memory.is_clean(RAM + MB, 4)


def test_elf_entries():
    assert load(elf([(0x10, RAM, CODE, len(CODE))], entry=0x10))[1].entry == RAM
    assert load(elf([(0x10, RAM, CODE, len(CODE))], entry=RAM + 4))[1].entry == RAM + 4
    assert load(elf([(RAM, RAM, CODE, len(CODE))], entry=0), entry=RAM + 8)[1].entry == RAM + 8
    refused(elf([(RAM, RAM, CODE, len(CODE))], entry=0), "entry 0x0", "none of its segments")
    refused(elf([(RAM, RAM, CODE, len(CODE))], entry=RAM + 2), "aligned")


def test_elf_moved():
    data = elf([(0x1000, RAM + 0x1000, CODE, len(CODE)), (0, RAM, b"low", 8)], entry=0x1010)
    memory, loaded = load(data, at=RAM + MB)
    assert loaded.entry == RAM + MB + 0x1010 and memory.at(RAM + MB, 4) == b"low\0"


def test_position_independent_elf():
    data = elf([(0, 0, CODE, len(CODE))], kind=3)
    assert load(data)[1].entry == RAM + 0x8_0000
    assert load(data, at=RAM + MB)[1].entry == RAM + MB
    assert load(elf([(RAM, RAM, CODE, len(CODE))], kind=3))[1].entry == RAM
    high = 0xFFFF_8000_0000_0000
    kernel = elf([(high, high, CODE, len(CODE))], kind=3)
    refused(kernel, "segment 0", "0xffff800000000000", "0x40000000-0x40400000")
    assert load(kernel, at=RAM + 2 * MB)[1].entry == RAM + 2 * MB


def test_foreign_elf_is_named():
    good = [(RAM, RAM, CODE, len(CODE))]
    refused(elf(good, machine=62), "x86-64 (62)", "AArch64")
    refused(elf(good, machine=243), "RISC-V")
    refused(elf(good, machine=0x1234), "4660")
    refused(
        elf(good, machine=40, ident=b"\x7fELF\x01\x01\x01" + bytes(9)), "32-bit Arm", "32-bit,"
    )
    refused(elf(good, ident=b"\x7fELF\x01\x01\x01" + bytes(9)), "AArch64 (183), 32-bit")
    big = elf(good, machine=183 << 8, ident=b"\x7fELF\x02\x02\x01" + bytes(9))
    refused(big, "AArch64 (183), 64-bit, big-endian")
    refused(elf(good, kind=1), "type 1", "link")


def test_malformed_elf():
    def segment(**fields):
        return elf([(RAM, RAM, CODE, len(CODE))], **fields)

    refused(segment(phnum=0), "0 program headers")
    refused(segment(phnum=0xFFFF), "65535 program headers")
    refused(segment(phentsize=32), "32 bytes")
    refused(segment(phoff=1 << 40), "truncated", "program headers")
    refused(segment(phoff=(1 << 64) - 1), "truncated")
    refused(segment()[:100], "truncated")
    refused(segment()[:19], "truncated")
    refused(segment()[:-1], "truncated", "segment 0")
    refused(elf([(RAM, RAM, CODE, 4)]), "segment 0", "in memory")
    refused(elf([(RAM, 0x1000, CODE, len(CODE))]), "segment 0", "0x1000", "0x40000000-0x40400000")
    refused(elf([(RAM, RAM, CODE, 1 << 63)]), "segment 0")
    refused(elf([(RAM, RAM, CODE, 4 * MB), (0, RAM + 0x1000, CODE, len(CODE))]), "overlap")
    refused(elf([(RAM, RAM, b"", 0)]), "0 segments")
    refused(elf([(RAM + at, RAM + at, b"x", 1) for at in range(65)]), "65 segments")
    second = elf([(RAM, RAM, CODE, len(CODE)), (0, RAM + 8 * MB, b"x", 1)])
    refused(second, "segment 1", "0x40800000")


def test_elf_from_gcc(tmp_path):
    import subprocess

    source = tmp_path / "guest.S"
    source.write_text(
        ".globl _start\n.text\n.word 1\n_start: b .\n"
        ".data\n.quad 0x1122334455667788\n.bss\n.skip 64\n"
    )
    script = tmp_path / "guest.ld"
    script.write_text(
        "ENTRY(_start) SECTIONS { . = 0xffff000000000000; .text : AT(0x40100000) { *(.text) } "
        ". = 0xffff000000200000; .data : AT(0x40200000) { *(.data) } .bss : { *(.bss) } }"
    )
    path = tmp_path / "guest.elf"
    command = ["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"]
    subprocess.run(command + ["-T", script, "-o", path, source], check=True)
    for data in (str(path), gz(path.read_bytes())):
        memory, loaded = load(data)
        assert loaded.entry == 0x4010_0004 and memory.at(0x4010_0000, 4) == b"\x01\0\0\0"
        assert memory.at(0x4020_0000, 8) == b"\x88\x77\x66\x55\x44\x33\x22\x11"
        assert loaded.end >= 0x4020_0000 + 72


# arm64 Image


def test_image_goes_2_mb_into_ram():
    memory, loaded = load(image())
    assert (loaded.kind, loaded.page_size, loaded.big_endian) == ("image", 0x1000, False)
    assert (
        loaded.base == loaded.entry == RAM + 2 * MB
        and loaded.end == loaded.base + len(image()) + 0x1000
    )
    assert memory.at(loaded.base, len(image())) == image()
    assert memory.is_clean(loaded.base, len(image()))


def test_image_fields():
    assert load(image(text_offset=0x8_0000))[1].base == RAM + 0x28_0000
    assert load(image(flags=0))[1].base == RAM
    assert load(image(flags=0, text_offset=0x8_0000))[1].base == RAM + 0x8_0000
    old = load(image(size=0, flags=0), Memory(8 * MB))[1]
    assert old.base == RAM + 0x8_0000 and old.page_size == 0
    assert load(image(flags=0xE))[1].page_size == 0x1_0000
    assert load(image(flags=0xB))[1].big_endian
    refused(image(flags=0xC), "16 KB pages")
    refused(image(text_offset=0x123), "text_offset 0x123")
    refused(image(text_offset=1 << 63))
    refused(image(size=1 << 63))
    refused(image(size=3 * MB), "bss", "0x40400000")
    refused(image()[:63], "truncated", "Image header")
    refused(gz(image(size=0)), "3.17")


def test_image_at():
    assert load(image(), at=RAM)[1].entry == RAM
    assert load(image(text_offset=0x8_0000), at=RAM + 0x8_0000)[1].entry == RAM + 0x8_0000
    refused(image(), "multiple of 2 MB", at=RAM + MB)


def test_image_shorter_than_its_pe_header_says():
    sections = struct.pack("<8sIIII16x", b".text", 0, 0, 200, 0x100)
    sections += struct.pack("<8sIIII16x", b".data", 0, 0, 0x1000, 0x200)
    pe = b"PE\0\0" + struct.pack("<HHIIIHH", 0xAA64, 2, 0, 0, 0, 32, 0) + bytes(32) + sections
    whole = b"MZ" + image(body=pe + CODE, pe=64)[2:]
    load(whole)
    load(whole[:0x1200])
    refused(whole[:0x11FF], "truncated", "section of 4096 bytes at 0x200")
    refused(whole[:100], "truncated")


# Compressed


def test_gzip_of_anything():
    for inside, kind in (
        (image(), "image"),
        (CODE, "flat"),
        (elf([(RAM, RAM, CODE, len(CODE) + 9)]), "elf"),
    ):
        memory, plain = load(inside)
        for packed in (
            gz(inside),
            gz(inside, b"name.bin"),
            gz(inside) + b"trailing",
            gz(gz(inside)),
        ):
            again, loaded = load(packed)
            assert (loaded.kind, loaded.via) == (kind, "gzip") and "from gzip" in repr(loaded)
            assert again.ram == memory.ram
            assert (loaded.base, loaded.end, loaded.entry) == (plain.base, plain.end, plain.entry)
            assert again.is_clean(loaded.base, 100)


def test_gzip_by_zlib():
    import zlib

    dice = Dice(3)
    noise = bytes([dice.below(256) for _ in range(200_000)])
    for body in (CODE * 60, noise, bytes(MB), noise + bytes(300_000) + noise):
        for level in (0, 1, 6, 9):
            packer = zlib.compressobj(level, zlib.DEFLATED, 31)
            packed = packer.compress(image(body=body)) + packer.flush()
            for source in (packed, File(packed)):
                memory, loaded = load(source)
                assert memory.at(loaded.base + 64, len(body)) == body


def test_elf_segments_out_of_order_in_gzip():
    data = elf([(RAM + MB, RAM + MB, CODE, len(CODE)), (RAM, RAM, b"low", 3)], gap=10_000)
    assert load(gz(data))[0].ram == load(data)[0].ram
    backwards = bytearray(data)  # the second segment's bytes lie inside the first's
    struct.pack_into("<Q", backwards, 64 + 56 + 8, 64 + 2 * 56 + 10_000 + 3)
    assert load(gz(bytes(backwards)))[0].at(RAM, 3) == CODE[3:6]


def test_bad_gzip():
    packed = gz(image())
    for size in (10, 15, 100, len(packed) - 9, len(packed) - 8, len(packed) - 1):
        refused(packed[:size], "truncated")
    broken = bytearray(packed)
    broken[-8] ^= 1
    refused(bytes(broken), "bad gzip data")
    broken = bytearray(gz(elf([(RAM, RAM, CODE, len(CODE))])))
    broken[-8] ^= 1
    refused(bytes(broken), "bad gzip data")
    refused(b"\x1f\x8b\x08" + b"\xff" * 100, "bad gzip data")
    refused(b"\x1f\x8b\x07" + bytes(100), "bad gzip data")
    refused(b"\x1f\x8b", "truncated")
    refused(gz(b""), "is empty")
    refused(gz(gz(gz(gz(CODE)))), "compressed more than")
    refused(gz(image(body=CODE * 2, size=100)), "more than")
    refused(gz(bytes(b"\x01" * 4 * MB)), "more than")
    refused(gz(b"BZh91AY&SY"), "bzip2")


def test_zboot():
    memory, loaded = load(zboot(gz(image())))
    assert (loaded.kind, loaded.via) == ("image", "zboot") and memory.at(
        loaded.base, 64
    ) == image()[:64]
    load(zboot(gz(image())) + b"what follows")
    refused(zboot(gz(image()), b"zstd22"), "zstd22")
    refused(zboot(gz(image()), size=1 << 31), "truncated")
    refused(zboot(gz(image()), size=100), "truncated")
    refused(zboot(zboot(zboot(zboot(CODE)))), "more than")
    refused(zboot(b"")[:30], "truncated")


# Failure on the way


class Failing(File):
    """Ends, or breaks, somewhere in the middle."""

    def __init__(self, data, limit, error=None):
        super().__init__(data)
        self.limit = limit
        self.error = error

    def readinto(self, dest):
        if self.at + len(dest) > self.limit:
            if self.error:
                raise self.error
            return 0
        return super().readinto(dest)


def test_a_source_that_ends_early_leaves_nothing():
    data = image(body=CODE * 40)
    refused(Failing(data, 600_000), "truncated")
    refused(Failing(gz(data), 600_000), "truncated")
    refused(
        Failing(elf([(RAM, RAM, b"first", 5), (0, RAM + MB, CODE * 40, 2 * MB)]), 600_000),
        "truncated",
    )


def test_other_errors_pass_and_leave_nothing():
    for error in (OSError(5), KeyboardInterrupt()):
        for data in (image(body=CODE * 40), gz(image(body=CODE * 40))):
            memory = Memory(4 * MB)
            with pytest.raises(type(error)):
                loader.load(memory, Failing(data, 600_000, error))
            assert not any(memory.ram)


# Linux


def tree():
    made = fdt.Tree()
    made.node("/chosen", {"bootargs": "quiet"})
    return made


def linux(kernel, initrd=None, size=16 * MB, base=RAM, **options):
    memory = Memory(size, base)
    dt = tree()
    loaded = loader.linux(memory, kernel, dt, initrd, **options)
    blob = dt.pack()
    assert memory.at(loaded.dtb, len(blob)) == blob and memory.is_clean(loaded.dtb, len(blob))
    assert loaded.dtb % 8 == 0
    assert loaded.dtb + len(blob) <= loaded.base or loaded.dtb >= loaded.end
    chosen = fdt.parse(memory.view(loaded.dtb, len(blob)))["/chosen"]
    if initrd is not None:
        start, end = chosen.u64("linux,initrd-start"), chosen.u64("linux,initrd-end")
        assert (start, end) == loaded.initrd and memory.at(start, len(initrd)) == initrd
        assert (
            end - start == len(initrd)
            and memory.is_clean(start, len(initrd))
            and start >= loaded.end
        )
        assert loaded.dtb + len(blob) <= start or loaded.dtb >= end
    else:
        assert "linux,initrd-start" not in chosen and loaded.initrd is None
    return memory, loaded


def test_linux():
    initrd = bytes(range(256)) * 1000
    memory, loaded = linux(image(), initrd)
    assert loaded.dtb == RAM and loaded.base == loaded.entry == RAM + 2 * MB
    assert "initrd" in repr(loaded) and "device tree" in repr(loaded)
    linux(image())
    linux(gz(image()), initrd)
    linux(zboot(gz(image())), initrd, base=0x8000_0000)
    memory, loaded = linux(
        image(), initrd, taken=[(RAM, RAM + 0x1000), (RAM + 3 * MB, RAM + 8 * MB)]
    )
    assert loaded.dtb == RAM + 4 * MB or loaded.dtb >= RAM + 8 * MB
    assert loaded.initrd[0] < RAM + 3 * MB


def test_linux_of_old():
    memory, loaded = linux(image(flags=0, text_offset=0x8_0000), b"initrd")
    assert loaded.base == RAM + 0x8_0000 and loaded.dtb > loaded.base
    assert memory.at(RAM, 4) == b"\xd0\x0d\xfe\xed"  # for U-Boot, all the same
    memory, loaded = linux(image(flags=0), b"initrd")
    assert loaded.base == RAM and loaded.dtb >= loaded.end
    memory, loaded = linux(image(size=0, flags=0), b"initrd")
    assert loaded.initrd[0] >= loaded.base + len(image()) + 4 * MB


def test_linux_stale_initrd_goes():
    memory, dt = Memory(16 * MB), tree()
    loader.linux(memory, image(), dt, b"initrd")
    loader.linux(memory, image(), dt)
    assert "linux,initrd-start" not in dt["/chosen"]


def test_linux_that_does_not_fit():
    def no(kernel, initrd=None, *words, size=4 * MB, taken=()):
        memory = Memory(size)
        try:
            loader.linux(memory, kernel, tree(), initrd, taken=taken)
            raise AssertionError("loaded")
        except ValueError as error:
            for word in words:
                assert word in str(error), error
        assert not any(memory.ram)

    no(image(), bytes(2 * MB), "initrd", "more RAM")
    no(image(), b"", "initrd is empty")
    no(CODE, None, "not an arm64 Image", "flat")
    no(elf([(RAM, RAM, CODE, len(CODE))]), None, "elf")
    no(image(), None, "not in the guest's", size=2 * MB)
    no(
        image(),
        None,
        "no room for a device tree",
        taken=[(RAM, RAM + 2 * MB), (RAM + 0x21_0000, RAM + 4 * MB)],
    )
    no(image(), None, "taken", taken=[(RAM + 2 * MB + 4, RAM + 3 * MB)])
    no(image(), Failing(bytes(MB), 300_000), "truncated", size=16 * MB)
    no(gz(image())[:-3], b"initrd", "truncated")


def test_initrd_stays_within_reach_of_the_kernel():
    class Vast(Memory):
        """64 GB of RAM, of which nothing is kept."""

        def __init__(self):
            super().__init__(MB)
            self.size = 64 << 30

        def view(self, ipa, size):
            return memoryview(bytearray(size))

    far = [(RAM + 2 * MB + 0x1_0000, RAM + (40 << 30))]
    with pytest.raises(ValueError, match="does not fit"):
        loader.linux(Vast(), image(), tree(), b"initrd", taken=far)


def test_put_tree():
    memory, loaded = load(CODE)
    blob = tree().pack()
    assert loader.put_tree(memory, tree(), [(loaded.base, loaded.end)]) == RAM
    assert memory.at(RAM, len(blob)) == blob and memory.is_clean(RAM, len(blob))
    memory = Memory(4 * MB)
    assert loader.put_tree(memory, tree(), [(RAM, RAM + 0x1000)]) == RAM + 2 * MB
    assert memory.at(RAM, 4) == bytes(4)
    memory = Memory(MB)
    assert loader.put_tree(memory, tree(), [(RAM, RAM + 0x1000)]) == RAM + MB - 0x1000
    memory = Memory(4 * MB)
    assert loader.put_tree(memory, tree(), at=RAM + 8) == RAM + 8
    memory = Memory(4 * MB)
    assert loader.put_tree(memory, tree(), [(RAM + 0x8000, RAM + MB)], at=RAM + MB) == RAM + MB
    assert memory.at(RAM, len(blob)) == blob == memory.at(RAM + MB, len(blob))
    for wrong in (RAM + 4, RAM - 8, RAM + 4 * MB - 8):
        with pytest.raises(ValueError):
            loader.put_tree(Memory(4 * MB), tree(), at=wrong)
    with pytest.raises(ValueError, match="taken"):
        loader.put_tree(Memory(4 * MB), tree(), [(RAM, RAM + MB)], at=RAM)
    with pytest.raises(ValueError, match="no room"):
        loader.put_tree(Memory(4 * MB), tree(), [(RAM, RAM + 4 * MB)])


# Fuzz: whatever comes, it is loaded inside RAM or refused with RAM untouched


def fuzz(blobs, rounds, seed, hot):
    dice = Dice(seed)
    memory = Memory(4 * MB)
    empty = bytes(memory.size)
    counts = [0, 0]
    for _ in range(rounds):
        blob = mutate(dice.pick(blobs), dice, hot)
        memory.cleaned.clear()
        try:
            loaded = loader.load(memory, blob)
        except ValueError as error:
            assert str(error).startswith("image")
            counts[0] += 1
        else:
            counts[1] += 1
            assert memory.base <= loaded.entry < memory.base + memory.size
            for start, end in memory.cleaned:
                assert loaded.base <= start <= end <= loaded.end
                memory.view(start, end - start)[:] = bytes(end - start)
        if memory.ram != empty:
            raise AssertionError(f"RAM changed by {blob[:64]!r} ({len(blob)} bytes)")
    assert min(counts) > rounds // 50, counts


SMALL = CODE[:900]


def test_fuzz_elf():
    high = 0xFFFF_8000_0000_0000
    whole = elf(
        [(high, RAM, SMALL, 1000), (high + MB, RAM + MB, b"data", 8), (0, RAM + 2 * MB, b"", 64)]
    )
    fuzz([whole, elf([(0, 0, SMALL, 1000)], kind=3)], 5000, 5, 232)


def test_fuzz_image():
    fuzz([image(body=SMALL), image(flags=0, text_offset=0x8_0000, body=SMALL)], 5000, 6, 64)


def test_fuzz_gzip():
    blobs = [gz(image(body=SMALL)), gz(SMALL, b"name"), gz(elf([(RAM, RAM, SMALL, 1000)]))]
    fuzz(blobs, 5000, 7, 200)


def test_fuzz_zboot():
    fuzz([zboot(gz(image(body=SMALL)))], 5000, 8, 160)


def test_progress_bar():
    from hostpkg import load

    out, clock = io.StringIO(), [0]
    with load("progress").Bar("vmlinuz", out, lambda: clock[0]) as bar:
        for done in range(11):
            bar(done * MB, 10 * MB)
            clock[0] += 150
    lines = out.getvalue().split("\r")
    assert lines[0] == "" and len(lines) == 8  # nothing at first
    assert lines[1] == "vmlinuz [############..................] 4 of 10 MB"
    assert lines[-1] == "vmlinuz [##############################] 10 of 10 MB\n"
    with load("progress").Bar("quick", out, lambda: 0) as bar:
        bar(MB, MB)
    assert "quick" not in out.getvalue()
