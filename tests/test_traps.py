# SPDX-License-Identifier: MIT
"""Exits answered by Python: calls, devices, registers, WFI, exception classes, and what handlers return."""

import pytest
from guestcode import run
from harness import TargetError, how_long, in_time

CALL = """
    load x0, 0xc6000001
    mov x1, #40
    mov x2, #2
    hvc #0
    hvc #0x100
"""


def test_hvc_by_function_id(each_target):
    """Registered by decorator, called with as many registers as it takes, and removed."""
    script = """
vm = guest(code)
@vm.hvc(0xc600_0001)
def add(cpu, x1, x2):
    return x1 + x2
vm.run()
print(vm.cpu[0].x[0], add.__name__)
vm.hvc(0xc600_0001, None)
vm.cpu[0].pc = 0x4008_0000
vm.run()
print(hex(vm.cpu[0].x[0]))
"""
    # Without a handler, an unknown function is NOT_SUPPORTED.
    assert run(each_target, CALL, script) == "42 add\n0xffffffffffffffff\n"


@pytest.mark.parametrize(
    "signature, sees",
    [
        ("cpu", "()"),
        ("cpu, a", "(40,)"),
        ("cpu, a, b", "(40, 2)"),
        ("*a", "(40, 2, 0, 0, 0, 0, 0)"),
    ],
)
def test_handlers_get_what_they_take(target, signature, sees):
    script = f"""
vm = guest(code)
def handler({signature}):
    print({"a[1:]" if "*" in signature else "(" + signature[4:] + ("," if len(signature) > 3 else "") + ")"})
vm.hvc(0xc600_0001, handler)
vm.run()
class Device:
    def call(self, {signature.replace("*a", "*b")}):
        print("method")
vm.hvc(0xc600_0001, Device().call)
vm.cpu[0].pc = 0x4008_0000
vm.run()
"""
    assert run(target, CALL, script) == f"{sees}\nmethod\n"


def test_results_go_to_registers(target):
    """None: as they were. An int: x0. A tuple: x0 and on. All 64 bits."""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
for answer in (None, 7, -1, 0xfedc_ba98_7654_3210, True, (1, 2, 3), ()):
    vm.hvc(0xc600_0001, lambda cpu: answer)
    cpu.pc = 0x4008_0000
    vm.run()
    print([hex(x) for x in (cpu.x[0], cpu.x[1], cpu.x[2], cpu.x[3])])
"""
    assert run(target, CALL, script).splitlines() == [
        "['0xc6000001', '0x28', '0x2', '0x0']",
        "['0x7', '0x28', '0x2', '0x0']",
        "['0xffffffffffffffff', '0x28', '0x2', '0x0']",
        "['0xfedcba9876543210', '0x28', '0x2', '0x0']",
        "['0x1', '0x28', '0x2', '0x0']",
        "['0x1', '0x2', '0x3', '0x0']",
        "['0xc6000001', '0x28', '0x2', '0x0']",
    ]


def test_smc_and_immediates(each_target):
    """The same function id by HVC and SMC, and HVC by its immediate, are three things."""
    code = """
    load x0, 0xc6000001
    hvc #0
    mov x19, x0
    load x0, 0xc6000001
    smc #0
    mov x20, x0
    hvc #7
    mov x21, x0
    hvc #0x100
"""
    script = """
vm = guest(code)
vm.hvc(0xc600_0001, lambda cpu: 1)
vm.smc(0xc600_0001, lambda cpu: 2)
vm.hvc(imm=7, handler=lambda cpu: 3)
vm.run()
print([vm.cpu[0].x[n] for n in (19, 20, 21)])
"""
    assert run(each_target, code, script) == "[1, 2, 3]\n"


def test_a_handler_that_raises(each_target):
    """The guest stays before the instruction; run() does it again once the handler is mended."""
    script = """
vm = guest(code)
@vm.hvc(0xc600_0001)
def broken(cpu, x1, x2):
    return x1 // (x2 - 2)
