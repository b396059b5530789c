# SPDX-License-Identifier: MIT
"""Rules: what C does at an exit by itself, and when it asks Python."""

import pytest
from guestcode import run

# Ten calls of function 0xc6000001 with x1 = 0..9; what they return is added up in x20.
CALLS = """
    mov x20, #0
    mov x19, #0
1:  load x0, 0xc6000001
    mov x1, x19
    hvc #0
    add x20, x20, x0
    add x19, x19, #1
    cmp x19, #10
    b.lo 1b
    hvc #0x100
"""

VM = """
import time
vm = guest(code)
cpu, calls = vm.cpu[0], []
@vm.hvc(0xc600_0001)
def answer(cpu, x1):
    calls.append(x1)
    return 1
def again():
    cpu.pc = 0x4008_0000
    calls.clear()
    vm.run(60_000)
    return cpu.x[20]
"""


@pytest.mark.parametrize(
    "rule, result, calls, hits",
    [
        ('"count"', 10, list(range(10)), 10),
        ('"log"', 10, list(range(10)), 10),
        ('"const", 7', 70, [], 10),
        ('"const", 7, nth=3', 16, [0, 1, 3, 4, 5, 6, 7, 8, 9], 10),
        ('"const", 7, match=4', 16, [0, 1, 2, 3, 5, 6, 7, 8, 9], 1),
        ('"const", 7, pc=0x4008_0010', 70, [], 10),
        ('"const", 7, pc=0x4008_0014', 10, list(range(10)), 0),
        ('"const", 7, every=60_000', 16, list(range(1, 10)), 10),
        ('"shadow"', sum(range(10)), [], 10),
        ('"count", promote=seen', 1000, "all", 10),
        ('"count", promote=seen, nth=4', 109, list(range(10)), 10),
        ('"count", promote=seen, match=6', 109, list(range(10)), 1),
        ('"count", promote=seen, every=60_000', 109, list(range(10)), 10),
        ('"const", 3, promote=seen, match=6, nth=1', 109, list(range(10)), 1),
        ('"const", 3, promote=seen, nth=2', 127, [1], 10),
        ('"const", 3, promote=lambda cpu: hv.PASS', 30, [], 10),
        ('"log", promote=lambda cpu: hv.PASS', 10, list(range(10)), 10),
    ],
)
def test_rules_on_calls(each_target, rule, result, calls, hits):
    """What a rule answers, leaves to the handler below it, and counts."""
    script = f"""
def seen(cpu, x1):
    calls.append(x1)
    return 100
def answer(cpu, x1):
    if "promote=seen" not in {rule!r}:
        calls.append(x1)
    return 1
vm.hvc(0xc600_0001, answer)
rule = vm.rule("hvc", 0xc600_0001, {rule})
print((again(), list(calls), rule.hits))
rule.remove()
print(again())
"""
    lines = run(each_target, CALLS, VM + script).splitlines()
    got = eval(lines[0])
    assert got[0] == result and got[2] == hits
    if "promote=seen" not in rule:
        assert got[1] == calls
    assert lines[1] == "10"


@pytest.mark.parametrize(
    "code, kind, key",
    [
        ("load x0, 0xc6000001\n hvc #0", "hvc", "0xc600_0001"),
        ("load x0, 0xc6000001\n smc #0", "smc", "0xc600_0001"),
        ("hvc #9", "imm", "9"),
        ("mrs x0, actlr_el1", "sysreg", "'ACTLR_EL1'"),
        ("load x1, 0x0b000004\n ldr x0, [x1]", "mmio", "(0x0b00_0000, 8)"),
    ],
)
def test_every_kind(each_target, code, kind, key):
    """A constant, by what makes the guest exit."""
    script = f"""
vm = guest(code)
rule = vm.rule({kind!r}, {key}, "const", 7)
print(vm.run(60_000).reason, vm.cpu[0].x[0], rule.hits)
"""
    assert run(each_target, code + "\n hvc #0x100", script) == "stop 7 1\n"


def test_rules_stack(target):
    """The newest first; handlers come and go below them, rules in any order."""
    script = """
first = vm.rule("hvc", 0xc600_0001, "count")
second = vm.rule("hvc", 0xc600_0001, "const", 5, match=2)
third = vm.rule("hvc", 0xc600_0001, "count", match=3)
print(again(), first.hits, second.hits, third.hits)
vm.hvc(0xc600_0001, lambda cpu: 2)      # rules stay over a new handler
print(again(), first.hits, second.hits, third.hits)
vm.hvc(0xc600_0001, None)               # and over none: NOT_SUPPORTED
print(again() == 5 - 9 + (1 << 64), first.hits)
second.remove()
first.value, first.hits = 9, 0
vm.hvc(0xc600_0001, lambda cpu: 2)
print(again(), first.hits, third.hits)
first.remove()
third.remove()
try:
    third.hits
except ValueError as error:
    print(error)
print(again())
"""
    assert run(target, CALLS, VM + script).splitlines() == [
        "14 9 1 1",
        "23 18 2 2",
        "True 27",
        "20 10 4",
        "this rule has been removed",
        "20",
    ]


