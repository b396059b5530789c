# SPDX-License-Identifier: MIT
"""The pictures of the documentation: drawn by `elapid draw` from what a real target prints.

They are left in build/pictures; `make pictures` copies them to docs/pictures.
"""

import re
import subprocess
import sys
from html import unescape

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


def trap():
    """How an exit travels through the tiers: docs/trap.md's picture, in the colours that Look gives them."""
    guest, el2, back = "#c7e9c0", "#d9d9d9", "#fff3a8"
    native, rules, python = draw.TIERS.values()
    body = draw.box(
        *(40, 20, 800, 60, guest, "EL1: the guest"),
        "hvc, smc, msr, load or store where nothing is mapped, wfi, an interrupt ...",
    )
    body += draw.box(
        *(40, 130, 800, 60, el2, "vectors.S"),
        "x0-x18, x30 into the frame SP_EL2 points at; nothing is looked up",
    )
    tiers = (
        (native, "1  native, in C"),
        (rules, "2  rules, in C"),
        (python, "3  a Python function"),
    )
    says = (
        ("PSCI, GIC, timers, PL011,", "FP switch, rules that", "always answer"),
        ("count, log, constant,", "shadow, deny; Python only", "for the n-th, a value"),
        ("integers in, integers out,", "in a call frame prepared", "when it was registered"),
    )
    for n, ((colour, name), lines) in enumerate(zip(tiers, says)):
        x = 40 + 276 * n
        body += draw.box(x, 240, 248, 96, colour, name, *lines)
        body.append(draw.arrow((x + 40, 336), (x + 40, 400)))
        body.append(draw.text(x + 52, 373, "answered", class_="dim"))
    body += [draw.arrow((288 + 276 * n, 288), (316 + 276 * n, 288)) for n in range(2)]
    body += [draw.arrow((130, 80), (130, 130)), draw.arrow((130, 190), (130, 240))]
    body.append(draw.text(142, 110, "exception to EL2", class_="dim"))
    body += draw.box(
        40, 400, 700, 40, el2, "restore, eret: the guest goes on behind the instruction"
    )
    body.append(draw.arrow((40, 420), (16, 420), (16, 50), (40, 50)))
    body.append(draw.arrow((790, 336), (790, 480)))
    body.append(draw.text(510, 465, "nobody answers, STOP, or an error", class_="dim"))
    body += draw.box(
        *(40, 480, 800, 60, back),
        "vm.run() returns an Exit, or the handler's exception is raised there",
        "the guest waits before the instruction: look, change, run on",
    )
    return draw.svg(860, 560, body)


def test_a_trap_in_a_picture():
    assert save("trap", trap())
    assert (FOLDER / "trap.svg").read_text() == (ROOT / "docs/pictures/trap.svg").read_text()


# Of the pictures that `elapid draw` makes; those of a screen are what it showed.
DRAWN = ("el2", "exits", "stage2", "trap")


@pytest.mark.parametrize("name", DRAWN)
def test_no_line_runs_through_a_box_or_a_text(name):
    """A letter is 0.6 of the font's size wide, in every monospaced font that is named; text ends inside its box."""
    picture = (ROOT / f"docs/pictures/{name}.svg").read_text()
    number = r'="(-?[\d.]+)"'
    boxes = re.findall(rf"<rect x{number} y{number} width{number} height{number}", picture)
    shapes = [tuple(map(float, found)) for found in boxes]
    for x, y, rest, words in re.findall(
        rf"<text x{number} y{number}([^>]*)>([^<]*)</text>", picture
    ):
        size = float((re.findall(rf"font-size{number}", rest) or [13])[0])
        x, y, wide = float(x), float(y), 0.6 * size * len(unescape(words))
        for left, top, across, down in shapes[: len(boxes)]:
            if left <= x < left + across and top <= y < top + down:
                assert x + wide + 8 <= left + across, words
        shapes.append((x - 8, y - 0.8 * size, wide + 16, size))
    lines = [
        ((float(ax), float(ay)), (float(bx), float(by)))
        for ax, bx, ay, by in re.findall(
            rf"<line x1{number} x2{number} y1{number} y2{number}", picture
        )
    ]
    for way in re.findall(r'<polyline points="([^"]*)"', picture):
        corners = [tuple(map(float, point.split(","))) for point in way.split()]
        lines += zip(corners, corners[1:])
    assert len(shapes) > 5 and (lines or name == "exits")
    for (ax, ay), (bx, by) in lines:
        for x, y, wide, high in shapes:
            across = min(ax, bx) < x + wide and max(ax, bx) > x
            down = min(ay, by) < y + high and max(ay, by) > y
            assert not (across and down), ((ax, ay), (bx, by), (x, y, wide, high))


@pytest.mark.parametrize("name", DRAWN)
def test_pictures_are_dark_where_the_screen_is(name):
    picture = (ROOT / f"docs/pictures/{name}.svg").read_text()
    assert draw.STYLE in picture and 'class="back"' in picture
    # Text outside of boxes has no colour of its own, which would be the same in both.
    assert not re.search(r"<text[^>]* fill=", picture)


def test_what_is_not_a_dump_is_refused():
    for kind in (draw.memory_map, draw.exit_bars):
        with pytest.raises(Stop):
            kind("Traceback (most recent call last):")
