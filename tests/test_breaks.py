# SPDX-License-Identifier: MIT
"""Breakpoints: planted in a guest's code, found in C, stepped over without being seen or slipped past."""

import pytest
from guestcode import assemble, link, run
from test_watch import MMU

# A function with what kernels' functions begin with, called x20 times; x28 is its sum.
LOOP = """
    mov x28, #0
    mov x20, #100
    mov x29, #0
1:  mov x0, x20
    bl double
    add x28, x28, x0
    subs x20, x20, #1
    b.ne 1b
    hvc #0x100
    .balign 64
double:
    mov x9, x30
    nop
    stp x29, x30, [sp, #-16]!
    mov x29, sp
    add x0, x0, x0
    ldp x29, x30, [sp], #16
    ret
"""


def guest(source):
    code, names = link(source)
    return {"source": code, "at": names}


def test_a_function_at_each_instruction(each_target):
    """At each instruction of a function by turns: called each time, the guest computes what it does without."""
    code, at = link(LOOP)
    script = """
vm = guest(code)
cpu = vm.cpu[0]
def go():
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    exit = vm.run(60_000)
    return exit.reason, cpu.x[28], hex(cpu.sp), hex(cpu.x[29])
before = go()
for n in range(7):
    seen = []
    bp = vm.on(at["double"] + 4 * n, lambda cpu: seen.append(cpu.x[20]))
    counted = vm.on(ipa=at["double"] + 4 * n, action="count")
    print(n, go() == before, len(seen), seen[:2], bp.hits, counted.hits, vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] == code)
    bp.remove()
    counted.remove()
print(before, vm.breaks(), bp)
"""
    lines = run(each_target, code, script, 60, at=at).splitlines()
    assert lines[:7] == [f"{n} True 100 [100, 99] 100 100 True" for n in range(7)]
    assert lines[7].startswith("('stop', 10100, '0x40070000', '0x0') () <Breakpoint")
    assert lines[7].endswith(": removed>")


def test_what_it_does(target):
    """Stop, count, once, when and ret; a function that moves the guest; one that removes its breakpoint; one that raises."""
    code, at = link(LOOP)
    script = """
import hv
vm = guest(code)
cpu = vm.cpu[0]
def go():
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    return vm.run(60_000).reason, cpu.x[28]
start = at["double"]
stop = vm.on(start, action="stop", count=3)
exit = vm.run(60_000)
print(exit.reason, cpu.pc == start, cpu.x[20], stop.hits, vm.breaks())
print(vm.run(60_000).reason, cpu.x[20], stop.hits)
stop.off()
print(vm.run(60_000).reason, cpu.x[28], stop.hits)
stop.on(), stop.remove()
bp = vm.on(start, lambda cpu: hv.STOP, once=True)
print(go(), cpu.x[20], bp.hits, vm.run(60_000).reason, cpu.x[28])
bp.remove()
seen, came = [], []
bp = vm.on(start, lambda cpu: seen.append(cpu.x[0]), when=lambda cpu: cpu.x[20] % 10 == 0, count=2, ret=lambda cpu: came.append(cpu.x[0]))
print(go(), seen, came, bp.hits)
bp.remove()
@vm.on(start)
def twice(cpu):
    cpu.x[0] = 1
    cpu.pc = cpu.x[30]
print(go(), twice.hits)
twice.remove()
@vm.on(start)
def gone(cpu):
    gone.remove()
print(go(), vm.breaks())
@vm.on(start)
def bad(cpu):
    raise OSError("bad")
try:
    go()
except OSError as e:
    print(e, cpu.pc == start, bad.hits)
bad.off()
print(vm.run(60_000).reason, cpu.x[28], vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] == code)
bad.remove()
log = vm.on(start + 8, action="log", count=99)
print(go(), [(e.pc == start + 8, e.what, e.value) for e in hv.events()])
vm.close()
try:
    log.hits
except ValueError as e:
    print(e)
"""
    lines = run(target, code, script, 60, at=at).splitlines()
    begins = at["double"]
    assert lines == [
        f"stop True 98 3 (<Breakpoint {begins:#x}: 3 hits>,)",
        "stop 97 4",
        "stop 10100 4",
        "('stop', 0) 100 1 stop 10100",
        "('stop', 10100) [90, 80, 70, 60, 50, 40, 30, 20, 10] [180, 160, 140, 120, 100, 80, 60, 40, 20] 10",
        "('stop', 100) 100",
        "('stop', 10100) ()",
        "bad True 1",
        "stop 10100 True",
        f"('stop', 10100) [(True, 'break {begins + 8:#x}', 2), (True, 'break {begins + 8:#x}', 1)]",
        "this VM has been closed",
    ]


