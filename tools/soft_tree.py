# SPDX-License-Identifier: MIT
"""QEMU's own device tree of virt, less GICH and GICV: as if its GICv2 had no virtualisation extensions."""

import re
import shlex
import subprocess


def soft_tree(folder, smp=1, mem="128M"):
    """Its path, in that folder."""
    machine = "-machine virt,virtualization=on,gic-version=2,dumpdtb="
    more = f"-cpu cortex-a53 -smp {smp} -m {mem} -nic none"
    dump = shlex.split(f"qemu-system-aarch64 {machine}{folder}/virt.dtb {more}")
    subprocess.run(dump, check=True, timeout=60, capture_output=True)
    dtc = shlex.split(f"dtc -q -I dtb -O dts {folder}/virt.dtb")
    text = subprocess.run(dtc, check=True, capture_output=True, text=True).stdout
    text, n = re.subn(r"(intc@8000000 \{[^}]*?reg = <(?: ?0x\w+){8})[^>]*>", r"\1>", text)
    assert n == 1, text
    dtc = shlex.split(f"dtc -q -I dts -O dtb -o {folder}/soft.dtb")
    subprocess.run(dtc, check=True, input=text, text=True)
    return f"{folder}/soft.dtb"