for n in range(2):
    try:
        vm.run()
    except ZeroDivisionError as error:
        print("raised", hex(vm.cpu[0].pc), hex(vm.cpu[0].x[0]))
vm.hvc(0xc600_0001, lambda cpu, x1, x2: x1 // x2)
print(vm.run().reason, vm.cpu[0].x[0])
"""
    lines = run(each_target, CALL, script).splitlines()
    assert lines == ["raised 0x4008000c 0xc6000001"] * 2 + ["stop 20"]


@pytest.mark.parametrize("answer", ["1.5", "'a'", "[1]", "hv.VM", "cpu"])
def test_an_answer_that_is_none(target, answer):
    script = f"vm = guest(code)\nvm.hvc(0xc600_0001, lambda cpu: {answer})\nvm.run()"
    with pytest.raises(
        TargetError, match="a handler returns None, an int, a tuple of ints or .*, not "
    ):
        run(target, CALL, script)


def test_traceback_at_the_prompt(target):
    """What a user sees who typed vm.run() and whose handler is wrong."""
    script = "global vm\nvm = guest(code)\nvm.hvc(0xc600_0001, lambda cpu: nonsense)"
    run(target, CALL, script)
    text = target.repl("vm.run()")
    assert "Traceback" in text and "NameError: name 'nonsense' isn't defined" in text


DEVICE = """
    load x1, 0x0b000000
    mov w2, #0x55
    str w2, [x1, #8]
    ldr w3, [x1, #4]
    ldrb w4, [x1, #0x21]
    ldrh w5, [x1, #0x802]
    hvc #0x100
"""


def test_devices(each_target):
    """Several in a page, odd sizes; loads, stores, widths and places."""
    script = """
vm = guest(code)
@vm.mmio(0x0b00_0000, 0x20)
def first(cpu, offset, value):
    print("first", offset, value, cpu.exit.size, cpu.exit.write, hex(cpu.exit.ipa), hex(cpu.exit.va))
    return 0x1_2345_6789
vm.mmio(0x0b00_0020, 3, lambda cpu, offset, value: 0x1ff + offset)
vm.mmio(0x0b00_0800, 0x800, lambda cpu, offset: offset)
vm.run()
print([hex(vm.cpu[0].x[n]) for n in (3, 4, 5)])
"""
    assert run(each_target, DEVICE, script).splitlines() == [
        "first 8 85 4 True 0xb000008 0xb000008",
        "first 4 None 4 False 0xb000004 0xb000004",
        "['0x23456789', '0x0', '0x2']",
    ]


@pytest.mark.parametrize(
    "call, says",
    [
        ("vm.mmio(0x0b00_001f, 1, f)", "overlaps the device at 0xb000000-0xb00001f"),
        ("vm.mmio(0x0aff_ffff, 2, f)", "overlaps the device"),
        ("vm.mmio(0x0a00_0000, 0x200_0000, f)", "overlaps the device"),
        ("vm.mmio(0x0900_0000, 4, f)", "overlaps the device at 0x9000000"),
        ("vm.mmio(0x4000_0000, 0x1000, f)", "overlaps guest RAM"),
        ("vm.mmio(0x1000, 0, f)", "must not be empty"),
        ("vm.mmio(1 << 40, 1, f)", "below 2\\^40"),
        ("vm.mmio(0x1000, 4, 5)", "must be callable, not int"),
        ("vm.hvc(1, lambda: 0)", "takes at least the cpu"),
        ("vm.sysreg('ACTLR_EL1', lambda a, b, c: 0)", "takes 3 arguments, but gets at most 2"),
        ("vm.sysreg('ACTLR_EL', f)", "ACTLR_EL"),
        ("vm.hvc(1 << 32, f)", "0x100000000: a function id"),
        ("vm.hvc(imm=1 << 16, handler=f)", "0x10000: the immediate"),
        ("vm.exception(64, f)", "0x40: an exception class"),
        ("vm.default(5)", "must be callable, not int"),
        ("vm.wfi(5)", "must be callable"),
        ("vm.trap_el1_exceptions('nope', f)", "no class 'nope'"),
        ("vm.trap_el1_exceptions(64, f)", "no class 64"),
    ],
)
def test_refused_registrations(target, call, says):
    script = f"""
vm = guest(b"")
f = lambda cpu, offset: 0
vm.mmio(0x0b00_0000, 0x20, f)
{call}
"""
    with pytest.raises(TargetError, match=says):
        run(target, "", script)


def test_a_device_that_comes_and_goes(target):
    """No device: an Exit that says what was tried, and the same instruction at the next run."""
    script = """
vm = guest(code)
print(vm.run())
vm.mmio(0x0b00_0000, 0x1000, lambda cpu, offset, value: 9)
print(vm.run().reason, vm.cpu[0].x[5])
vm.mmio(0x0b00_0000, 0x1000, None)
vm.cpu[0].pc = 0x4008_0000
print(vm.run().reason)
"""
    lines = run(target, DEVICE, script).splitlines()
    assert lines[0].startswith("<Exit mmio: cpu 0 at pc 0x40080008")
    assert "write at ipa 0xb000008" in lines[0]
    assert lines[1:] == ["stop 9", "mmio"]


def test_registers(each_target):
    """ACTLR_EL1 traps always; SCTLR_EL1 when a script sets HCR_EL2.TVM."""
    code = """
    mrs x1, actlr_el1
    load x0, 0xfedcba9876543210
    msr actlr_el1, x0
    mrs x2, actlr_el1
    mrs x3, sctlr_el1
    orr x3, x3, #0x1000
    msr sctlr_el1, x3
    isb
    mrs x4, sctlr_el1
    hvc #0x100
"""
    script = """
vm = guest(code)
cpu, held = vm.cpu[0], 0x77
@vm.sysreg("ACTLR_EL1")
def actlr(cpu, value):
    global held
    if value is None:
        return held
    held = value
vm.run()
print(hex(cpu.x[1]), hex(cpu.x[2]), hex(cpu.x[4] & 0x1000))
vm.el2["HCR_EL2"] |= 1 << 26
@vm.sysreg("SCTLR_EL1")
def sctlr(cpu, value):
    print("SCTLR_EL1", hex(value))
    return hv.PASS
cpu.pc = 0x4008_0000
cpu.sysreg["SCTLR_EL1"] = 0x30d0_0800
print(vm.run().reason, hex(cpu.sysreg["SCTLR_EL1"]))
"""
    assert run(each_target, code, script).splitlines() == [
        "0x77 0xfedcba9876543210 0x1000",
        "SCTLR_EL1 0x30d01800",
        "stop 0x30d01800",
    ]


# One trapped read of ACTLR_EL1 into x1, with vectors that record ESR_EL1 and the vector's number.
ACTIONS = """
    adr x9, table
    msr vbar_el1, x9
    isb
    mov x1, #5
    mov x20, #0
    msr daifclr, #4
    mrs x1, actlr_el1
    hvc #0x100
    .balign 2048
table:
    .rept 16
    .balign 128
    mrs x21, elr_el1
    mrs x22, esr_el1
    adr x20, .
    hvc #0x100
    .endr
"""


@pytest.mark.parametrize(
    "answer, outcome",
    [
        ("3", "stop x1=3 vector=none"),
        ("hv.SKIP", "stop x1=5 vector=none"),
        ("hv.STOP", "stop x1=5 vector=none"),
        ("hv.PASS", "stop x1=0 vector=none"),
        ("again", "stop x1=6 vector=none"),
        ("hv.UNDEFINED", "stop x1=5 vector=0x200 esr=0x2000000 at the read"),
        ("hv.ABORT", "stop x1=5 vector=0x200 esr=0x96000010 at the read"),
        ("hv.SERROR", "stop x1=5 vector=0x380"),
        ("cpu.inject('undefined')", "stop x1=5 vector=0x200 esr=0x2000000 at the read"),
        ("cpu.inject('abort', 0x1234)", "stop x1=5 vector=0x200 esr=0x96000010 at the read"),
        ("cpu.inject('fetch', 0x1234)", "stop x1=5 vector=0x200 esr=0x86000010 at the read"),
        ("cpu.inject('serror') or 4", "stop x1=4 vector=0x380"),
    ],
)
def test_actions(each_target, answer, outcome):
    """Every answer a handler may give, and what the guest sees of it."""
    script = f"""
vm = guest(code)
cpu, asked = vm.cpu[0], 0
@vm.sysreg("ACTLR_EL1")
def actlr(cpu, value):
    global asked
    asked += 1
    again = hv.RETRY if asked < 3 else 6
    return {answer}
reason = vm.run(60_000).reason
if cpu.x[20] == 0 and {answer!r} == "hv.STOP":
    vm.run(60_000)
base = cpu.sysreg["VBAR_EL1"]
print(reason, f"x1={{cpu.x[1]}}", end=" ")
if cpu.x[20] == 0:
    print("vector=none")
else:
    vector = cpu.x[20] - base & ~127
    print(f"vector={{vector:#x}}", end="")
    if vector == 0x200:
        print(f" esr={{cpu.x[22]:#x}}", "at the read" if cpu.x[21] == 0x4008_0018 else hex(cpu.x[21]), end="")
"""
    assert run(each_target, ACTIONS, script).strip() == outcome


def test_a_moved_pc_is_where_the_guest_goes_on(target):
    code = "    mrs x1, actlr_el1\n    hvc #0x101\n    mov x2, #2\n    hvc #0x100"
    script = """
vm = guest(code)
def jump(cpu, value):
    cpu.pc += 8
    cpu.x[1] = 1
vm.sysreg("ACTLR_EL1", jump)
print(vm.run(60_000).reason, vm.cpu[0].x[1], vm.cpu[0].x[2])
"""
    assert run(target, code, script) == "stop 1 2\n"
    with pytest.raises(TargetError, match="must return an int"):
        run(target, code, script.replace("cpu.pc += 8", "pass"))


def test_wfi(each_target):
    """A handler at each WFI; hv.PASS waits as without it."""
    code = "1:  add x1, x1, #1\n    wfi\n    cmp x1, #3\n    b.lo 1b\n    hvc #0x100"
    script = """
vm = guest(code)
@vm.wfi
def idle(cpu):
    print("idle", cpu.x[1], hex(cpu.pc))
print(vm.run(60_000).reason)
passed = []
vm.wfi(lambda cpu: passed.append(1) or hv.PASS)
vm.cpu[0].pc = 0x4008_0000
while not passed:
    exit = vm.run(50)
print(exit.reason)
vm.wfi(None)
print(vm.run(60_000).reason)
"""
    assert run(each_target, code, script).splitlines() == [
        *[f"idle {n} 0x40080004" for n in (1, 2, 3)],
        *("stop", "timeout", "stop"),
    ]


def test_wfe(target):
    """HCR_EL2.TWE is set as long as there is a handler. (QEMU's WFE never traps; silicon's does.)"""
    script = """
vm = guest(b"")
twe = lambda: vm.el2["HCR_EL2"] >> 14 & 1
print(twe())
vm.wfe(lambda cpu: None)
print(twe())
vm.wfe(None)
print(twe())
"""
    assert run(target, "", script) == "0\n1\n0\n"


@pytest.mark.parametrize(
    "code, kind, without",
    [
        ("load x0, 0xc6000001\n hvc #0", "hvc(0xc600_0001", "stop 0xffffffffffffffff"),
        ("load x0, 0xc6000001\n smc #0", "smc(0xc600_0001", "stop 0xffffffffffffffff"),
        ("hvc #9", "hvc(imm=9", "hvc 0x0"),
        ("load x1, 0x0b000004\n ldr x0, [x1]", "mmio(0x0b00_0000, 0x10", "mmio 0x0"),
        ("mrs x0, actlr_el1", 'sysreg("ACTLR_EL1"', "stop 0x0"),
        ("load x1, 0x0b000004\n ldr x0, [x1]", "exception(0x24", "mmio 0x0"),
        ("hvc #9", "default(", "hvc 0x0"),
        ("wfi", "wfi(", "timeout 0x0"),
    ],
)
def test_every_kind_comes_by_decorator_and_by_call_and_goes(each_target, code, kind, without):
    """What the guest's run ends with: without a handler, with one in both ways, and without it again."""
    call = kind if kind.endswith("(") else kind + ", "
    patience = 30 if without.startswith("timeout") else 60_000
    script = f"""
vm = guest(code)
def again(ms=60_000):
    vm.cpu[0].reset(0x4008_0000)
    print(vm.run(ms).reason, hex(vm.cpu[0].x[0]))
again({patience})
def handler(cpu, *more):
    cpu.x[0] = 7                                    # for those of which no answer is expected
    return {"7" if kind.startswith(("mmio", "sysreg", "hvc", "smc")) else "hv.SKIP"}
vm.{call}handler=handler)
again()
vm.{call}handler=None)
again({patience})
vm.{kind})(handler)
again()
"""
    lines = run(each_target, code + "\n hvc #0x100", script).splitlines()
    assert lines == [without, "stop 0x7", without, "stop 0x7"]


# The guest has interrupt 40 enabled, sleeps, and acknowledges what comes. x28: the GIC's version.
INTERRUPT = """
    adr x9, table
    msr vbar_el1, x9
    load x1, 0x08000000
    mov w2, #0x100
    mov w5, #1
    cmp x28, #3
    b.eq v3
    load x3, 0x08010000
    strb w5, [x1, #0x828]               // GICD_ITARGETSR
    str w5, [x1]                        // GICD_CTLR
    mov w6, #0xf0
    str w6, [x3, #4]                    // GICC_PMR
    str w5, [x3]                        // GICC_CTLR
    b enable
v3: mov w6, #0x12
    str w6, [x1]                        // GICD_CTLR: ARE_NS, EnableGrp1
    str w2, [x1, #0x84]                 // GICD_IGROUPR1
    add x7, x1, #0x6000
    str xzr, [x7, #0x140]               // GICD_IROUTER40
    mov x6, #0xf0
    msr s3_0_c4_c6_0, x6                // ICC_PMR_EL1
    msr s3_0_c12_c12_7, x5              // ICC_IGRPEN1_EL1
enable:
    str w2, [x1, #0x104]                // GICD_ISENABLER1
    msr daifclr, #2
1:  wfi
    b 1b
    .balign 2048
table:
    .space 0x280
    cmp x28, #3
    b.eq 2f
    ldr w20, [x3, #0xc]                 // GICC_IAR
    str w20, [x3, #0x10]                // GICC_EOIR
    b 3f
2:  mrs x20, s3_0_c12_c12_0             // ICC_IAR1_EL1
    msr s3_0_c12_c12_1, x20             // ICC_EOIR1_EL1
3:  add x21, x21, #1
    hvc #0x100
    eret
"""


def test_injected_interrupt(each_target):
    """cpu.inject("irq", n): the guest's controller shows it once, whichever version it is."""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
cpu.x[28] = hv.platform()["gic"]
print(vm.run(50).reason)
for n in (1, 2):
    cpu.inject("irq", 40)
    exit = vm.run(60_000)
    print(exit.reason, cpu.x[20], cpu.x[21], exit.cpu is cpu)
print(vm.run(50).reason, cpu.x[21])
"""
    assert run(each_target, INTERRUPT, script).splitlines() == [
        *("timeout", "stop 40 1 True", "stop 40 2 True", "timeout 2"),
    ]


def test_exception_classes_and_default(each_target):
    """What nothing else answers: first the class's handler, then the default one, then an Exit."""
    code = "    ldr x1, [x0]\n    hvc #5\n    hvc #0x100"
    script = """
vm = guest(code)
cpu = vm.cpu[0]
def again():
    cpu.pc, cpu.x[0], cpu.x[1] = 0x4008_0000, 0x7000_0000, 1
    return vm.run(60_000)
print(again().reason)
@vm.default
def anything(cpu, esr):
    print("default", hv.explain(esr).split(":")[0])
    return hv.SKIP
print(again().reason)
@vm.exception(0x24)
def abort(cpu, esr):
    print("abort", hex(cpu.exit.ipa))
    cpu.vm.stage2.map(0x7000_0000, None, 0x1000)
    return hv.RETRY
print(again().reason, cpu.x[1])
vm.default(None)
print(again().reason)
"""
    assert run(each_target, code, script).splitlines() == [
        "mmio",
        "default Data abort from a lower EL (EC 0x24)",
        "default HVC in AArch64 state (EC 0x16)",
        "stop",
        "abort 0x70000000",
        "default HVC in AArch64 state (EC 0x16)",
        "stop 0",
        "hvc",
    ]


def test_handlers_may_ask_for_anything(target):
    """Inside a handler: other VMs, translations, memory, registers, other handlers."""
    script = """
vm, other = guest(code), guest(code)
other.memory[0x4010_0000] = 3
@vm.hvc(0xc600_0001)
def busy(cpu, x1):
    vm.memory[0x4010_0000:0x4010_0008] = b"12345678"
    cpu.sysreg["TPIDR_EL1"] = other.cpu[0].translate(0x4010_0000)[0]
    vm.hvc(imm=9, handler=lambda cpu: 0)
    vm.hvc(0xc600_0001, None)
    try:
        other.run()
    except RuntimeError as error:
        print(error)
    try:
        vm.close()
    except RuntimeError as error:
        print(error)
    return cpu.translate(0x4010_0000)[0] + x1
print(vm.run(60_000).reason, hex(vm.cpu[0].x[0]), hex(vm.cpu[0].sysreg["TPIDR_EL1"]))
print(other.run(60_000).reason)
"""
    lines = run(target, CALL, script).splitlines()
    assert "cannot be used inside a handler" in lines[0] and "cannot be closed" in lines[1]
    assert lines[2:] == ["stop 0x40100028 0x40100000", "stop"]


def test_ctrl_c_ends_a_spinning_guest(each_target):
    """KeyboardInterrupt within 50 ms (five times: the host is shared), and the guest runs on."""
    source = "load x0, 0xc6000001\n hvc #0\n b ."
    script = "vm = guest(code)\nvm.hvc(0xc600_0001, lambda cpu: print('in the guest'))"
    run(each_target, source, script)

    def ctrl_c():
        each_target.repl("vm.cpu[0].pc = 0x4008_0000")
        each_target.send("vm.run()\r")
        each_target.until("in the guest\n")
        return how_long(lambda: "KeyboardInterrupt" in each_target.interrupt())

    in_time(5, ctrl_c)
    assert each_target.repl("vm.run(20).reason") == "'timeout'"
    assert each_target.repl("hex(vm.cpu[0].pc)") == "'0x40080008'"


def test_run_times_out(each_target):
    """timeout_ms ends a guest that spins, and one that sleeps; also one that has passed already."""
    script = """
import time
for word in ("b .", "wfi"):
    vm = guest(code if word == "b ." else code[4:])
    begin = time.ticks_ms()
    exit = vm.run(timeout_ms=50)
    print(exit.reason, time.ticks_diff(time.ticks_ms(), begin) >= 50, vm.run(0).reason)
"""
    assert run(each_target, "b .\n1: wfi\n b 1b", script) == "timeout True timeout\n" * 2
