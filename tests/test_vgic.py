# SPDX-License-Identifier: MIT
"""The guest's interrupt controller, and a guest's interrupts from Python: vm.irq()."""

import re

import pytest
from guestcode import built, run
from harness import TargetError

# Group 1 on, everything let in, by GICv2's or GICv3's CPU interface. Then x10 is that version, and
# `ack` and `eoi` work with x0. Only vCPU 0.
GIC = """
.macro gic_init spi
    load x11, 0x08000000
    mrs x10, id_aa64pfr0_el1
    ubfx x10, x10, #24, #4
    mov w1, #0x12
    cbnz x10, 1f
    mov w1, #1
1:  str w1, [x11]                           // GICD_CTLR
    mov w1, #\\spi
    lsr w2, w1, #5
    lsl w2, w2, #2
    mov w3, #1
    and w1, w1, #31
    lsl w3, w3, w1
    add x2, x2, x11
    cbz x10, 2f
    str w3, [x2, #0x80]                     // GICD_IGROUPR
    mov x1, #1
    msr S3_0_C12_C12_7, x1                  // ICC_IGRPEN1_EL1
    mov x1, #0xFF
    msr S3_0_C4_C6_0, x1                    // ICC_PMR_EL1
    b 3f
2:  load x12, 0x08010000
    mov w1, #0xFF
    str w1, [x12, #4]                       // GICC_PMR
    mov w1, #1
    str w1, [x12]                           // GICC_CTLR
    add x4, x11, #0x800 + \\spi
    strb w1, [x4]                           // GICD_ITARGETSR
3:  str w3, [x2, #0x100]                    // GICD_ISENABLER
    adr x1, table
    msr vbar_el1, x1
    isb
.endm
.macro ack
    cbz x10, 1f
    mrs x0, S3_0_C12_C12_0
    b 2f
1:  ldr w0, [x12, #0xC]
2:
.endm
.macro eoi
    cbz x10, 1f
    msr S3_0_C12_C12_1, x0
    b 2f
1:  str w0, [x12, #0x10]
2:
.endm
"""

# Counts in x20 how often SPI 40 came, in x21 what else; x22 is the last one acknowledged. The handler
# calls HVC 0x100, so that a run ends before its end, when x23 is set; else the main loop does when it
# has looked x24 times.
COUNTER = (
    GIC
    + """
    gic_init 40
    msr daifclr, #2
1:  subs x24, x24, #1
    b.pl 1b
    mov x24, #1000
    hvc #0x100
    b 1b
on_exception:
    ack
    mov w22, w0
    cmp w0, #40
    b.ne 3f
    add x20, x20, #1
    b 4f
3:  add x21, x21, #1
4:  cbz x23, 5f
    hvc #0x100
5:  eoi
    eret
    vectors
"""
).replace(
    "    vectors\n",
    "    vectors table\n",
)

BEGIN = """
vm = guest(code)
cpu, irq = vm.cpu[0], vm.irq(40)
def came(ms=60_000):
    vm.run(ms)
    return cpu.x[20], cpu.x[21]
assert came() == (0, 0)
"""


def every_register(target):
    """guests/gictest: each register of the controller and of the timers, written, read, and what
    follows from it; alone and as one of four vCPUs.
    """
    script = """
for cpus in (1, 4):
    with guest(code, ram="16M", cpus=cpus) as vm:
        print(vm.run().reason)
"""
    text = run(target, built("gictest"), script, seconds=60)
    verdicts = re.findall(r"gictest: (\d+) checks, (\d+) failed\noff\n", text)
    assert len(verdicts) == 2, text
    for checks, failed in verdicts:
        assert int(checks) > 400 and failed == "0", text


def between_two_cpus(target):
    """guests/gicsmp: whom an SGI reaches, behind one to oneself too; an SPI with several targets, whose CPU
    interfaces come and go; frames, banked registers and SGIs over CPU_OFF and CPU_ON.
    """
    script = """
with guest(code, ram="16M", cpus=2) as vm:
    print(vm.run(timeout_ms=120_000).reason)
"""
    text = run(target, built("gicsmp"), script, seconds=150)
    found = re.search(r"gicsmp: (\d+) checks, (\d+) failed\noff\n", text)
    assert found and int(found[1]) > 90 and found[2] == "0", text


