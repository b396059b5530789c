# SPDX-License-Identifier: MIT
"""Exceptions that a guest takes to its own EL1, seen, changed or answered at EL2 first."""

import pytest
from guestcode import link, run

# Its vectors count exceptions in x28, note ESR_EL1 in x27, the vector in x26, skip what faulted, and
# return. The first instructions are of the kinds kernels have.
HANDLER = """
on_exception:
    stp x0, x1, [sp, #-16]!
    add x28, x28, #1
    mrs x27, esr_el1
    mrs x0, elr_el1
    lsr x1, x27, #26
    cmp x1, #0x15               // SVC: ELR is behind it already
    b.eq 1f
    mrs x1, isr_el1
    cbnz x1, 1f
    add x0, x0, #4
    msr elr_el1, x0
1:  ldp x0, x1, [sp], #16
    eret
"""

EXCEPTIONS = (
    """
    adr x0, first
    msr vbar_el1, x0
    isb
    mov x28, #0
    mov x0, #11
    svc #7
    mov x19, x0
    .word 0                     // undefined
    brk #3
    fmov d0, #1.0               // FP is off
    adr x0, second              // the vectors move
    msr vbar_el1, x0
    isb
    mov x0, #11
    svc #8
    mov x20, x0
    adr x0, at_el0              // and a program at EL0
    msr elr_el1, x0
    msr spsr_el1, xzr
    eret
at_el0:
    mov x0, #11
    svc #9
    mov x21, x0
    svc #10
    vectors first
    .balign 2048
second:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .balign 128
    .if \\n == 4
    sub sp, sp, #32
    add sp, sp, #32
    .elseif \\n == 8
    str x9, [sp, #-16]!         // not one that the hypervisor knows by heart
    mrs x9, esr_el1
    and x9, x9, #0xffff
    cmp x9, #10
    b.eq the_end
    ldr x9, [sp], #16
    .endif
    b on_exception
    .endr
the_end:
    hvc #0x100
"""
    + HANDLER
)

TRACE = """
vm = guest(code)
cpu, seen = vm.cpu[0], []
names = {0x15: "svc", 0: "undefined", 0x3c: "brk", 7: "fp"}
def note(cpu, esr, vector):
    seen.append((names.get(esr >> 26, hex(esr >> 26)), esr & 0xff, hex(vector)))
"""


def test_all_are_seen_and_the_guest_does_not_notice(each_target):
    """Observed, wherever VBAR_EL1 points; the guest computes what it does without a trace."""
    script = (
        TRACE
        + """
def outcome():
    return vm.run(60_000).reason, [cpu.x[n] for n in (19, 20, 21, 28)], hex(cpu.sp)
before = outcome()
vm.reset()
vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
cpu.pc, cpu.sp = 0x4008_0000, 0x4007_0000
vm.trap_el1_exceptions("all", note)
print(outcome() == before, before)
for line in seen:
    print(*line)
"""
    )
    lines = run(each_target, EXCEPTIONS, script).splitlines()
    assert lines == [
        "True ('stop', [11, 11, 11, 6], '0x4006fff0')",
        "svc 7 0x200",
        "undefined 0 0x200",
        "brk 3 0x200",
        "fp 0 0x200",
        "svc 8 0x200",
        "svc 9 0x400",
        "svc 10 0x400",
    ]


@pytest.mark.parametrize(
    "classes, seen",
    [
        ('"svc"', ["svc", "svc", "svc", "svc"]),
        ('("undefined", "brk")', ["undefined", "brk"]),
        ("0x3c", ["brk"]),
        ('("fp", 0)', ["undefined", "fp"]),
        ('"irq"', []),
    ],
)
def test_chosen_by_class(target, classes, seen):
    script = (
        TRACE
        + f"""
vm.trap_el1_exceptions({classes}, note)
print(vm.run(60_000).reason, cpu.x[28], [name for name, *rest in seen])
"""
    )
    assert run(target, EXCEPTIONS, script) == f"stop 6 {seen}\n"


def test_off_again(target):
    """With None the guest's code is as it was, and runs at full rights."""
    script = (
        TRACE
        + """
vm.trap_el1_exceptions("all", note)
vm.run(60_000)
print(len(seen), vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] == code)
vm.trap_el1_exceptions(None)
print(vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] == code)
cpu.pc, cpu.pstate = 0x4008_0000, 0x3c5
print(vm.run(60_000).reason, len(seen), cpu.x[28])
vm.stage2.dump()
"""
    )
    lines = run(target, EXCEPTIONS, script).splitlines()
    assert lines[:3] == ["7 False", "True", "stop 7 6"]
    assert all(" rwx " in line for line in lines[3:] if line.startswith("0x004"))


