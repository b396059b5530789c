# SPDX-License-Identifier: MIT
"""Guests that do what no guest should: each ends as an exit, an exception of its own, or a stopped VM,
and the prompt answers."""

import pytest
from guestcode import run

# What a guest's vectors tell: x26 is the vector, x27 ESR_EL1, x24 FAR_EL1, x25 ELR_EL1.
VECTORS = """
    .balign 2048
table:
    .rept 16
    .balign 128
    adr x26, .
    mrs x27, esr_el1
    mrs x24, far_el1
    mrs x25, elr_el1
    hvc #0x100
    .endr
"""
START = """
    adr x9, table
    msr vbar_el1, x9
    mov x9, #(3 << 20)
    msr cpacr_el1, x9
    isb
"""

UNDEFINED = "vector 0x200, esr 0x2000000"

# What the guest does, how that ends.
CRIMES = {
    "jump to nowhere": ("load x1, 0x70000000\n br x1", "vector 0x200, esr 0x86000010"),
    "jump to an odd address": ("load x1, 0x40080002\n br x1", "vector 0x200, esr 0x8a000000"),
    "load from nowhere": ("load x1, 0x70000000\n ldr x2, [x1]", "mmio at 0x70000000"),
    "store to nowhere": ("load x1, 0x70000000\n str x2, [x1]", "mmio at 0x70000000"),
    "a vector from nowhere": ("load x1, 0x70000000\n ld1 {v0.16b}, [x1]", "mmio at 0x70000000"),
    "beyond the address space": ("mov x1, #(1 << 44)\n ldr x2, [x1]", "vector 0x200, esr 0x96000000"),
    "undefined instruction": (".word 0", UNDEFINED),
    "an instruction of ARMv8.1": (".arch armv8.1-a\n ldadd x1, x2, [sp]\n .arch armv8-a", UNDEFINED),
    "an EL2 register": ("mrs x1, hcr_el2", UNDEFINED),
    "writing an EL2 register": ("msr vttbr_el2, xzr", UNDEFINED),
    "an EL3 register": (".word 0xd53e1101", UNDEFINED),
    "an unallocated register": ("mrs x1, s3_7_c15_c15_7", UNDEFINED),
    "an implementation defined register": ("mrs x1, s3_1_c15_c2_0", "goes on"),
    "eret with a state of EL2": ("mov x1, #9\n msr spsr_el1, x1\n adr x1, done\n msr elr_el1, x1\n eret",
                                 "vector 0x200, esr 0x3a000000"),
    "eret to AArch32 EL1": ("mov x1, #0x13\n msr spsr_el1, x1\n adr x1, done\n msr elr_el1, x1\n eret",
                            "vector 0x200, esr 0x3a000000"),
    "clean by set and way": ("mov x1, #0\n dc isw, x1\n dc csw, x1\n dc cisw, x1", "goes on"),
    "unknown SMC": ("load x0, 0x12345678\n smc #0", "goes on, x0 -1"),
    "SMC with an immediate": ("load x0, 0x84000000\n smc #0x1234", "goes on"),
    "unknown HVC": ("load x0, 0xc5001234\n hvc #0", "goes on, x0 -1"),
    "HVC with an immediate": ("hvc #0x4444", "hvc"),
    "AArch32 at EL0": ("mov x1, #0x10\n msr spsr_el1, x1\n adr x1, thumb\n msr elr_el1, x1\n eret\n"
                       "thumb: .word 0xef000000", "vector 0x600, esr 0x46000000"),
    "a breakpoint of its own": ("mov x1, #0x1e5\n msr dbgbcr0_el1, x1\n adr x2, done\n msr dbgbvr0_el1, x2\n"
                                "msr oslar_el1, xzr\n mrs x3, mdscr_el1\n orr x3, x3, #0x8000\n"
                                "msr mdscr_el1, x3\n isb", "goes on"),
    "the counters": ("msr pmcr_el0, x1\n msr pmuserenr_el0, x1\n mrs x1, pmccntr_el0", "goes on"),
    "cache maintenance of nowhere": ("load x1, 0x70000000\n dc civac, x1\n ic ivau, x1\n dc cvac, x1", "goes on"),
    "zeroing nowhere": ("load x1, 0x70000000\n dc zva, x1", "mmio at 0x70000000"),
    "an SError of its own": ("msr daifclr, #4\n hvc #0x101\n isb", "vector 0x380"),
    "walks into nowhere": ("load x8, 0x70000000\n bl mmu_on\n load x1, 0xffffff8000000000\n ldr x2, [x1]",
                           "vector 0x200, esr 0x96000015"),
    "walks into a device": ("load x8, 0x09000000\n bl mmu_on\n load x1, 0xffffff8000000000\n br x1",
                            "vector 0x200, esr 0x86000015"),
    "all its tables in nowhere": ("load x9, 0x70000000\n bl mmu_on2", "timeout"),
    "TLB maintenance of EL2": ("tlbi alle2", UNDEFINED),
    "address translation of EL2": ("at s1e2r, x1", UNDEFINED),
    "a call of the host": ("hlt #0xf000", UNDEFINED),
    "debug state": (".word 0xd4a00002", UNDEFINED),  # DCPS2
    "a software breakpoint": ("brk #7", "vector 0x200, esr 0xf2000007"),
    "spin": ("b .", "timeout"),
    "sleep for ever": ("msr daifset, #15\n1: wfi\n b 1b", "timeout"),
    "fault in its own vectors": ("load x1, 0x70000000\n msr vbar_el1, x1\n isb\n .word 0", "fetch at 0x70000200"),
    "vectors that fault for ever": ("adr x1, endless\n msr vbar_el1, x1\n isb\n .word 0", "timeout"),
}  # fmt: skip

