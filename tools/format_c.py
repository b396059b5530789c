# SPDX-License-Identifier: MIT
"""Formats the C files as MicroPython formats its own: uncrustify, with the configuration of its source.

    format_c.py           change them
    format_c.py --check   name those that are not as they should be; status 1 when there are any

Another release of uncrustify than 0.71 or 0.72 would format differently, so then nothing is done.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("hv_native", "ports", "guests")
NOT_C = ("qstrdefsport.h",)  # names, which only look like C


def config():
    source = Path(os.environ.get("MICROPY_DIR") or ROOT / "build/micropython")
    return source / "tools/uncrustify.cfg"


def formatted(path):
    """The text of a file as it should be."""
    done = subprocess.run(
        ["uncrustify", "-q", "-l", "C", "-c", config(), "-f", path],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    version = subprocess.run(["uncrustify", "--version"], capture_output=True, text=True).stdout
    if not re.search(r"0\.7[12]\b|0\.7[12][._]", version):
        print(f"C files: not looked at, {version.strip() or 'uncrustify'} is not 0.71 or 0.72")
        return 0
    wrong = 0
    files = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.[ch]")))
    files = (path for path in files if path.name not in NOT_C)
    for path in files:
        text = formatted(path)
        if text == path.read_text():
            continue
        wrong += 1
        if "--check" in sys.argv:
            print(f"would format {path.relative_to(ROOT)}: make format")
        else:
            path.write_text(text)
            print(f"formatted {path.relative_to(ROOT)}")
    return 1 if wrong and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
