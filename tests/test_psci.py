# SPDX-License-Identifier: MIT
"""PSCI and SMCCC as a guest finds them, by HVC and by SMC (DEN0022, DEN0028)."""

import pytest
from guestcode import built, run

RAM = 0x4008_0000
OK, NOT_SUPPORTED, INVALID, ALREADY_ON, INVALID_ADDRESS = 0, -1, -2, -4, -9

# Makes the calls of a list, x0 to x3 each, and leaves what they return in place of x0.
CALLS = """
    load x20, 0x40100000
1:  ldp x0, x1, [x20]
    ldp x2, x3, [x20, #16]
    cbz x0, 3f
    cbz x21, 2f
    smc #0
    b 4f
2:  hvc #0
4:  str x0, [x20], #32
    b 1b
3:  hvc #0x100
"""

SCRIPT = """
import struct
def make(calls, smc, cpus=4):
    vm = guest(code, cpus=cpus)
    if smc < 0:  # a hook of another function: all are looked up
        vm.hvc(0xC600_0001, lambda cpu: 1)
    for i, call in enumerate(calls):
        vm.memory[0x4010_0000 + 32 * i : 0x4010_0020 + 32 * i] = struct.pack("<4Q", *call)
    vm.cpu[0].x[21] = smc == 1
    assert vm.run(60_000).reason == "stop"
    return [struct.unpack("<q", bytes(vm.memory[0x4010_0000 + 32 * i : 0x4010_0008 + 32 * i]))[0] for i in range(len(calls))]
for smc in (0, 1, -1):
    print(make(calls, smc))
"""

FEATURES = 0x8400_000A
TABLE = [
    # x0, x1, x2, x3, what x0 is then
    (0x8400_0000, 0, 0, 0, 0x1_0001),  # VERSION: 1.1
    *((FEATURES, f, 0, 0, OK) for f in (0x8400_0000, 0x8400_0001, 0xC400_0001, 0x8400_0002)),
    *((FEATURES, f, 0, 0, OK) for f in (0x8400_0003, 0xC400_0003, 0x8400_0004, 0xC400_0004)),
    *((FEATURES, f, 0, 0, OK) for f in (0x8400_0006, 0x8400_0008, 0x8400_0009, FEATURES)),
    *((FEATURES, f, 0, 0, OK) for f in (0x8400_0012, 0xC400_0012, 0x8000_0000)),
    *((FEATURES, f, 0, 0, NOT_SUPPORTED) for f in (0x8400_0005, 0x8400_000F, 0xC400_0008, 0)),
    *(
        (FEATURES, f, 0, 0, NOT_SUPPORTED)
        for f in (0x8400_0020, 0xC400_0002, 0xC400_000A, 0x0400_0000)
    ),
    *(
        (FEATURES, f, 0, 0, NOT_SUPPORTED)
        for f in (0x4400_0001, 0xA400_0000, 0x8400_0040, 0xFFFF_FFFF)
    ),
    (0xF_0000_0000 | FEATURES, 0xF_0000_0000 | FEATURES, 0, 0, OK),  # function ids are words
    (0x8400_0006, 0, 0, 0, 2),  # MIGRATE_INFO_TYPE: no Trusted OS
    (0xC400_0004, 0, 0, 0, 0),  # AFFINITY_INFO: on
    (0xC400_0004, 3, 0, 0, 1),  # off
    (0x8400_0004, 0xF_0000_0003, 0xF_0000_0000, 0, 1),  # the 32-bit form looks at w1 and w2
    (0xC400_0004, 3, 0xF_0000_0000, 0, INVALID),
    (0xC400_0004, 0xF_0000_0003, 0, 0, INVALID),
    (0xC400_0004, 4, 0, 0, INVALID),  # no such CPU
    (0xC400_0004, 0x8000_0000, 0, 0, INVALID),  # MPIDR_EL1's bit 31 is no affinity
    (0xC400_0004, 3, 1, 0, 0),  # its cluster is on
    (0xC400_0004, 0x100, 1, 0, INVALID),
    (0xC400_0004, 0, 4, 0, INVALID),  # no such level
    (0xC400_0003, 0, RAM, 0, ALREADY_ON),  # CPU_ON of oneself
    (0xC400_0003, 9, RAM, 0, INVALID),
    (0xC400_0003, 0x1_0000_0001, RAM, 0, INVALID),
    (0xC400_0003, 1, 0x1000, 0, INVALID_ADDRESS),
    (0xC400_0003, 1, RAM + 2, 0, INVALID_ADDRESS),
    (0xC400_0003, 1, 0x1_4008_0000, 0, INVALID_ADDRESS),
    (0x8400_0012, 1, 0, 0, INVALID),  # SYSTEM_RESET2: only the warm one
    (0xC400_0012, 0x8000_0000, 0, 0, INVALID),
    *(
        (f, 1 << bit, 0, 0, INVALID) for f in (0x8400_0001, 0xC400_0001) for bit in range(17, 32)
    ),  # CPU_SUSPEND
    (0xC400_0001, 0xFFFF_FFFF, 0, 0, INVALID),
    (0xC400_0001, 0x1_0000, 0x1000, 0, INVALID_ADDRESS),  # powerdown needs an entry
    (0xC400_0001, 0x1_0000, RAM + 2, 0, INVALID_ADDRESS),
    (0x8000_0000, 0, 0, 0, 0x1_0001),  # SMCCC_VERSION: 1.1
    (0x8000_0001, 0x8000_0000, 0, 0, OK),  # SMCCC_ARCH_FEATURES
    (0x8000_0001, 0x8000_0001, 0, 0, OK),
    (0x8000_0001, 0x8000_8000, 0, 0, 1),  # WORKAROUND_1: this core needs none
    (0x8000_0001, 0x8000_3FFF, 0, 0, 1),  # WORKAROUND_3
    (0x8000_0001, 0x8000_7FFF, 0, 0, NOT_SUPPORTED),
    *((f, 0, 0, 0, NOT_SUPPORTED) for f in (0x8400_0005, 0x8400_001F, 0xC400_0000 + 0x1F)),
    *((f, 0, 0, 0, NOT_SUPPORTED) for f in (0x8600_FF01, 0xC500_0020, 0x3200_0000, 0x7FFF_FFFF)),
]