def test_options_together(target):
    """What is done at the entry, when=, count=, once= and ret=, each with each: told beforehand, and so it happens."""
    code, at = link(LOOP)
    script = """
import hv
vm = guest(code)
cpu = vm.cpu[0]
start = at["double"]
def go():
    "The calls in which the VM stopped, and whether at the entry."
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    stops = []
    while vm.run(60_000).reason == "stop" and cpu.x[20]:
        stops.append((cpu.x[20], cpu.pc == start))
    return stops
def tell(list, answer=None):
    def f(cpu):
        list.append(cpu.x[20])
        return answer
    return f
tried = 0
for what, when, count, once, ret in [(a, b, c, d, e)
    for a in ("f", "stops", "count", "log", "stop", None) for b in (None, lambda cpu: cpu.x[20] % 10 == 0)
    for c in (1, 3) for d in (False, True) for e in (None, "f", "stops") if a or e]:
    seen, came = [], []
    hv.events()
    f = tell(seen, hv.STOP if what == "stops" else None) if what in ("f", "stops") else None
    r = tell(came, hv.STOP if ret == "stops" else None) if ret else None
    bp = vm.on(start, f, ret=r, when=when, count=count, once=once, action=None if f else what)
    got = go(), cpu.x[28], bp.hits, seen if f else [e.value for e in hv.events()], came
    all = [n for n in range(100, 0, -1) if not when or n % 10 == 0]
    does = all[count - 1 : count if once else None]
    stops = [(n, entry) for n in does for entry in (True, False) if (what in ("stops", "stop") if entry else ret == "stops")]
    want = stops, 10100, count if once else len(all), does if f or what == "log" else [], does if ret else []
    if got != want:
        print(what, bool(when), count, once, ret, got, want)
    bp.remove()
    tried += 1
# Inside of a call, when it is switched off, and when the guest is reset: that call's return is nobody's.
for end in (lambda: bp.off(), vm.reset):
    came = []
    bp = vm.on(start, lambda cpu: hv.STOP, when=lambda cpu: not came and cpu.x[20] == 50, ret=tell(came))
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    vm.run(60_000)
    end()
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    bp.on()
    bp._when = lambda cpu: False
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    print(vm.run(60_000).reason, cpu.x[28], came)
    bp.remove()
print(tried, vm.breaks())
"""
    lines = run(target, code, script, 120, at=at).splitlines()
    assert lines == ["stop 10100 []", "stop 10100 []", "136 ()"]


# Calls itself; leaves by a branch to another function.
RETURNS = """
    mov x28, #0
    mov x20, #3
    mov x29, #0
1:  mov x0, #5
    bl factorial
    add x28, x28, x0
    bl tail
    subs x20, x20, #1
    b.ne 1b
    hvc #0x100
    .balign 64
factorial:
    stp x29, x30, [sp, #-32]!
    mov x29, sp
    str x0, [sp, #16]
inside:
    cbz x0, 2f
    sub x0, x0, #1
    bl factorial
within:
    ldr x1, [sp, #16]
    mul x0, x0, x1
    b 3f
2:  mov x0, #1
3:  ldp x29, x30, [sp], #32
    ret
tail:
    mov x1, #1
    b leaf
leaf:
    add x1, x1, #1
    ret
"""


def test_returns(target):
    """Of a function that calls itself, and by a branch to another: ret= and finish() are that call's. What ret= and when= may do."""
    code, at = link(RETURNS)
    script = """
vm = guest(code)
cpu = vm.cpu[0]
came = []
def go():
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    came.clear()
    exit = vm.run(60_000)
    return exit.reason, cpu.x[28]
bp = vm.on(at["factorial"], ret=lambda cpu: came.append(cpu.x[0]))
print(go(), came[:6], bp.hits == len(came))
bp.remove()
bps = [vm.on(at[name], ret=lambda cpu: came.append(cpu.pc)) for name in ("tail", "leaf")]
print(go(), len(came), len(set(came)), [bp.hits for bp in bps])
for bp in bps: bp.remove()
bp = vm.on(at["factorial"], ret=lambda cpu: hv.STOP, when=lambda cpu: cpu.x[0] == 3)
print(go(), cpu.pc == at["within"], cpu.x[0], bp.hits, [vm.run(60_000).reason for _ in range(3)], cpu.x[28])
bp.remove()
for n in (5, 4, 3, 2):
    if n == 5: cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000 if n == 5 else cpu.sp
    vm.until(at["inside"])
print(cpu.x[0], cpu.finish().reason, cpu.pc == at["within"], cpu.x[0], cpu.finish().reason, cpu.x[0], vm.breaks())
def bad(cpu): 1 // 0
for how in (dict(when=bad, f=print), dict(ret=bad), dict(f=bad)):
    bp = vm.on(at["leaf"], **how)
    try:
        go()
    except ZeroDivisionError:
        print(cpu.pc == at["leaf"], bp.hits)
    bp.remove()
    print(vm.run(60_000).reason, cpu.x[28])
bp = vm.on(at["leaf"], ret=lambda cpu: bp.remove())
print(go(), bp, vm.breaks())
bp = vm.on(at["factorial"], action="stop", ret=lambda cpu: came.append(cpu.x[0]), once=True)
print(go()[0], cpu.pc == at["factorial"], vm.run(60_000).reason, came, bp.hits)
bp.remove()
for how in (dict(where=at["leaf"] + 1), dict(where=-4), dict(ipa=2), dict(where=at["leaf"], pid=-1), dict(where=at["leaf"], count=0)):
    try:
        vm.on(action="count", **how)
    except ValueError as e:
        print(e)
"""
    leaf = at["leaf"]
    assert run(target, code, script, 60, at=at).splitlines() == [
        "('stop', 360) [1, 1, 2, 6, 24, 120] True",
        "('stop', 360) 6 1 [3, 3]",
        "('stop', 0) True 6 1 ['stop', 'stop', 'stop'] 360",
        "2 stop True 2 stop 6 ()",
        *("True 0", "stop 360", "False 1", "stop 360", "True 1", "stop 360"),
        f"('stop', 360) <Breakpoint {leaf:#x}: removed> ()",
        "stop True stop [120] 1",
        f"no instruction is at {leaf + 1:#x}: they are at multiples of 4",
        "no instruction is at -0x4: they are at multiples of 4",
        "IPA 0x2: a breakpoint is planted in RAM, in place of an instruction of 4 bytes",
        "pid= is a process's number, or a TTBR0_EL1, not -1",
        "count= is the number of the first hit that counts, from 1 on, not 0",
    ]


