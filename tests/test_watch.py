# SPDX-License-Identifier: MIT
"""vm.watch(): who reads and writes a range of a guest's memory, of any size, and what else happens on its pages."""

import re

import pytest
from guestcode import link, run
from harness import TargetError
from test_linux import boot_linux
from virtiodriver import CODE
from virtiodriver import SCRIPT as DRIVER

# Its MMU on: 39-bit addresses, VA = IPA for 1 GB from 0x4000_0000 and once more at 0x8000_0000, by a table at 0x4010_0000.
MMU = """
.macro mmu_on
    adr x1, vectors_here
    msr vbar_el1, x1
    load x1, 0x40100000
    load x2, 0x40000705
    str x2, [x1, #8]
    orr x2, x2, #0x40           // EL0 may too
    str x2, [x1, #16]
    load x2, 0xff00
    msr mair_el1, x2
    load x2, 0x280803519
    msr tcr_el1, x2
    msr ttbr0_el1, x1
    mov x2, #3 << 20
    msr cpacr_el1, x2
    isb
    mrs x2, sctlr_el1
    orr x2, x2, #1
    orr x2, x2, #4
    msr sctlr_el1, x2
    isb
    b 9f
    .balign 2048
vectors_here:
    .rept 16
    .balign 128
    mrs x28, esr_el1
    mrs x29, elr_el1
    hvc #0x101                  // nobody's: the test ends here
    .endr
9:
.endm
"""

LOG = """
log = []
def seen(cpu, address, size, old, new):
    log.append((address, size, old, new))
"""

# x0: a field of 8 bytes; x1 rounds of two stores beside it, and after every 16th a store to it.
FIELD = """
1:  str x1, [x0, #8]
    stp w1, w1, [x0, #-8]
    tst x1, #15
    b.ne 2f
    str x1, [x0]
2:  subs x1, x1, #1
    b.ne 1b
    hvc #0x100
"""


def test_a_field_among_neighbours(each_target):
    """Only what touches the field is told, with what was there and what will be; its neighbours get their stores."""
    script = (
        LOG
        + """
vm = guest(code)
vm.cpu[0].x[0], vm.cpu[0].x[1] = 0x4020_1000, 64
w = vm.watch(0x4020_1000, 8, "w", seen)
print(vm.run(60_000).reason, log, w.hits)
print(vm.memory[0x4020_1008], vm.memory[0x4020_0ff8], vm.memory[0x4020_0ffc], vm.memory[0x4020_1000])
print(w, vm.watches() == (w,))
w.off()
vm.cpu[0].reset(0x4008_0000)
vm.cpu[0].x[0], vm.cpu[0].x[1] = 0x4020_1000, 64
print(vm.run(60_000).reason, len(log), w)
w.remove()
print(vm.watches(), vm.stage2.walk(0x4020_1000)[1] >> 56 & 7)
"""
    )
    assert run(each_target, FIELD, script, 60).splitlines() == [
        "stop [(1075843072, 8, 0, 64), (1075843072, 8, 64, 48), (1075843072, 8, 48, 32), (1075843072, 8, 32, 16)] 4",
        "1 1 1 16",
        "<Watch w 0x40201000, 8 bytes: 4 hits> True",
        "stop 4 <Watch w 0x40201000, 8 bytes: 4 hits, off>",
        "() 0",
    ]


def test_many_neighbours(boot):
    """In the time of the machine's instructions: of 200,000 stores on its page those to the field are told, and that the page is hot is said, once, and how hot. In a
    debug register they cost nothing.
    """
    script = """
vm = guest(code)
cpu = vm.cpu[0]
cpu.x[0], cpu.x[1] = 0x4020_1008, 100_000
w = vm.watch(ipa=0x4020_1008, size=8)
print(vm.run().reason, w.hits, w.rate > 0, w.kind)
import time
time.sleep_ms(1)
w.remove()
cpu.reset(0x4008_0000)
cpu.x[0], cpu.x[1] = 0x4020_1008, 100_000
exits = cpu.exits[0x24]
w = vm.watch(0x4020_1008, 8)
print(vm.run().reason, w.hits, w.rate, w.kind, cpu.exits[0x24] - exits, cpu.exits[0x34])
"""
    lines = run(boot(icount=True), FIELD, script, 120).splitlines()
    assert "stop 6250 True pages" in lines and "stop 6250 0 hardware 0 6250" in lines
    told = [line for line in lines if "is hot" in line]
    assert len(told) == 1 and re.search(
        "the watch of 0x40201008 is hot: [0-9]{5,} accesses a second go by", told[0]
    )