def test_psci_can_be_watched_and_denied(each_target):
    """Rules stand over what the machine answers itself."""
    code = """
    adr x9, table
    msr vbar_el1, x9
    load x0, 0x84000000
    hvc #0
    mov x20, x0
    load x0, 0x84000000
    smc #0
    hvc #0x100
    .balign 2048
table:
    .space 0x200
    mov x21, #1
    hvc #0x100
"""
    script = """
vm = guest(code)
watch = vm.rule("hvc", 0x8400_0000, "count")
deny = vm.rule("smc", 0x8400_0000, "deny")
vm.run(60_000)
print(watch.hits, deny.hits, hex(vm.cpu[0].x[20] >> 16), vm.cpu[0].x[21])
print(hex(vm.cpu[0].sysreg["ESR_EL1"]), hex(vm.cpu[0].sysreg["ELR_EL1"]))
"""
    assert run(each_target, code, script) == "1 1 0x1 1\n0x2000000 0x40080018\n"


def test_registers(each_target):
    """A constant, a shadow, a log with the register's name."""
    code = """
    load x0, 0x1122334455667788
    msr actlr_el1, x0
    mrs x1, actlr_el1
    mrs x2, pmcr_el0
    msr actlr_el1, xzr
    mrs x3, actlr_el1
    hvc #0x100
"""
    script = """
vm = guest(code)
vm.rule("sysreg", "ACTLR_EL1", "shadow")
vm.rule("sysreg", "ACTLR_EL1", "log")
vm.rule("sysreg", "PMCR_EL0", "const", 0x4100_3000)
vm.run(60_000)
print([hex(vm.cpu[0].x[n]) for n in (1, 2, 3)])
for e in hv.events():
    print(e.what, e.write, hex(e.value), hex(e.pc), e.vmid == vm._vm.vmid, e.cpu, e.lost)
print(hv.events())
"""
    assert run(each_target, code, script).splitlines() == [
        "['0x1122334455667788', '0x41003000', '0x0']",
        "ACTLR_EL1 True 0x1122334455667788 0x40080004 True 0 0",
        "ACTLR_EL1 False 0x0 0x40080008 True 0 0",
        "ACTLR_EL1 True 0x0 0x40080010 True 0 0",
        "ACTLR_EL1 False 0x0 0x40080014 True 0 0",
        "[]",
    ]


def test_devices(each_target):
    """Rules on parts of a device, on several devices, and where there is none."""
    code = """
    load x1, 0x0b000000
    mov w2, #0x80
    strb w2, [x1, #4]
    ldrsb w3, [x1, #4]
    ldr w4, [x1, #8]
    ldr w5, [x1, #12]
    load x9, 0x09000000
    ldr w6, [x9, #0x18]
    load x9, 0x0c000000
    str w2, [x9]
    ldr w7, [x9]
    ldr x8, [x9], #8
    hvc #0x100
"""
    script = """
vm = guest(code)
cpu, seen = vm.cpu[0], []
@vm.mmio(0x0b00_0000, 0x1000)
def device(cpu, offset, value):
    seen.append(offset)
    return 0x11
vm.rule("mmio", (0x0b00_0004, 1), "shadow")
const = vm.rule("mmio", 0x0b00_0008, "const", 0x1_8000_0000)
over = vm.rule("mmio", (0x0b00_000c, 4), "log")
flags = vm.rule("mmio", 0x0900_0018, "const", 0xff)
nothing = vm.rule("mmio", (0x0c00_0000, 0x100), "shadow")
try:
    vm.rule("mmio", (0x0b00_0006, 4), "count")
except ValueError as error:
    print(error)
print(vm.run(60_000).reason, seen, [hex(cpu.x[n]) for n in (3, 4, 5, 6, 7, 8)])
print(const.hits, over.hits, flags.hits, nothing.hits, [e.what for e in hv.events()])
"""
    assert run(each_target, code, script).splitlines() == [
        "0xb000006-0xb000009 overlaps the rule at 0xb000008-0xb00000b",
        "stop [12] ['0xffffff80', '0x80000000', '0x11', '0xff', '0x80', '0x80']",
        "1 1 1 3 ['mmio 0xb00000c']",
    ]


