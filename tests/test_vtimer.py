# SPDX-License-Identifier: MIT
"""A guest's clock and timers. Every register of theirs is tried by guests/gictest (test_vgic.py)."""

from guestcode import built, run

# Each run reads the counters and CNTV_CTL into x1 to x4; x19 sets a timer that many ticks ahead first.
CLOCK = """
1:  cbz x19, 2f
    isb
    mrs x9, cntvct_el0
    add x9, x9, x19
    msr cntv_cval_el0, x9
    mov x9, #1
    msr cntv_ctl_el0, x9
2:  isb
    mrs x1, cntvct_el0
    mrs x2, cntpct_el0
    mrs x3, cntfrq_el0
    mrs x4, cntv_ctl_el0
    hvc #0x100
    b 1b
"""

# In seconds. A host that does not run us for a while makes each step longer: what is compared is with
# what this script itself saw pass.
BEGIN = """
import time
hz = __import__("_hv").mrs("CNTFRQ_EL0")
AHEAD = 1 << 43  # where a VM's count may begin so; else at 0 (vtimer.c)
def clock(vm):
    assert vm.run(60_000).reason == "stop"
    return vm.cpu[0].x[1] % AHEAD / hz, vm.cpu[0].x[2] / hz
def now():
    return __import__("_hv").mrs("CNTPCT_EL0") / hz
"""


def test_each_vm_has_its_own_virtual_count(each_target):
    """It begins at 2^43, or at 0, when the VM first runs; the physical one is the machine's; so is CNTFRQ_EL0."""
    script = (
        BEGIN
        + """
time.sleep(2)
def first(vm):
    begin = now()
    virtual, physical = clock(vm)
    return 0 <= virtual <= now() - begin < 60, begin <= physical <= now(), physical > 2
a, b = guest(code), guest(code)
print(first(a), first(b), a.cpu[0].x[3] == hz)
"""
    )
    assert run(each_target, CLOCK, script) == "(True, True, True) (True, True, True) True\n"


def test_virtual_count_stands_still_while_the_vm_is_stopped(each_target):
    script = (
        BEGIN
        + """
vm = guest(code)
def slept():
    "What the virtual count went on by while the VM was stopped, at most; that, and what time it was."
    start = now()
    before = clock(vm)
    stop = now()
    time.sleep(2)
    go = now()
    after = clock(vm)
    return after[0] - before[0] - (stop - start) - (now() - go), after[1] - before[1]
virtual, physical = slept()
print(virtual <= 0, physical >= 2)
vm.stop_time = False
before = clock(vm)
time.sleep(2)
print(clock(vm)[0] - before[0] >= 2)
vm.stop_time = True
begin = now()
vm.reset()
vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
vm.cpu[0].reset(0x4008_0000)
print(0 <= clock(vm)[0] <= now() - begin)
"""
    )
    assert run(each_target, CLOCK, script) == "True True\nTrue\nTrue\n"


def test_timer_of_a_stopped_guest_waits_with_it(each_target):
    """Due a second after the stop, it is not two seconds later; it is when the guest has run on. Tried
    again when the guest itself had to wait for the host for most of that second.
    """
    script = (
        BEGIN
        + """
vm = guest(code)
def seen():
    begin = now()
    vm.cpu[0].x[19] = hz
    clock(vm)
    vm.cpu[0].x[19] = 0
    first, stop = (vm.cpu[0].x[4], vm.irq(27).pending), now()
    time.sleep(2)
    second, go = vm.irq(27).pending, now()
    clock(vm)
    if stop - begin + now() - go > 0.9:
        return seen()
    return first + (second, vm.cpu[0].x[4], vm.irq(27).pending)
for vm.stop_time in (True, False):
    print(*seen())
"""
    )
    assert run(each_target, CLOCK, script) == "1 False False 1 False\n1 False True 5 True\n"


def test_paused_again_and_again(each_target):
    """Sleepers, their timers and interrupts survive any number of stops."""
    script = """
import time
vm = guest(code, ram="16M", cpus=4)
vm.cpu[0].x[0] = 500 | 500 << 32
vm.start()
pauses = 0
while vm.running:
    time.sleep_ms(7)
    pauses += vm.pause()
    if vm.exit is None:
        vm.start()
print(pauses > 10, vm.exit.reason, vm.console.read())
"""
    text = run(each_target, built("storm"), script, 60)
    assert text == "True off b'storm: 4 cpus, 1000 rounds, 0 wrong\\r\\n'\n"


# The timer is set to x19, its control register to x20; x1 is what that is soon after.
PARKED = """
    msr cntv_ctl_el0, xzr
    msr cntv_cval_el0, x19
    msr cntv_ctl_el0, x20
    isb
    mov x2, #200
1:  subs x2, x2, #1
    b.ne 1b
    mrs x1, cntv_ctl_el0
    mrs x2, cntvct_el0
    hvc #0x100
    b _start
"""

FAR = [
    *(~0 - n for n in (0, 1, 1 << 20, 1 << 42, 1 << 43, 1 << 44, 1 << 50)),
    *(1 << 63, (1 << 63) - 1, 1 << 60),
]
FAR = [value % (1 << 64) for value in FAR]


