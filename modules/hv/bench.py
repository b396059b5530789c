# SPDX-License-Identifier: MIT
"""hv.bench(): what common exits cost here. `make bench` measures more of them."""

import struct
import time

import machine

import hv

_TIMES = 1000
# Row, how it is prepared, and the instructions that are subtracted and counted (A64).
_ROWS = (
    ("HVC PSCI_VERSION, native", None, (0x52B08000,), 0xD4000002),
    ("HVC, Python x1 + x2", "call", (0x52B8C000, 0x72800020), 0xD4000002),
    ("HVC, constant rule", "rule", (0x52B8C000, 0x72800020), 0xD4000002),
    ("load, Python", "load", (0xD2A16002,), 0xB9400841),
    ("MSR ACTLR_EL1, Python", "msr", (), 0xD5181021),
    ("GICD_TYPER load", None, (0xD2A10002,), 0xB9400441),
    ("PL011 flags load", None, (0xD2A12002,), 0xB9401841),
)
_ISB, _NOP, _LOOP, _STOP = 0xD5033FDF, 0xD503201F, 0xF1000673, 0xD4002002


def _counter():
    """A function that counts, and its unit."""
    from hv.regs import PMCEID0_EL0, PMCNTENSET_EL0, PMCR_EL0, PMEVCNTR5_EL0, PMEVTYPER5_EL0

    if PMCEID0_EL0.read() >> 8 & 1:  # INST_RETIRED; QEMU has it with -icount only
        PMEVTYPER5_EL0.write(1 << 27 | 8)  # at EL2 too
        PMCNTENSET_EL0.write(1 << 5)  # a guest has the others meanwhile
        PMCR_EL0.E = 1
        return PMEVCNTR5_EL0.read, 1, "instructions"
    return time.ticks_cpu, 1e9 / machine.freq(), "ns of this machine's clock"


def _prepare(vm, what):
    if what == "call":
        vm.hvc(0xC600_0001, lambda cpu, x1, x2: x1 + x2)
    elif what == "rule":
        vm.rule("hvc", 0xC600_0001, "const", value=5)
    elif what == "load":
        vm.mmio(0x0B00_0000, 0x1000, lambda cpu, offset, value: 5)
    elif what == "msr":
        vm.sysreg("ACTLR_EL1", lambda cpu, value: None)


def _run(vm, count, words):
    """What 1,000 times `words` take, with the loop and the way in and out."""
    size = 4 * len(words) + 4
    branch = 0x54000001 | (-(size // 4) & 0x7FFFF) << 5  # b.ne to the first of them
    code = (0xD2807D13, _ISB) + words + (_LOOP, branch, _STOP)
    vm.memory[0x4008_0000 : 0x4008_0000 + 4 * len(code)] = struct.pack(f"<{len(code)}I", *code)
    least = None
    for _ in range(3):
        vm.cpu[0].reset(0x4008_0000)
        start = count()
        vm.run()
        took = count() - start
        least = took if least is None or took < least else least
    return least


def _all(count, scale):
    for title, what, before, exit in _ROWS:
        with hv.VM("bench", "4M") as vm:
            vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
            _prepare(vm, what)
            both = _run(vm, count, before + (exit,))
            print(f"{(both - _run(vm, count, before)) * scale / _TIMES:8.0f}  {title}")


def bench() -> None:
    """Print what exits cost, each the mean of 1,000: in instructions where the core can count
    them, which under QEMU takes -icount shift=0; otherwise in time, which tells of QEMU's machine.
    """
    count, scale, unit = _counter()
    print(f"{unit} an exit:")
    try:
        _all(count, scale)
    finally:
        hv.regs.PMCNTENCLR_EL0.write(1 << 5)