def test_every_function_by_hvc_and_by_smc(each_target):
    text = run(each_target, CALLS, SCRIPT, calls=[row[:4] for row in TABLE])
    for conduit, line in zip(("hvc", "smc", "hvc, hooked"), text.splitlines(), strict=True):
        for row, got in zip(TABLE, eval(line), strict=True):
            assert got == row[4], (conduit, [hex(x) for x in row[:4]], got)


def test_on_pending(target):
    """On one core the new vCPU cannot have begun when its starter asks again: it is on all the same, as
    KVM and QEMU say it, and AFFINITY_INFO knows better.
    """
    calls = [
        (0xC400_0003, 1, RAM + 0x1000, 7),
        (0xC400_0003, 1, RAM, 0),
        (0xC400_0004, 1, 0, 0),
        (0x8400_0003, 2, RAM + 0x1000, 7),
    ]
    text = run(target, CALLS, SCRIPT.replace("(0, 1, -1)", "(0,)"), calls=calls)
    assert eval(text) == [OK, ALREADY_ON, 2, OK]


# vCPU 1 begins at `second` with its context in x0 and shows how it begins; x19 of vCPU 0: the context.
BEGIN = """
    load x0, 0xC4000003
    mov x1, #1
    adr x2, second
    mov x3, x19
    smc #0
    b .
second:
    mrs x1, CurrentEL
    mrs x2, sctlr_el1
    mrs x3, daif
    mrs x4, mpidr_el1
    mov x5, sp
    hvc #0x100
"""


def test_a_cpu_begins_as_the_specification_says(each_target):
    """context_id in x0, at EL1, MMU and caches off, all interrupts masked."""
    script = """
vm = guest(code, cpus=2)
vm.cpu[0].x[19] = 0xFEDC_BA98_7654_3210
print(vm.run(60_000).cpu.id, [hex(vm.cpu[1].x[i]) for i in range(5)])
"""
    registers = ["0xfedcba9876543210", "0x4", "0x30d00800", "0x3c0", "0x80000001"]
    assert run(each_target, BEGIN, script) == f"1 {registers}\n"


def test_cpus_come_and_go(each_target):
    """On and off again and again, and four that start a fifth at the same moment."""
    script = """
with guest(code, ram="16M", cpus=5) as vm:
    vm.cpu[0].x[0] = 40
    print(vm.run().reason)
"""
    assert run(each_target, built("psci"), script, 60) == "psci: 5 cpus, 40 rounds, 0 wrong\noff\n"


def test_suspend_ends_by_an_interrupt(each_target):
    """Standby, and powerdown, which is standby too: it goes on behind the call, with x0 0."""
    source = """
    load x20, 0x10000
    mov x19, #0
1:  mrs x1, cntvct_el0
    add x1, x1, #1000
    msr cntv_cval_el0, x1
    mov x1, #1
    msr cntv_ctl_el0, x1
    mrs x10, id_aa64pfr0_el1
    ubfx x10, x10, #24, #4
    load x11, 0x08000000
    mov w2, #1
    cbz x10, 2f
    load x12, 0x080B0000
    mov w2, #-1
    str w2, [x12, #0x80]
    mov w2, #0x08000000
    str w2, [x12, #0x100]
    mov x2, #0xFF
    msr S3_0_C4_C6_0, x2
    mov x2, #1
    msr S3_0_C12_C12_7, x2
    mov w2, #0x12
    b 3f
2:  mov w3, #0x08000000
    str w3, [x11, #0x100]
    load x12, 0x08010000
    mov w3, #0xFF
    str w3, [x12, #4]
    str w2, [x12]
3:  str w2, [x11]
    load x0, 0xC4000001
    mov x1, x19
    adr x2, _start
    hvc #0
    cbnz x0, 4f
    add x21, x21, #1
    cbnz x19, 4f
    mov x19, x20
    b 1b
4:  hvc #0x100
"""
    script = """
vm = guest(code)
vm.cpu[0].x[21] = 0
print(vm.run(60_000).reason, vm.cpu[0].x[0], vm.cpu[0].x[21])
"""
    assert run(each_target, source, script) == "stop 0 2\n"