SIZES = """
    load x0, 0x40000010
    load x1, 0x7ffffff8
    mov x2, #7
    strb w2, [x0]
    strb w2, [x0, #1]
    strb w2, [x0, #2]
    strh w2, [x0, #0x10]
    strh w2, [x0, #0xf]
    str x2, [x1]
    ldr x3, [x1]
    load x0, 0x5fffffff
    strb w2, [x0]
    hvc #0x100
"""


def test_of_one_byte_and_of_a_gigabyte(boot):
    """By both ways to make it; a symbol's size is its own."""
    target = boot(mem="2G")
    script = """
vm = guest(code, ram="1G")
cpu = vm.cpu[0]
log = []
def seen(cpu, address, size, old, new):
    log.append((hex(address), size))
for how in ("where", "ipa"):
    for at, size in ((0x4000_0011, 1), (0x4000_0020, 1), (0x7fff_ffff, 1), (0x4000_0000, 1 << 30)):
        log.clear()
        w = vm.watch(size=size, f=seen, **{how: at})
        cpu.reset(0x4008_0000)
        print(vm.run(60_000).reason, w.kind, w.hits, *log)
        w.remove()
for size in (0, 1 << 30):
    try:
        vm.watch(ipa=0x4000_0001, size=size)
    except ValueError as e:
        print(e)
vm.close()
vm = hv.VM("debuggee", ram="16M", cpus=2)
vm.load("debuggee.elf")
w = vm.watch("total", rights="rw", action="stop")
print(w.size, w.address == vm.address("total"), vm.run(60_000).reason, w.hits)
"""
    target.mpremote("cp", "build/guests/debuggee.elf", ":")
    seven = [(0x4000_0010 + n, 1) for n in range(3)] + [(0x4000_0020, 2), (0x4000_001F, 2)]
    seven += [(0x7FFF_FFF8, 8), (0x5FFF_FFFF, 1)]
    expected = []
    for kind in "hardware", "pages":
        for hits in ([(0x4000_0011, 1)], [(0x4000_0020, 1)] * 2, [(0x7FFF_FFFF, 1)], seven):
            said = " ".join(str((hex(at), size)) for at, size in hits)
            expected.append(f"stop {kind} {len(hits)} {said}")
    lines = run(target, SIZES, script, 120).splitlines()
    assert lines[:8] == expected
    assert lines[8] == "0x40000001, 0 bytes: a range must not be empty, and at most 2^40"
    assert lines[9].startswith("0x40000001 is not RAM of test, or the range is in more than 64")
    assert lines[10] == "8 True stop 1"


