# SPDX-License-Identifier: MIT
"""Every exception class has an answer: all encodings of system and coprocessor registers, from EL1 and EL0, in both
instruction sets; what a program at EL0 cannot do to its VM."""

import pytest
from guestcode import TABLE, run

# Vectors that go on behind what faulted (SVC: stop), count in x28, and keep the last ESR_EL1 in x27, ELR_EL1 in x26.
WALK_VECTORS = """
    vectors table
on_exception:
    add x28, x28, #1
    mrs x27, esr_el1
    mrs x26, elr_el1
    lsr x25, x27, #26
    cmp x25, #0x11              // SVC, AArch32 and AArch64
    b.eq over
    cmp x25, #0x15
    b.eq over
    add x26, x26, #4
    msr elr_el1, x26
    mov x26, #0x1c0
    cbz x24, 1f                 // x24: M[4:0] of who walks
1:  orr x26, x26, x24
    msr spsr_el1, x26
    eret
over:
    hvc #0x100
"""

WALK = (
    """
    adr x0, table
    msr vbar_el1, x0
    isb
    mov x28, #0
    mov x0, #0x1c0
    orr x0, x0, x24
    msr spsr_el1, x0
    msr elr_el1, x23            // where the instructions are
    mov x0, #0
    mov x1, #0
    eret
"""
    + WALK_VECTORS
)

# On the target: lays down what `words` yields for each encoding, and runs them at M[4:0] = mode.
WALK_SCRIPT = """
from array import array
def walk(words, mode, end):
    vm = guest(code, ram="8M")
    cpu = vm.cpu[0]
    at = 0x4010_0000
    chunk = array("I")
    for w in words:
        chunk.append(w)
        if len(chunk) == 4096:
            vm.memory[at : at + 4 * len(chunk)] = bytes(chunk)
            at += 4 * len(chunk)
            chunk = array("I")
    chunk.append(end)
    vm.memory[at : at + 4 * len(chunk)] = bytes(chunk)
    cpu.x[23], cpu.x[24] = 0x4010_0000, mode
    exit = vm.run(timeout_ms=60000)
    print(exit.reason, cpu.x[28] > 0, hex(cpu.x[27] >> 26) if exit.reason == "stop" else exit)
    vm.close()
def a64(reads):
    for enc in range(1 << 15):
        word = 0xd510_0000 | enc << 5
        if reads:
            yield word | 1 << 21
        else:
            yield 0xd280_0000                   # mov x0, #0; mrs x0, ...: written is what was read
            yield word | 1 << 21
            yield word
def mcr(load, t32=False):
    for cp in (14, 15):
        for numbers in range(1 << 14):
            opc1, crn, crm, opc2 = numbers >> 11, numbers >> 7 & 15, numbers >> 3 & 15, numbers & 7
            word = 0xee00_0010 | opc1 << 21 | load << 20 | crn << 16 | cp << 8 | opc2 << 5 | crm
            yield (word & 0xffff) << 16 | word >> 16 if t32 else word
def long(load):
    for cp in (14, 15):
        for numbers in range(256):
            yield 0xec40_0000 | load << 20 | 1 << 16 | (numbers >> 4) << 4 | numbers & 15 | cp << 8
def ldc(load):
    for cp in (14, 15):
        for crd in range(16):
            for form in (0xed00_0000, 0xed80_0000, 0xeda0_0000, 0xeca0_0000, 0xed20_0000, 0xec20_0000):
                yield form | load << 20 | 1 << 16 | crd << 12 | cp << 8
"""

# SVC in each instruction set; M[4:0].
WALKS = {
    "reads at EL1": ("a64(True)", 5, 0xD4000001),
    "writes at EL1": ("a64(False)", 5, 0xD4000001),
    "reads at EL0": ("a64(True)", 0, 0xD4000001),
    "writes at EL0": ("a64(False)", 0, 0xD4000001),
    "MRC": ("mcr(1)", 16, 0xEF000000),
    "MCR": ("mcr(0)", 16, 0xEF000000),
    "MRC in T32": ("mcr(1, True)", 0x30, 0xDF00DF00),
    "MRRC": ("long(1)", 16, 0xEF000000),
    "MCRR": ("long(0)", 16, 0xEF000000),
    "LDC": ("ldc(1)", 16, 0xEF000000),
    "STC": ("ldc(0)", 16, 0xEF000000),
}


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a57", "cortex-a72", "max"])
@pytest.mark.parametrize("walk", WALKS)
def test_walk(boot, walk, cpu):
    """All encodings of op0 2 and 3, of CP14 and CP15: the VM survives each, and says so by an SVC at the end."""
    words, mode, end = WALKS[walk]
    target = boot(args=("-cpu", cpu), mem="256M")
    script = WALK_SCRIPT + f"walk({words}, {mode:#x}, {end:#x})"
    said = run(target, WALK, script, 120)
    assert said.split() == ["stop", "True", "0x11" if mode & 16 else "0x15"], said
    assert target.repl("1 + 1") == "2"


