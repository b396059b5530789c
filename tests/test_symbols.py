# SPDX-License-Identifier: MIT
"""Names and addresses of a guest, both ways: from ELF files, System.map, a Linux's kallsyms."""

import gzip
import re
import subprocess

import pytest
from harness import ROOT

GUESTS = ROOT / "build/guests"
DISK = "-device virtio-blk-device,drive=disk -drive"
DISK += f" if=none,id=disk,format=raw,readonly=on,file=fat:{ROOT}/build/guests-debian"


def nm(path):
    """{name: address} of an ELF file's functions and objects, by binutils."""
    lines = subprocess.run(["aarch64-linux-gnu-nm", path], capture_output=True, text=True).stdout
    return {name: int(at, 16) for at, _, name in (line.split() for line in lines.splitlines())}


@pytest.fixture
def hello(target):
    target.mpremote("cp", GUESTS / "hello.elf", GUESTS / "psci.elf", ":")
    target.exec("import hv\nvm = hv.VM('s', ram='8M')")
    return target


def test_a_place_is_a_name_an_offset_or_an_address(hello):
    known = nm(GUESTS / "hello.elf")
    main = known["guest_main"]
    assert "ValueError: s has no symbols" in hello.repl("vm.address('guest_main')")
    assert hello.eval("vm.address(0x123)") == 0x123
    hello.exec("vm.load('hello.elf')")
    places = {
        "guest_main": main,
        "guest_main+0x10": main + 16,
        "guest_main+16": main + 16,
        "guest_main-4": main - 4,
        "_start": known["_start"],
    }
    assert hello.eval(f"[vm.address(p) for p in {list(places)}]") == list(places.values())
    assert hello.eval("vm.symbol('guest_main')") == main
    assert hello.eval(f"vm.symbol({main})") == "guest_main"
    assert hello.eval(f"vm.symbol({main + 8})") == "guest_main+0x8"
    assert "KeyError: hello.elf has no symbol at 0x10" in hello.repl("vm.symbol(0x10)")
    assert "TypeError: a place is an address or a name" in hello.repl("vm.address(1.5)")


def test_a_slip_is_answered_with_names(hello):
    hello.exec("vm.load('hello.elf')")
    slips = {
        "guest_mian": "guest_main",
        "gest_main": "guest_main",
        "main": "guest_main",
        "_strat": "_start",
    }
    for typed, meant in slips.items():
        said = hello.repl(f"vm.address('{typed}')").splitlines()[-1]
        assert said.startswith(f"KeyError: hello.elf has no symbol {typed}; it has "), said
        assert meant in said
    said = hello.repl("vm.address('xylophone')").splitlines()[-1]
    assert said == "KeyError: hello.elf has no symbol xylophone"


def test_several_files_and_where_they_were_put(hello):
    """What was moved has its names where it is; the newest file's names come first."""
    one, two = nm(GUESTS / "psci.elf"), nm(GUESTS / "hello.elf")
    slide = 0x20_0000
    hello.exec(f"vm.load('psci.elf'); vm.load('hello.elf', at={0x4008_0000 + slide})")
    only = next(name for name in one if name not in two)
    assert hello.eval(f"vm.address({only!r})") == one[only]
    assert hello.eval("vm.address('guest_main')") == two["guest_main"] + slide
    assert hello.eval(f"vm.symbol({one['guest_main'] + 4})") == "guest_main+0x4"
    assert hello.eval(f"vm.symbol({two['guest_main'] + slide})") == "guest_main"
    hello.exec("vm.reset()")
    assert hello.eval("vm.address('guest_main')") == two["guest_main"] + slide
    hello.exec("vm.load('psci.elf')")
    assert hello.eval("vm.address('guest_main')") == one["guest_main"]


# ---- System.map, gzip'd files, stripped ones ------------------------------------------------------