# Instructions that software does not do, or that trap; a program at EL0; the guest's own HVC and BRK with our immediate.
ODD = """
    adr x0, vectors_at
    msr vbar_el1, x0
    mov x0, #3 << 20
    msr cpacr_el1, x0
    isb
    mov x28, #0
    mov x20, #20
again:
    fmov d0, #1.0
    mrs x1, midr_el1
    msr tpidr_el1, x20
    ldr x2, =0xB000000
here:
    str w20, [x2]
    ldr w3, [x2]
own:
    hvc #0xE100
    brk #0xE100
    svc #5
    mov x0, #0x84000000
    hvc #0
    add x28, x28, x0
    smc #0
    msr daifset, #2
    mrs x4, daif
    msr daifclr, #2
    isb
    tlbi vmalle1
    dsb sy
    dc civac, x29
    wfe
    .word 0
    adr x5, lock
3:  ldaxr w6, [x5]
    add w6, w6, #1
middle:
    add w6, w6, #0
    stlxr w7, w6, [x5]
    cbnz w7, 3b
    subs x20, x20, #1
    b.ne again
the_end:
    ldr w27, [x5]
    hvc #0x100
    vectors vectors_at
on_exception:
    add x26, x26, #1
    mrs x24, esr_el1
    mrs x25, elr_el1
    lsr x24, x24, #26
    cmp x24, #0x15
    b.eq 1f
    add x25, x25, #4
    msr elr_el1, x25
1:  eret
    .balign 4096
lock: .word 0
"""


def test_odd_instructions(each_target):
    """At each of instructions that trap, fault, synchronise or exclude: once each time, and nothing is different."""
    code, at = link(ODD)
    script = """
import hv, time
vm = guest(code)
cpu = vm.cpu[0]
seen = []
def run():
    if cpu.pin is None:
        return vm.run(60_000)
    vm.start()
    while vm.running:
        time.sleep_ms(1)
    return vm.exit
vm.mmio(0xB00_0000, 0x1000, lambda cpu, offset, value: 7 if value is None else seen.append(value))
vm.hvc(imm=0xE100, handler=lambda cpu: seen.append("own"))
def go(begin=0x4008_0000):
    seen.clear()
    cpu.reset(begin)
    cpu.sp = 0x4007_0000
    vm.memory[at["lock"] : at["lock"] + 4] = bytes(4)
    exit = run()
    return exit.reason, hex(cpu.pc), [cpu.x[n] for n in (0, 1, 3, 4, 20, 26, 27, 28)], len(seen)
before = go()
wrong = []
for place in range(at["again"], at["the_end"], 4):
    bp = vm.on(ipa=place, action="count")
    got, after = go(), bp.hits
    if got != before or after != 20:
        wrong.append((hex(place), after, got))
    bp.remove()
print(before, wrong)
# On another core what needs Python is finished by the boot core; a handler that raises, or that has it done again.
cpu.pin = hv.platform()["cpus"] - 1
for place in (at["here"], at["own"], at["own"] + 4):
    for action in (dict(action="count"), dict(f=lambda cpu: handled.append(cpu.pc))):
        handled = []
        bp = vm.on(ipa=place, **action)
        print(go() == before, bp.hits, len(handled))
        bp.remove()
cpu.pin = None
odd = []
def own(cpu):
    what = odd.pop() if odd else ""
    if what == "raise": raise OSError(what)
    return hv.RETRY if what else seen.append("own")
vm.hvc(imm=0xE100, handler=None), vm.hvc(imm=0xE100, handler=own)
vm.stage2.map(0x7000_0000, vm.stage2.translate(0x4008_0000), 0x1_0000)
for begin, where in ((0x4008_0000, dict(ipa=at["own"])), (0x7000_0000, dict(where=at["own"] - 0x4008_0000 + 0x7000_0000))):
    bp = vm.on(action="count", **where)
    odd.extend(["raise", "retry"])
    try:
        print(go(begin))
    except OSError as e:
        print(bp.kind, e, bp.hits, vm.run(60_000).reason, bp.hits, len(seen) == before[3])
    bp.remove()
vm.stage2.unmap(0x7000_0000, 0x1_0000)
# All of them at once, and their vectors; a function at every third.
handled = []
bps = [vm.on(ipa=place, action="count") for place in range(at["again"], at["the_end"], 4)]
fs = [vm.on(ipa=place, f=lambda cpu: handled.append(cpu.pc)) for place in range(at["again"], at["the_end"], 12)]
vs = [vm.on(ipa=at["vectors_at"] + 0x200, action="count"), vm.on(ipa=at["on_exception"], action="count")]
print(go() == before, {bp.hits for bp in bps}, {bp.hits for bp in fs}, len(handled) == 20 * len(fs), [bp.hits for bp in vs])
text = vm.memory[0x4008_0000 : 0x4008_0000 + len(code)]
print(text[: at["lock"] - 0x4008_0000] == code[: at["lock"] - 0x4008_0000])
"""
    lines = run(each_target, code, script, 60, at=at).splitlines()
    assert lines[0].startswith("('stop', ") and lines[0].endswith(" []"), lines[0]
    assert lines[1:7] == ["True 20 0", "True 20 20"] * 3
    assert lines[7:9] == [f"{kind} raise 1 stop 20 True" for kind in ("planted", "hardware")]
    assert lines[9:] == ["True {20} {20} True [60, 60]", "True"]


