# SPDX-License-Identifier: MIT
"""A guest's own breakpoints, watchpoints, steps and OS lock; and the hypervisor's beside them."""

from guestcode import assemble, link, run

# Each exception is noted at x27: ESR, ELR, of a watchpoint FAR too. What was hit is switched off, a step goes on while x26 counts, an SVC
# of EL0 goes back to x25.
GUEST = """
    adr x0, table
    msr vbar_el1, x0
    load x27, 0x40100000
    msr oslar_el1, xzr
    isb
    bl part_break
    bl part_watch
    bl part_step
    bl part_break_el1
    bl part_step_el1
    bl part_lock
    hvc #0x100

.macro to_el0 label, ss=0
    adr x25, 1f
    adr x1, \\label
    msr elr_el1, x1
    load x1, (0x1c0 | \\ss << 21)
    msr spsr_el1, x1
    load x1, 0x40110000
    eret
1:
.endm

part_break:                             // of EL0 only: EL1 runs through it first
    adr x1, user_break
    msr dbgbvr0_el1, x1
    mov x1, #0x1e5
    msr dbgbcr0_el1, x1
    mov x1, #0x8000
    msr mdscr_el1, x1
    isb
    mov x0, #0
    to_el0 user
    ret

part_watch:
    load x1, 0x40110008
    msr dbgwvr0_el1, x1
    mov x2, #0x1ff5                     // stores of EL0
    msr dbgwcr0_el1, x2
    isb
    str xzr, [x1]
    to_el0 user_store
    ret

part_step:
    mov x1, #1
    msr mdscr_el1, x1
    mov x26, #3
    to_el0 user, 1
    msr mdscr_el1, xzr
    ret

part_break_el1:
    adr x1, break_el1
    msr dbgbvr1_el1, x1
    mov x1, #0x1e3
    msr dbgbcr1_el1, x1
    mov x1, #0x8000                     // without KDE: not of EL1's own code
    msr mdscr_el1, x1
    msr daifclr, #8
    isb
    mov x2, #0
1:  add x2, x2, #1
break_el1:
    nop
    mov x1, #0xa000
    msr mdscr_el1, x1                   // now with it
    isb
    tbz x2, #1, 1b
    msr mdscr_el1, xzr
    ret

part_step_el1:
    msr daifset, #8
    mov x1, #0x2001
    msr mdscr_el1, x1
    isb
    mov x26, #3
    adr x1, step_el1
    msr elr_el1, x1
    load x1, 0x2001c5                   // EL1h, SS, D clear
    msr spsr_el1, x1
    eret
step_el1:
    add x3, x3, #1
    mrs x4, midr_el1
    mrs x4, actlr_el1                   // EL2 does this one
    add x3, x3, #1
    msr mdscr_el1, xzr
    ret

part_lock:                              // BRK comes all the same
    mov x1, #1
    msr oslar_el1, x1
    adr x1, lock
    msr dbgbvr1_el1, x1
    mov x1, #0x1e3
    msr dbgbcr1_el1, x1
    mov x1, #0xa000
    msr mdscr_el1, x1
    isb
    mov x2, #0
lock:
    nop
    mrs x1, oslsr_el1
    str x1, [x27], #8
lock_brk:
    brk #9
    msr oslar_el1, xzr
    add x2, x2, #1
    tbz x2, #1, lock
    msr mdscr_el1, xzr
    ret

user:
    add x0, x0, #1
user_break:
    add x0, x0, #1
    add x0, x0, #1
    svc #1
user_store:
    str x0, [x1, #4]
    strb w0, [x1, #9]
    svc #2

on_exception:
    mrs x28, esr_el1
    str x28, [x27], #8
    mrs x29, elr_el1
    str x29, [x27], #8
    lsr x28, x28, #26
    cmp x28, #0x15
    b.eq 5f
    cmp x28, #0x3c
    b.eq 4f
    bic x28, x28, #1
    cmp x28, #0x30
    b.eq 1f
    cmp x28, #0x32
    b.eq 2f
    cmp x28, #0x34
    b.eq 3f
    hvc #0x100
1:  mrs x28, spsr_el1
    tbnz x28, #2, 6f
    msr dbgbcr0_el1, xzr
    eret
6:  msr dbgbcr1_el1, xzr
    eret
2:  mrs x28, spsr_el1
    subs x26, x26, #1
    b.eq 7f
    orr x28, x28, #(1 << 21)
    msr spsr_el1, x28
    eret
7:  bic x28, x28, #(1 << 21)
    msr spsr_el1, x28
    msr mdscr_el1, xzr
    eret
3:  mrs x29, far_el1
    str x29, [x27], #8
    msr dbgwcr0_el1, xzr
    eret
4:  mrs x28, elr_el1
    add x28, x28, #4
    msr elr_el1, x28
    eret
5:  msr elr_el1, x25
    mov x28, #0x3c5
    msr spsr_el1, x28
    eret
    vectors table
"""