# All kinds of loads and stores, of registers and memory that are compared: watched or not, the guest sees the same.
FORMS = """
    mov x9, #0x1234
    movk x9, #0x5678, lsl #16
    movk x9, #0x9abc, lsl #32
    movk x9, #0xfedc, lsl #48
    fmov d0, x9
    mov v0.d[1], x9
    add v1.16b, v0.16b, v0.16b
    add v2.16b, v1.16b, v0.16b
    add v3.16b, v2.16b, v0.16b
    load x0, 0x40201000
    load x10, 0x40201ff8        // a page's end
    mov x11, #24
    str x9, [x0]
    str w9, [x0, #8]
    strh w9, [x0, #12]
    strb w9, [x0, #14]
    stur x9, [x0, #17]
    str x9, [x0, x11]
    str w9, [x0, w11, uxtw #2]
    mov x1, x0
    str x9, [x1, #32]!
    str x9, [x1], #40
    stp x9, x0, [x1, #16]!
    stp w9, w0, [x1], #8
    stp q0, q1, [x1, #32]
    stp d0, d1, [x1, #64]
    stp s0, s1, [x1, #80]
    str q2, [x1, #96]
    str d2, [x1, #112]
    str h2, [x1, #120]
    str b2, [x1, #122]
    str q3, [x1, #128]!
    str s3, [x1], #16
    stur q1, [x1, #3]
    load x13, 0x40000000
    add x13, x13, x1
    sttr x9, [x13, #40]
    stlr x9, [x1]
    add x1, x1, #64
    st1 {v0.16b, v1.16b, v2.16b, v3.16b}, [x1], #64
    st2 {v0.4h, v1.4h}, [x1], x11
    st3 {v0.2d, v1.2d, v2.2d}, [x1], #48
    st4 {v0.8b, v1.8b, v2.8b, v3.8b}, [x1]
    st1 {v1.h}[5], [x1], #2
    st2 {v1.s, v2.s}[3], [x1], #8
    st3 {v1.b, v2.b, v3.b}[7], [x1], x11
    st4 {v0.d, v1.d, v2.d, v3.d}[1], [x1], #32
    str x9, [x10, #4]           // across two pages
    stp x9, x0, [x10]
    str q0, [x10, #-5]
    add x12, x0, #0x300
    str x9, [x12, #8]
    dc zva, x12
    ldr x2, [x0]
    ldrsw x3, [x0, #8]
    ldrsh w4, [x0, #12]
    ldrsb x5, [x0, #1]
    ldrh w6, [x0, #2]
    ldur x7, [x0, #3]
    mov x1, x0
    ldr x8, [x1, #16]!
    ldrb w13, [x1], #5
    ldp x14, x15, [x1, #16]!
    ldpsw x16, x17, [x1], #8
    ldp q4, q5, [x1]
    ldr q6, [x1, #32]
    ldr d7, [x1, #48]
    ldr s8, [x1, #56]
    ldr h9, [x1, #60]
    ldr b10, [x1, #62]
    ldp d11, d12, [x1, #64]!
    ld1 {v13.8b}, [x1], #8
    ld1 {v14.2d, v15.2d, v16.2d}, [x1]
    ld2 {v17.8h, v18.8h}, [x1], #32
    ld4 {v19.4s, v20.4s, v21.4s, v22.4s}, [x1]
    ld3 {v23.8b, v24.8b, v25.8b}, [x1]
    ld1 {v26.b}[9], [x1]
    ld1r {v27.4s}, [x1]
    ld2r {v28.8b, v29.8b}, [x1]
    ld4 {v0.h, v1.h, v2.h, v3.h}[2], [x1]
    ldr x18, [x10, #3]
    ldp x19, x20, [x10]
    ldr q30, [x10, #-9]
    ldar w21, [x0]
    load x23, 0x40000000
    add x23, x23, x0
    ldtr x22, [x23, #8]
    adr x23, 5f
    ldr x24, 5f
    ldr q31, 5f
    prfm pldl1keep, [x0]
    dc cvac, x0
    dc civac, x10
    hvc #0x100
    .balign 16
5:  .quad 0x1122334455667788, 0x99aabbccddeeff00
"""


def test_all_loads_and_stores(each_target):
    """Registers and memory are the same whether stage 2 lets each access through or C performs it: where the program lies
    among them too.
    """
    script = """
def outcome(how):
    vm = guest(code)
    for at in range(0x4020_0f00, 0x4020_2100):
        vm.memory[at] = at * 7 & 255
    w = vm.watch(ipa=0x4020_0000, size=0x3000, rights="rw") if how == "pages" else None
    literals = vm.watch(ipa=0x4008_1000, size=0x1000, rights="r") if w else None
    hard = [vm.watch(at, 0x1000, "rw") for at in (0x4020_1000, 0x4020_2000)] if how == "hardware" else []
    assert vm.run(60_000).reason == "stop", vm.exit
    cpu = vm.cpu[0]
    hits = w and (w.hits, literals.hits) or [(h.kind, h.hits > 0) for h in hard]
    state = [cpu.x[n] for n in range(31)] + [cpu.q[n] for n in range(32)] + [cpu.pc]
    return state, bytes(vm.memory[0x4020_0f00:0x4020_2100]), hits
bare = outcome(None)
for how in "pages", "hardware":
    watched = outcome(how)
    for n, (one, two) in enumerate(zip(bare[0], watched[0])):
        if one != two:
            print("register", n, hex(one), hex(two))
    for n, (one, two) in enumerate(zip(bare[1], watched[1])):
        if one != two:
            print("memory", hex(n + 0x4020_0f00), one, two)
    print(watched[2])
"""
    accesses = len(re.findall(r"^ +(?:ld|st|dc zva)(?!.*5f)", FORMS, re.MULTILINE))
    literals = 2 + (MMU + FORMS).count("load ")
    assert run(each_target, MMU + "mmu_on" + FORMS, script, 60).splitlines() == [
        f"({accesses}, {literals})",
        "[('hardware', True), ('hardware', True)]",
    ]


