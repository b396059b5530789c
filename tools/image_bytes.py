# SPDX-License-Identifier: MIT
"""Where the image's bytes are: by folder, and by file for the largest, from the linker's map.

    .venv/bin/python tools/image_bytes.py [how many files]

Frozen Python is one object; what its modules take of it is told by the names of its symbols.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/QEMU_VIRT"
# Sections that take memory at run time but no byte of the image.
NOT_IN_IMAGE = (".bss", ".noinit", ".debug", ".comment", ".stack", ".rela", "COMMON")
PIECE = re.compile(
    r"^ (\.[\w.$-]+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S+\.(?:o|a\(\S+\)))$", re.M
)


def pieces(build=BUILD):
    """(file, bytes) of everything that the linker kept."""
    text = (build / "firmware.map").read_text()
    text = text[text.index("Linker script and memory map") :]
    text = re.sub(
        r"^( \.[^\s]+)\n +0x", r"\1 0x", text, flags=re.M
    )  # a long name has its numbers on the next line
    for section, address, size, name in PIECE.findall(text):
        if int(address, 16) and int(size, 16) and not section.startswith(NOT_IN_IMAGE):
            path = name.removeprefix(str(build) + "/")
            yield ("compiler/" + Path(name).name if path.startswith("/") else path), int(size, 16)


def frozen(build=BUILD):
    """(module, bytes) of the frozen Python: a symbol's name has its module's in it."""
    places = (ROOT / "modules", ROOT / "ports/aarch64/modules")
    modules = [
        str(p.relative_to(top).with_suffix("")) for top in places for p in top.rglob("*.py")
    ]
    modules.sort(key=len, reverse=True)
    done = subprocess.run(
        ["aarch64-linux-gnu-nm", "-S", build / "frozen_content.o"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in done.stdout.splitlines():
        fields = line.split()
        if len(fields) == 4:
            symbol = f"_{fields[3]}_"
            owner = next((m for m in modules if f"_{m.replace('/', '_')}_" in symbol), "others")
            yield owner, int(fields[1], 16)


def by(key, sizes):
    total = {}
    for name, size in sizes:
        total[key(name)] = total.get(key(name), 0) + size
    return sorted(total.items(), key=lambda item: -item[1])


def folder(path):
    parts = path.split("/")
    if path.startswith("frozen_content"):
        return "modules (frozen Python)"
    if len(parts) == 1:
        return "ports/aarch64"
    return "/".join(parts[: 2 if parts[0] in ("hv_native", "lib") and len(parts) > 2 else 1])


def table(files=12):
    kept = list(pieces())
    rows = ["Where the image's bytes are, by folder:"]
    rows += [f"  {name:28}{size:>10,}" for name, size in by(folder, kept)]
    rows += ["of the frozen Python, by module:"]
    rows += [f"  {name:28}{size:>10,}" for name, size in by(str, frozen())]
    rows += ["and the largest files:"]
    rows += [
        f"  {name:28}{size:>10,}"
        for name, size in by(lambda path: path.removesuffix(".o"), kept)[:files]
    ]
    return rows


if __name__ == "__main__":
    print("\n".join(table(int(sys.argv[1]) if len(sys.argv) > 1 else 12)))