def test_every_register_has_its_value(each_target):
    every_register(each_target)


def test_what_the_controller_is_between_two_cpus(each_target):
    between_two_cpus(each_target)


def test_pulse_is_one_interrupt(each_target):
    script = (
        BEGIN
        + """
irq.pulse()
print(irq.pending, came(), came(), irq.pending)
irq.pulse()
irq.pulse()
print(came())
"""
    )
    assert run(each_target, COUNTER, script) == "True (1, 0) (1, 0) False\n(2, 0)\n"


def test_level_stays_until_it_falls(each_target):
    """Taken again for as long as it is high; not at all when it falls before it is taken."""
    script = (
        BEGIN
        + """
irq.set(True)
irq.set(False)
print(came(), irq.level)
cpu.x[23] = 1               # each handler ends the run, before it ends the interrupt
irq.set(1)
print(irq.level, irq.pending, irq.active)
for i in range(3):
    print(came(), irq.active)
irq.set(0)
cpu.x[23] = 0
print(came(), irq.active, irq.pending)
"""
    )
    expected = "(0, 0) False\nTrue True False\n(1, 0) True\n(2, 0) True\n(3, 0) True\n(3, 0) False False\n"
    assert run(each_target, COUNTER, script) == expected


def test_what_an_interrupt_says_of_itself(each_target):
    script = (
        BEGIN
        + """
print(irq.intid, irq.enabled, irq.edge, irq.priority, irq.cpu, irq.hw)
irq.set(True)
print(irq, vm.irq(41))
vm.close()
print(irq)
"""
    )
    lines = run(each_target, COUNTER, script).splitlines()
    assert lines[0] == "40 True False 0 0 False"
    assert lines[1].startswith(
        "<IRQ 40 of test: priority 0x00, cpu 0, enabled, pending, level> <IRQ 41 of test:"
    )
    assert lines[2] == "<IRQ 40: closed>"


def test_background_guest_is_interrupted(each_target):
    """Hundreds of pulses, each when the last was taken, on whatever core the guest runs."""
    script = (
        BEGIN
        + """
import time
cpu.x[24] = 1 << 60
vm.hvc(imm=0x100, handler=lambda cpu: hv.RETRY)
vm.start()
for i in range(500):
    irq.pulse()
    while irq.pending or irq.active:
        time.sleep_us(20)
vm.pause()
print(cpu.x[20], cpu.x[21])
"""
    )
    assert run(each_target, COUNTER, script, 60) == "500 0\n"


def test_end_of_interrupt_does_not_trap(each_target):
    """Neither acknowledging nor ending one is an exit, however many come."""
    script = (
        BEGIN
        + """
def exits():
    return sum(n for what, n in cpu.exits.items() if what != "irq")
irq.pulse()
before = exits()
came()
one = exits() - before
cpu.x[24] = 1000
for i in range(50):
    irq.pulse()
    before = exits()
    came()
    assert exits() - before == one, exits() - before
print(came(), one)
"""
    )
    assert run(each_target, COUNTER, script) == "(51, 0) 1\n"


def test_every_byte_typed_has_its_interrupt(each_target):
    """The guest reads one at each interrupt, while the next are typed on another core."""
    source = (
        GIC
        + """
    gic_init 33
    load x13, 0x09000000
    mov w1, #0x10
    str w1, [x13, #0x38]                    // UARTIMSC: receive
    msr daifclr, #2
1:  wfi
    b 1b
on_exception:
    ack
    ldr w1, [x13]
    str w1, [x13]
    eoi
    eret
    vectors table
"""
    )
    script = """
import time
vm = guest(code)
vm.start()
echoed = b""
for i in range(8000):
    while not vm.console.write(b"x"):
        time.sleep_ms(1)
    for _ in range(i % 50):
        pass
    if i % 64 == 0:
        echoed += vm.console.read() or b""
while len(echoed) < 8000:
    echoed += vm.console.read() or b""
    time.sleep_ms(1)
print(len(echoed), vm.irq(33).level, vm.pause())
"""
    assert run(each_target, source, script, 60) == "8000 False True\n"