VALUES = """
    load x0, 0x40201000
    mov x1, #-1
    load x2, 0x1122334455667788
    fmov d0, x2
    mov v0.d[1], x1
    stp x1, x2, [x0]            // the field at + 8 is the second
    str q0, [x0]                // and its upper half
    str w2, [x0, #5]            // one byte of it
    str x2, [x0, #11]           // and five
    str x1, [x0, #8]
    dc zva, x0
    strb w1, [x0, #15]
    strb w1, [x0, #16]
    ldr x3, [x0, #8]
    hvc #0x100
"""


def test_what_was_there_and_what_will_be(each_target):
    """Of each access the part that is the field's, by any name the guest has for it."""
    script = (
        LOG
        + """
vm = guest(code)
w = vm.watch(0x4020_1008, 8, "w", seen)
r = vm.watch(0x4020_1008, 8, "r")
def show():
    for address, size, old, new in log:
        print(hex(address), size, hex(old), hex(new))
print(vm.run(60_000).reason, w.hits, r.hits)
show()
"""
    )
    assert run(each_target, MMU + "mmu_on" + VALUES, script, 60).splitlines() == [
        "stop 7 1",
        "0x40201008 8 0x0 0x1122334455667788",
        "0x40201008 8 0x1122334455667788 0xffffffffffffffff",
        "0x40201008 1 0xff 0x55",
        "0x4020100b 5 0xffffffffff 0x4455667788",
        "0x40201008 8 0x4455667788ffff55 0xffffffffffffffff",
        "0x40201008 8 0xffffffffffffffff 0x0",
        "0x4020100f 1 0x0 0xff",
    ]


def test_answers(target):
    """A handler sees the access before it is made: it may skip it, stop behind it, or raise and see it again."""
    script = """
vm = guest(code)
cpu = vm.cpu[0]
answers = [None, hv.SKIP, hv.STOP, None, 1 / 1, None]
w = vm.watch(0x4020_1000, 4, "w")
@w
def seen(cpu, address, size, old, new):
    print(hex(cpu.pc), vm.memory[0x4020_1000], old, new)
    answer = answers.pop(0)
    if answer == 1.0:
        raise ValueError("again")
    return answer
print(vm.run(60_000), vm.memory[0x4020_1000])
try:
    vm.run(60_000)
except ValueError as error:
    print(error, hex(cpu.pc), vm.memory[0x4020_1000])
print(vm.run(60_000).reason, vm.memory[0x4020_1000])
"""
    code = (
        "load x0, 0x40201000\n"
        + "".join(f"mov w1, #{n}\n str w1, [x0]\n" for n in range(1, 6))
        + "hvc #0x100"
    )
    assert run(target, code, script).splitlines() == [
        "0x40080008 0 0 1",
        "0x40080010 1 1 2",
        "0x40080018 1 1 3",
        "<Exit stop: cpu 0 at pc 0x40080018> 3",
        "0x40080020 3 3 4",
        "0x40080028 4 4 5",
        "again 0x40080028 4",
        "0x40080028 4 4 5",
        "stop 5",
    ]