# Four vCPUs in one function, 50 times each, and a lock that all want.
MANY = """
    mov x19, #3
    adr x21, stacks
1:  ldr x0, =0xC4000003         // PSCI CPU_ON
    mov x1, x19
    adr x2, other
    mov x3, x19
    hvc #0
    subs x19, x19, #1
    b.ne 1b
    mov x0, #0
other:
    mov x22, x0
    adr x21, stacks
    add x21, x21, x0, lsl #8
    mov sp, x21
    mov x0, #3 << 20
    msr cpacr_el1, x0
    isb
    mov x20, #50
2:  bl work
    subs x20, x20, #1
    b.ne 2b
    adr x5, done
3:  ldaxr w6, [x5]
    add w6, w6, #1
    stlxr w7, w6, [x5]
    cbnz w7, 3b
    cbnz x22, 5f
4:  ldar w6, [x5]
    cmp w6, #4
    b.ne 4b
    hvc #0x100
5:  wfi
    b 5b
    .balign 64
work:
    mov x9, x30
    nop
    stp x29, x30, [sp, #-16]!
    fmov d0, x20
    adr x5, lock
6:  ldaxr w6, [x5]
    add w6, w6, #1
between:
    add w6, w6, #1
    stlxr w7, w6, [x5]
    cbnz w7, 6b
    fmov x1, d0
    ldp x29, x30, [sp], #16
    ret
    .balign 4096
lock: .word 0
    .balign 64
done: .word 0
    .balign 256
    .space 256
stacks:
    .space 1024
"""


@pytest.mark.parametrize("gic", [2, 3])
def test_four_cpus(boot, gic):
    """200 calls by four vCPUs are 200 hits, at every instruction; what the function does is right."""
    target = boot(gic=gic, smp=4)
    code, at = link(MANY)
    script = """
vm = guest(code, cpus=4)
cpu = vm.cpu[0]
def go():
    vm.reset()
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    cpu.pc = 0x4008_0000
    exit = vm.run(60_000)
    return exit.reason, int.from_bytes(vm.memory[at["lock"] : at["lock"] + 4], "little")
print(go())
end = at["work"] + 12 * 4
seen = []
for place in range(at["work"], end + 4, 4):
    tries = 0
    bp = vm.on(ipa=place, action="count")
    got = go()
    if got != ("stop", 400) or (bp.hits != 200 and not (at["work"] + 20 <= place <= at["work"] + 36 and bp.hits >= 200)):
        print(hex(place), got, bp.hits)
    bp.remove()
f = vm.on(at["work"], lambda cpu: seen.append(cpu.id))
g = vm.on(at["work"] + 12, action="count")
h = vm.on(at["between"], lambda cpu: seen.append(cpu.id))
print(go(), f.hits, g.hits, h.hits >= 200, {n: seen.count(n) >= 100 for n in range(4)})
"""
    lines = run(target, code, script, 300, at=at).splitlines()
    assert lines == [
        "('stop', 400)",
        "('stop', 400) 200 200 True {0: True, 1: True, 2: True, 3: True}",
    ]


# Reads its own text, sums it; writes an instruction of it anew; calls it.
READS = """
    adr x1, double
    mov x2, #8
    mov x28, #0
1:  ldr w3, [x1], #4
    add x28, x28, x3
    subs x2, x2, #1
    b.ne 1b
    adr x1, double
    ldp w26, w27, [x1]
    ldrh w25, [x1, #2]
    mov x0, #5
    bl double
    mov x19, x0
    ldr w4, other
    str w4, [x1, #4]            // SUB for ADD
    dc cvau, x1
    dsb ish
    ic ivau, x1
    dsb ish
    isb
    ldr w5, [x1, #4]
    cmp w4, w5
    cset x24, eq
    mov x0, #5
    bl double
    mov x20, x0
    hvc #0x100
other: sub x0, x0, #1
    .balign 64
double:
    nop
    add x0, x0, x0
    nop
    nop
    ret
    .balign 64
"""


