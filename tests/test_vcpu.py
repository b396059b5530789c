# SPDX-License-Identifier: MIT
"""A stopped vCPU: every register, read and written; reset; translation; floating point."""

import pytest
from guestcode import run
from harness import TargetError

# Adds 1 to each of x0..x30 and sp, then stops.
COUNT = (
    "".join(f"    add x{n}, x{n}, #1\n" for n in range(31))
    + "    add sp, sp, #16\n    hvc #0x100\n"
)


def test_general_registers(each_target):
    script = """
vm = guest(code)
cpu = vm.cpu[0]
for n in range(31):
    cpu.x[n] = 0xffff_ffff_ffff_ff00 + n
cpu.sp, cpu.pc = 0x4007_0000, 0x4008_0000
vm.run(60_000)
print([cpu.x[n] - 0xffff_ffff_ffff_ff00 for n in range(31)] == list(range(1, 32)), hex(cpu.sp), hex(cpu.pc))
print(len(cpu.x), len(cpu.q), cpu.id, cpu.vm is vm)
"""
    assert run(each_target, COUNT, script) == "True 0x40070010 0x40080084\n31 32 0 True\n"


def test_pstate(target):
    """Flags, the exception level, masks; what would not leave EL2 is refused."""
    code = "    mrs x1, CurrentEL\n    mrs x2, nzcv\n    mrs x3, daif\n    mrs x4, spsel\n    hvc #0x100"
    script = """
vm = guest(code)
cpu = vm.cpu[0]
for pstate in (0x3c5, 0xf000_0005, 0xa000_0084):
    cpu.pc, cpu.pstate = 0x4008_0000, pstate
    vm.run(60_000)
    print([hex(cpu.x[n]) for n in (1, 2, 3, 4)], hex(cpu.pstate))
for pstate in (9, 8, 0xd, 1, 2, 3, 6, 7, 0x13, 0x1f):
    try:
        cpu.pstate = pstate
        print("taken", pstate)
    except ValueError as error:
        last = error
print(last)
"""
    lines = run(target, code, script).splitlines()
    assert lines[:3] == [
        "['0x4', '0x0', '0x3c0', '0x1'] 0x3c5",
        "['0x4', '0xf0000000', '0x0', '0x1'] 0xf0000005",
        "['0x4', '0xa0000000', '0x80', '0x0'] 0xa0000084",
    ]
    assert lines[3].startswith("pstate: M[4:0] must be 0 (EL0), 4, 5 (EL1)")


# Every EL1 register with a value its bits can hold, and the instruction that reads it.
EL1 = {
    "TTBR0_EL1": 0x0012_0000_4010_0000, "TTBR1_EL1": 0x4020_0000, "TCR_EL1": 0x5_8010_0010,
    "MAIR_EL1": 0xFF44_0400_BB00_1100, "VBAR_EL1": 0xFFFF_0000_1234_5800, "ELR_EL1": 0x1234_5678,
    "SPSR_EL1": 0x6000_03C5, "ESR_EL1": 0x9600_0045, "FAR_EL1": 0xDEAD_BEEF_0000_1111,
    "SP_EL0": 0x7777_0000, "TPIDR_EL0": 0x1_0000_0001, "TPIDRRO_EL0": 2 << 40, "TPIDR_EL1": 3 << 50,
    "CONTEXTIDR_EL1": 0x55AA, "CPACR_EL1": 0x30_0000, "PAR_EL1": 0x4000_0800, "CSSELR_EL1": 2,
    "CNTKCTL_EL1": 0x91, "CNTV_CVAL_EL0": 0x1234_5678_9ABC, "CNTV_CTL_EL0": 2,
    "CNTP_CVAL_EL0": 0xCBA9_8765_4321, "CNTP_CTL_EL0": 2,
}  # fmt: skip