# Each vCPU adds 1 to a counter of its own and to a shared one, 1,000 times: by exclusives, on one page.
COUNTERS = """
    mov x19, x0
    mmu_on
    load x1, 0x40201000
    add x2, x1, x19, lsl #3
    add x2, x2, #64
    mov x3, #1000
1:  ldr x4, [x2]
    add x4, x4, #1
    str x4, [x2]
2:  ldaxr x4, [x1]
    add x4, x4, #1
    stlxr w5, x4, [x1]
    cbnz w5, 2b
    subs x3, x3, #1
    b.ne 1b
    add x1, x1, #0x1000         // how many are done
3:  ldxr w4, [x1]
    add w4, w4, #1
    stxr w5, w4, [x1]
    cbnz w5, 3b
    cbnz x19, 5f
4:  ldr w4, [x1]
    cmp w4, #4
    b.ne 4b
    hvc #0x100
5:  wfi
    b 5b
"""

FOUR = """
    mov x27, x0
    cbnz x27, main
    mov x20, #1
1:  load x0, 0xc4000003
    mov x1, x20
    adr x2, main
    mov x3, x20
    hvc #0
    add x20, x20, #1
    cmp x20, #4
    b.ne 1b
    mov x0, #0
main:
"""


@pytest.mark.parametrize("rights", ["w", "rw"])
def test_four_cpus(each_target, rights):
    """None of 4,000 increments is lost or missed, of exclusives neither, and those of neighbours are theirs."""
    script = f"""
vm = guest(code, cpus=4)
w = vm.watch(0x4020_1000, 8, {rights!r})
print(vm.run(100_000).reason)
print([int.from_bytes(vm.memory[at : at + 8], "little") for at in [0x4020_1000] + list(range(0x4020_1040, 0x4020_1060, 8))])
print(w.hits {"== 4000" if rights == "w" else ">= 8000"})
"""
    lines = run(each_target, MMU + FOUR + COUNTERS, script, 120).splitlines()
    assert lines == ["stop", "[4000, 1000, 1000, 1000, 1000]", "True"]


def test_four_cpus_by_debug_registers(each_target):
    """Ranges that the vCPUs store to, which CPU_ON starts, over a reset: each is counted, their neighbours cost nothing."""
    script = """
vm = guest(code, cpus=4)
own = vm.watch(0x4020_1040, 32, "w")
last = vm.watch(0x4020_1058, 8, "rw")
for n in range(2):
    if n:
        vm.reset()
        vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
        vm.cpu[0].pc = 0x4008_0000
    print(vm.run(100_000).reason, own.kind, own.hits, last.kind, last.hits, [cpu.exits.get(0x24, 0) < 100 for cpu in vm.cpu])
"""
    lines = run(each_target, MMU + FOUR + COUNTERS, script, 120).splitlines()
    assert lines == [
        f"stop hardware {4000 * n} hardware {2000 * n} [True, True, True, True]" for n in (1, 2)
    ]


# Stores to a field at 0xC000_1000, by another address, and with something else there; a loop of exclusives; at last by EL0.
SPACES = """
    mmu_on
    load x1, 0x40100000
    load x2, 0x40102003
    str x2, [x1, #24]
    load x1, 0x40102000
    load x2, 0x40200705
    str x2, [x1]
    dsb sy
    hvc #0x102
    load x0, 0xc0001000
    load x3, 0x80201000
    mov x4, #1
place:
    str x4, [x0]
    mov x4, #2
    str x4, [x3]
    load x2, 0x40000705
    str x2, [x1]
    dsb sy
    tlbi vmalle1
    dsb sy
    isb
    mov x4, #3
    str x4, [x0]
    load x2, 0x40200705
    str x2, [x1]
    dsb sy
    tlbi vmalle1
    dsb sy
    isb
    mov x4, #4
    stp x4, x4, [x0, #-8]
    hvc #0x103
1:  ldxr x5, [x0]
    add x5, x5, #1
    stxr w6, x5, [x0]
    cbnz w6, 1b
    hvc #0x100
"""