SCRIPT = """
import struct
def notes(vm, n):
    data = vm.memory[0x4010_0000 : 0x4010_0000 + 8 * n]
    return " ".join(hex(word) for word in struct.unpack(f"<{n}Q", data))
def fresh(vm):
    vm.memory[0x4010_0000:0x4010_0400] = bytes(0x400)
    cpu = vm.cpu[0]
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    return cpu
"""


def expected(at):
    """The notes of GUEST."""
    notes = [
        *(0xC2000022, at["user_break"], 0x56000001, at["user_store"]),
        *(0xD2000062, at["user_store"], 0x40110008, 0x56000002, at["on_exception"]),
        *(0xCB000022, at["user"] + 4, 0xCB000022, at["user"] + 8, 0xCB000022, at["user"] + 12),
        *(0x56000001, at["user_store"], 0xC6000022, at["break_el1"]),
        *(0xCF000022, at["step_el1"] + 4, 0xCF000022, at["step_el1"] + 8),
        *(0xCE000022, at["step_el1"] + 12),
        *(0xA, 0xF2000009, at["lock_brk"], 0xC6000022, at["lock"], 8, 0xF2000009, at["lock_brk"]),
    ]
    return " ".join(hex(word) for word in notes)


def test_its_own(each_target):
    """Breakpoints and watchpoints of EL0 and EL1, steps of both, with KDE and without, and the OS lock."""
    code, at = link(GUEST)
    script = """
vm = guest(code)
for _ in range(2):      # and after a reset
    cpu = fresh(vm)
    print(vm.run(60_000).reason, hex(cpu.sysreg["DBGBCR1_EL1"]), cpu.sysreg["OSLSR_EL1"])
    print(notes(vm, COUNT))
cpu.reset(0x4008_0000)
print(hex(cpu.sysreg["OSLSR_EL1"]), hex(cpu.sysreg["DBGBVR1_EL1"]), hex(cpu.sysreg["MDSCR_EL1"]))
"""
    want = expected(at)
    got = run(each_target, code, SCRIPT + script, COUNT=len(want.split())).splitlines()
    assert got == ["stop 0x0 8", want] * 2 + ["0xa 0x0 0x0"]


def test_beside_the_hypervisors(each_target):
    """What EL2 takes hits, and the guest notes what it notes alone, though all its debug exceptions come by EL2."""
    code, at = link(GUEST)
    script = """
vm = guest(code)
seen = []
vm.exception(0x30, lambda cpu, esr: seen.append(("break", hex(cpu.pc))))
vm.exception(0x34, lambda cpu, esr: seen.append(("watch", hex(cpu.pc))) or hv.SKIP)
breaks = [vm._vm.debug("break", AT[name], 0x1E7) for name in ("user", "user_break", "break_el1", "lock")]
watches = [vm._vm.debug("watch", 0x4011_0000, 0x1E17 | 6)]
print(breaks, watches)
for _ in range(2):
    fresh(vm)
    seen.clear()
    print(vm.run(60_000).reason)
    print(notes(vm, COUNT))
    print(seen)
for i in breaks:
    vm._vm.debug("break", None, i)
vm._vm.debug("watch", None, watches[0])
fresh(vm)
seen.clear()
print(vm.run(60_000).reason, notes(vm, COUNT) == notes(vm, COUNT), seen)
print(notes(vm, COUNT))
"""
    want = expected(at)
    got = run(each_target, code, SCRIPT + script, COUNT=len(want.split()), AT=at).splitlines()
    user, broken = ("break", hex(at["user"])), ("break", hex(at["user_break"]))
    el1, lock = ("break", hex(at["break_el1"])), ("break", hex(at["lock"]))
    hits = [user, broken, broken, ("watch", hex(at["user_store"])), user, broken]
    hits += [el1, el1, el1, lock, lock, lock]
    assert got[0] == "[5, 4, 3, 2] [3]"
    assert got[1:4] == got[4:7]
    assert got[1:3] == ["stop", want]
    assert got[3] == str(hits)
    assert got[7:] == ["stop True []", want]


