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


def number(code, at):
    """(number, place behind it), as .mpy files have them: 7 bits a byte, the highest first."""
    value = 0
    while code[at] & 0x80:
        value, at = value << 7 | code[at] & 0x7F, at + 1
    return value << 7 | code[at], at + 1


def encoded(value):
    first = encoded(value >> 7) if value >> 7 else b""
    return bytes([*(byte | 0x80 for byte in first), value & 0x7F])


def with_numbers(code, strings):
    """A .mpy file whose names are those strings of the image by their numbers that the image has: a lowest bit of 1 says
    that it is one of the first, which every MicroPython has alike, and the loader takes it for what it is.
    """
    count, at = number(code, 4)
    _, at = number(code, at)
    made = code[:at]
    for _ in range(count):
        size, start = number(code, at)
        end = start if size & 1 else start + (size >> 1) + 1
        known = None if size & 1 else strings.get(code[start : end - 1])
        made += code[at:end] if known is None else encoded(known << 1 | 1)
        at = end
    return made + code[at:]


def pack(name, path, strings):
    """The C array of one .mpy file."""
    code = with_numbers(Path(path).read_bytes(), strings)
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


def first_pools(header):
    """(hash, size, text) of each string that C knows, by its number. The text is as C writes it."""
    defined = re.findall(r'(?m)^QDEF([01])\(\w+, (\d+), (\d+), "(.*)"\)$', header)
    return [row[1:] for row in sorted(defined, key=lambda row: row[0])]


def string_numbers(text, header):
    """Number by string, of those in which C has nothing to escape."""
    own = part(
        text, r"mp_qstr_frozen_const_pool = \{.*?\n    \{\n(.*?)\n    \},", "frozen strings"
    )
    strings = [row[2] for row in first_pools(header)] + re.findall(r'(?m)^ +"(.*)",$', own)
    return {s.encode(): n for n, s in enumerate(strings) if s and "\\" not in s}


def string_table(text, header):
    """The strings of the image's three pools, by the low bits of their hashes."""
    hashes = [int(code) if int(size) else None for code, size, _ in first_pools(header)]
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
    packed = {}
    for path in [argument for argument in command if argument.endswith(".mpy")]:
        module = path.split("/frozen_mpy/")[-1].replace(".mpy", ".py")
        if is_packed(module) and Path(path).stat().st_size <= 0xFFFF:  # 2 bytes of size
            packed[module] = path
    frozen = [argument for argument in command if argument not in packed.values()]
    run = subprocess.run(
        [command[0], str(CLASSES), *frozen[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    text = run.stdout
    if run.returncode == 0:
        header = QSTRS.read_text()
        text = add_packed(text, packed, string_numbers(text, header))
        text += '\n#include "frozen.h"\n' + module_table(text) + string_table(text, header)
    return run.returncode, (text + STAMP).encode()


def add_packed(text, packed, strings):
    arrays, names, entries = "", "", ""
    for module, path in packed.items():
        name = "packed_" + re.sub(r"\W", "_", module)
        arrays += pack(name, path, strings)
        names += f'    "{module}\\0"\n'
        entries += f"    (const void *)({name} + 1),\n"
    text = insert(text, r'    "\\0"\n};', "end of mp_frozen_names", names)
    text = insert(text, r"(?m)^const char mp_frozen_names\[", "mp_frozen_names", arrays)
    start, head, rest = text.partition(" mp_frozen_mpy_content[] = {\n")
    return start + head + insert(rest, r"\};", "mp_frozen_mpy_content", entries)


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