def test_what_a_debug_register_sees(each_target):
    """That address, and what was there; ipa= any address. What breakpoints and steps do for the guest is seen as well. Exclusives
    are followed by the page. When there is none left, or no such range, it is the page from the beginning.
    """
    script = """
vm = guest(code)
cpu = vm.cpu[0]
log, made = [], []
def mapped(cpu):
    made.append(vm.watch(0xC000_1000, 8, "w", lambda cpu, *what: log.append(what[0] and what[2:])))
vm.hvc(imm=0x103, handler=lambda cpu: hv.STOP)
physical = vm.watch(ipa=0x4020_1000, size=8)
vm.hvc(imm=0x102, handler=lambda cpu: None)
print(vm.run(60_000).reason, physical.hits, physical.kind)
physical.remove()
vm.hvc(imm=0x102, handler=mapped)
for how in "run", "break", "step":
    cpu.reset(0x4008_0000)
    vm.memory[0x4020_1000:0x4020_1008] = bytes(8)
    log.clear(), made.clear()
    bp = vm.on(ipa=AT["place"], action="count") if how == "break" else None
    if how == "step":
        vm.until(AT["place"])
        cpu.step(2)
        print(log)
    w = vm.run(60_000) and made[0]
    print(how, log, w.hits, w.kind, bp and bp.hits)
    print(vm.run(60_000).reason, log[2:], w.kind)
    w.remove()
    if bp: bp.remove()
vm.reset()
four = [vm.watch(0x4020_0000 + 8 * n, 8) for n in range(4)] + [vm.watch(0x4020_0100, 4)]
print([w.kind for w in four])
four[1].remove()
more = [vm.watch(0x4020_0806, 4), vm.watch(0x4020_0800, 24), vm.watch(0x4020_0808, 24), vm.watch(0x4020_0800, 2048)]
print([w.kind for w in more], vm._vm.debug("watch", 0x4020_0000, 0x1FFF))
"""
    code, at = link(MMU + SPACES)
    assert run(each_target, code, script, 60, AT=at).splitlines() == [
        "stop 3 pages",
        "run [(0, 1), (2, 4)] 2 hardware None",
        "stop [(4, 5)] pages",
        "break [(0, 1), (2, 4)] 2 hardware 1",
        "stop [(4, 5)] pages",
        "[(0, 1)]",
        "step [(0, 1), (2, 4)] 2 hardware None",
        "stop [(4, 5)] pages",
        "['hardware', 'hardware', 'hardware', 'hardware', 'pages']",
        "['pages', 'pages', 'pages', 'hardware'] None",
    ]


def test_a_devices_accesses(target):
    """What a virtio device writes counts as what a vCPU does, and is told to the handler without one."""
    script = """
log = []
class Device1(Device):
    id = 42
    def request(self, queue, r):
        data = bytes(reversed(r.read()))
        r.write(data[:4])
        for view in r.room():
            view[:] = data[4:4 + len(view)]
vm = guest(code)
vm.virtio(Device1())
d = Driver(vm).start()
buffer = BUFFERS + 8 + 64
w = vm.watch(ipa=buffer + 2, size=4, f=lambda cpu, address, size, old, new: log.append((cpu, address - buffer, size, old, new)))
used = vm.watch(ipa=RINGS + 0x2000 + 2, size=2)
wide = vm.watch(ipa=BUFFERS, size=0x1000)
vm.memory[buffer:buffer + 8] = b"........"      # a script's own does not count
print(d.ask(0, b"abcdefgh", 8), w.hits, used.hits, wide.hits)
import time
while len(log) < w.hits:
    time.sleep_ms(1)
print(log)
"""
    assert run(target, CODE, DRIVER + script, 60).splitlines() == [
        "[b'hgfedcba'] 2 1 2",
        f"[(None, 2, 2, {0x2E2E}, {0x6566}), (None, 4, 2, {0x2E2E}, {0x6364})]",
    ]


def test_what_a_device_reads(target):
    """It counts as well, of queues too; and what is planted there it does not get, as bytes or as views."""
    script = """
log, got = [], []
class Device1(Device):
    id = 42
    def request(self, queue, r):
        got.append(r.read(8))
        got.extend(map(bytes, r.data()))
        r.write(b"done")
vm = guest(code)
vm.virtio(Device1())
d = Driver(vm).start()
buffer = BUFFERS
text = bytes(range(16))
w = vm.watch(ipa=buffer + 2, size=8, rights="r", f=lambda cpu, address, size, old, new: log.append((cpu, address - buffer, size, hex(old), old == new)))
table = vm.watch(ipa=RINGS, size=16, rights="r")
mute = vm.watch(ipa=buffer, size=16, rights="w")
bps = [vm.on(ipa=buffer + n, action="count") for n in (0, 8)]
print(d.ask(0, text, 4), w.hits, table.hits, mute.hits, got == [text[:8], text[8:]])
import time
while len(log) < w.hits:
    time.sleep_ms(1)
print(log)
"""
    assert run(target, CODE, DRIVER + script, 60).splitlines() == [
        "[b'done'] 2 1 0 True",
        "[(None, 2, 6, '0x70605040302', True), (None, 8, 2, '0x908', True)]",
    ]


