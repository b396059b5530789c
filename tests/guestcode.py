# SPDX-License-Identifier: MIT
"""Guests of a few instructions, for tests: assembled here, run by a script on the target."""

import functools
import subprocess
import tempfile
from pathlib import Path

from harness import ROOT

BASE = 0x4008_0000

# What the scripts start from: hv, and a VM with code at BASE, its stack below that. HVC 0x100 ends a run.
SCRIPT = """
import hv
def guest(code, ram="4M", cpus=1):
    vm = hv.VM("test", ram=ram, cpus=cpus)
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    vm.cpu[0].reset(0x4008_0000)
    vm.cpu[0].sp = 0x4007_0000
    vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
    return vm
"""

# At BASE: vectors that end the run, x28 which, x27 the syndrome, x26 where it was.
TABLE = """
    .rept 16
    .balign 128
    adr x28, .
    mrs x27, esr_el1
    mrs x26, elr_el1
    hvc #0x100
    .endr
"""

# Macros for the assembler.
MACROS = """
    .arch armv8-a+crc
.macro load register, value
    ldr \\register, =\\value
.endm
.macro power_off
    ldr x0, =0x84000008
    hvc #0
    b .
.endm
.macro vectors label                    // 16 of them, each a branch to `on_exception`
    .balign 2048
    .ifnb \\label
\\label:
    .endif
    .rept 16
    .balign 128
    b on_exception
    .endr
.endm
.macro stage1_on table, temp, tcr, mair    // stage 1 by that table
    msr ttbr0_el1, \\table
    load \\temp, \\tcr
    msr tcr_el1, \\temp
    load \\temp, \\mair
    msr mair_el1, \\temp
    isb
    mrs \\temp, sctlr_el1
    orr \\temp, \\temp, #1
    msr sctlr_el1, \\temp
    isb
.endm
.macro virtio_queue features           // of the first slot, x1: queue 0 of 64 at 0x4010_0000, x2 (virtio 1.1, 3.1.1)
    ldr     x1, =0x0a000000
    ldr     x2, =0x40100000
    str     wzr, [x1, #0x70]        // Status
    mov     w3, #3
    str     w3, [x1, #0x70]
    str     wzr, [x1, #0x24]
    str     \\features, [x1, #0x20]
    mov     w3, #1                  // VIRTIO_F_VERSION_1
    str     w3, [x1, #0x24]
    str     w3, [x1, #0x20]
    mov     w3, #11
    str     w3, [x1, #0x70]
    str     wzr, [x1, #0x30]        // QueueSel
    mov     w3, #64
    str     w3, [x1, #0x38]
    str     w2, [x1, #0x80]
    str     wzr, [x1, #0x84]
    add     w4, w2, #0x1000
    str     w4, [x1, #0x90]
    str     wzr, [x1, #0x94]
    add     w4, w2, #0x2000
    str     w4, [x1, #0xa0]
    str     wzr, [x1, #0xa4]
    mov     w3, #1
    str     w3, [x1, #0x44]         // QueueReady
    mov     w3, #15
    str     w3, [x1, #0x70]
.endm
    .text
    .global _start
_start:
"""


@functools.lru_cache(maxsize=None)
def link(source, base=BASE):
    """The bytes of an assembler program linked at `base`, and the addresses of its symbols."""
    with tempfile.TemporaryDirectory(prefix="elapid-") as folder:
        out = Path(folder)
        (out / "guest.S").write_text(MACROS + source + "\n    .ltorg\n")
        tool = "aarch64-linux-gnu-"
        for command in (
            [tool + "gcc", "-c", "guest.S", "-o", "guest.o"],
            [tool + "ld", f"-Ttext={base:#x}", "-o", "guest.elf", "guest.o"],
            [tool + "objcopy", "-O", "binary", "guest.elf", "guest.bin"],
        ):
            subprocess.run(command, cwd=out, check=True)
        names = subprocess.run([tool + "nm", out / "guest.elf"], capture_output=True, text=True)
        symbols = (line.split() for line in names.stdout.splitlines())
        return (out / "guest.bin").read_bytes(), {name: int(at, 16) for at, _, name in symbols}


def assemble(source, base=BASE):
    """The bytes alone."""
    return link(source, base)[0]


def built(name):
    """The flat binary of one of guests/, which `make` has built, for BASE."""
    return (ROOT / "build/guests" / f"{name}.bin").read_bytes()


def symbols_of(name):
    """{symbol: address} of one of guests/."""
    command = ["aarch64-linux-gnu-nm", ROOT / "build/guests" / f"{name}.elf"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {symbol: int(at, 16) for at, _, symbol in map(str.split, names.splitlines())}


def run(target, source, script, seconds=20, **names):
    """Runs a script on the target with `code` the assembled source (or these bytes), and more names
    by value.
    """
    given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    code = source if isinstance(source, bytes) else assemble(source) if source else b""
    return target.exec(f"{SCRIPT}code = {code!r}\n{given}{script}", seconds)