# ---- EL0's permissions, and who answers ---------------------------------------------------------

USER = """
from array import array
HERE = 0x4010_0000
A32 = 0x1d0
vm = guest(code)
cpu = vm.cpu[0]
cpu.sysreg["VBAR_EL1"] = 0x4008_0000
def user(word, pstate, *x):
    vm.memory[HERE : HERE + 8] = bytes(array("I", [word, 0xef00_0001 if pstate & 16 else 0xd400_0021]))
    for n, value in enumerate(x):
        cpu.x[n] = value
    cpu.pc, cpu.pstate = HERE, pstate
    exit = vm.run(timeout_ms=20000)
    if exit.reason != "stop":
        return str(exit)
    ec = cpu.x[27] >> 26 & 63
    if ec in (0x11, 0x15):
        return f"{cpu.x[0]:#x} {cpu.x[1]:#x}"
    return f"vector {cpu.x[28] & 0x7ff:#x}, ec {ec:#x}, at {cpu.x[26] - HERE}"
"""


def mrc(cp, opc1, crn, crm, opc2, load=1, rt=0, condition=14):
    return (
        condition << 28 | 0x0E000010 | opc1 << 21 | load << 20 | crn << 16 | rt << 12 | cp << 8 | opc2 << 5 | crm
    )  # fmt: skip


def mrrc(opc1, crm, load=1, cp=15):
    return 0xEC400000 | load << 20 | 1 << 16 | cp << 8 | opc1 << 4 | crm


UNDEFINED = "vector 0x600, ec 0x0, at 0"
CNTP_CTL, CNTP_TVAL, CNTP_CVAL, CNTPCT = (
    mrc(15, 0, 14, 2, 1),
    mrc(15, 0, 14, 2, 0),
    mrrc(2, 14),
    mrrc(0, 14),
)

