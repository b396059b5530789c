# SPDX-License-Identifier: MIT
"""Names and addresses of a guest, both ways: from ELF files."""

import subprocess

import pytest
from harness import ROOT

GUESTS = ROOT / "build/guests"


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