def test_hidden_and_kept(each_target):
    """A guest that reads its text finds its own; what it writes there it finds, and executes, and is counted at still."""
    code, at = link(READS)
    script = """
vm = guest(code)
cpu = vm.cpu[0]
def go():
    cpu.reset(0x4008_0000)
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    return vm.run(60_000).reason, [hex(cpu.x[n]) for n in (19, 20, 24, 25, 26, 27, 28)]
before = go()
bps = [vm.on(at["double"] + 4 * n, action="count") for n in range(5)]
print(go() == before, [bp.hits for bp in bps], before[1][:3])
vm.reset()
print(go() == before, [bp.hits for bp in bps])
vm.memory[at["double"] + 1] = 0x20
print(hex(vm.memory[at["double"] + 1]), vm.memory[at["double"] : at["double"] + 4] == b"\\x1f\\x20\\x03\\xd5")
for bp in bps: bp.remove()
print(go() == before, vm.memory[at["double"] : at["double"] + 4] == b"\\x1f\\x20\\x03\\xd5", vm.breaks())
"""
    lines = run(each_target, code, script, 60, at=at).splitlines()
    assert lines == [
        "True [2, 2, 2, 2, 2] ['0xa', '0x4', '0x1']",
        "True [4, 4, 4, 4, 4]",
        "0x20 True",
        "True True ()",
    ]


def test_kept_over_images_and_snapshots(target):
    """Loaded anew, gone back, reset, forked: what was planted is, what was not is not, and the guest's memory has none of it."""
    code, at = link(LOOP)
    other, _ = link(LOOP.replace("add x0, x0, x0", "add x0, x0, #1"))
    script = """
vm = guest(code)
cpu = vm.cpu[0]
def go(code):
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    exit = vm.run(60_000)
    return exit.reason, cpu.x[28], vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] == code
a = vm.on(at["double"], action="count")
s = vm.snapshot()
b = vm.on(at["double"] + 16, action="count")
for _ in range(2):
    print(go(code), a.hits, b.hits)
    vm.back(s)
a.remove()
vm.back(s)
print(go(code), b.hits)
b.remove()
vm.back(s)
print(bytes(vm.memory.view(0x4008_0000, len(code))) == code)
b = vm.on(at["double"] + 16, action="count")
w = vm.watch(ipa=0x4006_fff0, size=16)
for text in other, code:
    vm.load(text)
    print(go(text), b.hits, w.hits)
    vm.reset()
    print(go(text), b.hits, w.hits)
two = vm.snapshot().fork()
print(two.breaks(), two.watches(), bytes(two.memory.view(0x4008_0000, len(code))) == code)
"""
    right, changed = ("stop", 10100, True), ("stop", 5150, True)
    assert run(target, code, script, 60, at=at, other=other).splitlines() == [
        *(f"{right} {n} {n}" for n in (100, 200)),
        f"{right} 300",
        "True",
        *(f"{changed} {n} {n}" for n in (100, 200)),
        *(f"{right} {n} {n}" for n in (300, 400)),
        "() () True",
    ]


def test_steps(each_target):
    """One instruction, many, with a function behind each, over a call, to the caller, to a place; the guest goes on."""
    code, at = link(LOOP)
    script = """
vm = guest(code)
cpu = vm.cpu[0]
print(cpu.step(), hex(cpu.pc), hex(cpu.pstate))
print(cpu.step(4).reason, hex(cpu.pc))
bp = vm.on(at["double"] + 8, action="count")
seen = []
cpu.step(6, lambda cpu: seen.append(cpu.pc - at["double"]))
print(seen, bp.hits, cpu.read(at["double"], 28) == code[0x40:0x5c])
bp.remove()
print(vm.until(at["double"] + 12).reason, cpu.pc == at["double"] + 12, vm.breaks())
print(cpu.finish().reason, hex(cpu.pc), cpu.x[0])
while cpu.pc != 0x4008_0010:
    cpu.step()
print(cpu.next().reason, hex(cpu.pc), cpu.x[0], cpu.x[20])
while cpu.pc != at["double"]:
    cpu.step()
print(cpu.finish().reason, hex(cpu.pc), cpu.next(), hex(cpu.pc))
seen = [0]
def three(cpu):
    seen[0] += 1
    return hv.STOP if seen[0] == 3 else None
cpu.step(100, three)
print(seen, cpu.step(5000).reason, hex(cpu.pc), cpu.x[28], vm.run(1).reason)
for n in (0, -1):
    try:
        cpu.step(n)
    except ValueError as e:
        print(e)
try:
    vm.start()
    cpu.step()
except RuntimeError as e:
    print(e)
"""
    lines = run(each_target, code, script, 60, at=at).splitlines()
    assert lines[8:10] == 2 * ["a number of steps is from 1 on"]
    assert lines[:7] == [
        "<Exit step: cpu 0 at pc 0x40080004, esr 0xca000022> 0x40080004 0x3c5",
        "step 0x40080040",
        "[4, 8, 12, 16, 20, 24] 0 True",
        "stop True ()",
        "stop 0x40080014 198",
        "stop 0x40080014 196 98",
        "stop 0x40080014 <Exit step: cpu 0 at pc 0x40080018, esr 0xca000022> 0x40080018",
    ]
    assert lines[7].startswith("[3] stop 0x40080024 10100 ")
    assert lines[10].startswith("cpu 0 is running: vm.pause()")


# Its vectors are where nothing can be fetched: what EL1 takes there is an abort, and so is that one.
NOWHERE = """
    load x0, 0x0001000000000000
    msr vbar_el1, x0
    isb
    add x4, x4, #1
place:
    .inst 0
    b place
    .balign 64
other:
    add x5, x5, #1
    b other
"""


