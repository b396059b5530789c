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

# In seconds, with room for a host that does not run us for a while.
BEGIN = """
import time
hz = __import__("_hv").mrs("CNTFRQ_EL0")
def clock(vm):
    assert vm.run(5000).reason == "stop"
    return vm.cpu[0].x[1] / hz, vm.cpu[0].x[2] / hz
"""


def test_each_vm_has_its_own_virtual_count(each_target):
    """It begins at 0 when the VM first runs; the physical one is the machine's; so is CNTFRQ_EL0."""
    script = (
        BEGIN
        + """
time.sleep(2)
a = guest(code)
first = clock(a)
b = guest(code)
second = clock(b)
print(first[0] < 1, second[0] < 1, first[1] > 2, second[1] >= first[1], a.cpu[0].x[3] == hz)
"""
    )
    assert run(each_target, CLOCK, script) == "True True True True True\n"


def test_virtual_count_stands_still_while_the_vm_is_stopped(each_target):
    script = (
        BEGIN
        + """
vm = guest(code)
before = clock(vm)
time.sleep(2)
after = clock(vm)
print(0 <= after[0] - before[0] < 1, after[1] - before[1] >= 2)
vm.stop_time = False
before = clock(vm)
time.sleep(2)
print(clock(vm)[0] - before[0] >= 2)
vm.stop_time = True
vm.reset()
vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
vm.cpu[0].reset(0x4008_0000)
print(clock(vm)[0] < 1)
"""
    )
    assert run(each_target, CLOCK, script) == "True True\nTrue\nTrue\n"


def test_timer_of_a_stopped_guest_waits_with_it(each_target):
    """Due a second after the stop, it is not two seconds later; it is when the guest has run on."""
    script = (
        BEGIN
        + """
vm = guest(code)
for stops in (True, False):
    vm.stop_time = stops
    vm.cpu[0].x[19] = hz
    clock(vm)
    vm.cpu[0].x[19] = 0
    print(vm.cpu[0].x[4], vm.irq(27).pending, end=" ")
    time.sleep(2)
    print(vm.irq(27).pending, end=" ")
    clock(vm)
    print(vm.cpu[0].x[4], vm.irq(27).pending)
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