@pytest.mark.parametrize(
    "answer, result",
    [
        ("None", "11 counted"),
        ("hv.PASS", "11 counted"),
        ("42", "42"),
        ("(42, 1, 2)", "42"),
        ("hv.RETRY if len(seen) > 1 else 42", "42"),
        ("hv.SKIP", "11"),
        ("change(cpu)", "12 counted"),
        ("hv.UNDEFINED", "11 counted"),
    ],
)
def test_answers(each_target, answer, result):
    """Observe, answer instead of the guest's kernel, change, or turn it into another exception."""
    code = (
        """
    adr x0, first
    msr vbar_el1, x0
    isb
    mov x28, #0
    mov x0, #11
    svc #7
    mov x19, x0
    hvc #0x100
    vectors first
"""
        + HANDLER
    )
    script = (
        TRACE
        + f"""
def change(cpu):
    cpu.x[0] += 1
def handler(cpu, esr, vector):
    note(cpu, esr, vector)
    return {answer}
vm.trap_el1_exceptions("svc", handler)
print(vm.run(60_000).reason, cpu.x[19], "counted" if cpu.x[28] else "", end="")
"""
    )
    assert run(each_target, code, script).strip() == f"stop {result}"


def test_aborts_are_answered(target):
    """A stage-1 fault of the guest: its page is mapped at EL2's command, and the access repeated."""
    # Its table maps 1 GB of VA 0; VA 0x8000_0000 only after somebody has filled in the entry.
    code = """
    adr x0, first
    msr vbar_el1, x0
    load x1, 0x40100000
    load x2, 0x40000705
    str x2, [x1, #8]            // VA 0x4000_0000 is IPA 0x4000_0000
    stage1_on x1, x2, 0x280803519, 0xff00
    load x3, 0x80100008
    ldr x4, [x3]
    hvc #0x100
    .balign 2048
first:
    .rept 16
    .balign 128
    b .
    .endr
"""
    script = (
        TRACE
        + """
@vm.trap_el1_exceptions(("abort",))
def fault(cpu, esr, vector):
    print(hv.explain(esr).split(";")[0], hex(cpu.sysreg["FAR_EL1"]), hex(cpu.sysreg["ELR_EL1"]))
    vm.memory[0x4010_0010:0x4010_0018] = (0x4000_0705).to_bytes(8, "little")
    return hv.RETRY
print(vm.run(60_000).reason, hex(cpu.x[4]))
"""
    )
    lines = run(target, code, script).splitlines()
    load = link(code)[0].index((0xF9400064).to_bytes(4, "little")) + 0x4008_0000
    assert lines == [
        "Data abort from the current EL (EC 0x25): translation fault, level 1 "
        f"0x80100008 {load:#x}",
        "stop 0x40000705",
    ]


def test_interrupts(each_target):
    """A virtual IRQ, by the class of its vector."""
    code = (
        """
    adr x0, first
    msr vbar_el1, x0
    isb
    mov x28, #0
    msr daifclr, #2
1:  cbz x28, 1b
    hvc #0x100
    vectors first
"""
        + HANDLER
    )
    script = (
        TRACE
        + """
VI = 1 << 7
vm.el2["HCR_EL2"] |= VI
def irq(cpu, esr, vector):
    seen.append((esr, hex(vector), hex(cpu.sysreg["ELR_EL1"]) in ("0x40080014", "0x40080010")))
    if len(seen) == 3:
        vm.el2["HCR_EL2"] &= ~VI
        return hv.PASS
    return hv.RETRY
vm.trap_el1_exceptions("irq", irq)
print(vm.run(60_000).reason, cpu.x[28], len(seen), seen[0][:2])
"""
    )
    assert run(each_target, code, script) == "stop 1 3 (0, '0x280')\n"


