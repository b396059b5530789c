# SPDX-License-Identifier: MIT
"""Instructions that EL2 completes for the guest: their length, IT and conditions, the order of bytes; and what PSTATE an
exception begins with."""

import pytest
from guestcode import TABLE, run

# user(words, pstate): a program at EL0 (or EL1, by pstate) until its first exception to EL1.
SCRIPT = """
from array import array
HERE, DEVICE, NOWHERE = 0x4010_0000, 0x0b00_0000, 0x7000_0000
A32, T32 = 0x1d0, 0x1f0
log = []
def machine():
    vm = guest(code)
    vm.cpu[0].sysreg["VBAR_EL1"] = 0x4008_0000
    @vm.mmio(DEVICE, 0x1000)
    def device(cpu, offset, value):
        log.append((offset, cpu.exit.size, value))
        return 0x8877_6655_4433_2211
    return vm
def user(vm, words, pstate, *x):
    cpu = vm.cpu[0]
    part = array("H" if pstate == T32 else "I", words)
    vm.memory[HERE : HERE + len(part) * (2 if pstate == T32 else 4)] = bytes(part)
    for n, value in enumerate(x):
        cpu.x[n] = value
    cpu.pc, cpu.pstate = HERE, pstate
    log.clear()
    exit = vm.run(timeout_ms=20000)
    if exit.reason != "stop":
        return exit
    return f"vector {cpu.x[28] & 0x7ff:#x}, ec {cpu.x[27] >> 26:#x}, at {cpu.x[26] - HERE:#x}, " \\
        f"x0 {cpu.x[0]:#x}, x1 {cpu.x[1]:#x}, x2 {cpu.x[2]:#x}, x3 {cpu.x[3]:#x}"
vm = machine()
cpu = vm.cpu[0]
"""

SVC = "vector 0x600, ec 0x11, at {:#x}, x0 {:#x}, "