def test_watch_counts_and_drops(each_target):
    script = (
        BEGIN
        + """
irq.watch()
irq.pulse()
print(came(), irq.hits)
irq.watch(None, True)
irq.pulse()
irq.set(True)
irq.set(True)
print(came(), irq.hits, irq.pending)
irq.set(False)
irq.watch()
print(came())
irq.pulse()
print(came(), irq.hits)
irq.watch(None, True)
cpu.x[23] = 1
irq.set(True)
print(came(), irq.level)
irq.unwatch()               # the line is high, and the guest sees it now
print(came(), irq.level, irq.hits)
"""
    )
    expected = "(1, 0) 1\n(1, 0) 3 False\n(1, 0)\n(2, 0) 4\n(2, 0) False\n(3, 0) True 0\n"
    assert run(each_target, COUNTER, script) == expected


def test_handler_decides_what_the_guest_gets(each_target):
    """Every second pulse; a level for as long as it is high; one that raises lets it pass."""
    script = (
        BEGIN
        + """
import time
asked = []
@irq.watch
def decide(it):
    asked.append(it.intid)
    if len(asked) == 5:
        raise ValueError("no opinion")
    return len(asked) % 2 == 0
for i in range(5):
    irq.pulse()
    print(came(), len(asked))
"""
    )
    text = run(each_target, COUNTER, script)
    lines = [line for line in text.splitlines() if line[0] == "("]
    assert lines == ["(0, 0) 1", "(1, 0) 2", "(1, 0) 3", "(2, 0) 4", "(3, 0) 5"], text
    assert "ValueError: no opinion" in text


def test_physical_interrupt_becomes_the_guests(each_target):
    """SPI 100 of the machine, set pending by software. It is active from when EL2 takes it until the
    guest ends its own, which needs no exit: then the next one comes.
    """
    script = (
        BEGIN
        + """
def physical(reg):
    return hv.read(0x0800_0000 + reg + 100 // 32 * 4) >> 100 % 32 & 1
def fire():
    hv.write(0x0800_0200 + 100 // 32 * 4, 1 << 100 % 32)
irq.forward(100)
for i in range(3):
    cpu.x[23] = 1
    fire()
    print(came(), physical(0x300), irq.active, irq.hw)
    cpu.x[23] = 0
    fire()                  # not before the first has ended
    print(physical(0x300), physical(0x200), cpu.x[20])
    came()
    came()                  # QEMU 7.2's GICv2 may have the second one wait for another interrupt
    print(physical(0x300), physical(0x200), irq.active)
irq.forward(None)
fire()
print(came(), physical(0x300))
hv.write(0x0800_0280 + 100 // 32 * 4, 1 << 100 % 32)
"""
    )
    text = run(each_target, COUNTER, script)
    expected = (
        "".join(f"({n}, 0) 1 True True\n1 1 {n}\n0 0 False\n" for n in (1, 3, 5)) + "(6, 0) 0\n"
    )
    assert text == expected


def test_forwarded_interrupts_of_a_background_guest(each_target):
    """None is lost when the guest that ends them runs on another core than the one that takes them."""
    script = (
        BEGIN
        + """
def busy():
    return (hv.read(0x0800_030C) | hv.read(0x0800_020C)) >> 4 & 1
import time
cpu.x[24] = 1 << 60
irq.forward(100)
vm.start()
for i in range(500):
    hv.write(0x0800_020C, 1 << 4)
    while busy() or irq.active:
        time.sleep_us(20)
vm.pause()
print(cpu.x[20], cpu.x[21])
irq.forward(None)
"""
    )
    assert run(each_target, COUNTER, script, 60) == "500 0\n"


@pytest.mark.parametrize(
    "line, says",
    [
        ("vm.irq(288)", "interrupts 0 to 287, and cpus 0 to 0"),
        ("vm.irq(27, 1)", "interrupts 0 to 287, and cpus 0 to 0"),
        ("vm.irq(27).pulse()", "a vCPU's own"),
        ("vm.irq(3).set(1)", "it has no line"),
        ("irq.forward(27)", "32 to 511, not 27"),
        ("irq.forward(33)", "in use"),
        ("for n in range(9): vm.irq(50 + n).watch()", "watched already"),
    ],
)
def test_what_cannot_be_asked_of_an_interrupt(target, line, says):
    with pytest.raises(TargetError, match=says):
        run(target, COUNTER, BEGIN + line)