# mmu_on: TTBR0_EL1 maps RAM as it is, TTBR1_EL1 is x8. mmu_on2: TTBR0_EL1 is x9.
MMU = """
mmu_on:
    adr x9, level1
mmu_on2:
    msr ttbr1_el1, x8
    stage1_on x9, x1, 0x2b5193519, 0xff
    ret
    .balign 4096
level1:
    .quad 0, 0x40000701
    .zero 4080
    .balign 2048
endless:
    .rept 512
    .word 0
    .endr
"""

ASK = """
vm = guest(code)
cpu = vm.cpu[0]
vm.hvc(imm=0x101, handler=lambda cpu: hv.SERROR)
# It ends by itself, however long the host lets it wait; or is given up, once it has begun.
exit = vm.run(timeout_ms=60_000 if ends else 60)
if exit.reason == "stop" and cpu.x[26]:
    text = f"vector {cpu.x[26] & 0x7ff:#x}, esr {cpu.x[27]:#x}"
elif exit.reason == "stop":
    text = "goes on" + (", x0 -1" if cpu.x[0] == (1 << 64) - 1 else "")
elif exit.reason in ("fetch", "mmio"):
    text = f"{exit.reason} at {exit.ipa:#x}"
else:
    text = exit.reason
print(text)
print(exit)
vm.close()
"""


@pytest.mark.parametrize("crime", CRIMES)
def test_crime(each_target, crime):
    code, end = CRIMES[crime]
    source = START + code + "\ndone:\n    hvc #0x100\n" + MMU + VECTORS
    lines = run(each_target, source, ASK, ends=end != "timeout").splitlines()
    assert lines[0].startswith(end), lines
    assert lines[1].startswith("<Exit ")
    assert each_target.repl("1 + 1") == "2"


def test_a_denied_guest_never_reaches_el2_state(target):
    """After all of it EL2's own registers are what they were."""
    script = """
from hv import regs
names = ("HCR_EL2", "CPTR_EL2", "VBAR_EL2", "SCTLR_EL2", "TTBR0_EL2", "TCR_EL2", "MAIR_EL2")
before = [getattr(regs, name).read() for name in names]
vm = guest(code)
for n in range(20):
    vm.cpu[0].pc = 0x4008_0000 + 4 * n
    vm.run(60_000)
print(before == [getattr(regs, name).read() for name in names])
"""
    code = "".join(
        f"    msr {name}, x{n}\n"
        for n, name in enumerate(
            ("hcr_el2", "cptr_el2", "vbar_el2", "sctlr_el2", "ttbr0_el2", "tcr_el2", "mair_el2")
        )
    )
    assert run(target, code + "    smc #0\n    hvc #0x100\n", script) == "True\n"