# What EL1 has set, the instruction, what its AArch32 EL0 gets.
PERMISSIONS = {
    "CNTP_CTL with leave": ({"CNTKCTL_EL1": 0x200, "CNTP_CTL_EL0": 2}, CNTP_CTL, "0x2 0x5b"),
    "CNTP_CTL without": ({"CNTKCTL_EL1": 0x1FF}, CNTP_CTL, "vector 0x600, ec 0x3, at 0"),
    "CNTP_CVAL with leave": ({"CNTKCTL_EL1": 0x200, "CNTP_CVAL_EL0": 0x123456789A}, CNTP_CVAL, "0x3456789a 0x12"),
    "CNTP_CVAL without": ({"CNTKCTL_EL1": 0}, CNTP_CVAL, "vector 0x600, ec 0x4, at 0"),
    "CNTPCT without": ({"CNTKCTL_EL1": 0x3FE}, CNTPCT, "vector 0x600, ec 0x4, at 0"),
    "DBGDIDR": ({"MDSCR_EL1": 0}, mrc(14, 0, 0, 0, 0), "0x35168000 0x5b"),
    "DBGDIDR into APSR": ({"MDSCR_EL1": 0}, mrc(14, 0, 0, 0, 0, rt=1), "0x5a 0x35168000"),
    "DBGDIDR, TDCC": ({"MDSCR_EL1": 1 << 12}, mrc(14, 0, 0, 0, 0), "vector 0x600, ec 0x5, at 0"),
    "DBGDRAR": ({"MDSCR_EL1": 0}, mrc(14, 0, 1, 0, 0), "0x0 0x5b"),
    "DBGDSAR": ({"MDSCR_EL1": 0}, mrc(14, 0, 2, 0, 0), "0x0 0x5b"),
    "an unallocated register of CP14": ({}, mrc(14, 3, 9, 4, 1), UNDEFINED),
    "a condition that fails": ({"CNTKCTL_EL1": 0x200}, mrc(15, 0, 14, 2, 1, condition=0), "0x5a 0x5b"),
    "PMCCNTR": ({}, mrc(15, 0, 9, 13, 0), "vector 0x600, ec 0x3, at 0"),
    "PMCCNTR with leave": ({"PMUSERENR_EL0": 4, "PMCCNTR_EL0": 0x123456789A}, mrc(15, 0, 9, 13, 0), "0x3456789a 0x5b"),
    "PMEVCNTR3": ({"PMUSERENR_EL0": 8, "PMEVCNTR3_EL0": 0x77}, mrc(15, 0, 14, 8, 3), "0x77 0x5b"),
    "PMUSERENR": ({}, mrc(15, 0, 9, 14, 0), "0x0 0x5b"),
    "PMCR": ({}, mrc(15, 0, 9, 12, 0), "vector 0x600, ec 0x3, at 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", PERMISSIONS)
def test_a32_permissions(target, case):
    registers, word, want = PERMISSIONS[case]
    script = f"""
for name, value in {registers}.items():
    if name == "MDSCR_EL1":
        user(0xd510_0240, 0x1c5, value)     # MSR MDSCR_EL1, x0: the guest's own is emulated
    else:
        cpu.sysreg[name] = value
print(user({word:#x}, A32, 0x5a, 0x5b))
"""
    assert run(target, TABLE, USER + script).strip() == want


def test_a32_registers_reach_a_script(target):
    """A handler and a rule of the AArch64 name answer the AArch32 access too, with values as wide as it is."""
    write = mrc(15, 0, 14, 2, 0, load=0)
    script = f"""
cpu.sysreg["CNTKCTL_EL1"] = 0x303
@vm.sysreg("CNTP_CVAL_EL0")
def cval(cpu, value):
    print("CVAL", None if value is None else hex(value), cpu.exit.size)
    return 0x1122_3344_5566_7788
@vm.sysreg("CNTP_TVAL_EL0")
def tval(cpu, value):
    print("TVAL", None if value is None else hex(value), cpu.exit.size)
    return 0x1_9999_8888
print(user({mrrc(2, 14)}, A32, 0, 0))
print(user({mrrc(2, 14, load=0)}, A32, 0xffff_ffff_0000_0005, 0xeeee_eeee_0000_0006))
print(user({mrc(15, 0, 14, 2, 0)}, A32, 0xffff_ffff_ffff_ffff, 0))
print(user({write}, A32, 0xffff_ffff_8765_4321, 0))
vm.sysreg("CNTP_TVAL_EL0", lambda cpu, value: hv.UNDEFINED)
print(user({write}, A32, 1, 0))
vm.rule("sysreg", "CNTP_CTL_EL0", "const", value=7)
print(user({CNTP_CTL}, A32, 1, 0))
"""
    assert run(target, TABLE, USER + script).splitlines() == [
        *("CVAL None 8", "0x55667788 0x11223344"),
        *("CVAL 0x600000005 8", "0x5 0x6"),
        *("TVAL None 4", "0x99998888 0x0"),
        *("TVAL 0x87654321 4", "0x87654321 0x0"),
        UNDEFINED,
        "0x7 0x0",
    ]


EL0 = {
    "a load from nowhere": ("0xf9400020", 0, "vector 0x400, ec 0x24, at 0"),
    "a store to nowhere": ("0xf9000020", 0, "vector 0x400, ec 0x24, at 0"),
    "a vector from nowhere": ("0x4c407020", 0, "vector 0x400, ec 0x24, at 0"),
    "a load from nowhere in A32": ("0xe5910000", 16, "vector 0x600, ec 0x24, at 0"),
    "a list from nowhere in A32": ("0xe8911fff", 16, "vector 0x600, ec 0x24, at 0"),
    "a jump to nowhere": ("0xd61f0020", 0, "vector 0x400, ec 0x20, at 804257792"),
    "a jump to nowhere in A32": ("0xe12fff11", 16, "vector 0x600, ec 0x20, at 804257792"),
    "BRK": ("0xd4200000", 0, "vector 0x400, ec 0x3c, at 0"),
    "BKPT": ("0xe1200070", 16, "vector 0x600, ec 0x38, at 0"),
    "HVC": ("0xd4000002", 0, "vector 0x400, ec 0x0, at 0"),
    "SMC": ("0xd4000003", 0, "vector 0x400, ec 0x0, at 0"),
    "HVC in A32": ("0xe1400070", 16, UNDEFINED),
    "SMC in A32": ("0xe1600070", 16, UNDEFINED),
}


@pytest.mark.parametrize("case", EL0)
def test_el0_cannot_end_its_vm(each_target, case):
    word, mode, want = EL0[case]
    script = f"""
cpu.sysreg["CPACR_EL1"] = 3 << 20
print(user({word}, 0x1c0 | {mode}, 0, 0x7000_0000))
"""
    assert run(each_target, TABLE, USER + script).strip() == want


def test_fetch_from_nowhere(each_target):
    """An external abort, as on a machine; an Exit when the vectors are nowhere too, or when a script has asked."""
    script = """
def go(vbar=0x4008_0000):
    cpu.sysreg["VBAR_EL1"] = vbar
    return user(0xd61f_0020, 0x3c5, 0, 0x7000_0000).split(",")[0]
print(go())
print(go(0x7800_0000))
vm.exception(0x20, lambda cpu, esr: hv.STOP)
cpu.x[28] = 0
go()
print(hex(cpu.pc), hex(cpu.exit.ipa))
vm.exception(0x20, lambda cpu, esr: hv.PASS)
print(go())
vm.exception(0x20, None)
vm.stage2.protect(0x4012_0000, 0x1000, "rw")
cpu.pc = 0x4012_0000
print(vm.run(60_000))
"""
    assert run(each_target, TABLE, USER + script).splitlines() == [
        "vector 0x200",
        "<Exit fetch: cpu 0 at pc 0x70000000",
        "0x70000000 0x70000000",
        "vector 0x200",
        "<Exit fetch: cpu 0 at pc 0x40120000, esr 0x8200000f, ipa 0x40120000>",
    ]


def test_pass_leaves_things_as_without(each_target):
    """hv.PASS from a class handler, then the default handler, then what would have been: each of them once."""
    code = """
    load x0, 0xc5001234
    hvc #0
    mov x19, x0
    load x0, 0x85001234
    smc #0
    mov x20, x0
    mrs x1, s3_1_c15_c2_0
    wfi
    hvc #5
"""
    script = """
vm = guest(code)
cpu, seen = vm.cpu[0], []
vm.exception(0x16, lambda cpu, esr: seen.append(("class", hex(esr))) or hv.PASS)
vm.default(lambda cpu, esr: seen.append(("default", hex(esr))) or hv.PASS)
vm.wfi(lambda cpu: hv.PASS)
vm.irq(40).enabled
while True:  # the host may not have run it within a time
    reason = vm.run(200).reason
    if len(seen) >= 3:
        break
print(reason)
print(seen, hex(cpu.x[19]), hex(cpu.x[20]))
"""
    lines = run(each_target, code, script).splitlines()
    assert lines[0] == "timeout"  # it waits in its WFI
    assert lines[1] == (
        "[('class', '0x5a000000'), ('default', '0x5a000000'), ('default', '0x5e000000')] "
        "0xffffffffffffffff 0xffffffffffffffff"
    )


def test_skip_goes_behind_the_instruction(target):
    """BRK and BKPT by their length; a hardware breakpoint is before its instruction, and stays there."""
    script = """
vm.el2["MDCR_EL2"] |= 1 << 8            # TDE
hits = []
for answer in (hv.SKIP, None):
    vm.exception(0x3c, lambda cpu, esr: hits.append(hex(cpu.pc)) or answer)
    print(user(0xd420_0e00, 0x1c5, 5, 6))
    vm.exception(0x38, lambda cpu, esr: hits.append(hex(cpu.pc)) or answer)
    print(user(0xe120_0070, A32, 5, 6))
print(hits)
vm.exception(0x3c, None)
print(user(0xd420_0e00, 0x1c5, 5, 6))
"""
    assert run(target, TABLE, USER + script).splitlines() == [
        *["0x5 0x6"] * 4,
        "['0x40100000', '0x40100000', '0x40100000', '0x40100000']",
        "<Exit breakpoint: cpu 0 at pc 0x40100000, esr 0xf2000070>",
    ]


def test_hvc_immediates_of_the_exception_trap(each_target):
    """HVCs that trap_el1_exceptions puts into the guest leave a script's own immediates alone, and say so when it is late."""
    code = """
    adr x0, table
    msr vbar_el1, x0
    isb
    hvc #0xe000
    mov x19, x0
    hvc #0xe001
    mov x20, x0
    svc #3
    mov x21, x0
    hvc #0x100
    .balign 2048
table:
    .rept 16
    .balign 128
    eret
    .endr
"""
    script = """
vm = guest(code)
cpu, seen = vm.cpu[0], []
vm.hvc(imm=0xe000, handler=lambda cpu: 0xa0)
vm.hvc(imm=0xe001, handler=lambda cpu: len(str(cpu.pc)) and 0xa1)
vm.trap_el1_exceptions("all", lambda cpu, esr, vector: seen.append((hex(esr), hex(vector))))
print(vm.run(20000).reason, hex(cpu.x[19]), hex(cpu.x[20]), seen)
try:
    vm.hvc(imm=0xe002, handler=lambda cpu: 0)
except ValueError as e:
    print(e)
"""
    lines = run(each_target, code, script).splitlines()
    assert lines[0] == "stop 0xa0 0xa1 [('0x56000003', '0x200')]"
    assert lines[1].startswith("HVC #0xe002 is taken by trap_el1_exceptions")


CALLABLES = {
    "an object": ("Answer()", "0x2a"),
    "a bound __call__": ("Answer().__call__", "0x2a"),
    "an object of an object": ("Outer()", "0x2a"),
    "a static __call__": ("Static()", "0x7"),
    "a method": ("Answer().method", "0x8"),
    "a closure": ("add(5)", "0xa"),
    "a closure over an object": ("add(5, Answer())", "0x2f"),
    "any number": ("lambda *args: len(args)", "0x8"),
    "a default": ("lambda cpu, x1, more=3: x1", "0x5"),
    "a builtin of one": ("seen.append", "0x1"),
    "a builtin of many": ("print", "0x1"),
    "generator.send": ("started", "0x9"),
    "a class": ("Answer", "TypeError: a class: it returns an object, which cannot be a handler"),
    "a class of builtins": ("int", "TypeError: a class: it returns an object, which cannot be a handler"),
    "a generator function": ("forever", "TypeError: a generator function: it returns a generator, which cannot be a handler"),
    "a method without self": ("None_().method", "TypeError: a handler takes at least the cpu"),
    "keywords": ("keywords", "TypeError: a function that wants keyword arguments cannot be a handler"),
    "no arguments": ("hv.mem", "TypeError: a handler takes at least the cpu"),
    "a generator": ("forever()", "TypeError: a handler must be callable, not generator"),
    "no callable": ("object()", "TypeError: a handler must be callable, not object"),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLABLES)
def test_any_callable(target, case):
    """A handler may be anything that can be called, or its registration says why not."""
    fun, want = CALLABLES[case]
    script = f"""
class Answer:
    def __call__(self, cpu, x1):
        return x1 + 37
    def method(self, cpu, x1, x2):
        return x1 + x2
class Outer:
    __call__ = Answer()
class Static:
    @staticmethod
    def __call__(cpu, x1):
        return x1 + 2
class None_:
    def method(self):
        return 0
def add(n, f=None):
    def inner(cpu, x1):
        return (f(cpu, x1) if f else x1) + n
    return inner
def keywords(cpu, *, more):
    return 0
def forever():
    value = 0
    while True:
        cpu = yield value
        value = 9
seen = []
started = forever()
next(started)
started = started.send
vm = guest(code)
try:
    vm.hvc(1, {fun})
    reason = vm.run(60_000).reason
    print(reason, hex(vm.cpu[0].x[0]))
except TypeError as e:
    print("TypeError:", e)
"""
    code = "    mov x0, #1\n    mov x1, #5\n    mov x2, #3\n    hvc #0\n    hvc #0x100"
    last = run(target, code, script).splitlines()[-1]
    assert last == (want if want.startswith("TypeError") else f"stop {want}"), last
