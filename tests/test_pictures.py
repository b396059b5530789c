# SPDX-License-Identifier: MIT
"""The pictures of the documentation: drawn by tools/draw.py from what a real target prints.

They are left in build/pictures; `make pictures` copies them to docs/pictures.
"""

import re
import subprocess
import sys

import draw
import pytest
from harness import ROOT
from transcript import play

FOLDER = ROOT / "build/pictures"
GUEST = ROOT / "build/guests-debian/6.1-cloud"
# Typed at EL2's prompt. Then at Linux's, while vm.run() lasts; None is Ctrl-C, back to EL2.
LAUNCH = (
    "import hv",
    'vm = hv.VM("linux", ram="256M")',
    'vm.linux("/disk/vmlinuz", initrd="/disk/initrd.gz", cmdline="console=ttyAMA0 quiet")',
)
LOOK = (
    "hex(vm.cpu[0].pc), vm.cpu[0].exits",
    "vm.memory.find(b'Linux version 6.1') is not None",
)


@pytest.fixture(scope="module")
def linux():
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"], check=True)
    return (
        f"-device virtio-blk-device,drive=disk "
        f"-drive if=none,id=disk,format=raw,readonly=on,file=fat:{GUEST}"
    )


def save(name, picture):
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(picture)
    return re.findall(r">([^<>\n]+)</text>", picture)


def test_linux_in_pictures(boot, linux):
    target = boot(mem="1G", args=linux.split())
    screen = []
    for line in LAUNCH:
        screen += [">>> " + line, *play(target, [line])]
    target.send("vm.run()\r")
    screen += [">>> vm.run()", *target.until("/ # ", 60).splitlines()[1:]]
    target.send("uname -a\r")
    screen[-1:] = ("/ # " + target.until("/ # ", 10).rstrip(" #/\n")).splitlines()
    target.interrupt()
    screen += ["/ # ^C"]
    for line in LOOK:
        screen += [">>> " + line, *play(target, [line])]
    assert any("aarch64 GNU/Linux" in line for line in screen), screen
    assert screen[-1] == "True"
    said = save("linux", draw.terminal("\n".join(screen)))
    assert said[0] == "&gt;&gt;&gt; import hv"

    labels = save("exits", draw.exit_bars(target.repl("vm.cpu[0].exits")))
    assert "data abort, MMIO" in labels and "interrupt" in labels

    labels = save("stage2", draw.memory_map(target.repl("vm.stage2.dump()"), "stage 2 of linux"))
    assert "0x000040000000" in labels and any("rwx normal" in label for label in labels)

    labels = save("el2", draw.memory_map(target.repl("hv.mmu.dump()"), "EL2, stage 1"))
    assert any("r-x normal" in label for label in labels)
    assert any(label.endswith("text") for label in labels)


def test_what_is_not_a_dump_is_refused():
    for kind in (draw.memory_map, draw.exit_bars):
        with pytest.raises(SystemExit):
            kind("Traceback (most recent call last):")