RANDOM = """
import random
vm = hv.VM("random", ram="2M")
cpu, memory = vm.cpu[0], vm.memory
BASE = 0x4000_0000
# Where interesting instructions are: a mask of the bits that are random, and the others.
FAMILIES = (
    (0xffff_ffff, 0), (0x001f_ffff, 0xd500_0000), (0x003f_ffff, 0xd500_0000),    # system
    (0x000f_ffff, 0xd510_0000), (0x000f_ffff, 0xd530_0000),                      # MSR, MRS
    (0x0007_ffff, 0xd508_0000), (0x001f_ffe3, 0xd400_0000),                      # SYS, exceptions
    (0xc7ff_ffff, 0x3800_0000), (0xc7ff_ffff, 0x2800_0000),                      # loads and stores
    (0xc0ff_ffff, 0x0800_0000), (0xc3ff_ffff, 0x3800_0000), (0x40ff_ffff, 0x0c00_0000),
    (0x03ff_ffff, 0x1400_0000), (0xc1ff_ffff, 0x3400_0000), (0x01ff_ffff, 0xd600_0000),  # branches
    (0x6fff_ffff, 0x1000_0000), (0xefff_ffff, 0x0b00_0000), (0x8000_ffff, 0x5280_0000),
    (0xe0ff_ffff, 0x0e00_0000), (0x20ff_ffff, 0x1e00_0000),                      # vectors, floats
)
PLACES = (0, 0x4000_0000, 0x4010_0000, 0x401f_fff8, 0x4020_0000, 0x0900_0000, 0x0800_0000,
          0x0801_0000, 0x080a_0000, 0x7000_0000, 0xffff_ffff_ffff_fff8, 1 << 39, 1 << 63)
REGISTERS = ("TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "SCTLR_EL1", "MAIR_EL1", "VBAR_EL1", "CPACR_EL1", "SP_EL0",
             "ELR_EL1", "SPSR_EL1", "CNTKCTL_EL1", "CONTEXTIDR_EL1", "CNTV_CTL_EL0", "CNTV_CVAL_EL0")
ends = {}

def word():
    mask, value = random.choice(FAMILIES)
    return random.getrandbits(32) & mask | value

def one(seed):
    random.seed(seed)
    vm._vm.reset()
    code = bytearray(4 * 64)
    for at in range(0, len(code), 4):
        code[at : at + 4] = word().to_bytes(4, "little")
    memory[BASE : BASE + len(code)] = code
    memory[BASE + 0x800 : BASE + 0x800 + len(code)] = code
    for n in range(31):
        cpu.x[n] = random.choice(PLACES) + (random.getrandbits(8) if random.getrandbits(1) else 0)
    cpu.pc, cpu.sp = BASE, BASE + 0x1_0000
    cpu.pstate = random.choice((0x3c5, 5, 4, 0, 0x10, 0x3c5, 0x3c5))
    cpu.sysreg["VBAR_EL1"] = random.choice((BASE + 0x800, BASE, 0, 0x7000_0000))
    cpu.sysreg["CPACR_EL1"] = random.choice((0, 3 << 20))
    if random.getrandbits(2) == 0:
        name = random.choice(REGISTERS)
        cpu.sysreg[name] = random.getrandbits(32) << 32 | random.getrandbits(32)
    exit = vm._vm.run(4)
    ends[exit.reason] = ends.get(exit.reason, 0) + 1
    str(exit), hv.explain(exit.esr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("gic", [2, 3])
def test_random_guests(boot, gic):
    """2,000 guests of random instructions, seeded, on each kind of machine; half of them with their
    own exceptions traced. The prompt answers after each, and no memory is lost."""
    target = boot(gic=gic)
    target.exec("import hv\n" + RANDOM)
    for n in range(2000):
        if n == 1000:
            target.repl("vm.trap_el1_exceptions('all', lambda cpu, esr, vector: None)")
        if n % 1000 == 0:
            free = target.repl("one(0) or hv.mem()[0]")
        assert target.repl(f"one({n}) or hv.mem()[0]", 30) == free, f"after guest {n}"
    ends = target.eval("ends")
    assert sum(ends.values()) == 2002
    assert {"fetch", "hvc", "mmio", "timeout"} <= set(ends), ends


DEVICES = """
import random, time
vm = hv.VM("devices", ram="2M", cpus=3)
vm.rng()
vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
cpu = vm.cpu[0]
RAM, GIC = 0x4000_0000, hv.platform()["gic"]
# Where registers are: a base, offsets worth trying, and how far it goes.
PLACES = (
    (0x0800_0000, (0, 4, 0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x420, 0x820, 0xc04, 0xf00), 0x1_0000),
    (0x0801_0000, (0, 4, 0xc, 0x10, 0x1000), 0x2000) if GIC == 2 else
    (0x080a_0000, (0x14, 0x1_0080, 0x1_0100, 0x1_0200, 0x1_0280, 0x2_0014, 0x3_0100), 0x6_0000),
    (0x0900_0000, (0, 4, 0x18, 0x24, 0x2c, 0x30, 0x34, 0x38, 0x44), 0x1000),
    (0x0901_0000, (0, 4, 8, 0x10, 0x1c), 0x1000),
    (0x0a00_0000, (0x14, 0x24, 0x30, 0x38, 0x40, 0x44, 0x50, 0x64, 0x70, 0x80, 0x90, 0xa0, 0x100), 0x4000),
)
ACCESSES = (0xB9000001, 0xB9400001, 0x39000001, 0x39400001, 0xF9000001, 0xF9400001, 0x79000001, 0x79400001)
CALLS = (0x8400_0000, 0xC400_0000, 0x8000_0000)
REGISTERS = (0xD518_C000, 0xD518_CB00, 0xD518_4600, 0xD51B_E200, 0xD51B_E300)  # ICC_*, CNTP_*, CNTV_*
ends = {}

