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
@pytest.mark.timeout(600)
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
