# SPDX-License-Identifier: MIT
"""A guest's performance monitors: they count it, and nobody else."""

from guestcode import assemble, run

# x0 is the answer of each HVC 0x101, in turn; x28 is the GIC's version, 23 the PMU's interrupt.
COUNTS = """
    adr x0, table
    msr vbar_el1, x0
    isb
    mrs x0, pmcr_el0
    hvc #0x101
    mov x1, #(1 << 6 | 1)               // LC, E
    msr pmcr_el0, x1
    mov x1, #(1 << 31)
    msr pmcntenset_el0, x1
    isb
    mrs x2, pmccntr_el0
    mov x3, #1000
1:  subs x3, x3, #1
    b.ne 1b
    mrs x4, pmccntr_el0
    cmp x4, x2
    cset x0, hi
    hvc #0x101
    msr pmcntenclr_el0, x1              // stands still
    mrs x2, pmccntr_el0
    mov x3, #1000
1:  subs x3, x3, #1
    b.ne 1b
    mrs x4, pmccntr_el0
    sub x0, x4, x2
    hvc #0x101

    mov x1, #5                          // SW_INCR in counters 1 and 2, 2 not of EL1
    msr pmselr_el0, x1
    mov x1, #0x11
    msr pmxevtyper_el0, x1
    mov x1, #(1 << 31)
    msr pmevtyper2_el0, x1
    mov x1, #0xfffffffe
    msr pmevcntr1_el0, x1
    mov x1, #6
    msr pmcntenset_el0, x1
    mov x2, #0xff
    msr pmswinc_el0, x2
    msr pmswinc_el0, x2
    mrs x0, pmovsset_el0
    hvc #0x101
    msr pmswinc_el0, x2
    mrs x1, pmevcntr1_el0
    mrs x2, pmevcntr2_el0
    mrs x3, pmevtyper5_el0
    mrs x4, pmcntenset_el0
    mov x0, x1
    bfi x0, x2, #8, #8
    bfi x0, x3, #16, #8
    bfi x0, x4, #24, #8
    hvc #0x101

    bl gic                              // its overflow is an interrupt
    mov x1, #2
    msr pmintenset_el1, x1
    msr daifclr, #2
    isb
    msr pmovsclr_el0, xzr
    mov x0, x20
    hvc #0x101
    msr pmcntenclr_el0, x1
    mov x1, #(1 << 31)                  // and so is the cycle counter's
    msr pmintenset_el1, x1
    mov x2, #-1000
    msr pmccntr_el0, x2
    mov x20, #0
    msr pmcntenset_el0, x1
1:  cbz x20, 1b
    mov x0, x20
    hvc #0x101

    msr pmcr_el0, xzr                   // EL0 has what PMUSERENR_EL0 says
    mov x19, #0
2:  msr pmuserenr_el0, x19
    adr x1, user
    msr elr_el1, x1
    mov x1, #0x3c0
    msr spsr_el1, x1
    mov x0, #0
    mov x21, #1
    eret
back:
    hvc #0x101
    add x19, x19, #1
    cmp x19, #16
    b.ne 2b
    mov x1, #6                          // all of it again
    msr pmcr_el0, x1
    mrs x0, pmevcntr1_el0
    mrs x1, pmccntr_el0
    add x0, x0, x1
    hvc #0x101
    hvc #0x100

.macro try instruction
    \\instruction
    orr x0, x0, x21
    lsl x21, x21, #1
.endm
user:
    try "mrs x9, pmccntr_el0"
    try "mrs x9, pmevcntr3_el0"
    try "mrs x9, pmxevcntr_el0"
    try "msr pmselr_el0, x9"
    try "msr pmswinc_el0, x9"
    try "mrs x9, pmcr_el0"
    try "mrs x9, pmuserenr_el0"
    try "msr pmevcntr3_el0, x9"
    svc #0

gic:
    mov x0, #0xf8
    mov x3, #1
    mov x4, #(1 << 23)
    load x1, 0x08000000
    load x2, 0x08010000
    cmp x28, #3
    b.eq 1f
    str w3, [x1]
    str w4, [x1, #0x100]
    str w0, [x2, #4]
    str w3, [x2]
    ret
1:  mov w3, #0x12
    str w3, [x1]
    load x1, 0x080a0000
    str wzr, [x1, #0x14]
    load x1, 0x080b0000
    mov w3, #-1
    str w3, [x1, #0x80]
    str w4, [x1, #0x100]
    msr S3_0_C4_C6_0, x0
    mov x3, #1
    msr S3_0_C12_C12_7, x3
    isb
    ret

interrupted:
    cmp x28, #3
    b.eq 1f
    load x26, 0x08010000
    ldr w20, [x26, #0xc]
    mov w25, #-1
    msr pmovsclr_el0, x25
    str w20, [x26, #0x10]
    eret
1:  mrs x20, S3_0_C12_C12_0
    mov w25, #-1
    msr pmovsclr_el0, x25
    msr S3_0_C12_C12_1, x20
    eret

on_exception:
    mrs x25, esr_el1
    lsr x26, x25, #26
    cmp x26, #0x15
    b.eq back
    cmp x26, #0x18
    b.eq 1f
    cmp x26, #0
    b.eq 1f
    hvc #0x100
1:  mrs x25, elr_el1                    // over it, and over the note of it
    add x25, x25, #8
    msr elr_el1, x25
    eret
    .balign 2048
table:
    .rept 5
    .balign 128
    b on_exception
    .endr
    .balign 128
    b interrupted
    .rept 10
    .balign 128
    b on_exception
    .endr
"""