def test_system_registers(each_target):
    """What a script writes the guest reads, and what the guest writes a script reads."""
    code = "    load x20, 0x40100000\n"
    for n, name in enumerate(EL1):
        code += f"    mrs x0, {name.lower()}\n    str x0, [x20, #{8 * n}]\n"
    code += "    hvc #0x100\n"
    for n, name in enumerate(EL1):
        code += f"    ldr x0, [x20, #{8 * n}]\n    eor x0, x0, #2\n    msr {name.lower()}, x0\n"
    code += "    isb\n    hvc #0x100\n"
    script = """
import struct
vm = guest(code)
cpu = vm.cpu[0]
for name, value in EL1:
    cpu.sysreg[name] = value
vm.run(60_000)
got = struct.unpack(f"<{len(EL1)}Q", vm.memory[0x4010_0000 : 0x4010_0000 + 8 * len(EL1)])
for (name, value), guest_saw in zip(EL1, got):
    if guest_saw != value:
        print(name, hex(value), hex(guest_saw))
vm.run(60_000)
for name, value in EL1:
    if cpu.sysreg[name] | 2 != value | 2:
        print(name, hex(value), hex(cpu.sysreg[name]))
print(cpu.sysreg["SP_EL0"] == 0x7777_0002, cpu.sysreg["MDSCR_EL1"])
"""
    assert run(each_target, code, script, EL1=list(EL1.items())) == "True 0\n"


def test_system_registers_by_what_the_guest_would_see(target):
    """Registers that trap: identification, its own MPIDR; those of EL2 are not its own."""
    script = """
vm = hv.VM("t", ram="1M", cpus=2)
print([hex(cpu.sysreg["MPIDR_EL1"]) for cpu in vm.cpu], hex(vm.cpu[0].sysreg["MIDR_EL1"]))
from hv.regs import TCR_EL1
vm.cpu[1].sysreg[TCR_EL1] = 5
print(vm.cpu[1].sysreg["TCR_EL1"], vm.cpu[0].sysreg["S3_0_C2_C0_2"])
vm.cpu[0].sysreg["HCR_EL2"]
"""
    with pytest.raises(TargetError) as error:
        run(target, "", script)
    assert error.value.output == "['0x80000000', '0x80000001'] 0x410fd034\n5 0\n"
    assert "HCR_EL2 is not part of a vCPU's EL1 state; hv.regs reads" in error.value.traceback


@pytest.mark.parametrize(
    "statement, says",
    [
        ("cpu.x[31]", "no register x31: x0 to x30"),
        ("cpu.x[-1] = 0", "no register x-1"),
        ("cpu.q[32]", "no register q32"),
        ("cpu.sysreg['TCR_EL3']", "TCR_EL3"),
        ("cpu.x[0] = 'a'", "TypeError"),
        ("cpu.nothing", "AttributeError"),
        ("cpu.inject('party')", "cannot inject 'party'"),
        ("cpu.inject('irq', 31)", "32 to"),
        ("cpu.translate(0x10_0000_0000)", "va 0x1000000000 of cpu 0: stage 2 translation fault"),
    ],
)
def test_mistakes(target, statement, says):
    with pytest.raises(TargetError, match=says):
        run(target, "", f"cpu = hv.VM('t', ram='1M').cpu[0]\n{statement}")


def test_closed(target):
    script = """
vm = hv.VM("t", ram="1M")
cpu, x, memory = vm.cpu[0], vm.cpu[0].x, vm.memory
vm.close()
vm.close()
for action in (lambda: cpu.pc, lambda: x[0], lambda: memory[0x4000_0000], lambda: vm.run()):
    try:
        action()
    except ValueError as error:
        print(error)
print(vm, cpu)
"""
    assert run(target, "", script).splitlines() == [
        *["the VM of this cpu has been closed"] * 2,
        *["this VM has been closed"] * 2,
        "<VM t: closed> <VCPU closed>",
    ]