def test_time_is_up_though_the_guest_resets_itself(each_target):
    """run(timeout_ms=) is one deadline, however often a reset begins the guest anew."""
    script = """
import time
from struct import pack
vm = hv.VM("resets", "4M")
vm.load(pack("<4I", 0x52B08000, 0x11002400, 0xD4000002, 0x14000000), at=0x4008_0000)  # SYSTEM_RESET
began = time.ticks_ms()
print(vm.run(300).reason, vm.run(timeout_ms=0).reason, time.ticks_diff(time.ticks_ms(), began) >= 300)
vm.load(pack("<1I", 0xD4000002 | 0x100 << 5), at=0x4008_0000)
vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
for ms in (1 << 40, (1 << 63) - 1, (1 << 64) - 1):     # more than the counter can say
    vm.cpu[0].reset(0x4008_0000)
    print(vm.run(ms).reason)
"""
    assert run(each_target, None, script) == "timeout timeout True\nstop\nstop\nstop\n"


# Counts its starts outside itself, then resets as x0 = HVC 0x200 tells it to, or powers off.
RESETS = """
    mrs x9, CurrentEL
    hvc #0x200
    mov x1, #0
    mov x2, #0
    cbnz x10, 1f
    hvc #0
    b .
1:  smc #0
    b .
"""


@pytest.mark.parametrize("background", [False, True])
def test_reset_starts_the_guest_again(each_target, background):
    """SYSTEM_RESET and SYSTEM_RESET2, by HVC and SMC: RAM is as at power-on, the code loaded again."""
    script = """
import time
import _hv
calls = [(0x8400_0009, 0), (0x8400_0009, 1), (0x8400_0012, 0), (0xC400_0012, 1), (0x8400_0008, 0)]
started = []
vm = hv.VM("test", ram="4M")
vm.load(bytes(code))
@vm.hvc(imm=0x200)
def choose(cpu):
    call, cpu.x[10] = calls[len(started)]
    started.append((cpu.x[9] >> 2, vm.memory[0x4010_0000]))
    vm.memory[0x4010_0000] = 1
    return call
if background:
    vm.start()
    while vm.running:
        time.sleep_ms(1)
    print(vm.exit.reason, started)
else:
    print(vm.run(60_000).reason, started)
"""
    text = run(each_target, RESETS, script, background=background)
    assert text == f"off {[(1, 0)] * 5}\n"


def test_cpu_off_of_the_last_one_ends_the_vm(each_target):
    source = """
    load x0, 0x84000002
    hvc #0
    b .
"""
    assert run(each_target, source, "print(guest(code, cpus=2).run(60_000).reason)") == "off\n"


def test_suspend_waits_for_an_interrupt(each_target):
    """CPU_SUSPEND is standby: it returns SUCCESS once the timer has fired, not before."""
    source = """
    load x11, 0x08000000
    mov w1, #1
    str w1, [x11]                   // GICD_CTLR
    mov w1, #1 << 27
    mrs x2, id_aa64pfr0_el1
    ubfx x2, x2, #24, #4
    cbz x2, 1f
    mov w3, #0x12
    str w3, [x11]
    load x11, 0x080B0000            // GICR SGI_base
    str w1, [x11, #0x80]
    mov x3, #0xFF
    msr S3_0_C4_C6_0, x3
    mov x3, #1
    msr S3_0_C12_C12_7, x3
    b 2f
1:  load x12, 0x08010000
    mov w3, #0xFF
    str w3, [x12, #4]
    mov w3, #1
    str w3, [x12]
2:  str w1, [x11, #0x100]           // ISENABLER0
    mrs x20, cntfrq_el0
    lsr x20, x20, #6
    isb
    mrs x21, cntvct_el0
    add x22, x21, x20
    msr cntv_cval_el0, x22
    mov x1, #1
    msr cntv_ctl_el0, x1
    load x0, 0xC4000001
    mov x1, #0
    smc #0
    isb
    mrs x23, cntvct_el0
    hvc #0x100
"""
    script = """
vm = guest(code)
print(vm.run(60_000).reason, vm.cpu[0].x[0], vm.cpu[0].x[23] >= vm.cpu[0].x[22])
"""
    assert run(each_target, source, script) == "stop 0 True\n"