USER = {  # PMUSERENR_EL0 -> what EL0 may of: cycles, counter, selected, select, increment, control, itself, write
    0: 0x40,
    2: 0x50,
    4: 0x41,
    6: 0x51,
    8: 0x4E,
    10: 0x5E,
    12: 0x4F,
    14: 0x5F,
}


def test_registers(each_target):
    """Cycles, software increments, overflow and its interrupt, EL0's leave; and after a reset all is as at first."""
    script = """
vm = guest(code)
for _ in range(2):
    vm.cpu[0].reset(0x4008_0000)
    vm.cpu[0].x[28] = hv.platform()["gic"]
    got = []
    vm.hvc(imm=0x101, handler=lambda cpu: got.append(hex(cpu.x[0])))
    print(vm.run(60_000).reason, *got)
vm.cpu[0].reset(0x4008_0000)
print([hex(vm.cpu[0].sysreg[name]) for name in ("PMCR_EL0", "PMCNTENSET_EL0", "PMCCNTR_EL0", "PMUSERENR_EL0", "PMINTENSET_EL1")])
"""
    user = [hex(USER.get(n, 0xFF)) for n in range(16)]
    want = ["0x41033000", "0x1", "0x0", "0x2", "0x6110001", "0x17", "0x17", *user, "0x0"]
    got = run(each_target, assemble(COUNTS), script).splitlines()
    assert got == [" ".join(["stop", *want])] * 2 + ["['0x41033000', '0x0', '0x0', '0x0', '0x0']"]


def test_only_while_it_runs(each_target):
    """Not while it is stopped, nor while another VM runs that counts too, on whichever core; nor what EL2 does for it."""
    code = """
    mov x1, #(1 << 6 | 1)
    msr pmcr_el0, x1
    mov x1, #(1 << 31)
    msr pmcntenset_el0, x1
    isb
1:  hvc #0x100
    isb
    mrs x2, pmccntr_el0
    nop
    hvc #0x101
    mrs x3, pmccntr_el0
    mov x4, x19
2:  cbz x4, 1b
    sub x4, x4, #1
    b 2b
"""
    script = """
import time
a, b = guest(code), guest(code)
def slow(cpu):
    begin = time.ticks_ms()
    time.sleep_ms(300)
    spent.append(time.ticks_diff(time.ticks_ms(), begin))
a.hvc(imm=0x101, handler=slow)
b.hvc(imm=0x101, handler=lambda cpu: None)
def cycles(vm):
    return vm.cpu[0].sysreg["PMCCNTR_EL0"]
a.run(60_000), b.run(60_000)
first = cycles(a), cycles(b)
time.sleep_ms(50)
b.cpu[0].x[19] = 1_000_000
b.run(60_000)
print(cycles(a) == first[0], cycles(b) > first[1])
def call(core):
    global spent
    before, spent = cycles(a), []
    a.cpu[0].pin = core
    a.start()
    while a.running:
        time.sleep_ms(1)
    took = (a.cpu[0].x[3] - a.cpu[0].x[2]) // 1_000_000     # of 1 GHz, as ms; the rest is what the host took
    return a.exit.reason, cycles(a) > before, took < spent[0] // 2
for core in range(hv.platform()["cpus"]):
    for i in range(9):                                      # a guest that had to wait for the host is asked again
        got = call(core)
        if got[2]:
            break
    print(*got)
"""
    lines = run(each_target, code, script).splitlines()
    assert lines[0] == "True True" and len(lines) in (2, 5)
    assert set(lines[1:]) == {"stop True True"}


def test_instructions(boot):
    """INST_RETIRED, where the machine can count them: EL1's, not EL2's or another guest's."""
    code = """
    mov x1, #8
    msr pmevtyper5_el0, x1
    mov x1, #1
    msr pmcr_el0, x1
    mov x1, #(1 << 5)
    msr pmcntenset_el0, x1
    isb
    mrs x2, pmevcntr5_el0
    mov x4, #1000
2:  sub x4, x4, #1
    cbnz x4, 2b
    hvc #0x101
    mrs x3, pmevcntr5_el0
    hvc #0x100
"""
    script = """
vm = guest(code)
vm.hvc(imm=0x101, handler=lambda cpu: sum(range(100)) and None)
print(vm.run(60_000).reason, vm.cpu[0].x[3] - vm.cpu[0].x[2])
hv.bench()
"""
    out = run(boot(icount=True), code, script, 60)
    assert out.startswith("stop 200") and "instructions an exit" in out