def test_dump(target):
    """Everything, decoded."""
    script = """
vm = guest(code)
vm.run(60_000)
cpu = vm.cpu[0]
cpu.sysreg["TCR_EL1"] = 0x5_8010_0010
cpu.q[3] = 0x1122334455667788_99aabbccddeeff00
cpu.dump()
"""
    text = run(target, COUNT, script)
    for part in (
        "CurrentEL 1 (EL1h)",
        "x30 0x0000000000000001",
        "SCTLR_EL1 0x30d00800",
        "TCR_EL1 0x580100010 (IPS=5 TG1=2 T1SZ=0x10 T0SZ=0x10)",
        "q3 0x112233445566778899aabbccddeeff00",
        "PSTATE 0x3c5 (D=1 A=1 I=1 F=1 M=5)",
    ):
        assert part in text, text


def test_reset(each_target):
    """Memory is zero again, what was loaded is there again, registers are those of a reset."""
    code = """
    load x1, 0x40100000
    ldr x2, [x1]
    add x2, x2, #1
    str x2, [x1]
    adr x3, word
    ldr w4, [x3]
    str w2, [x3]
    msr tpidr_el1, x1
    hvc #0x100
word: .word 0x1234
"""
    script = """
vm = hv.VM("t", ram="4M")
vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
vm.load(code)
cpu = vm.cpu[0]
for n in range(3):
    print(vm.run(60_000).reason, cpu.x[2], hex(cpu.x[4]), hex(cpu.sysreg["TPIDR_EL1"]))
    vm.reset()
    print(hex(cpu.pc), cpu.x[2], vm.memory[0x4010_0000], cpu.sysreg["TPIDR_EL1"], hex(cpu.pstate))
vm.hvc(imm=0x100, handler=lambda cpu: vm.reset())
try:
    vm.run(60_000)
except RuntimeError as error:
    print(error)
"""
    lines = run(each_target, code, script).splitlines()
    assert lines[:6] == ["stop 1 0x1234 0x40100000", "0x40080000 0 0 0 0x3c5"] * 3
    assert "is running" in lines[6]


def test_translate(each_target):
    """A guest's address by both stages: its own tables, and the machine's."""
    # A level 1 table at 0x40100000: 1 GB at VA 0x8000_0000 is IPA 0x4000_0000, read-only above.
    code = """
    load x1, 0x40100000
    load x2, 0x40000705         // block, AF, inner shareable, attribute 1
    str x2, [x1, #8]
    str x2, [x1, #16]
    orr x2, x2, #0x80           // AP[2]: read-only
    str x2, [x1, #24]
    stage1_on x1, x2, 0x280803519, 0xff00   // 39-bit, 4 KB, write-back; TTBR1 not used
    load x3, 0x80100008
    ldr x4, [x3]
    hvc #0x100
"""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
print(cpu.translate(0x4008_0000)[0] == 0x4008_0000)     # its MMU is off
print(vm.run(60_000).reason, hex(cpu.x[4]))
ipa, pa = cpu.translate(0x8010_0123)
print(hex(ipa), pa == vm.stage2.translate(ipa), hex(cpu.translate(0xc000_0000)[0]))
vm.stage2.unmap(0x4018_0000, 0x1000)
for args in ((0x1234,), (0xc000_0000, True), (0x8018_0000,), (0x8000_0000, False, True)):
    try:
        print(cpu.translate(*args))
    except hv.Fault as error:
        print(error)
"""
    assert run(each_target, code, script).splitlines() == [
        "True",
        "stop 0x40000705",
        "0x40100123 True 0x40000000",
        "va 0x1234 of cpu 0: stage 1 translation fault, level 1",
        "va 0xc0000000 of cpu 0: stage 1 permission fault, level 1",
        "va 0x80180000 of cpu 0: stage 2 translation fault, level 3",
        "va 0x80000000 of cpu 0: stage 1 permission fault, level 1",
    ]


# Fills q0..q31 from x1 upwards, then loops: adds q31's lanes all round, and checks that nobody else
# touched any of them by keeping a second copy in memory.
FLOATS = (
    """
    mov x0, #(3 << 20)
    msr cpacr_el1, x0
    isb
    load x0, 0x01800000         // FPCR: round towards zero, flush
    msr fpcr, x0
    msr fpsr, xzr
