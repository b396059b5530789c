# SPDX-License-Identifier: MIT
"""The transition from EL2 to EL1: what is loaded before the eret, and what is found afterwards."""

import re
import subprocess

import pytest
from guestcode import BASE, run
from harness import ROOT, TargetError

# Tells EL2 where it is: CurrentEL, its stack pointer and its interrupt masks, in x1 to x3.
REPORT = """
    mrs x1, CurrentEL
    mov x2, sp
    mrs x3, daif
    hvc #0x200
    hvc #0x100
"""

LAUNCH = """
vm = guest(code)
cpu = vm.cpu[0]
vm.el2["HCR_EL2"] |= 1 << 31
cpu.pstate = 0x5            # EL1h, interrupts enabled
cpu.sp = 0x4010_0000        # _el1_stack_top
entry, seen = cpu.pc, []

@vm.hvc(imm=0x200)
def report(cpu, level, sp, daif):
    seen.append((level >> 2, sp, daif, cpu.sp_el2))

"""


def test_transition_is_the_documented_one(each_target):
    """SP_EL1, HCR_EL2.RW, SPSR_EL2 and ELR_EL2 as set; CurrentEL 1; SP_EL2 the same at every exit."""
    text = run(
        each_target,
        REPORT,
        LAUNCH
        + """
print(vm.run(60_000).reason, hex(entry), hex(vm.el2["HCR_EL2"] >> 31 & 1))
level, sp, daif, sp_el2 = seen[0]
print(level, hex(sp), hex(daif), sp_el2 == cpu.sp_el2, cpu.sp_el2 & 15)
""",
    )
    assert text == f"stop {BASE:#x} 0x1\n1 0x40100000 0x0 True 0\n"


def test_cpu_prints_the_table(target):
    text = run(target, REPORT, LAUNCH + "print(cpu)")
    for line in (
        rf"PC +0x0*{BASE:x} +CurrentEL 1 \(EL1h\)",
        rf"ELR_EL2 +0x0*{BASE:x} +SPSR_EL2 +0x0*5 \(EL1h, IRQ enabled, FIQ enabled\)",
        r"SP_EL1 +0x0*40100000 ",
        r"SP_EL2 .*HCR_EL2 +0x[0-9a-f]{7}8",
    ):
        assert re.search(line[:-1] if line.endswith("8") else line, text), (line, text)


def test_barriers_come_before_the_eret(image):
    """guest_enter: DSB, ISB, and an eret at the end of the path it takes."""
    text = subprocess.run(
        ["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", "-M", "no-aliases", image],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    enter = text.partition("<guest_enter>:")[2].partition(">:")[0]
    assert re.search(r"dsb\s+ish\b.*\n.*isb", enter), enter
    full = text.partition("<resume_full>:")[2].partition("<guest_irq>")[0]
    fast = text.partition("<resume_fast>:")[2].partition("\n\n")[0]
    assert "elr_el2" in full and "spsr_el2" in full
    assert "eret" in fast


def test_hypervisor_memory_is_not_the_guests(target):
    """What the guest names by EL2's addresses is its own RAM or nothing."""
    script = """
vm = guest(code)
vm.cpu[0].x[0] = hv.platform()["ram_base"] + 0x20_0000     # where EL2's own code is
before = hv.read(0x4020_0000, 8)
print(vm.run(60_000).reason, vm.cpu[0].x[1], hv.read(0x4020_0000, 8) == before)
vm.cpu[0].reset(0x4008_0000)
vm.cpu[0].x[0] = 0x4400_0000                               # not RAM of this VM
print(vm.run(60_000).reason)
"""
    assert run(target, "ldr x1, [x0]\n str x1, [x0]\n hvc #0x100", script) == "stop 0 True\nmmio\n"


@pytest.mark.parametrize(
    "script, message",
    [
        ("vm.load('missing.elf')", "missing.elf"),
        ("vm.load(b'\\x7fELF' + bytes(10))", "truncated"),
        ("vm.load(b'\\xfd7zXZ\\0' + bytes(100))", "xz-compressed"),
        ("hv.VM('big', ram='100G')", "no room for guest RAM"),
        ("hv.VM('odd', ram=12345)", "ram must be a multiple"),
        ("hv.VM('many', cpus=99)", "cpus must be"),
        ("vm.memory[0x1000]", "is not all RAM"),
        ("hv.read(0)", "cannot read 4 bytes at 0x0"),
        ("vm.el2['HCR_EL3']", "did you mean HCR_EL2"),
        ("vm.el2['HCR_EL2'] = 0", "must be 1 while a guest runs"),
        ("vm.cpu[0].x[31]", "no register x31"),
        ("vm.mmio(0x4000_0000, 8, print)", "overlaps guest RAM"),
    ],
)
def test_bad_input_names_the_thing_and_the_prompt_lives(target, script, message):
    with pytest.raises(TargetError, match=re.escape(message)):
        run(target, "nop", f"vm = guest(code)\n{script}")
    assert target.eval("6 * 7") == 42


def test_example_is_short():
    lines = (ROOT / "examples/launch_guest.py").read_text().splitlines()
    assert len(lines) <= 36 and sum(bool(line.strip()) for line in lines) < 30
