# SPDX-License-Identifier: MIT
"""What is typed while a guest has the console, and the guest does not read: the prompt gets it."""

import pytest
from guestcode import run
from test_background import ECHO

SPIN = "b ."
# Waits until something was typed, says so by a call, waits for x1, then is an ECHO.
HELD = (
    """
    load x10, 0x09000000
1:  ldr w0, [x10, #0x18]
    tbnz w0, #4, 1b
    hvc #5
1:  cbz x1, 1b
"""
    + ECHO
)
HOLD = "vm = guest(code)\nvm.hvc(imm=5, handler=lambda cpu: print('it is there'))"
# Waits until something was typed, asks, ends; run again, it reads one byte into x0 and ends.
ASKS = """
    load x10, 0x09000000
1:  ldr w0, [x10, #0x18]
    tbnz w0, #4, 1b
    hvc #5
    hvc #0x100
    ldr w0, [x10]
    hvc #0x100
"""


def paste(target, *lines):
    """Types the lines at once, and END, a line that shows it was the last."""
    target.send("".join(line + "\r" for line in (*lines, "'E' + 'ND'")))
    return target.until("'END'\n", 60)


def test_a_guest_that_never_reads(each_target):
    run(each_target, SPIN, "vm = guest(code)")
    shown = paste(each_target, "vm.run(300)", "6 * 7", "'a' + 'b'")
    assert shown.index("<Exit timeout") < shown.index("\n42\n") < shown.index("\n'ab'\n")


def test_a_guest_that_reads_a_part(each_target):
    run(each_target, ECHO, "vm = guest(code)")
    shown = paste(each_target, "vm.run()", "ab.6 * 7")
    assert shown.index("AB") < shown.index("<Exit off") < shown.index("\n42\n")


@pytest.mark.parametrize("call", ["vm.attach()", "vm.start(); vm.attach()"])
def test_a_guest_that_ends_while_attached(each_target, call):
    run(each_target, ECHO, "vm = guest(code)")
    shown = paste(each_target, call, "a.6 * 7")
    assert "\n42\n" in shown


def test_runs_in_a_row(each_target):
    """Each gives back what it was given; a guest that reads gets what is left."""
    run(each_target, SPIN, "vm = guest(code)\nspin = vm")
    run(each_target, ECHO, "vm = guest(code)")
    shown = paste(each_target, "spin.run(200)", "spin.run(200)", "vm.run()", "xy.6 * 7")
    assert shown.count("<Exit timeout") == 2
    assert shown.index("XY") < shown.index("<Exit off") < shown.index("\n42\n")


def test_a_handler_that_raises(target):
    run(target, ASKS, "def f(cpu): raise OSError(77)\nvm = guest(code)\nvm.hvc(imm=5, handler=f)")
    shown = paste(target, "vm.run()", "6 * 7")
    assert shown.index("OSError: 77") < shown.index("\n42\n")


@pytest.mark.parametrize("lines", [600, 2000])
def test_more_than_the_guest_has_room_for(target, lines):
    """Beyond the guest's ring, and beyond that and the machine's own: all of it, in order."""
    target.exec("order = []")
    run(target, SPIN, "vm = guest(code)")
    target.send(b"vm.run(1000)\r")
    target.until("vm.run(1000)\n")
    for n in range(0, lines, 50):
        target.send("".join(f"order += [{k}]\r" for k in range(n, n + 50)))
    paste(target)
    assert target.repl(f"order == list(range({lines}))") == "True"


def test_what_a_script_sent_is_the_guests(each_target):
    """It stays, what was typed around it goes."""
    script = "vm = guest(code)\nvm.hvc(imm=5, handler=lambda cpu: vm.console.write(b'S'))"
    run(each_target, ASKS, script)
    shown = paste(each_target, "vm.run()", "6 * 7")
    assert shown.index("<Exit stop") < shown.index("\n42\n")
    each_target.exec("vm.run()")
    assert each_target.eval("vm.cpu[0].x[0]") == ord("S")


def test_ctrl_c_leaves_with_the_guest_what_was_typed_at_it(each_target):
    """Its shell's commands are none of EL2's; they are read when it runs on."""
    run(each_target, HELD, HOLD)
    each_target.send(b"vm.run()\r")
    each_target.until("vm.run()\n")
    each_target.send(b"xyz\r")
    each_target.until("it is there")
    shown = each_target.interrupt()
    assert "KeyboardInterrupt" in shown and "xyz" not in shown
    assert each_target.repl("6 * 7") == "42"
    each_target.repl("vm.cpu[0].x[1] = 1")
    each_target.send(b"vm.run()\r")
    each_target.until("XYZ")
    assert "<Exit off" in paste(each_target, ".")


def test_behind_ctrl_c_nothing_is_the_guests(each_target):
    run(each_target, SPIN, "vm = guest(code)")
    each_target.send(b"vm.run()\r")
    each_target.until("vm.run()\n")
    each_target.send(b"\x036 * 7\r")
    each_target.until("KeyboardInterrupt")
    assert "42\n" in each_target.until("42\n")


def test_detached_what_was_typed_stays_with_the_guest(each_target):
    """It runs on, and may read it."""
    run(each_target, HELD, HOLD)
    each_target.send(b"vm.attach()\r")
    each_target.until("vm.attach()\n")
    each_target.send(b"xyz")
    each_target.until("it is there")
    each_target.send(b"\x1c6 * 7\r")
    assert "\n42\n" in each_target.until("\n42\n")
    each_target.wait_prompt()
    each_target.repl("vm.pause(); vm.cpu[0].x[1] = 1")
    each_target.send(b"vm.run()\r")
    each_target.until("XYZ")
    assert "<Exit off" in paste(each_target, ".")


def test_a_scripts_bytes_are_its_own(target):
    """Sent behind a script that runs a guest, as a program of the host does: the script reads them."""
    run(target, SPIN, "vm = guest(code)")
    target.send(b"\r\x01")
    target.until("raw REPL; CTRL-B to exit\n>")
    target.send(b"import sys\nvm.run(300)\nprint(sys.stdin.read(5).upper())\x04hello")
    assert target.until("HELLO\n").startswith("OK")
    target.until("\x04>")
    target.send(b"vm.run(200)\nprint('one')\x04print('two')\x04")
    assert target.until("two\n").startswith("OKone\n\x04\x04>OK")
    target.send(b"\x02")
    target.wait_prompt()


def test_mpremote_behind_a_guest(target):
    run(target, SPIN, "vm = guest(code)")
    said = target.mpremote("resume", "exec", "vm.run(200)", "exec", "print(6 * 7)")
    assert said.split() == ["42"]
