# SPDX-License-Identifier: MIT
import pytest

pytestmark = pytest.mark.guest("build/kernel.elf", ram="8M")


@pytest.mark.machine(gic=3, smp=2)
def test_it_sums_and_goes_off(vm):
    vm.run_until("kernel: up")
    vm.console.sendline("20+22")
    vm.console.expect(r"(\d+)\r\n> ")
    assert vm.console.match[1] == "42"
    vm.console.send("q")
    assert vm.wait().reason == "off"


def test_inside(vm):
    calls = vm.on("answer", action="count")  # a breakpoint, which the kernel does not see
    vm.run_until("> ")
    vm.console.sendline("1+1")
    vm.console.expect("2\r\n> ")
    vm.pause()
    assert calls.hits == 1 and vm.cpu[0].read(vm.symbol("requests"), 1) == b"\1"


def test_an_exception_is_told(vm):
    vm.run_until("> ")
    vm.pause()
    vm.cpu[0].inject("undefined")
    assert "class 0 at" in vm.run_until("\n")