def load(register, value):
    words = [0xD2800000 | register | (value & 0xffff) << 5]
    for n in (1, 2, 3):
        words.append(0xF2800000 | n << 21 | register | (value >> 16 * n & 0xffff) << 5)
    return words

def value():
    return random.choice((0xffff_ffff, random.getrandbits(32), 1 << random.randrange(32), random.randrange(64), RAM))

def action():
    what = random.randrange(8)
    if what < 5:
        base, likely, size = random.choice(PLACES)
        at = base + random.choice((random.choice(likely), random.choice(likely), random.randrange(size)))
        return load(0, at) + load(1, value()) + [random.choice(ACCESSES)]
    if what < 6:
        words = load(0, random.choice(CALLS) + random.randrange(0x20)) + load(1, value() & 3) + load(2, value())
        return words + [random.choice((0xD4000002, 0xD4000003))]
    if what < 7:
        word = random.choice(REGISTERS) | random.randrange(64) << 5 & 0x7e0 | random.getrandbits(1) << 21 | 1
        return load(1, value()) + [word]
    return [random.choice((0xD503207F, 0xD503201F, 0xD50342FF))]    # WFI, NOP, interrupts on

def one(seed, background):
    random.seed(seed)
    vm._vm.reset()
    words = load(9, RAM + 0x8000) + [0xD518C009]                    # VBAR_EL1
    for n in range(60):
        words += action()
    words.append(0xD4002002)  # hvc #0x100
    code = b"".join([word.to_bytes(4, "little") for word in words])
    vm.memory[RAM : RAM + len(code)] = code
    skip = b"".join([word.to_bytes(4, "little") for word in (0xD538402A, 0x9100114A, 0xD518402A, 0xD69F03E0)])
    vm.memory[RAM + 0x8000 : RAM + 0x8800] = (skip + bytes(112)) * 16
    cpu.pc, cpu.sp, cpu.pstate = RAM, RAM + 0x1_0000, 0x3c5
    if background:
        vm._vm.start(None)
        time.sleep_ms(2)
        vm._vm.pause()
        reason = "background"
    else:
        reason = vm._vm.run(20).reason
    ends[reason] = ends.get(reason, 0) + 1
"""


@pytest.mark.slow
def test_random_device_accesses(each_target):
    """Guests that write anything into their interrupt controller, console, clock, virtio devices and
    timers, and make any PSCI call; some of them in the background."""
    each_target.exec("import hv\n" + DEVICES)
    free = each_target.eval("one(0, True) or one(0, False) or hv.mem()[0]")
    for n in range(300):
        answer = each_target.repl(f"one({n}, {n % 4 == 0}) or hv.mem()[0]", 30)
        assert answer.endswith(str(free)), (
            f"guest {n}: {answer}"
        )  # before it, what the guest printed
    ends = each_target.eval("ends")
    assert {"background", "off", "stop", "timeout"} <= set(ends), ends