def test_no_timer_value_stops_the_machine(each_target):
    """QEMU 7.2 takes CVAL + CNTVOFF for a deadline, and hangs when that wraps into the past: by the guest,
    by a script, with the interrupt masked or not, after a stop and a reset.
    """
    script = """
import time
vm = guest(code)
cpu = vm.cpu[0]
for cval in far:
    for ctl in (1, 3):
        cpu.x[19], cpu.x[20] = cval, ctl
        assert vm.run(60_000).reason == "stop"
        assert cpu.x[1] == ctl, (hex(cval), ctl, cpu.x[1])
        assert cpu.x[2] < cval
        time.sleep_ms(2)
        cpu.sysreg["CNTV_CTL_EL0"] = 0
        cpu.sysreg["CNTV_CVAL_EL0"] = cval
        cpu.sysreg["CNTV_CTL_EL0"] = ctl
        assert cpu.sysreg["CNTV_CTL_EL0"] == ctl and cpu.sysreg["CNTV_CVAL_EL0"] == cval
        time.sleep_ms(2)
    vm.reset()
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    cpu.reset(0x4008_0000)
print("alive")
"""
    assert run(each_target, PARKED, script, 60, far=FAR) == "alive\n"


def test_nor_after_a_hundred_hours_of_stop(boot):
    """With -icount, QEMU's time jumps to where something is due."""
    script = """
import time
hz = __import__("_hv").mrs("CNTFRQ_EL0")
vm = guest(code)
cpu = vm.cpu[0]
cpu.x[19], cpu.x[20] = (1 << 64) - 1, 1
last = 0
for hours in (0, 1, 10, 30, 60):
    for i in range(hours):
        time.sleep(3600)
    assert vm.run(60_000).reason == "stop"
    count = cpu.x[2]
    # It stands still, until that would make it go behind the physical one.
    behind = hours < 30 and count - last > hz * 3600 and last != 0
    print(hours, cpu.x[1], count >= last, behind)
    last = count
with guest(code) as other:      # one that begins late
    other.cpu[0].x[19], other.cpu[0].x[20] = (1 << 64) - 1, 1
    print(other.run(5000).reason, other.cpu[0].x[1])
"""
    lines = [f"{hours} 1 True False" for hours in (0, 1, 10, 30, 60)]
    target = boot(icount=True)
    assert run(target, PARKED, script, 100).splitlines() == [*lines, "stop 1"]


def test_who_reads_istatus_finds_the_interrupt(each_target):
    """CNTP: 3000 reads that say that the time has come, each with its PPI pending at once."""
    source = """
    mrs x10, id_aa64pfr0_el1
    ubfx x10, x10, #24, #4
    load x11, 0x08000200
    load x12, 0x080B0200
    cmp x10, #0
    csel x11, x11, x12, eq              // GICD_ISPENDR0 or GICR_ISPENDR0
    mov x20, #0
    mov x21, #0
    mov x22, #3000
1:  mov x1, #300
    msr cntp_tval_el0, x1
    mov x1, #1
    msr cntp_ctl_el0, x1
2:  mrs x1, cntp_ctl_el0
    tbz x1, #2, 2b
    ldr w2, [x11]
    ubfx w2, w2, #30, #1
    add x20, x20, x2
    add x21, x21, #1
    msr cntp_ctl_el0, xzr
    cmp x21, x22
    b.ne 1b
    hvc #0x100
"""
    script = """
vm = guest(code)
print(vm.run(100_000).reason, vm.cpu[0].x[20], vm.cpu[0].x[21])
"""
    assert run(each_target, source, script, 120) == "stop 3000 3000\n"


def test_every_way_to_the_physical_timer_is_the_same(each_target):
    """Values and state by a register that EL2 has at hand, by one it has to fetch, and past a rule."""
    source = """
    load x20, 0x40100000
1:  ldp x2, x3, [x20]
    cmn x3, #1
    b.eq 4f
    cbnz x19, 2f
    msr cntp_cval_el0, x2
    msr cntp_ctl_el0, x3
    mrs x4, cntp_cval_el0
    mrs x5, cntp_ctl_el0
    b 3f
2:  mov x25, x2
    mov x26, x3
    msr cntp_cval_el0, x25
    msr cntp_ctl_el0, x26
    mrs x25, cntp_cval_el0
    mrs x26, cntp_ctl_el0
    mov x4, x25
    mov x5, x26
3:  stp x4, x5, [x20], #16
    b 1b
4:  hvc #0x100
    b _start
"""
    script = """
from struct import pack, unpack
values = [(cval, ctl) for cval in (0, 1, 1 << 40, 1 << 63, (1 << 64) - 2, (1 << 64) - 1) for ctl in (0, 1, 2, 3, 4, 5, 7, (1 << 64) - 2)]
vm = guest(code)
for ruled in (False, True):
    if ruled:
        vm.rule("sysreg", "CNTP_CTL_EL0", "log")
        vm.rule("sysreg", "CNTP_CVAL_EL0", "log")
    for late in (0, 1):
        for i, (cval, ctl) in enumerate(values):
            vm.memory[0x4010_0000 + 16 * i : 0x4010_0010 + 16 * i] = pack("<2Q", cval, ctl)
        vm.memory[0x4010_0008 + 16 * len(values) : 0x4010_0010 + 16 * len(values)] = b"\\xff" * 8
        vm.cpu[0].x[19] = late
        assert vm.run(60_000).reason == "stop"
        for i, (cval, ctl) in enumerate(values):
            got = unpack("<2Q", bytes(vm.memory[0x4010_0000 + 16 * i : 0x4010_0010 + 16 * i]))
            want = cval, ctl & 3 | (4 if ctl & 1 and cval <= 1 else 0)
            assert got == want, (ruled, late, hex(cval), ctl, got)
print("done")
"""
    assert run(each_target, source, script, 60) == "done\n"