# A breakpoint in the guest's last register and a watchpoint in its last, over and over; HVC 0x101 asks the script.
LOOP = """
    adr x0, table
    msr vbar_el1, x0
    msr oslar_el1, xzr
    adr x1, place
    msr dbgbvr5_el1, x1
    load x1, 0x40110008
    msr dbgwvr3_el1, x1
    load x2, 0x1ff3
    mov x3, #0xa000
    msr mdscr_el1, x3
    msr daifclr, #8
1:  mov x4, #0x1e3
    msr dbgbcr5_el1, x4
    msr dbgwcr3_el1, x2
    isb
place:
    nop
    str x1, [x1]
    hvc #0x101
    b 1b
on_exception:
    mrs x28, esr_el1
    lsr x28, x28, #26
    cmp x28, #0x31
    b.ne 1f
    add x20, x20, #1
    msr dbgbcr5_el1, xzr
    eret
1:  cmp x28, #0x35
    b.ne 2f
    add x21, x21, #1
    msr dbgwcr3_el1, xzr
    eret
2:  hvc #0x100
    vectors table
"""


def test_all_taken(each_target):
    """The hypervisor has them all, from a handler: the guest's are out meanwhile, move where there is room, and come back."""
    script = """
vm = guest(code)
free, seen = vm._vm.debug, []
def asked(cpu):
    seen.append((cpu.x[20], cpu.x[21]))
    cpu.x[20] = cpu.x[21] = 0
    if len(seen) == 1:
        print([free("break", 0x4020_0000, 0x1E7) for _ in range(7)], [free("watch", 0x4020_0000, 0x1FFF) for _ in range(5)])
    elif len(seen) == 2:            # one of each: the guest's go there
        free("break", None, 1), free("watch", None, 2)
    elif len(seen) == 3:            # one is not one of each
        print(free("break", 0x4020_0000, 0x1E7))
    elif len(seen) == 4:
        for i in range(6):
            free("break", None, i), free("watch", None, i)
    else:
        return hv.STOP
vm.hvc(imm=0x101, handler=asked)
print(vm.run(60_000).reason, seen)
"""
    assert run(each_target, assemble(LOOP), script).splitlines() == [
        "[5, 4, 3, 2, 1, 0, None] [3, 2, 1, 0, None]",
        "1",
        "stop [(1, 1), (0, 0), (1, 1), (0, 1), (1, 1)]",
    ]