# Nor is there its table of stage 1: the abort of the walk is EL2's, which gives it to EL1.
NO_TABLE = """
    load x0, 0x60000000
    msr ttbr0_el1, x0
    load x0, 0x19
    msr tcr_el1, x0
    load x0, 0x30d00801
    msr sctlr_el1, x0
    isb
place:
    b place
"""
ANOTHER = """
    load x0, 0xC4000003                 // CPU_ON
    mov x1, #1
    adr x2, other
    hvc #0
"""


def test_steps_without_vectors(each_target):
    """A step ends where there is nothing to step, also the one that goes over a breakpoint for another core."""
    code, at = link(ANOTHER + NOWHERE)
    script = """
import time
vm = guest(code)
cpu = vm.cpu[0]
seen = []
print(vm.until(at["place"]).reason)
for n in range(3):
    print(cpu.step().reason, hex(cpu.pc), hex(cpu.sysreg["ESR_EL1"]), hex(cpu.pstate))
print(cpu.step(5, lambda cpu: seen.append(cpu.pc)), len(seen), cpu.next().reason)
vm.close()
vm = guest(code, cpus=2)
cpu = vm.cpu[0]
for how in (lambda cpu: None, None):
    bp = vm.on(at["place"], how) if how else vm.on(at["place"], action="count")
    vm.reset()
    vm.load(code)
    vm.start()
    while bp.hits == 0:
        time.sleep_ms(1)
    vm.pause()
    while vm.cpu[1].x[5] == 0:
        vm.run(10)
    print(bp.hits, cpu.step().reason, hex(cpu.pc))
    bp.remove()
"""
    nowhere = "0x1000000000200"
    assert run(each_target, code, script, 60, at=at).splitlines() == [
        "stop",
        *[f"step {nowhere} 0x86000000 0x3c5"] * 3,
        f"<Exit step: cpu 0 at pc {nowhere}, esr 0xca000022> 5 step",
        *[f"1 step {nowhere}"] * 2,
    ]


def test_steps_that_handlers_hold_up(each_target):
    """A handler that has an instruction tried once more and once more: that exit is the step's end, in a record too."""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
asked = 0
def again(cpu, *more):
    global asked
    asked += 1
    return hv.RETRY
def mapped(cpu, *more):
    global asked
    asked += 1
    if asked == 20:
        vm.memory[0x4010_0000:0x4010_0004] = code[:4]
        cpu.pc = 0x4010_0000
    return hv.RETRY
cpu.step(2)
for f in again, None, mapped:
    vm.exception(0x20, again if f is None else f)
    asked = 0
    if f is None:
        r = vm.record()
        print(cpu.step().reason, asked > 20, r.position, r.back(0))
        r.stop()
    else:
        print(cpu.step().reason, hex(cpu.pc), asked)
"""
    assert run(each_target, "load x0, 0x60000000\n br x0\n", script, 60).splitlines() == [
        "fetch 0x60000000 301",
        "fetch True 0 None",
        "step 0x40100000 20",
    ]


def test_steps_without_tables(each_target):
    """Each abort that EL2 gives to EL1 is a step, also the one that leads to where it was."""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
seen = []
while cpu.sysreg["SCTLR_EL1"] & 1 == 0:
    cpu.step()
for n in range(3):
    print(cpu.step().reason, hex(cpu.pc), hex(cpu.sysreg["ELR_EL1"]), hex(cpu.sysreg["ESR_EL1"]), hex(cpu.pstate))
print(cpu.step(5, lambda cpu: seen.append(cpu.pc)).reason, len(seen), cpu.next().reason)
"""
    place = link(NO_TABLE)[1]["place"] - 4
    assert run(each_target, NO_TABLE, script, 60).splitlines() == [
        f"step 0x200 {place:#x} 0x86000015 0x3c5",
        *["step 0x200 0x200 0x86000015 0x3c5"] * 2,
        "step 5 step",
    ]


# Its MMU on, it maps 0xC000_0000 and copies a function there, which is called x20 times.
LATER = """
    mmu_on
    hvc #0x102
    load x1, 0x40100000
    load x2, 0x40000705
    str x2, [x1, #24]
    dsb sy
    adr x1, body
    load x2, 0xc0200000
    mov x3, #11
1:  ldr w4, [x1], #4
    str w4, [x2]
    dc cvau, x2
    dsb ish
    ic ivau, x2
    add x2, x2, #4
    subs x3, x3, #1
    b.ne 1b
    dsb ish
    isb
    load x21, 0xc0200000
    load x5, 0x40210000
    mov x20, #20
    mov x28, #0
2:  mov x0, x20
    blr x21
    add x28, x28, x0
    subs x20, x20, #1
    b.ne 2b
    ldr w27, [x5]
    hvc #0x100
body:
    nop
    stp x29, x30, [sp, #-16]!
    fmov d0, x0
3:  ldaxr w6, [x5]
    add w6, w6, #1
    stlxr w7, w6, [x5]
    cbnz w7, 3b
    fmov x0, d0
    add x0, x0, x0
    ldp x29, x30, [sp], #16
    ret
"""


def test_hardware_where_nothing_is_yet(each_target):
    """At a VA that nothing is mapped at, and no code: by debug registers, at each instruction; six, and then it says so."""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