def test_stop_and_raise(target):
    """hv.STOP leaves before the guest's handler; a handler that raises is asked again."""
    script = (
        TRACE
        + """
def handler(cpu, esr, vector):
    note(cpu, esr, vector)
    if esr & 0xff == 7:
        return hv.STOP
    if esr >> 26 == 0 and len(seen) < 4:
        raise ValueError("not yet")
vm.trap_el1_exceptions("all", handler)
print(vm.run(60_000).reason, cpu.x[28])
for n in range(2):
    try:
        vm.run(60_000)
    except ValueError as error:
        print(error, cpu.x[28])
print(vm.run(60_000).reason, cpu.x[28], [name for name, *rest in seen])
"""
    )
    assert run(target, EXCEPTIONS, script).splitlines() == [
        "stop 0",
        "not yet 1",
        "not yet 1",
        "stop 6 ['svc', 'undefined', 'undefined', 'undefined', 'brk', 'fp', 'svc', 'svc', 'svc']",
    ]


def test_code_that_copies_itself(target):
    """A loader moves itself, vectors and all, to another place after they have been used."""
    code = (
        """
    adr x0, first
    msr vbar_el1, x0
    isb
    mov x28, #0
    svc #1
    load x1, 0x40080000
    load x2, 0x40200000
    load x3, 0x2000
1:  ldr x4, [x1], #8
    str x4, [x2], #8
    subs x3, x3, #8
    b.ne 1b
    ic iallu
    dsb sy
    isb
    adr x0, moved
    load x5, 0x180000
    add x0, x0, x5
    br x0
moved:
    adr x0, first
    msr vbar_el1, x0
    isb
    svc #2
    hvc #0x100
    vectors first
"""
        + HANDLER
    )
    script = (
        TRACE
        + """
vm.trap_el1_exceptions("svc", note)
print(vm.run(60_000).reason, cpu.x[28], seen, hex(cpu.sysreg["VBAR_EL1"]))
"""
    )
    assert run(target, code, script) == (
        "stop 2 [('svc', 1, '0x200'), ('svc', 2, '0x200')] 0x40200800\n"
    )


@pytest.mark.parametrize(
    "store", ["str x1, [x20]", "ldxr x2, [x20]\n    stxr w3, x1, [x20]\n    cbnz w3, . - 8"]
)
def test_code_and_data_in_one_page(target, store):
    """A program that writes to its own page, plainly or exclusively, makes progress."""
    code = f"""
    adr x20, here
    mov x1, #0
1:  add x1, x1, #1
    {store}
    cmp x1, #1000
    b.lo 1b
    hvc #0x100
    .balign 8
here: .quad 0
"""
    script = (
        TRACE
        + """
vm.trap_el1_exceptions("all", note)
print(vm.run(60_000).reason, cpu.x[1], seen)
"""
    )
    assert run(target, code, script) == "stop 1000 []\n"


def test_data_next_to_another_pages_code(target):
    """Two pages that write to each other, and run in turns."""
    code = """
    mov x1, #0
    load x20, 0x40082000
    adr x21, mine
1:  add x1, x1, #1
    str x1, [x20, #64]
    blr x20
    cmp x1, #500
    b.lo 1b
    hvc #0x100
mine: .quad 0
    .org 0x2000
    str x1, [x21]
    ret
"""
    script = (
        TRACE
        + """
vm.trap_el1_exceptions("all", note)
print(vm.run(60_000).reason, cpu.x[1], vm.memory[0x4008_2040:0x4008_2042] == b"\\xf4\\x01")
"""
    )
    code = code.replace("mine: .quad 0", "    .balign 8\nmine: .quad 0")
    assert run(target, code, script) == "stop 500 True\n"


def test_on_other_cores(each_target):
    """In the background the handler is asked all the same, each time once."""
    script = (
        TRACE
        + """
import time
vm.trap_el1_exceptions("all", note)
vm.start()
while vm.running:
    time.sleep_ms(1)
print(vm.exit.reason, cpu.x[28], len(seen))
"""
    )
    assert run(each_target, EXCEPTIONS, script).splitlines()[-1] == "stop 6 7"


def test_mistakes(target):
    script = (
        TRACE
        + """
for arguments in (("party", note), (("svc", "x"), note), ("svc", 5)):
    try:
        vm.trap_el1_exceptions(*arguments)
    except (ValueError, TypeError) as error:
        print(error)
"""
    )
    lines = run(target, EXCEPTIONS, script).splitlines()
    assert lines[0].startswith("no class 'party': ") and "or an EC" in lines[0]
    assert lines[1].startswith("no class 'x'")
    assert "must be callable" in lines[2]
