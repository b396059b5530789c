# SPDX-License-Identifier: MIT
"""The machine's own device tree, damaged: what QEMU hands to the image at its start.

The damage is in what the tree says (nodes, properties, numbers, names): QEMU itself refuses one whose
structure is broken. The image comes to its prompt, or says on the console why not.
"""

import functools
import re
import subprocess
import tempfile

import hostpkg
from machine_tree import machine_tree

fdt = hostpkg.load("fdt")
UART = 0x0900_0000
CELLS = (
    "0x00",
    "0x01",
    "0x02",
    "0x04",
    "0x1000",
    "0x40000000",
    "0x7fffffff",
    "0x80000000",
    "0xfffff000",
    "0xffffffff",
)
TEXTS = ("", "x", "arm,pl011", "arm,gic-v3", "arm,cortex-a15-gic", "memory", "cpu", "smc", "hvc", "/pl011@9000000",
         "x" * 300)  # fmt: skip


def dtc(data, source, to):
    """What it makes of that: nothing, of what it refuses or goes round in for ever, as of some paths in aliases."""
    command = ["dtc", "-q", "-f", "-I", source, "-O", to]
    try:
        return subprocess.run(command, input=data, capture_output=True, timeout=60).stdout
    except subprocess.TimeoutExpired:
        return b""


@functools.cache
def sound(gic, smp, cpu):
    """Of this machine, as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = machine_tree(
            folder, f"virtualization=on,gic-version={gic}", "-smp", str(smp), cpu=cpu
        )
        return dtc(path.read_bytes(), "dtb", "dts").decode()


def node_at(lines, at):
    """The lines of the node that begins there."""
    depth = 0
    for end in range(at, len(lines)):
        depth += lines[end].count("{") - lines[end].count("}")
        if depth == 0:
            return at, end + 1
    return at, len(lines)


def change(lines, dice):
    """One change, in place."""
    heads = [n for n, line in enumerate(lines) if line.rstrip().endswith("{")]
    begin, end = node_at(lines, dice.choice(heads[1:] or heads))
    properties = [n for n, line in enumerate(lines) if "=" in line]
    at = dice.choice(properties)
    chance = dice.random()
    if chance < 0.1:
        del lines[begin:end]
    elif chance < 0.2:
        del lines[at]
    elif chance < 0.25:
        copy = [
            re.sub(r"^(\s*)([\w,-]+)", r"\1twin", lines[begin], count=1),
            *lines[begin + 1 : end],
        ]
        lines[end:end] = copy
    elif chance < 0.35:
        lines[at] = re.sub(r"=.*", f'= "{dice.choice(TEXTS)}";', lines[at])
    elif chance < 0.45:
        cells = " ".join(dice.choice(CELLS) for _ in range(dice.randrange(12)))
        lines[at] = re.sub(r"=.*", f"= <{cells}>;", lines[at])
    elif chance < 0.5:
        lines[at] = re.sub(
            r"=.*", "= [" + dice.randbytes(dice.randrange(9)).hex() + "];", lines[at]
        )
    else:  # one number
        cells = re.findall(r"0x[0-9a-f]+", lines[at])
        if cells:
            old = dice.choice(cells)
            lines[at] = lines[at].replace(
                old, dice.choice((*CELLS, hex(int(old, 16) ^ 1 << dice.randrange(32)))), 1
            )


def has_console(blob):
    """Whether it tells rightly of the one UART there is: else nobody can be told anything."""
    try:
        parsed = fdt.parse(blob)
        return any(
            b"arm,pl011" in bytes(node.get("compatible", b""))
            and (UART, 0x1000) in parsed.reg(path)
            for path, node in parsed.walk()
            if "reg" in node
        )
    except (ValueError, KeyError):
        return False


def tree(dice, machine):
    """A tree, as bytes."""
    cpu = machine["args"][1] if "args" in machine else "cortex-a53"
    lines = sound(machine["gic"], machine["smp"], cpu).splitlines()
    for _ in range(dice.choice((1, 1, 2, 3, 8, 30))):
        change(lines, dice)
    return dtc("\n".join(lines).encode(), "dts", "dtb")