"""
    + "".join(
        f"    fmov d{n}, #{1 + n / 16 if n < 16 else 2 + (n - 16) / 8}\n    mov v{n}.d[1], x{n}\n"
        for n in range(31)
    )
    + """
    fmov d31, #1.0
    load x20, 0x40100000
    mov x21, #0
"""
    + "".join(f"    str q{n}, [x20, #{16 * n}]\n" for n in range(32))
    + """
loop:
    fadd d0, d0, d31
    fmul d1, d1, d2
    fadd d3, d3, d31
    fdiv d4, d1, d3
    load x0, 0xc6000001
    mov x1, x21
    hvc #0
"""
    + "".join(
        f"    ldr q31, [x20, #{16 * n}]\n    cmeq v31.2d, v31.2d, v{n}.2d\n    mov x3, v31.d[0]\n    mov x4, v31.d[1]\n    and x3, x3, x4\n    cmn x3, #1\n    b.ne bad\n"
        for n in range(5, 31)
    )
    + """
    fmov d31, #1.0
    mrs x5, fpcr
    load x6, 0x01800000
    cmp x5, x6
    b.ne bad
    add x21, x21, #1
    cmp x21, #200
    b.lo loop
    fcvtzs x22, d0
    fcvtzs x23, d3
    mrs x24, fpsr
    hvc #0x100
bad: hvc #0x101
"""
)


def test_guests_floats_and_pythons(each_target):
    """A guest computes in all 32 vector registers with its own FPCR, while the handler of each of its
    calls computes with floats, and another guest does the same: nobody's numbers change."""
    script = """
import math
a, b = guest(code), guest(code)
seen = []
def handler(cpu, n):
    total = 0.0
    for k in range(20):
        total += math.sqrt(k + n) * 1.5
    seen.append(total)
for vm in (a, b):
    vm.hvc(0xc600_0001, handler)
mine = 1 / 3
print(a.run(60_000).reason, a.cpu[0].x[21])
def also(cpu, n):
    handler(cpu, n)
    return hv.STOP
b.hvc(0xc600_0001, also)
a.cpu[0].pc = 0x4008_0000
a.hvc(0xc600_0001, also)
ends = set()
for n in range(201):
    ends.add((a.run(60_000).reason, b.run(60_000).reason))
print(ends, [(vm.cpu[0].x[21], vm.cpu[0].x[22], vm.cpu[0].x[23]) for vm in (a, b)])
print(mine == 1 / 3, abs(seen[7] - sum([math.sqrt(k + 7) * 1.5 for k in range(20)])) < 1e-12)
print(hex(a.cpu[0].fpcr), a.cpu[0].q[5] & (1 << 64) - 1 == b.cpu[0].q[5] & (1 << 64) - 1, hex(a.cpu[0].q[31] >> 64))
"""
    lines = run(each_target, FLOATS, script, 40).splitlines()
    assert lines[0] == "stop 200"
    assert lines[1] == "{('stop', 'stop')} [(200, 201, 201), (200, 201, 201)]"
    assert lines[2:] == ["True True", "0x1800000 True 0x0"]


def test_float_registers_are_read_and_written(target):
    """q as 128-bit ints; also while they are live, in a handler."""
    code = """
    mov x0, #(3 << 20)
    msr cpacr_el1, x0
    isb
    hvc #0x100
    fadd d0, d0, d1
    mov v2.d[1], x2
    hvc #1
    fadd d0, d0, d1
    hvc #0x100
"""
    script = """
import struct
def bits(number):
    return struct.unpack("<Q", struct.pack("<d", number))[0]
vm = guest(code)
cpu = vm.cpu[0]
vm.run(60_000)
cpu.q[0], cpu.q[1], cpu.q[2], cpu.x[2] = bits(1.5), bits(2.25), 7, 9
cpu.fpcr, cpu.fpsr = 0, 0x1f
@vm.hvc(imm=1)
def look(cpu):
    print(cpu.q[0] == bits(3.75), cpu.q[2] == (9 << 64) + 7)
    cpu.q[1] = bits(0.25 + 0.5)
vm.run(60_000)
print(cpu.q[0] == bits(4.5), hex(cpu.fpsr))
for value in ((1 << 128) - 1, 5, -1, 1 << 64):
    cpu.q[31] = value
    print(hex(cpu.q[31]))
try:
    cpu.q[31] = 1.5
except TypeError:
    print("no float")
"""
    assert run(target, code, script).splitlines() == [
        "True True",
        "True 0x1f",
        *("0x" + "f" * 32, "0x5", "0x" + "f" * 32, "0x10000000000000000", "no float"),
    ]


