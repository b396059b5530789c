# SPDX-License-Identifier: MIT
"""Which QEMU is run: $QEMU (make's variable), with options if it needs some, else the one of the path.

python -m elapid.program MACHINE SINCE ends with a word about it where that one is too old for a machine.
"""

import functools
import os
import shlex
import subprocess
import sys

QEMU = shlex.split(os.environ.get("QEMU") or "qemu-system-aarch64")


@functools.cache
def _says(*options: str) -> str:
    return subprocess.run([*QEMU, *options], capture_output=True, text=True, check=True).stdout


def machines() -> set[str]:
    """What -machine takes."""
    return {line.split()[0] for line in _says("-machine", "help").splitlines()[1:] if line}


def version() -> str:
    return _says("--version").split("version ")[1].split()[0]


def main(machine: str, since: str) -> None:
    if machine not in machines():
        sys.exit(
            f"elapid: {QEMU[0]} is {version()}, and has no machine {machine}: QEMU {since} or newer has. "
            "Another one is chosen by QEMU=/path/to/qemu-system-aarch64, with its options if it needs any"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
