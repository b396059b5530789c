# SPDX-License-Identifier: MIT
"""Source lines for what cpu.where() prints, by the ELF files it is made of and binutils' addr2line.

    mpremote connect $(cat build/pty) resume exec "print(vm.cpu[0].where())" | elapid lines guest.elf

Places are taken by name, so that a kernel may have been moved by KASLR. Debug information is megabytes of programs for
a small machine (DWARF's line tables), which the host has anyway: so this is the host's.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence

from .say import Stop

FRAME = re.compile(r"^(#\d+ +0x[0-9a-f]+) ([\w.$]+)(?:\+(0x[0-9a-f]+))?$")


Name = str | os.PathLike[str]


def run(*command: Name) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Stop(done.stderr.strip())
    return done.stdout


def symbols(path: Name) -> dict[str, int]:
    """{name: address} of functions; of static ones of the same name the first."""
    known: dict[str, int] = {}
    for line in run("aarch64-linux-gnu-nm", path).splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tTwW":
            known.setdefault(words[2], int(words[0], 16))
    return known


def source(path: Name, address: int) -> list[str]:
    """["function at file:line", ...]: what was inlined there first; nothing where the file does not know."""
    said = run("aarch64-linux-gnu-addr2line", "-ifpe", path, hex(address)).splitlines()
    return [line.removeprefix(" (inlined by) ") for line in said if "??" not in line]


def with_lines(text: str, files: Sequence[Name]) -> Iterator[str]:
    """The same lines, each frame with its source."""
    known = {path: symbols(path) for path in files}
    for line in text.splitlines():
        yield line
        found = FRAME.match(line.rstrip())
        if not found:
            continue
        for path in files:
            if (start := known[path].get(found[2])) is not None:
                offset = int(found[3] or "0", 16)
                # What a frame further out has is where its call returns to.
                back = 1 if offset and not line.startswith("#0 ") else 0
                yield from (f"        {place}" for place in source(path, start + offset - back))
                break
