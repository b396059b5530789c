#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run MicroPython's makemanifest.py, but deflate the modules $PACK has a pattern for (! excepts).

    PACK="asyncio/* hv/* !hv/vm.py" freeze.py MICROPYTHON/tools/makemanifest.py -o frozen_content.c ...

A packed module is in the table of frozen modules like any other; its entry points to an odd address
(pack.c), where 2 bytes of size and a raw deflate stream lie. It costs a third of a frozen one.

frozen_classes.py, which runs mpy-tool.py, makes the classes of those that are not packed.

Added are two tables by hash, of the names of the modules and of all strings in the image (frozen.h).
"""

import os
import re
import subprocess
import sys
import zlib
from fnmatch import fnmatch
from pathlib import Path

QSTR_BUCKETS = 512  # of frozen.h
PATTERNS = os.environ.get("PACK", "").split()
CLASSES = Path(__file__).with_name("frozen_classes.py")
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


def part(text, pattern, what):
    found = re.search(pattern, text, re.S)
    return found[1] if found else sys.exit(f"freeze.py: no {what} in what mpy-tool.py wrote")


def table(kind, name, values):
    return f"const {kind} {name}[] = {{{','.join(map(str, values))}}};\n"


def module_table(text):
    """Where each module is among mp_frozen_names, and each folder, by the hash of its name."""
    names = part(
        text, r'const char mp_frozen_names\[\] = \{.*?\n(    ".*?)    "\\0"\n', "module names"
    )
    entries, at = {}, 0
    for index, name in enumerate(re.findall(r'"(.*)\\0"', names)):
        entries[name] = at, index
        for slash in re.finditer("/", name):
            entries.setdefault(name[: slash.start()], (at, 0xFFFF))
        at += len(name) + 1
    slots = [(0, 0, 0)] * (1 << (2 * len(entries)).bit_length())
    for name, (at, index) in entries.items():
        place = 0
        for byte in name.encode():
            place = (place * 33 ^ byte) & 0xFFFF_FFFF
        while slots[place % len(slots)][2]:
            place += 1
        slots[place % len(slots)] = at, index, len(name)
    rows = (f"{{{at},{index},{size}}}" for at, index, size in slots)
    return f"const uint32_t frozen_mask = {len(slots) - 1};\n" + table(
        "frozen_slot_t", "frozen_slots", rows
    )


def string_table(text, header):
    """The strings of the image's three pools, by the low bits of their hashes."""
    defined = re.findall(r"(?m)^QDEF([01])\(\w+, (\d+), (\d+), ", header)
    hashes = [
        int(code) if int(size) else None for _, code, size in sorted(defined, key=lambda d: d[0])
    ]
    count = len(hashes)
    own = part(text, r"mp_qstr_frozen_const_hashes\[\] = \{(.*?)\}", "hashes of strings")
    hashes += map(int, re.findall(r"\d+", own))
    buckets = [[] for _ in range(QSTR_BUCKETS)]
    for qstr, code in enumerate(hashes):
        if code is not None:
            buckets[code % QSTR_BUCKETS].append(qstr)
    starts = [0]
    for bucket in buckets:
        starts.append(starts[-1] + len(bucket))
    return (
        f'_Static_assert(MP_QSTRnumber_of == {count}, "the strings have changed");\n'
        f'_Static_assert(QSTR_BUCKETS == {QSTR_BUCKETS}, "freeze.py");\n'
        + table("uint16_t", "qstr_bucket_starts", starts)
        + table("uint16_t", "qstr_bucket_ids", sum(buckets, []))
    )


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
    command = [command[0], str(CLASSES), *command[1:]]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    text = run.stdout
    if run.returncode == 0 and names:
        text = insert(text, r'    "\\0"\n};', "end of mp_frozen_names", "".join(names))
        text = insert(
            text, r"(?m)^const char mp_frozen_names\[", "mp_frozen_names", "".join(arrays)
        )
        start, head, rest = text.partition(" mp_frozen_mpy_content[] = {\n")
        text = start + head + insert(rest, r"\};", "mp_frozen_mpy_content", "".join(entries))
    if run.returncode == 0:
        tables = module_table(text) + string_table(text, QSTRS.read_text())
        text += '\n#include "frozen.h"\n' + tables
    return run.returncode, (text + STAMP).encode()


def main():
    """Start again from nothing when the names, the options or this file are newer than the output."""
    tool, arguments = sys.argv[1], sys.argv[2:]
    if "-o" not in arguments:  # MicroPython 1.29 also asks for a list of C modules
        sys.exit(subprocess.run([sys.executable, tool, *arguments]).returncode)
    output = Path(arguments[arguments.index("-o") + 1])
    build = Path(arguments[arguments.index("-b") + 1])
    global QSTRS
    QSTRS = build / "genhdr/qstrdefs.generated.h"
    sources = [__file__, CLASSES, build / "genhdr/qstrdefs.preprocessed.h", QSTRS, arguments[-1]]
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
