# SPDX-License-Identifier: MIT
"""Many vCPUs on few cores or many: no interrupt is lost, and each gets its share."""

import pytest
from guestcode import built, run

STORM = """
for i in range({times}):
    with guest(code, ram="16M", cpus={cpus}) as vm:
        vm.cpu[0].x[0] = {rounds} | {timers} << 32
        print(vm.run().reason)
"""


def storm(target, cpus=4, rounds=0, timers=0, times=1, seconds=60):
    script = STORM.format(cpus=cpus, rounds=rounds, timers=timers, times=times)
    verdict = f"storm: {cpus} cpus, {rounds + timers} rounds, 0 wrong\noff\n"
    assert run(target, built("storm"), script, seconds) == verdict * times


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("gic", [2, 3])
def test_storm_of_interrupts_on_four_cores(boot, gic):
    """Four vCPUs, a lock they share, 65,536 SGIs from each to the next: none lost, none doubled,
    five times in a row.
    """
    storm(boot(gic=gic, smp=4), rounds=65536, times=5, seconds=500)


@pytest.mark.parametrize("smp", [1, 2])
@pytest.mark.parametrize("gic", [2, 3])
def test_storm_of_interrupts_with_more_vcpus_than_cores(boot, gic, smp):
    target = boot(gic=gic, smp=smp)
    storm(target, rounds=65536 if smp == 1 else 8192)
    storm(target, cpus=8, rounds=2048)


def test_sleepers_are_woken_by_their_timers(each_target):
    """WFI until the virtual or the physical timer fires, at any moment: while the vCPU is loaded, is
    being put away, waits for a core, or is gone from it.
    """
    storm(each_target, timers=600)
    storm(each_target, timers=200, rounds=200, cpus=8)


def test_the_end_is_noticed_while_another_vcpu_spins(each_target):
    """SYSTEM_OFF on one core: run() returns as soon as the vCPU on another has left its guest."""
    source = """
    load x0, 0xc4000003
    mov x1, #1
    adr x2, second
    mov x3, #0
    hvc #0
    adr x1, seen
1:  yield
    ldr w0, [x1]
    cbz w0, 1b
    power_off
second:
    adr x1, seen
    mov w0, #1
    str w0, [x1]
    b .
    .balign 8
seen:
    .quad 0
"""
    script = """
import time
for i in range(5):
    with guest(code, cpus=2) as vm:
        start = time.ticks_ms()
        print(vm.run(60_000).reason, time.ticks_diff(time.ticks_ms(), start) < 15_000)
"""
    assert run(each_target, source, script, 120) == "off True\n" * 5
