# SPDX-License-Identifier: MIT
"""A script changes what guests stand on while they run: stage 2, handlers, rules, on other cores too."""

import pytest
from guestcode import run

# Calls, loads, stores, a device, a trapped register; each exception skips its instruction.
BUSY = """
    adr x9, table
    msr vbar_el1, x9
    isb
    load x1, 0x40100000
    load x3, 0x0b000000
1:  load x0, 0xc6000001
    hvc #0
    ldr x2, [x1]
    add x2, x2, #1
    str x2, [x1]
    ldr w4, [x3]
    str w4, [x3, #4]
    mrs x5, actlr_el1
    add x20, x20, #1
    b 1b
    .balign 2048
table:
    .rept 16
    .balign 128
    mrs x10, elr_el1
    add x10, x10, #4
    msr elr_el1, x10
    eret
    .endr
"""

CHANGES = """
import random, time
random.seed(3)
vms, rules, ends = [], [], set()

def answer(cpu, *more):
    return 1

def start():
    vm = guest(code)
    vm.default(lambda cpu, esr: hv.SKIP)
    vms.append(vm)
    vm.start()

def page(vm):
    what = random.randrange(4)
    if what == 0:
        vm.stage2.unmap(0x4010_0000, 0x1000)
    elif what == 1:
        vm.memory[0x4010_0000 : 0x4010_0010] = bytes(16)
    else:
        vm.stage2.map(0x4010_0000, None, 0x1000, random.choice(("r", "rw", "rwx")))

def hook(vm):
    handler = random.choice((answer, None))
    what = random.randrange(3)
    if what == 0:
        vm.hvc(0xc600_0001, handler)
    elif what == 1:
        vm.sysreg("ACTLR_EL1", handler)
    else:
        vm.mmio(0x0b00_0000, 8, None)
        if handler:
            vm.mmio(0x0b00_0000, 8, handler)

def rule(vm):
    if len(rules) > 8:
        rules.pop(random.randrange(len(rules))).remove()
    kind = random.choice(("count", "log", "const", "shadow", "deny"))
    rules.append(vm.rule("hvc", 0xc600_0001, kind, nth=random.randrange(3)))
    hv.events()

def rest(vm):
    vm.pause()
    vm.cpu[0].x[2] = 0
    vm.start()

def trace(vm):
    vm.trap_el1_exceptions("all", lambda cpu, esr, vector: hv.SKIP)
    vm.trap_el1_exceptions(None)

def wave(changes):
    for n in range(3):
        start()
    for n in range(changes):
        random.choice((page, page, hook, hook, rule, rest, trace))(random.choice(vms))
        ends.update({vm.exit.reason for vm in vms if not vm.running})
    for n in range(600):  # until each has had a turn
        time.sleep_ms(100)
        for vm in vms:
            vm.pause()
        going = all([vm.cpu[0].x[20] > 0 for vm in vms])
        if going:
            break
        for vm in vms:
            vm.start()
    while vms:
        vms.pop().close()
    rules.clear()
    return going, hv.mem()

first = wave(300)       # other cores have their stacks now, pools of small pieces have grown
print(first[0], wave(1500) == first, ends)
"""


@pytest.mark.slow
def test_changes_under_running_guests(each_target):
    """1,500 of them, at random: no guest ends, none stands still, all memory comes back."""
    assert run(each_target, BUSY, CHANGES, 100) == "True True set()\n"