def begin():
    vm.reset()
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    vm.memory[0x4010_0000:0x4010_1000] = bytes(4096)
    vm.memory[0x4021_0000:0x4021_0004] = bytes(4)
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
def go():
    exit = vm.run(60_000)
    return exit.reason, cpu.x[20], cpu.x[27], cpu.x[28]
vm.hvc(imm=0x102, handler=lambda cpu: None)
begin()
print(go())
VA = 0xC020_0000
for n in range(11):
    begin()
    seen = []
    counted = vm.on(VA + 4 * n, action="count")
    asked = vm.on(VA + 4 * n, lambda cpu: seen.append(cpu.x[20]))
    print(n, go(), counted.kind, counted.hits, len(seen), seen[:2])
    counted.remove(), asked.remove()
begin()
stop = vm.on(VA + 8, action="stop", count=3)
print(go(), cpu.pc == VA + 8, stop, vm._vm.ipa_of(VA))
planted = vm.on(VA + 8, action="count")
print(go(), stop.hits, planted.kind, planted.hits)
stop.remove()
print(go(), planted.hits)
planted.remove()
begin()
done = []
f = vm.on(VA, when=lambda cpu: cpu.x[20] % 5 == 0, ret=lambda cpu: done.append(cpu.x[0]), count=2)
once = vm.on(VA + 28, lambda cpu: once.remove())
skipped = vm.on(VA + 32, lambda cpu: hv.SKIP)
print(go(), done, f.hits, f.kind, vm.breaks() == (f, skipped), skipped.hits)
f.remove(), skipped.remove()
begin()
print(vm.until(VA + 4).reason, cpu.pc == VA + 4, cpu.step(3).reason, cpu.pc == VA + 24, cpu.finish().reason, cpu.x[0], vm.breaks())
begin()
six = [vm.on(VA + 4 * n, action="count") for n in range(6)]
same = vm.on(VA, action="count")
try:
    vm.on(VA + 24)(print)
except RuntimeError as e:
    print(e)
print(len(vm.breaks()), go(), {b.hits for b in six}, same.hits, cpu.sysreg["DBGBVR5_EL1"])
begin()
print(go(), [b.hits for b in six])
for b in vm.breaks():
    b.remove()
print([vm._vm.debug("break", 0, 0x1E7) for n in range(6)])
"""
    code, at = link(MMU + LATER)
    lines = run(each_target, code, script, 60, at=at).splitlines()
    done = "('stop', 0, 20, 420)"
    assert lines[0] == done
    assert lines[1:12] == [f"{n} {done} hardware 20 20 [20, 19]" for n in range(11)]
    assert lines[12:] == [
        "('stop', 18, 0, 78) True <Breakpoint 0xc0200008: 3 hits, hardware> 1075838976",
        "('stop', 17, 0, 114) 4 planted 1",
        f"{done} 17",
        f"{done[:-4]}210) [15, 10, 5] 4 hardware True 20",
        "stop True step True stop 40 ()",
        "0xc0200018: nothing can be planted there now, and all 6 hardware breakpoints are taken (vm.breaks(): remove one)",
        f"7 {done} {{20}} 20 0",
        f"{done} [40, 40, 40, 40, 40, 40]",
        "[5, 4, 3, 2, 1, 0]",
    ]


@pytest.mark.parametrize("gic", [2, 3])
def test_hardware_on_four_cpus(boot, gic):
    """Not in the VM's RAM, as a ROM: four vCPUs by CPU_ON in one function, at any instruction; over resets."""
    target = boot(gic=gic, smp=4)
    code, at = link(MANY.replace("adr x2, other", "load x2, 0x40100000"), 0x7000_0000)
    stub = assemble(f"ldr x1, ={at['other']:#x}\n br x1")
    script = """
vm = guest(code, cpus=4)
vm.stage2.map(0x7000_0000, vm.stage2.translate(0x4008_0000), 0x1_0000)
cpu = vm.cpu[0]
lock = at["lock"] - 0x7000_0000 + 0x4008_0000
def go():
    vm.reset()
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    vm.memory[0x4010_0000 : 0x4010_0000 + len(stub)] = stub
    cpu.pc = 0x7000_0000
    exit = vm.run(60_000)
    return exit.reason, int.from_bytes(vm.memory[lock : lock + 4], "little")
seen = []
for place in range(at["work"], at["work"] + 13 * 4, 4):
    bp = vm.on(place, action="count")
    got = go()
    if bp.kind != "hardware" or got != ("stop", 400) or (bp.hits != 200 and not (at["work"] + 20 <= place <= at["work"] + 36 and bp.hits >= 200)):
        print(hex(place), got, bp, bp.kind)
    bp.remove()
f = vm.on(at["work"], lambda cpu: seen.append(cpu.id))
g = vm.on(at["work"] + 12, action="count")
h = vm.on(at["between"], lambda cpu: seen.append(cpu.id))
print(go(), f.hits, g.hits, h.hits >= 200, {n: seen.count(n) >= 100 for n in range(4)})
"""
    assert run(target, code, script, 120, at=at, stub=stub).splitlines() == [
        "('stop', 400) 200 200 True {0: True, 1: True, 2: True, 3: True}"
    ]


