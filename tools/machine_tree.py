# SPDX-License-Identifier: MIT
"""The device tree that QEMU has for its virt, and what tests and the bench make of it."""

import re
import subprocess
from pathlib import Path

from elapid.program import QEMU


def machine_tree(folder, machine="virtualization=on", *options, cpu="cortex-a53"):
    """The path, in that folder, of what `-machine virt,<machine>` with these options would hand over."""
    path = Path(folder) / "virt.dtb"
    command = [*QEMU, "-machine", f"virt,{machine},dumpdtb={path}", "-cpu", cpu]
    command += ["-nic", "none", "-display", "none", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path


def dtc(data, source, to):
    """A tree from one of dtc's formats to another, as bytes."""
    command = ["dtc", "-q", "-I", source, "-O", to]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def tree_without_gicv(folder, *options):
    """The path of one whose GICv2 has no GICH and no GICV: as if it had no virtualisation extensions."""
    path = machine_tree(folder, "virtualization=on,gic-version=2", *options)
    text = dtc(path.read_bytes(), "dtb", "dts").decode()
    text, n = re.subn(r"(intc@8000000 \{[^}]*?reg = <(?: ?0x\w+){8})[^>]*>", r"\1>", text)
    assert n == 1, text
    path.write_bytes(dtc(text.encode(), "dts", "dtb"))
    return path