# A table's entry is written, and then the MMU reads it.
TABLE = """
    load x0, 0x40100018
    load x1, 0x40000705
    str x1, [x0]
    dsb sy
    load x2, 0xc0201000
    mov x3, #7
    str x3, [x2]
    ldr x4, [x2]
    str xzr, [x0]
    hvc #0x100
"""


@pytest.mark.parametrize("rights", ["w", "rw"])
def test_a_page_of_tables(each_target, rights):
    """Stores to a guest's tables are seen; loads as long as no walk needs the page, which is said, and the guest goes on."""
    script = f"""
vm = guest(code)
w = vm.watch(ipa=0x4010_0018, size=8, rights={rights!r})
print(vm.run(60_000).reason, vm.cpu[0].x[4], w.hits)
"""
    lines = run(each_target, MMU + "mmu_on" + TABLE, script, 60).splitlines()
    assert "stop 7 2" in lines
    told = [line for line in lines if "loads are not seen any more" in line]
    assert len(told) == (rights == "rw")


def test_jiffies_of_a_kernel(boot):
    """A variable of an unmodified Linux, at the address that its own code has for it, while it runs: each store, in order."""
    target = boot_linux(boot)
    target.send(b"grep ' jiffies_read' /proc/kallsyms\r")
    said = target.until(re.compile(rb"[0-9a-f]{16} t jiffies_read"), seconds=30)
    target.until(b"/ # \x1b[6n", seconds=30)  # it asks for the cursor behind its prompt
    target.interrupt()
    code = said.split()[-3]
    script = f"""
import struct
pc = 0x{code}
for word in struct.unpack("<12I", vm.cpu[0].read(pc, 48)):
    if word & 0x9F00_0000 == 0x9000_0000:       # ADRP
        page = (pc & ~0xFFF) + (((word >> 5 & 0x7_FFFF) << 2 | word >> 29 & 3) << 12)
    if word & 0xFFC0_0000 == 0xF940_0000:       # LDR
        address = page + (word >> 10 & 0xFFF) * 8
        break
    pc += 4
values = []
@vm.watch(address, 8, "w")
def tick(cpu, address, size, old, new):
    values.append((old, new))
    return hv.STOP if len(values) == 20 else None
print(vm.run(100_000).reason, all([a[1] == b[0] and b[0] < b[1] for a, b in zip(values, values[1:])]))
vm.watches()[0].remove()
"""
    assert target.exec(script, seconds=120) == "stop True\n"
    target.send(b"vm.run()\recho fine-$((40+2))\r")
    target.until(b"fine-42", seconds=60)


@pytest.mark.parametrize(
    "call, says",
    [
        ("watch(0x4000_0000)", "the size of 0x40000000 is not known"),
        ("watch(0x4020_0000, 0)", "must not be empty"),
        ("watch(0x4020_0000, -4)", "of a byte or more, not of -4"),
        ("watch(0x4020_0000, 'rw')", "size= is an int, not 'rw'"),
        ("watch(0x4020_0000, 4, 'x')", "'r', 'w' or 'rw'"),
        ("watch(0x1000, 4)", "0x1000 is not RAM of a"),
        ("watch('main', 4)", "no symbols"),
        ("watch(ipa=0x4020_0000, size=4)", "0x40200000 is not RAM of a"),
        ("watch()", "a place of the guest's, or of ipa="),
        ("watch(0x4000_0000, 4, action='x')", "no action 'x'"),
    ],
)
def test_mistakes(target, call, says):
    with pytest.raises(TargetError, match=says):
        run(target, "", f"hv.VM('a', ram='1M').{call}")
