# SPDX-License-Identifier: MIT
"""The guest's PL031: its alarm."""

import guestcode

ALARM = """
    load x1, 0x09010000
    mov w2, #1
    str w2, [x1, #0x10]                 // IMSC
    ldr w2, [x1]                        // DR
    add w2, w2, #2                      // more than a second, less than two
    str w2, [x1, #4]                    // MR
    hvc #0x100
    load x1, 0x09010000
    ldr w3, [x1, #0x18]                 // MIS
    str w3, [x1, #0x1C]                 // ICR
    ldr w4, [x1, #0x14]                 // RIS
    hvc #0x100
"""


def test_alarm(each_target):
    """It rings when its second has come, the guest stopped or not; that of a VM that is gone does not."""
    script = """
import time
begin = time.ticks_ms()
gone = guest(code)
gone.run()
vm = guest(code)
vm.run()
gone.close()
print(vm.irq(34).level and time.ticks_diff(time.ticks_ms(), begin) < 1000, end=" ")
while not vm.irq(34).level:
    time.sleep_ms(1)
print(vm.irq(34).level, end=" ")
vm.run()
print(vm.cpu[0].x[3], vm.cpu[0].x[4], vm.irq(34).level)
"""
    assert guestcode.run(each_target, ALARM, script).split() == "False True 1 0 False".split()
