#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run MicroPython's makemanifest.py, but deflate the modules $PACK has a pattern for (! excepts).

    PACK="asyncio/* hv/* !hv/vm.py" freeze.py MICROPYTHON/tools/makemanifest.py -o frozen_content.c ...

A packed module is in the table of frozen modules like any other; its entry points to an odd address
(pack.c), where 2 bytes of size and a raw deflate stream lie. It costs a third of a frozen one.
"""

import os
import re
import subprocess
import sys
import zlib
from fnmatch import fnmatch
from pathlib import Path

PATTERNS = os.environ.get("PACK", "").split()
STAMP = f"// {PATTERNS} {sys.argv}\n"


def is_packed(module):
    """Whether the last pattern that fits says so."""
    found = [p for p in PATTERNS if fnmatch(module, p.lstrip("!"))]
    return bool(found) and found[-1][0] != "!"


def pack(name, path):
    """The C array of one .mpy file, or None for a file that is too large for its 2 bytes of size."""
    code = Path(path).read_bytes()
    if len(code) > 0xFFFF:
        return None
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    data = bytes([0, *len(code).to_bytes(2, "little")]) + deflate.compress(code) + deflate.flush()
    values = ",".join(map(str, data))
    return f'static const uint8_t {name}[] __attribute__((aligned(2), section(".packed"))) = {{{values}}};\n'


def insert(text, before, what, new):
    """`text` with `new` before what the pattern finds; mpy-tool.py may have come to write it otherwise."""
    text, found = re.subn(before, lambda match: new + match[0], text, count=1)
    if found != 1:
        sys.exit(f"freeze.py: cannot add packed modules: no {what} in what mpy-tool.py wrote")
    return text


def freeze(command):
    """Run mpy-tool.py on what stays as it is, and add the packed modules to its output."""
    arrays, names, entries = [], [], []
    for path in [argument for argument in command if argument.endswith(".mpy")]:
        module = path.split("/frozen_mpy/")[-1].replace(".mpy", ".py")
        if not is_packed(module):
            continue
        name = "packed_" + re.sub(r"\W", "_", module)
        if array := pack(name, path):
            command = [argument for argument in command if argument != path]
            arrays.append(array)
            names.append(f'    "{module}\\0"\n')
            entries.append(f"    (const void *)({name} + 1),\n")
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    text = run.stdout
    if run.returncode == 0 and names:
        text = insert(text, r'    "\\0"\n};', "end of mp_frozen_names", "".join(names))
        text = insert(
            text, r"(?m)^const char mp_frozen_names\[", "mp_frozen_names", "".join(arrays)
        )
        start, head, rest = text.partition(" mp_frozen_mpy_content[] = {\n")
        text = start + head + insert(rest, r"\};", "mp_frozen_mpy_content", "".join(entries))
    return run.returncode, (text + STAMP).encode()


def main():
    """Start again from nothing when the names, the options or this file are newer than the output."""
    tool, arguments = sys.argv[1], sys.argv[2:]
    if "-o" not in arguments:  # MicroPython 1.29 also asks for a list of C modules
        sys.exit(subprocess.run([sys.executable, tool, *arguments]).returncode)
    output = Path(arguments[arguments.index("-o") + 1])
    build = Path(arguments[arguments.index("-b") + 1])
    sources = [__file__, build / "genhdr/qstrdefs.preprocessed.h", arguments[-1]]
    if output.exists() and (
        any(os.stat(source).st_mtime > output.stat().st_mtime for source in sources)
        or not output.read_text().endswith(STAMP)
    ):
        output.unlink()
    del sys.argv[1]
    sys.path.insert(0, str(Path(tool).parent))
    import makemanifest

    makemanifest.system = freeze
    makemanifest.main()


main()
