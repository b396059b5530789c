# SPDX-License-Identifier: MIT
"""An SD card's image for a board: one FAT partition with the hypervisor and what the board's folder has for a card.

The device tree, if the board has one of its own here, lies behind the hypervisor: it is looked for there
when the loader hands over none (hv_native/core/platform.c).
"""

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from elapid.say import Stop, say

ROOT = Path(__file__).resolve().parent.parent
SECTOR, START, SECTORS = 512, 2048, 64 << 11  # 64 MB behind the first MB
FAT32_LBA = 0x0C


def kernel(image, tree):
    """The arm64 Image, and the tree where it ends in memory: image_size is at 16 of its header."""
    (size,) = struct.unpack_from("<Q", image, 16)
    return image.ljust(size, b"\0") + tree if tree else image


def partitioned():
    entry = struct.pack(
        "<B3sB3sII", 0x80, b"\xfe\xff\xff", FAT32_LBA, b"\xfe\xff\xff", START, SECTORS
    )
    return (b"\0" * 446 + entry).ljust(510, b"\0") + b"\x55\xaa"


def make_card(out, files):
    with out.open("wb") as card:
        card.write(partitioned())
        card.truncate((START + SECTORS) * SECTOR)
    place = f"{out}@@{START * SECTOR}"
    mformat = [
        "mformat",
        "-i",
        place,
        "-F",
        "-v",
        "ELAPID",
        "-T",
        str(SECTORS),
        "-h",
        "64",
        "-s",
        "32",
    ]
    for command in (mformat, ["mcopy", "-i", place, *map(str, files), "::"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Stop(f"{command[0]}: {done.stderr.strip()}")


def main(board, tree=None):
    folder = ROOT / board
    if not (folder / "card").is_dir():
        raise Stop(
            f"{folder.name} has no folder `card`: nothing is known of what starts from a card there"
        )
    out = ROOT / "build/boards" / f"{folder.name}.img"
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        image = Path(made) / "kernel8.img"
        parts = (ROOT / "hypervisor.bin").read_bytes(), Path(tree).read_bytes() if tree else b""
        image.write_bytes(kernel(*parts))
        make_card(out, [image, *sorted((folder / "card").iterdir())])
    say(
        f"{out.relative_to(ROOT)}: write it to a card; README.txt on it says what belongs beside it"
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Stop as stop:
        sys.exit(f"elapid: {stop}")
