# SPDX-License-Identifier: MIT
"""The pictures of the documentation: drawn by `elapid draw` from what a real target prints.

They are left in build/pictures; `make pictures` copies them to docs/pictures.
"""

import re
import subprocess
import sys

import pytest
from elapid import draw
from elapid.say import Stop
from harness import ROOT
from transcript import play

FOLDER = ROOT / "build/pictures"
GUEST = ROOT / "build/guests-debian/6.1-cloud"
# Typed at EL2's prompt. Then at Linux's, while vm.run() lasts, until Ctrl-C.
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
    screen += ["/ # ", *target.interrupt().strip("\n").splitlines()]
    assert (
        screen[-1] == "KeyboardInterrupt: "
    )  # Ctrl-C, as it shows: nothing more of it is on the screen
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

    assert not any(re.search(r"\d{5} [KM]B", label) for label in labels), labels

    labels = save("el2", draw.memory_map(target.repl("hv.mmu.dump()"), "EL2, stage 1"))
    assert any("r-x normal" in label for label in labels)
    assert any(label.endswith("text") for label in labels)


@pytest.mark.parametrize(
    ("size", "says"),
    [
        (0x1000, "4 KB"),
        (0x10_0000, "1 MB"),
        (0x1800_0000, "384 MB"),
        (0x4000_0000, "1 GB"),
        (0x4000_0000 - 0x801_1000, "895.9 MB"),
        (0x1_8010_0000, "6145 MB"),
        (0x7FF_F000, "128.0 MB"),
        (24 * 1024 + 512, "24.5 KB"),
        (0x30_1000, "3076 KB"),
        (513, "513 bytes"),
    ],
)
def test_sizes_are_short(size, says):
    assert draw.size_text(size) == says


def test_every_picture_is_on_a_page():
    pages = "".join(p.read_text() for p in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md"))
    for picture in (ROOT / "docs/pictures").iterdir():
        assert f"pictures/{picture.name})" in pages, picture.name


def test_no_arrow_runs_through_a_box():
    picture = (ROOT / "docs/pictures/trap.svg").read_text()
    number = r'="(\d+)"'
    boxes = [
        tuple(map(int, found))
        for found in re.findall(
            rf"<rect x{number} y{number} width{number} height{number}", picture
        )
    ]
    lines = [
        [(int(a), int(b)), (int(c), int(d))]
        for a, b, c, d in re.findall(
            rf"<line x1{number} y1{number} x2{number} y2{number}", picture
        )
    ]
    for path in re.findall(r'<path d="(M [^"z]*)" fill="none"', picture):
        corners = [(int(x), int(y)) for x, y in re.findall(r"(\d+) (\d+)", path)]
        lines += zip(corners, corners[1:])
    assert len(boxes) == 7 and len(lines) > 8
    for (ax, ay), (bx, by) in lines:
        for x, y, wide, high in boxes:
            across = min(ax, bx) < x + wide and max(ax, bx) > x
            down = min(ay, by) < y + high and max(ay, by) > y
            assert not (across and down), ((ax, ay), (bx, by), (x, y, wide, high))


def test_what_is_not_a_dump_is_refused():
    for kind in (draw.memory_map, draw.exit_bars):
        with pytest.raises(Stop):
            kind("Traceback (most recent call last):")