def test_float_registers_change_hands_only_when_somebody_needs_them(each_target):
    """Exits for FP (EC 7, CPTR_EL2.TFP): none without, one for all calls, one for each when Python computes."""
    code = """
    mov x0, #(3 << 20)
    msr cpacr_el1, x0
    isb
    mov x19, #100
    mov x20, #0
1:  cbz x28, 2f
    fmov d0, x19
2:  hvc #1
    subs x19, x19, #1
    b.ne 1b
    hvc #0x100
"""
    script = """
def calls(floats, handler):
    vm = guest(code)
    vm.cpu[0].x[28] = floats
    vm.hvc(imm=1, handler=handler)
    vm.run(60_000)
    return vm.cpu[0].exits.get(7, 0)
def compute(cpu):
    cpu.x[20] = int(cpu.x[19] * 1.5)
print(calls(0, compute), min([calls(1, lambda cpu: None) for i in range(9)]), calls(1, compute))
"""
    none, one, each = map(int, run(each_target, code, script).split())
    assert none == 0 and one <= 3 and each == 100  # the scheduler's own ticks may take them too


@pytest.mark.parametrize(
    "line, error",
    [
        ("vm.cpu[0].reset('x')", "TypeError"),
        ("vm.cpu[0].reset(0, 1.5)", "TypeError"),
        ("hv.mmu.translate(0x4020_0000, Raises())", "TypeError"),
    ],
)
def test_what_raises_does_not_leave_interrupts_masked(target, line, error):
    """An argument that cannot be converted: keys still arrive."""
    code = "import hv.mmu\nvm = guest(code)\nclass Raises:\n    def __bool__(self):\n        return 1 / 0\n"
    run(target, "b .", code)
    assert error in target.repl(line)
    assert target.repl("1 + 1") == "2"


def test_now_and_what_was_printed_while_it_runs(each_target):
    """cpu.now and console.printed() look on: the guest runs, and who reads its console has all of it."""
    code = """
    load x1, 0x09000000
    mov w2, #'a'
    str w2, [x1]
1:  mov x3, #1
    hvc #0x101
    b 1b
"""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
print(cpu.now)
vm.hvc(imm=0x101, handler=lambda cpu: None)
vm.start()
while not vm.console.any():
    pass
seen = set()
while not seen & {0x4008_0010, 0x4008_0014, 0x4008_0018}:
    state, core, pc, pstate = cpu.now
    seen.add(pc)
print(state in ("running", "ready", "python"), core in (None, 0, 1, 2, 3), pstate & 15)
print(vm.console.printed(), vm.console.printed(0), vm.console.printed(1), vm.console.printed(99, 5))
print(vm.console.read(), vm.console.read(), vm.console.printed(0, 1))
vm.pause()
print(cpu.now[:2], vm.cpu[0].now[2] == cpu.pc)
cpu.pc = 0x4008_0000
vm.run(100)  # attached
print(vm.console.printed(0), vm.console.any())
vm.close()
try:
    cpu.now
except ValueError as e:
    print(e)
"""
    said = run(each_target, code, script)
    assert said == (
        "('stopped', None, 1074266112, 965)\nTrue True 5\n"
        "(1, b'a') (1, b'a') (1, b'') (1, b'a')\nb'a' None (1, b'a')\n"
        "('stopped', None) True\na(2, b'aa') 0\nthe VM of this cpu has been closed\n"
    ), said