def test_calls_that_only_answer(target):
    """Versions, features, AFFINITY_INFO and unknown functions, short or long way: the same answers, each logged once."""
    calls = (
        (0x8400_0000, 0),
        (0x8400_000A, 0x8400_0001),
        (0x8400_000A, 0xC400_0008),
        (0x8000_0001, 0x8000_8000),
    )
    calls += (
        (0xC400_0004, 0),
        (0xC400_0004, 7),
        (0x8400_0004, 0),
        (0xC600_0009, 3),
        (0x8400_001F, 4),
        (0xC400_0003, 9),
    )
    code = "".join(
        f"    load x0, {call:#x}\n    load x1, {x1:#x}\n    mov x2, #0\n    mov x3, #0\n    {how} #0\n    str x0, [x20], #8\n"
        for how in ("hvc", "smc")
        for call, x1 in calls
    )
    script = f"""
calls = {calls!r}
def answers():
    with guest(code) as vm:
        vm.cpu[0].x[20] = 0x4010_0000
        change(vm)
        vm.run(60_000)
        raw = bytes(vm.memory[0x4010_0000:0x4010_0000 + 16 * len(calls)])
        return [int.from_bytes(raw[i:i + 8], "little", True) for i in range(0, len(raw), 8)]
change = lambda vm: None
short = answers()
print(short)
def change(vm):
    vm.default(lambda cpu, esr: hv.PASS)
print(answers() == short)
def change(vm):
    for call in set([call for call, _ in calls]):
        for kind in ("hvc", "smc"):
            vm.rule(kind, call, "log")
print(answers() == short)
events = list(hv.events())
print([e.value for e in events] == [x1 for _, x1 in calls] * 2, len(set([e.pc for e in events])))
def change(vm):
    vm.exception(0x16, lambda cpu, esr: None)
print([b for a, b in zip(short, answers()) if a != b])
"""
    lines = run(target, "    b start\nstart:\n" + code + "    hvc #0x100", script).splitlines()
    one = [n & (1 << 64) - 1 for n in (0x10001, 0, -1, 1, 0, -2, 0, -1, -1, -2)]
    assert lines[0] == str(one + one), lines
    assert lines[1:3] == ["True", "True"], lines
    assert lines[3] == "True 20", lines
    assert lines[4] == str([0xC600_0009, 0x8400_001F]), (
        lines
    )  # the class's handler has them, and leaves x0


def test_rules_on_other_cores(each_target):
    """In the background, a guest may run on a core without Python: the same counts, the same calls."""
    script = """
log = vm.rule("hvc", 0xc600_0001, "log")
ask = vm.rule("hvc", 0xc600_0001, "count", match=5, promote=lambda cpu, x1: calls.append("match") or hv.PASS)
const = vm.rule("hvc", 0xc600_0001, "const", 4, nth=8)
cpu.pc = 0x4008_0000
vm.start()
while vm.running:
    time.sleep_ms(1)
print(cpu.x[20], calls, log.hits, ask.hits, const.hits, [e.value for e in hv.events()])
"""
    lines = run(each_target, CALLS, VM + script).splitlines()
    calls = [0, 1, 2, 3, 4, "match", 5, 6, 8, 9]
    logged = [0, 1, 2, 3, 4, 5, 6, 8, 9]  # the eighth got its answer from the rule on top
    assert lines[-1] == f"13 {calls} 9 1 10 {logged}"


def test_denied_device(target):
    code = "    adr x9, table\n    msr vbar_el1, x9\n    load x1, 0x09000000\n    ldr w2, [x1]\n"
    code += "    .balign 2048\ntable: .space 0x200\n    mrs x3, esr_el1\n    mrs x4, far_el1\n    hvc #0x100"
    script = """
vm = guest(code)
vm.rule("mmio", (0x0900_0000, 0x1000), "deny")
vm.run(60_000)
print(hex(vm.cpu[0].x[3]), hex(vm.cpu[0].x[4]))
"""
    assert run(target, code, script) == "0x96000010 0x9000000\n"


def test_the_ring_forgets_the_oldest(target):
    code = CALLS.replace("#10", "#300")
    script = """
vm.rule("hvc", 0xc600_0001, "log")
again()
events = hv.events()
print(len(events), events[0].value, events[-1].value, events[0].lost, events[1].lost)
print(all([a.us <= b.us for a, b in zip(events, events[1:])]))
"""
    assert run(target, code, VM + script) == "256 44 299 44 0\nTrue\n"


@pytest.mark.parametrize(
    "call, says",
    [
        ('vm.rule("hvc", 1, "explode")', "no action 'explode'"),
        ('vm.rule("mmio", 0x4000_0000)', "which does not trap"),
        ('vm.rule("sysreg", "NO_SUCH")', "NO_SUCH"),
        ('vm.rule("hvc", 1, promote=3)', "must be callable"),
        ('vm.rule("nope", 1)', "no kind 'nope': hvc, smc, imm, sysreg or mmio"),
        ('vm.rule("class", 1)', "no kind"),
        ('vm.rule("default", 1)', "no kind"),
    ],
)
def test_bad_rules(target, call, says):
    script = f"""
try:
    {call}
except (ValueError, TypeError) as error:
    print(error)
"""
    assert says in run(target, CALLS, VM + script)