# A program at EL0, in pages of its own: it calls a function of its x20 times.
USER = """
    mmu_on
    load x1, 0x40100000
    mov x2, #0x7c5                      // 0xC000_0000: 1 GB from 0x4000_0000 on, EL0 may read and execute
    movk x2, #0x4000, lsl #16
    movk x2, #0x20, lsl #48             // PXN
    str x2, [x1, #24]
    dsb sy
    isb
    adr x1, program
    load x2, 0x80000000
    add x1, x1, x2
    msr elr_el1, x1
    msr spsr_el1, xzr
    mov x20, #20
    mov x28, #0
    eret
program:
1:  mov x0, x20
    bl user
    add x28, x28, x0
    subs x20, x20, #1
    b.ne 1b
    brk #5                              // its own
user:
    nop
    add x0, x0, x0
    fmov d0, x0
    ret
"""


def test_a_place_of_a_program(each_target):
    """At EL0, by its address alone or by ipa= with el0=: at each instruction, and the guest sees none of it."""
    code, at = link(MMU + USER)
    script = """
vm = guest(code)
cpu = vm.cpu[0]
def go():
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000
    vm.memory[0x4010_0000:0x4010_1000] = bytes(4096)
    exit = vm.run(60_000)
    return cpu.x[20], cpu.x[28], cpu.x[28] and hex(cpu.sysreg["ESR_EL1"]), hex(cpu.pc)
before = go()
for n in range(4):
    va, ipa = at["user"] + 0x8000_0000 + 4 * n, at["user"] + 4 * n
    seen = []
    bp = vm.on(va, lambda cpu: seen.append((cpu.x[20], cpu.pstate & 15)))
    physical = vm.on(ipa=ipa, el0=True, action="count")
    print(n, go() == before, bp.kind, bp.hits, physical.hits, seen[:2], vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] == code)
    bp.remove(), physical.remove()
print(before[2], cpu.exits[0x3C] >= 80)
own = cpu.exits[0x3C]
print(go() == before, cpu.exits[0x3C] - own)
"""
    lines = run(each_target, code, script, 60, at=at).splitlines()
    assert lines[:4] == [f"{n} True planted 20 20 [(20, 0), (19, 0)] True" for n in range(4)]
    assert lines[4:] == [
        "0xf2000005 True",
        "True 0",
    ]  # when there are none, its BRKs go to it alone


def test_in_flash(target):
    """In flash, which the guest cannot write but by its commands: planted in its array, and not to be seen there."""
    code, at = link(LOOP, 0x10_0000)
    script = """
vm = hv.VM("flash", ram="4M")
vm.flash(0, "2M")
vm.memory[0x10_0000 : 0x10_0000 + len(code)] = code
vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
cpu = vm.cpu[0]
def go():
    cpu.reset(0x10_0000)
    cpu.sp = 0x4007_0000
    exit = vm.run(60_000)
    return exit.reason, cpu.x[28]
print(go())
bps = [vm.on(at["double"] + 4 * n, action="count") for n in range(7)]
print(go(), {b.hits for b in bps}, {b.kind for b in bps}, vm.memory[0x10_0000 : 0x10_0000 + len(code)] == code)
vm.reset()
print(go(), {b.hits for b in bps})
"""
    assert run(target, code, script, 60, at=at).splitlines() == [
        "('stop', 10100)",
        "('stop', 10100) {100} {'planted'} True",
        "('stop', 10100) {200}",
    ]


# For ever: an instruction that only the core does, a count, and what else a step may be about.
BUSY = """
    mov x28, #0
1:
place:
    mrs x1, midr_el1
    add x28, x28, #1
    mrs x2, daif
    orr x27, x27, x2
    b 1b
"""


def test_stepped_over_while_others_want_the_core(each_target):
    """Paused, reset and gone on with at any moment: each time round is a hit, and interrupts stay as the guest had them."""
    code, at = link(BUSY)
    script = """
import time
vm, other = guest(code), guest(code)
cpu = vm.cpu[0]
seen = [0]
def hook(cpu):
    seen[0] += 1
other.start()
wrong = []
for n in range(30):
    if n % 3 == 0:
        bp = vm.on(at["place"], action="count") if n % 2 else vm.on(at["place"], hook)
        vm.reset()
        vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
        cpu.pc, cpu.pstate = 0x4008_0000, 0x105 + 0x80 * (n % 2)
        masked = cpu.pstate & 0x1C0
        first, without = bp.hits, 0
    vm.start()
    goal = bp.hits + 10
    while bp.hits < goal:
        time.sleep_ms(1)
    vm.pause()
    rounds, hits = cpu.x[28], bp.hits - first
    if not rounds - without <= hits <= rounds + 1 or cpu.x[27] & ~masked or cpu.pstate & 0x2001C0 != masked:
        wrong.append((n, rounds, hits, hex(cpu.x[27]), hex(cpu.pstate)))
    word = cpu.read(at["place"], 4) == code[4:8]
    before = cpu.pc
    without += before == at["place"]    # a step there is no hit
    cpu.step()
    if not word or cpu.pc == before:
        wrong.append((n, word, hex(cpu.pc)))
    if n % 3 == 2:
        bp.remove()
other.pause()
print(wrong)
"""
    assert run(each_target, code, script, 60, at=at) == "[]\n"
