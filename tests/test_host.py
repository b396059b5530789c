# SPDX-License-Identifier: MIT
"""The package elapid: the target's objects on the host, guests' consoles, exceptions that cross."""

import elapid
import pytest
from elapid.console import target_error
from guestcode import link
from harness import ROOT, Target

GUESTS = ROOT / "build/guests"

# Prints a line and asks Python for something, for ever.
CHATTER = """
    load x1, 0x09000000
1:  mov w2, #'a'
    str w2, [x1]
    mov w2, #'\\n'
    str w2, [x1]
    hvc #1
    b 1b
"""


@pytest.fixture(scope="module")
def machine(image):
    with Target(files=[GUESTS / "hello.elf"]) as target:
        yield target


@pytest.fixture
def target(machine):
    return machine.fresh()


def add(cpu, a, b, *more):
    return a + b


def test_a_guest_from_the_host(target):
    with target.vm("mine", ram="8M") as vm:
        assert target.vm("mine") is vm and target.repl("mine.name") == "'mine'"
        loaded = vm.load(GUESTS / "hello.elf")
        assert vm.symbol(loaded.entry) == "_start" and vm.memory.base == 0x4000_0000
        vm.hvc(0xC600_0001, target.function(add))
        with pytest.raises(
            elapid.Ended, match="mine ended without 'off': <Exit mmio: .*abort"
        ) as e:
            vm.run_until("off", seconds=20)
        assert e.value.exit.reason == "mmio" and "20 + 22 = 42" in vm.log
        vm.reset()
        vm.mmio(0xB00_0000, 4096, target.call("lambda cpu, at, value: value is None or None"))
        assert vm.run_until("device says ").endswith("42\r\nguest: ")
        assert vm.console.expect([r"0x(\d)\r", "never"]) == 0 and vm.console.match[1] == "1"
        exit = vm.wait()
        assert exit.reason == "off" and repr(exit).startswith("<Exit off: cpu 0 at pc 0x4008")
        with pytest.raises(elapid.TargetError, match="ValueError"):
            vm.cpu[0].sysreg["NONE_EL1"]
    with pytest.raises(ValueError, match="has been closed"):
        vm.running
    assert target.vm("mine", ram="1M") is not vm


def test_values_and_objects(target):
    target["kept"] = {"a": [1, 2.5, None, (True,)], "b": b"\0\xff", 3: "\u00fc'\n\2"}
    assert target["kept"] == {"a": [1, 2.5, None, (True,)], "b": b"\0\xff", 3: "\u00fc'\n\2"}
    hv = target.module("hv")
    assert hv.platform()["gic"] == 2 and hv.regs.HCR_EL2.read() > 0
    vms = target.call(
        "[hv.VM('a', ram='1M'), (hv.VM('b', ram='1M'), 7)]".replace("hv", "__import__('hv')")
    )
    assert vms[0].name == "a" and vms[1][0].name == "b" and vms[1][1] == 7
    vms[0].memory[0x4000_0000:0x4000_0004] = b"1234"
    assert vms[0].memory[0x4000_0001] == ord("2") and len(vms[0].cpu) == 1
    assert [cpu.id for cpu in vms[0].cpu] == [0] and int(target.call("float('inf') > 1")) == 1
    vms[0].cpu[0].x[3] = 1 << 63
    assert vms[0].cpu[0].x[3] == 1 << 63 and bytes(target.call("bytearray(b'ab')")) == b"ab"
    target.call("print('said')")
    assert target.said == "said\r\n" or target.said == "said\n"
    assert (
        target.repl("1 + 1") == "2" and target.exec("print(3)") == "3\n"
    )  # the other ways, between
    assert target.call("4") == 4
    with pytest.raises(TypeError, match="runs on the host; @target.function"):
        vms[0].hvc(1, add)
    kept = target.call("len(_elapid.kept)")
    for _ in range(20):
        vms[0].memory.base
    assert target.call("len(_elapid.kept)") <= kept + 2  # what the host has dropped goes there too
    target.soft_reset()
    with pytest.raises(ReferenceError, match="the target was reset"):
        vms[0].name
    assert "gone" in repr(vms[0]) and target.call("5") == 5


def test_handlers_may_print_while_the_host_asks(target):
    code, _ = link(CHATTER)
    target.exec("def loud(cpu):\n    print('loud ' * 20)\n")
    vm = target.vm("chatter", ram="2M")
    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
    vm.cpu[0].reset(0x4008_0000)
    vm.hvc(imm=1, handler=target["loud"])
    vm.start()
    for n in range(30):
        assert target.call(f"{n} + 1") == n + 1
    for _ in range(3):
        vm.console.expect_exact("a\n")
    vm.pause()
    vm.close()


def test_exceptions_are_the_hosts_too():
    both = target_error("Traceback ...\nOSError: [Errno 2] ENOENT: 'x'\n", "out")
    assert isinstance(both, OSError) and str(both).endswith("'x'\n") and both.output == "out"
    for last in ("KeyboardInterrupt: ", "hv.Fault: no", "NoSuch: x", "UnicodeError: u", ""):
        plain = target_error(last, "")
        assert isinstance(plain, elapid.TargetError) and str(plain) == last
        assert isinstance(plain, UnicodeError) == last.startswith("Unicode")


def test_two_files_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two files of the same name"):
        Target(files=["a/x", "b/x"])