def test_other_files(target, tmp_path):
    """What vm.symbols.add() takes: a System.map, an ELF of another place, gzip'd ones; and what it refuses."""
    known = nm(GUESTS / "psci.elf")
    names = sorted(known.items(), key=lambda each: each[1])
    text = "".join(f"{at + 0xFFFF << 32:016x} T {name}\n" for name, at in names)
    (tmp_path / "System.map").write_text("0000000000000007 A number\n" + text)
    (tmp_path / "map.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "elf.gz").write_bytes(gzip.compress((GUESTS / "psci.elf").read_bytes()))
    (tmp_path / "bad").write_bytes(b"not a map at all, and no ELF file")
    strip = ["aarch64-linux-gnu-strip", "-o", tmp_path / "stripped", GUESTS / "psci.elf"]
    subprocess.run(strip, check=True)
    target.mpremote("cp", *tmp_path.iterdir(), GUESTS / "psci.elf", ":")
    target.exec("import hv\nvm = hv.VM('s', ram='8M')")
    for file, move in (
        ("System.map", lambda at: at + 0xFFFF << 32),
        ("map.gz", lambda at: at + 0xFFFF << 32),
        ("elf.gz", lambda at: at),
        ("psci.elf", lambda at: at),
    ):
        for slide in (0, 0x10_0000):
            target.exec(f"vm._symbols = None\nvm.symbols.add('{file}', {slide})")
            for name in ("guest_main", "_start", "victim", "print_hex"):
                at = move(known[name]) + slide
                assert target.eval(f"vm.address('{name}')") == at, (file, name)
                assert target.eval(f"vm.symbol({at})") == name
                if name != "victim":  # four bytes
                    assert target.eval(f"vm.symbol({at + 4})") == name + "+0x4"
            assert "it has guest_main" in target.repl("vm.address('guest_mian')")
            for none in (0x10, 2**64 - 1, move(names[0][1]) + slide - 1):
                assert "has no symbol at" in target.repl(f"vm.symbol({none})"), (file, none)
    assert target.repl("vm.symbols") == "<Symbols: psci.elf>"
    assert "bad has no symbols: it is neither" in target.repl("vm.symbols.add('bad')")
    target.exec("vm._symbols = None\nvm.symbols.add('stripped')")
    assert "stripped has no symbol guest_main" in target.repl("vm.address('guest_main')")


def test_sizes(hello):
    hello.exec("vm.load('psci.elf')")
    lines = subprocess.run(
        ["aarch64-linux-gnu-nm", "-S", GUESTS / "psci.elf"], capture_output=True, text=True
    ).stdout.splitlines()
    sizes = {line.split()[3]: int(line.split()[1], 16) for line in lines if len(line.split()) == 4}
    for name in ("guest_main", "print_dec", "stacks"):
        assert hello.eval(f"hv.symbols.extent(vm, '{name}')[1]") == sizes[name]
        assert hello.eval(f"hv.symbols.extent(vm, '{name}+4')[1]") == sizes[name] - 4


BROKEN = """
import hv, os
def tables():
    size = lambda n: int.from_bytes(os.urandom(2), "little") % n
    for kind in (1, 3, 4):
        for fill in (b"\\0", b"\\xff", b"\\x80", b"\\n", b"1", None):
            parts = [os.urandom(size(3000)) if fill is None else fill * size(3000) for _ in range(kind)]
            if kind == 4:
                parts[2] = os.urandom(512) if fill is None else fill * 512
            yield tuple(parts)
for _ in range(ROUNDS):
    for parts in tables():
        for what in (0, 5, 0x8000_0000, 2**64 - 1, "", "x", "\\0", "y" * 600):
            hv.symbols._hv.symbols(parts, what)
            if isinstance(what, str):
                hv.symbols._hv.symbols(parts, what, True)
print("whole")
"""


def test_tables_of_nonsense(target):
    """A guest writes its kallsyms; a file may be anything."""
    assert target.exec("ROUNDS = 20\n" + BROKEN, seconds=60) == "whole\n"


# ---- A running Linux's own ------------------------------------------------------------------------

LINUX = """
import hv
vm = hv.VM("linux", ram="256M", cpus={cpus})
at, line = "/disk/{kernel}/", "console=ttyAMA0 quiet"
loaded = vm.linux(at + "vmlinuz", initrd=at + "initrd.gz", cmdline=line)
if {kaslr}:
    tree = vm.device_tree(bootargs=line, initrd=loaded.initrd, kaslr_seed=0x1234_5678_1234_5678)
    hv.loader.put_tree(vm.memory, tree, at=loaded.dtb)
"""


def kernels(*long):
    """Two of Debian's kernels for CI, and those of the long target: (kernel, kaslr, gic, cpus, smp)."""
    return [
        pytest.param("6.1-cloud", False, 2, 1, 1, id="6.1"),
        pytest.param("6.12-cloud", True, 3, 4, 4, id="6.12-kaslr"),
        *(
            pytest.param(
                kernel, kaslr, gic, cpus, smp, marks=pytest.mark.long, id=f"{kernel}-{gic}-{kaslr}"
            )
            for kernel, kaslr, gic, cpus, smp in long
        ),
    ]


KERNELS = kernels(
    ("6.1-cloud", True, 3, 4, 4),
    ("6.12-cloud", False, 2, 1, 1),
    ("6.1", True, 2, 4, 1),
    ("6.1", False, 3, 1, 4),
    ("6.12", True, 2, 4, 4),
    ("6.12", False, 3, 4, 1),
)
HIDE_NOTE = """
note = vm.memory.find(b"OSRELEASE=", vm.memory.base + 0x18, vm.memory.base + vm.memory.size, 0x1000)
while note >= 0:
    vm.memory[note] = 0
    note = vm.memory.find(b"OSRELEASE=", vm.memory.base + 0x18, vm.memory.base + vm.memory.size, 0x1000)
vm._symbols = None
"""


@pytest.mark.parametrize(("kernel", "kaslr", "gic", "cpus", "smp"), KERNELS)
def test_a_linux_tells_its_own_names(boot, kernel, kaslr, gic, cpus, smp):
    """Before it runs, as it runs, after a reset; by vmcoreinfo, and without: the same as /proc/kallsyms says."""
    target = boot(mem="512M", gic=gic, smp=smp, args=DISK.split())
    target.exec(LINUX.format(kernel=kernel, cpus=cpus, kaslr=kaslr), seconds=60)
    linked = target.eval("vm.address('start_kernel')")
    assert linked >> 44 == 0xFFFF8
    target.send(b"vm.run()\r")
    target.until(b"/ # ", seconds=120)
    target.send(b"grep ' T ' /proc/kallsyms | grep -v '\\[' | awk 'NR%1500==9'; echo do''ne\r")
    lines = target.until(b"done\r\n", seconds=60).splitlines()
    said = {
        words[2]: int(words[0], 16)
        for line in lines
        if len(words := line.split()) == 3 and words[1] == "T"
    }
    target.send(b"grep ' start_kernel$' /proc/kallsyms\r")
    line = target.until(re.compile(rb"[0-9a-f]{16} T start_kernel\r\n"), seconds=60)
    start = int(line.split()[-3], 16)
    assert (start != linked) == kaslr and len(said) > 5
    target.interrupt()
    for how in ("", HIDE_NOTE):
        target.exec(how)
        assert target.eval("vm.address('start_kernel')", seconds=60) == start
        assert target.eval(f"[vm.address(name) for name in {list(said)}]", seconds=60) == list(
            said.values()
        )
        found = target.eval(f"[vm.symbol(at) for at in {list(said.values())}]", seconds=60)
        aliases = target.eval(f"[vm.address(name) for name in {found}]", seconds=60)
        assert aliases == list(said.values())
        assert target.eval(f"vm.symbol({start + 8})") == "start_kernel+0x8"
        assert "it has start_kernel" in target.repl("vm.address('start_kernl')", seconds=60)
        size = target.eval("hv.symbols.extent(vm, 'start_kernel')[1]")
        assert 0x100 < size < 0x2000
    assert target.repl("vm.symbols") == "<Symbols: its kernel>"
    target.exec(
        "import gc\ngc.collect()\nat = gc.mem_alloc()\nvm._symbols = None\nvm.address('start_kernel')"
    )
    assert target.eval("(gc.collect(), gc.mem_alloc() - at)[1]") < 100_000
    target.exec("vm.reset()", seconds=60)
    assert target.eval("vm.address('start_kernel')", seconds=60) == linked