# Instruction set, program, how far the PC is at its SVC's return, r0.
LENGTHS = {
    "a 16-bit load": ("T32", [0x680A, 0x3001, 0x3002, 0xDF01], 8, 3),
    "a 16-bit store": ("T32", [0x600A, 0x3001, 0x3002, 0xDF01], 8, 3),
    "a 32-bit load of T32": ("T32", [0xF8D1, 0x2000, 0x3001, 0x3002, 0xDF01], 10, 3),
    "a load of A32": ("A32", [0xE5912000, 0xE2800001, 0xE2800002, 0xEF000001], 16, 3),
    # CMP r3, #0; ITE EQ; LDREQ; ADDNE r0, #1; ADDS r0, #2
    "a load in an IT block": ("T32", [0x2B00, 0xBF0C, 0x680A, 0x3001, 0x3002, 0xDF01], 12, 2),
    "a wide load in an IT block": (
        "T32",
        [0x2B00, 0xBF0C, 0xF8D1, 0x2000, 0x3001, 0x3002, 0xDF01],
        14,
        2,
    ),
    # ITTE EQ: LDREQ; ADDEQ #1; ADDNE #2; ADDS #4
    "the first of three": ("T32", [0x2B00, 0xBF06, 0x680A, 0x3001, 0x3002, 0x3004, 0xDF01], 14, 5),
    "the last of an IT block": ("T32", [0x2B00, 0xBF04, 0x3001, 0x680A, 0x3002, 0xDF01], 12, 3),
    "WFI of T32": ("T32", [0xBF30, 0x3001, 0x3002, 0xDF01], 8, 3),
    # Not in an IT block: QEMU 7.2 gives a WFI there the IT state behind it, so that it cannot be seen to be right.
    "WFI of A32": ("A32", [0xE320F003, 0xE2800001, 0xEF000001], 12, 1),
    "WFINE of A32, not": ("A32", [0xE3530000, 0x1320F003, 0xE2800001, 0xEF000001], 16, 1),
    "a list of registers, skipped": (
        "T32",
        [0x460B, 0xC918, 0x3001, 0x3002, 0xDF01],
        10,
        3,
        "NOWHERE",
    ),
    "a pair in T32, skipped": ("T32", [0xE9D1, 0x3400, 0x3001, 0x3002, 0xDF01], 10, 3, "NOWHERE"),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_lengths(target, case):
    state, words, end, r0, *place = LENGTHS[case]
    script = f"""
cpu.sysreg["SCTLR_EL1"] |= 5 << 16      # nTWI, nTWE
vm.wfi(lambda cpu: None)
vm.exception(0x24, lambda cpu, esr: hv.SKIP)
print(user(vm, {words}, {state}, 0, {place[0] if place else "DEVICE"}))
"""
    assert run(target, TABLE, SCRIPT + script).startswith(SVC.format(end, r0)), case


@pytest.mark.parametrize(
    "words, end, r0",
    [
        ([0xDE00, 0x3001, 0x3002, 0xDF01], 8, 3),  # UDF, of 16 bits: its ESR.IL is 1
        ([0xF7F0, 0xA000, 0x3001, 0x3002, 0xDF01], 10, 3),  # UDF.W
        ([0x2B00, 0xBF0C, 0xDE00, 0x3001, 0x3002, 0xDF01], 12, 2),  # in ITE EQ
        ([0x2B00, 0xBF06, 0xDE00, 0x3001, 0x3002, 0x3004, 0xDF01], 14, 5),  # in ITTE EQ
    ],
)
def test_the_guests_own_exceptions_are_skipped_by_length(target, words, end, r0):
    script = f"""
vm.trap_el1_exceptions("undefined", lambda cpu, esr: hv.SKIP)
print(user(vm, {words}, T32, 0, 0))
"""
    assert run(target, TABLE, SCRIPT + script).startswith(SVC.format(end, r0))


def test_code_that_el2_does_not_map(target):
    """A load that has to be decoded, in a page that is not in EL2's own map: the guest's abort, not EL2's end."""
    script = """
import hv.mmu
user(vm, [0xd503_201f, 0xd400_0021], 0x1c5)
there = cpu.translate(HERE)[1]
vm.memory[HERE : HERE + 8] = bytes(array("I", [0xb840_4422, 0xd400_0021]))     # LDR w2, [x1], #4
hv.mmu.unmap(there, 0x1000, unsafe=True)
cpu.pc, cpu.x[1] = HERE, DEVICE
print(vm.run(20000).reason, hex(cpu.x[27] >> 26))
hv.mmu.map(there, there, 0x1000, unsafe=True)
cpu.pc, cpu.x[1] = HERE, DEVICE
print(vm.run(20000).reason, hex(cpu.x[27] >> 26), hex(cpu.x[2]))
"""
    assert run(target, TABLE, SCRIPT + script) == "stop 0x25\nstop 0x15 0x44332211\n"


def test_a32_values(target):
    """What a handler sees and what the registers get, of A32's widths, in both byte orders."""
    words = [
        *(
            0xE1C120B4,
            0xE5812008,
            0xE5C1200D,
        ),  # STRH r2, [r1, #4]; STR r2, [r1, #8]; STRB r2, [r1, #13]
        *(0xE1D120B0, 0xE5913000, 0xE1D140F2),  # LDRH r2, [r1]; LDR r3, [r1]; LDRSH r4, [r1, #2]
        0xEF000001,
    ]
    script = f"""
words = {words}
for state in (A32, A32 | 1 << 9):       # PSTATE.E
    print(user(vm, words, state, 0, DEVICE, 0xff11_2233_4455_6677), hex(cpu.x[4]))
    print([(offset, size, hex(value)) for offset, size, value in log if value is not None])
"""
    assert run(target, TABLE, SCRIPT + script).splitlines() == [
        "vector 0x600, ec 0x11, at 0x1c, x0 0x0, x1 0xb000000, x2 0x2211, x3 0x44332211 0x2211",
        "[(4, 2, '0x6677'), (8, 4, '0x44556677'), (13, 1, '0x77')]",
        "vector 0x600, ec 0x11, at 0x1c, x0 0x0, x1 0xb000000, x2 0x1122, x3 0x11223344 0x1122",
        "[(4, 2, '0x7766'), (8, 4, '0x77665544'), (13, 1, '0x77')]",
    ]


A64 = {  # word, x2 and x3 before, what the device sees or the registers get, little- and big-endian
    "str x2": (0xF9000022, [(0, 8, 0x1122334455667788)], [(0, 8, 0x8877665544332211)]),
    "str w2": (0xB9000022, [(0, 4, 0x55667788)], [(0, 4, 0x88776655)]),
    "strh w2": (0x79000022, [(0, 2, 0x7788)], [(0, 2, 0x8877)]),
    "strb w2": (0x39000022, [(0, 1, 0x88)], [(0, 1, 0x88)]),
    "str w2, [x1], #4": (0xB8004422, [(0, 4, 0x55667788)], [(0, 4, 0x88776655)]),
    "stp w2, w3": (0x29000C22, [(0, 4, 0x55667788), (4, 4, 0xDDEEFF00)], [(0, 4, 0x88776655), (4, 4, 0xFFEEDD)]),
    "ldr x2": (0xF9400022, "0x8877665544332211", "0x1122334455667788"),
    "ldr w2": (0xB9400022, "0x44332211", "0x11223344"),
    "ldrh w2": (0x79400022, "0x2211", "0x1122"),
    "ldrb w2": (0x39400022, "0x11", "0x11"),
    "ldrsh x2": (0x79800022, "0x2211", "0x1122"),
    "ldrsw x2": (0xB9800022, "0x44332211", "0x11223344"),
    "ldp x2, x3": (0xA9400C22, "0x8877665544332211", "0x1122334455667788"),
    "ldp w2, w3": (0x29400C22, "0x44332211", "0x11223344"),
}  # fmt: skip


@pytest.mark.parametrize("level, bit", [(5, 25), (0, 24)], ids=["EL1", "EL0"])
def test_byte_order(target, level, bit):
    """Every width, loads, stores and pairs, by SCTLR_EL1.EE at EL1 and E0E at EL0; the other bit changes nothing."""
    script = f"""
for name, (word, little, big) in {A64!r}.items():
    for order, want in ((0, little), (1, big)):
        other = 49 - {bit}
        cpu.sysreg["SCTLR_EL1"] = 0x30d0_0800 | order << {bit} | (1 - order) << other
        said = user(vm, [word, 0xd400_0021], 0x1c0 | {level}, 0, DEVICE, 0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00)
        got = log if type(want) is list else hex(cpu.x[2])
        if got != want or "ec 0x15" not in said or (name[:3] == "ldp" and cpu.x[3] != cpu.x[2]):
            print(name, order, got, want, said)
"""
    assert run(target, TABLE, SCRIPT + script) == ""


def test_rules_and_devices_in_big_endian(each_target):
    """The short ways: a rule's constant, and the VM's own devices, right after a little-endian access to them."""
    script = """
vm.rule("mmio", (0x0b01_0000, 16), "const", value=0x1234_5678)
for order in (0, 1, 0, 1):
    cpu.sysreg["SCTLR_EL1"] = 0x30d0_0800 | order << 25
    got = []
    for address in (0x0b01_0000, 0x0900_0fe4, 0x0800_0004):
        # twice each: LDR w2, [x1]; LDR w3, [x1]; SVC
        user(vm, [0xb940_0022, 0xb940_0023, 0xd400_0021], 0x1c5, 0, address)
        got += [hex(cpu.x[2]), cpu.x[2] == cpu.x[3]]
    print(got[:4], got[5], got[4][-2:] == "00")
"""
    lines = run(each_target, TABLE, SCRIPT + script).splitlines()
    little = "['0x12345678', True, '0x10', True] True"
    big = "['0x78563412', True, '0x10000000', True] True"
    assert [line.rsplit(" ", 1)[0] for line in lines] == [little, big, little, big]


BIG_ENDIAN_CPU_ON = """
    load x0, 0xc4000003         // literals are data: before
    mrs x9, sctlr_el1
    orr x9, x9, x22
    msr sctlr_el1, x9
    isb
    mov x1, #1
    adr x2, second
    mov x3, #7
    hvc #0
    mov x10, #0x40100000
1:  ldr x11, [x10]
    cbz x11, 1b
    hvc #0x100
second:
    mrs x1, sctlr_el1
    mov x10, #0x40100000
    str x1, [x10]
    dsb sy
2:  wfi
    b 2b
"""


def test_cpu_on_keeps_the_byte_order(each_target):
    """DEN0022: the new CPU begins in its caller's."""
    script = """
for ee in (0, 1 << 25):
    vm = guest(code, cpus=2)
    vm.cpu[0].x[22] = ee
    print(vm.run(20000).reason, vm.cpu[1].sysreg["SCTLR_EL1"] >> 25 & 1)
    vm.close()
"""
    assert run(each_target, BIG_ENDIAN_CPU_ON, script, 60) == "stop 0\nstop 1\n"


@pytest.mark.parametrize(
    "cpu, before, sctlr, after",
    [
        ("cortex-a53", 0xF000_0000, 0, 0xF000_03C5),
        ("cortex-a53", 0x0000_0005, 0, 0x0000_03C5),
        ("max", 0xA000_0005, 0, 0xA040_03C5),  # PAN, since SCTLR_EL1.SPAN is 0
        ("max", 0xA000_0005, 1 << 23, 0xA000_03C5),
        ("max", 0xA1C0_1005, 1 << 23, 0xA140_03C5),  # PAN and DIT stay, UAO and SSBS do not
        ("max", 0x0000_0005, 1 << 23 | 1 << 44, 0x0000_13C5),  # SSBS from DSSBS
        ("max", 0x6600_FE10, 1 << 23, 0x6000_03C5),  # AArch32's IT, GE and E are gone
    ],
)
def test_pstate_of_an_exception(boot, cpu, before, sctlr, after):
    """DDI 0487 AArch64.TakeException; what it was is in SPSR_EL1."""
    target = boot(args=("-cpu", cpu))
    script = f"""
cpu.sysreg["SCTLR_EL1"] = 0x3050_0800 | {sctlr}
cpu.pstate = {before}
cpu.inject("undefined")
print(hex(cpu.pstate), cpu.sysreg["SPSR_EL1"] == {before})
"""
    assert run(target, TABLE, SCRIPT + script) == f"{after:#x} True\n"
