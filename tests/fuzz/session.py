# SPDX-License-Identifier: MIT
"""A machine that is fuzzed, and what must hold after whatever was done to it.

A second VM, the witness, runs beside: its RAM has a known sum, its timer ticks. After each case the
prompt answers, no exception of EL2's was told, the hypervisor's code and constants are what they were,
the witness ticks on, and the memory that was taken has come back.
"""

import re
import subprocess

from guestcode import SCRIPT, link
from harness import ROOT, Gone, Hung, Target, TargetError

MACHINES = [{"gic": gic, "smp": smp} for smp in (1, 4) for gic in (2, 3)]
MACHINES += [{"gic": gic, "smp": 2, "args": ["-cpu", "max"]} for gic in (3, 2)]
STREAK = 32  # cases on a machine before the next kind of machine has its turn

# Sleeps until its timer fires, acknowledges, counts: loops at 0x40100000, ticks behind.
WITNESS = """
    adr x9, table
    msr vbar_el1, x9
    load x11, 0x08000000
    load x12, 0x08010000
    load x21, 0x40100000
    load x13, 0x08000000
    mov w1, #1
    mrs x10, id_aa64pfr0_el1
    ubfx x10, x10, #24, #4
    cbz x10, 1f
    load x13, 0x080B0000                // the redistributor's SGI frame
    mov w1, #0x12
1:  str w1, [x11]                       // GICD_CTLR
    mov w1, #(1 << 27)
    cbz x10, 2f
    str w1, [x13, #0x80]                // GICR_IGROUPR0
    mov x2, #0xFF
    msr S3_0_C4_C6_0, x2                // ICC_PMR_EL1
    mov x2, #1
    msr S3_0_C12_C12_7, x2              // ICC_IGRPEN1_EL1
    b 3f
2:  mov w2, #0xFF
    str w2, [x12, #4]                   // GICC_PMR
    mov w2, #1
    str w2, [x12]                       // GICC_CTLR
3:  str w1, [x13, #0x100]               // ISENABLER0
    mov x14, #60000                     // about a millisecond
    msr cntv_tval_el0, x14
    mov x1, #1
    msr cntv_ctl_el0, x1
    msr daifclr, #2
4:  wfi
    add x20, x20, #1
    str x20, [x21]
    b 4b
on_exception:
    cbz x10, 5f
    mrs x0, S3_0_C12_C12_0              // ICC_IAR1_EL1
    b 6f
5:  ldr w0, [x12, #0xC]                 // GICC_IAR
6:  add x22, x22, #1
    str x22, [x21, #8]
    msr cntv_tval_el0, x14
    cbz x10, 7f
    msr S3_0_C12_C12_1, x0
    eret
7:  str w0, [x12, #0x10]
    eret
    vectors table
"""

PRELUDE = """
import gc, struct, time, uctypes
from binascii import crc32
_pattern = bytes([n * 7 & 255 for n in range(4096)])

def _make_witness():
    vm = guest(_code, ram="2M")
    for at in range(0x4011_0000, 0x4015_0000, 4096):
        vm.memory[at : at + 4096] = _pattern
    vm.start()
    return vm

def _image():
    return crc32(uctypes.bytearray_at(_start, _end - _start))

def _sum():
    return crc32(_witness.memory.view(0x4011_0000, 0x4_0000))

def _ticks():
    return struct.unpack("<QQ", _witness.memory[0x4010_0000:0x4010_0010])

def _check():
    "What is wrong, or None. Free memory last."
    if _image() != _image_sum:
        return "the hypervisor's image has changed"
    if _sum() != _witness_sum:
        return "the witness's RAM has changed"
    if not _witness.running:
        return "the witness has ended: " + str(_witness.exit)
    loops, ticks = _ticks()
    end = time.ticks_add(time.ticks_ms(), 20_000)
    while _ticks()[0] < loops + 2 or _ticks()[1] < ticks + 2:
        if time.ticks_diff(end, time.ticks_ms()) < 0:
            return "the witness stands still: " + str(_ticks())
        time.sleep_ms(1)
    gc.collect()
    return hv.mem()[0]

_witness = _make_witness()
_witness_sum, _image_sum = _sum(), _image()
"""


class Fault(Exception):
    """Something that must not be."""


def _symbols():
    command = ["aarch64-linux-gnu-nm", ROOT / "hypervisor.elf"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[2]: int(line.split()[0], 16) for line in lines if len(line.split()) == 3}


class Session:
    """One of MACHINES, booted when it is first asked, and anew after a fault."""

    def __init__(self, machine):
        self.machine = machine
        self.target = None
        self.free = None

    def ready(self, prelude):
        """At the prompt, `prelude` and the witness there."""
        if self.target is not None:
            return self.target
        self.target = Target(**self.machine).boot()
        symbols = _symbols()
        names = {
            "_code": link(WITNESS)[0],
            "_start": symbols["__image_start"],
            "_end": symbols["__rodata_end"],
        }
        given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        self.setup = SCRIPT + given + PRELUDE + prelude
        self.target.exec(self.setup, 60)
        self.free = None
        return self.target

    def exec(self, code, seconds=10):
        """Runs code; a Fault when the machine stops, hangs, or raises what was not expected."""
        try:
            said = self.target.exec(code, seconds)
        except (Hung, Gone, TargetError) as error:
            raise Fault(self.verdict(error)) from None
        self.stopped()
        return said

    def verdict(self, error):
        self.stopped()
        if self.target.qemu.poll() is not None:
            return f"QEMU ended with status {self.target.qemu.returncode}"
        return f"{type(error).__name__}: {error}"

    def stopped(self):
        """A Fault, with the report, when EL2 has stopped."""
        found = re.search(
            r"(\*\*\* Elapid stopped|Elapid: uncaught)(?s:.{0,3000})", self.target.console
        )
        if found:
            raise Fault(found[0])

    def check(self):
        """The invariants. Whether memory is less than it was: the caller asks again, for pools grow."""
        said = self.exec("print(_check())", 30).strip().splitlines()[-1]
        if not said.isdigit():
            raise Fault(said)
        before, self.free = self.free, int(said)
        return before is not None and self.free < before

    def close_typed(self):
        """Lines may have changed any name: begins anew, and has the witness again."""
        try:
            self.target.soft_reset(30)
        except (Hung, Gone) as error:
            raise Fault(self.verdict(error)) from None
        self.exec(self.setup, 60)

    def close(self):
        if self.target is not None:
            self.target.close()
            self.target = None


def spread(seed):
    """The machine that a seed is for."""
    return MACHINES[seed // STREAK % len(MACHINES)]