# Steps EL0 for ever, hits a breakpoint each time round; x22 counts what has been right, x23 what has not.
TWO = """
    adr x0, table
    msr vbar_el1, x0
    msr oslar_el1, xzr
    load x1, 0x8001
    msr mdscr_el1, x1
    adr x1, middle
    add x1, x1, x19, lsl #2             // another place in each VM
    msr dbgbvr2_el1, x1
    mov x3, x1
    mov x1, #0x1e5
    msr dbgbcr2_el1, x1
    mov x20, #0
    mov x22, #0
    mov x23, #0
    load x24, 0x200000                  // SPSR_EL1 of EL0: one step
again:
    adr x25, middle
    msr elr_el1, x25
    msr spsr_el1, x24
    mov x21, #0
    eret
middle:
    add x20, x20, #1
    add x20, x20, #1
    add x20, x20, #1
    svc #0
on_exception:
    mrs x26, esr_el1
    mrs x27, elr_el1
    lsr x26, x26, #26
    cmp x26, #0x15
    b.eq 3f
    cmp x26, #0x30
    b.eq 2f
    cmp x26, #0x32
    b.ne bad
    add x25, x25, #4                    // a step: the next instruction
    cmp x25, x27
    b.ne bad
1:  msr spsr_el1, x24
    eret
2:  cmp x27, x3                         // the breakpoint: once, where it is
    b.ne bad
    cbnz x21, bad
    mov x21, #1
    msr dbgbcr2_el1, xzr
    b 1b
3:  cbz x21, bad
    mov x1, #0x1e5
    msr dbgbcr2_el1, x1
    add x22, x22, #1
    b again
bad:
    add x23, x23, #1
    hvc #0x100
    vectors table
"""


def test_two_vms_that_move(each_target):
    """Both use them at once, on all cores in turn, and one with the hypervisor beside it."""
    script = """
import time
a, b = guest(code), guest(code)
hits = []
a.exception(0x30, lambda cpu, esr: hits.append(cpu.pc))
b.cpu[0].x[19] = 2
def rounds(vm):
    vm.pause()
    n = vm.cpu[0].x[22], vm.cpu[0].x[23]
    vm.start()
    return n
def go_on():
    begin = rounds(a), rounds(b)
    end = begin
    while min(end[0][0] - begin[0][0], end[1][0] - begin[1][0]) < 50:
        assert a.running and b.running and not end[0][1] and not end[1][1], (a.exit, b.exit, end)
        time.sleep_ms(5)
        end = rounds(a), rounds(b)
a.start(), b.start()
taken = None
for core in [None] + list(range(hv.platform()["cpus"])) + [None]:
    a.cpu[0].pin = b.cpu[0].pin = core
    go_on()
    if core is not None:
        b.cpu[0].pin = None
        go_on()
    a.pause()
    if taken is None:
        taken = a._vm.debug("break", AT["middle"] + 8, 0x1E7)
    else:
        a._vm.debug("break", None, taken)
        taken = None
    a.start()
go_on()
a.pause(), b.pause()
print(a.cpu[0].x[23], b.cpu[0].x[23], len(hits) > 0, set(hits) == {AT["middle"] + 8})
"""
    code, at = link(TWO)
    assert run(each_target, code, script, AT=at) == "0 0 True True\n"


def test_cpu_on(each_target):
    """A vCPU begins with its OS lock set and nothing armed, whoever had its core before; and has what the hypervisor took."""
    code = """
    mov x1, #0x1e3
    msr dbgbcr0_el1, x1
    load x1, 0x1234
    msr dbgbvr0_el1, x1
    mov x1, #0xa000
    msr mdscr_el1, x1
    load x0, 0xc4000003                 // PSCI CPU_ON
    mov x1, #1
    adr x2, second
    mov x3, #0
    hvc #0
    b .
second:
    mrs x1, oslsr_el1
    mrs x2, mdscr_el1
    mrs x3, dbgbcr0_el1
    mrs x4, dbgbvr0_el1
place:
    nop
    hvc #0x100
"""
    script = """
hits = []
for reset in (False, True):
    vm = guest(code, cpus=2) if not reset else vm
    if reset:
        vm.reset()
        vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
        vm.cpu[0].reset(0x4008_0000)
    else:
        vm.exception(0x30, lambda cpu, esr: hits.append((cpu.id, hex(cpu.pc))))
        vm._vm.debug("break", AT["place"], 0x1E7)
    print(vm.run(60_000).reason, [hex(vm.cpu[1].x[n]) for n in (1, 2, 3, 4)], hits)
"""
    code, at = link(code)
    hits = [(1, hex(at["place"]))]
    assert run(each_target, code, script, AT=at).splitlines() == [
        f"stop ['0xa', '0x0', '0x0', '0x0'] {hits * n}" for n in (1, 2)
    ]
