# SPDX-License-Identifier: MIT
"""The prompt as a user types at it, and the raw REPL that tools use."""

import re

import pytest
from elapid.console import CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E
from harness import ROOT, TargetError

UP, LEFT, TAB = b"\x1b[A", b"\x1b[D", b"\t"


def test_expressions(each_target):
    assert each_target.repl("1 + 1") == "2"
    assert each_target.repl("'a' * 3") == "'aaa'"
    assert each_target.repl("x = 5") == ""
    assert each_target.repl("x ** 40") == str(5**40)


def test_block_is_indented_by_itself(target):
    target.repl("for i in range(3):")
    assert target.repl("print(i * i)") == ""
    target.send(b"\x7f\r")  # backspace takes the indent back, an empty line ends the block
    assert "\n0\n1\n4\n" in target.wait_prompt()


def test_history(target):
    target.repl("print('one')")
    target.repl("print('two')")
    target.send(UP + UP + b"\r")
    assert "\none\n" in target.wait_prompt()


def test_line_editing(target):
    target.send(b"12" + LEFT + b"+\r")
    assert "\n3\n" in target.wait_prompt()


def test_tab_completion(target):
    target.send(b"import mach" + TAB)
    target.until("ine")
    target.send(b"\rmachine.mem" + TAB + TAB)
    listed = target.until("mem8")
    assert "mem32" in listed or "mem32" in target.until("mem32")
    target.interrupt()


def completed(target, typed):
    """What the tab key makes of it, pressed once or, for a list, until there is one."""
    target.send(typed.encode() + TAB)
    target.until(typed)
    target.send(b"~")  # cannot be part of what is completed
    answer = target.until("~")[:-1]
    target.interrupt()
    return answer


@pytest.mark.parametrize(
    ("typed", "more"),
    [
        ("vm.cpu[0].sys", "reg"),
        ("vm.cpu[0].transl", "ate"),
        ("vm.cpu[i].in", "ject"),
        ("print(vms['a'][0].cpu[-1].sys", "reg"),
        ("vms['a'][0].symb", "ol"),
        ("hv.reg", "s"),
        ("hv.symb", ""),  # what hv is made of
        ("hv.stage", ""),
        ("vm.cpu[7].sys", ""),  # raises
        ("vm.nothing[0].sys", ""),
        ("asked[0].sys", ""),  # not a container: it is not asked
        ("vm.cpu[0", ""),
        ("].sys", ""),
    ],
)
def test_tab_completes_behind_subscripts(target, typed, more):
    target.exec(
        "import hv\nvm = hv.VM('tab', ram='1M')\nvms, i = {'a': (vm,)}, 0\n"
        "class Asked:\n    def __getitem__(self, i): print('asked'); return vm.cpu[0]\n"
        "asked = Asked()\n"
    )
    assert completed(target, typed) == more
    assert target.repl("'_tab' in globals()") == "False"


def test_tab_lists(target):
    target.exec("import hv\nvm = hv.VM('tab', ram='1M')")
    listed = completed(target, "vm.cpu[0].").split()
    assert {"pc", "x", "sysreg", "inject", "exit", "pstate"} <= set(listed)
    listed = set(completed(target, "hv.").split())
    assert {"VM", "regs", "mmu", "explain", "PASS", "Switch"} <= listed
    assert not {"elf", "event", "source", "stage2", "state", "symbols", "traps", "vm"} & listed


def test_runaway_recursion_is_two_ends(target):
    """Not its 380 lines."""
    for code in (
        "def f(n):\n    return f(n + 1)\n",
        "def f(n): return g(n)\ndef g(n): return f(n)\n",
    ):
        target.exec(code)
        lines = target.repl("f(1)").splitlines()
        assert lines[0].startswith("Traceback") and "stdin" in lines[1] and len(lines) < 26
        assert re.fullmatch(r"  \[\d\d\d+ more calls\]", lines[11]), lines
        assert lines[-1] == "RuntimeError: maximum recursion depth exceeded"
    target.exec("def f(n): return f(n - 1) if n else 1 // n")
    assert len(target.repl("f(18)").splitlines()) == 1 + 20 + 1  # whole


def start(target, loop):
    """Types a loop and waits until it runs: before, Ctrl-C would only clear the line."""
    target.send(f"exec('print(99 + 1)\\n{loop}')\r")
    target.until("\n100\n")


def test_ctrl_c_ends_a_busy_loop(each_target):
    start(each_target, "while True: pass")
    assert "KeyboardInterrupt" in each_target.interrupt()


def test_ctrl_c_right_behind_the_line(each_target):
    """It came while the line was still being read: it is for what the line does, and what else was typed stays."""
    for _ in range(5):
        each_target.send(b"exec('while True: pass')\r\x03'typed' + ' ahead'\r")
        each_target.until("KeyboardInterrupt")
        # Before the prompt the next Ctrl-C would still be this line's.
        each_target.until("'typed ahead'\n>>> ")


def test_ctrl_c_ends_a_sleep(target):
    start(target, "import time; time.sleep(1000)")
    assert "KeyboardInterrupt" in target.interrupt()


def test_ctrl_c_twenty_times(target):
    for _ in range(20):
        start(target, "while 1: pass")
        assert "KeyboardInterrupt" in target.interrupt()


def test_traceback_names_line_and_error(target):
    with pytest.raises(TargetError) as error:
        target.exec("def f():\n    return [][1]\n\nf()\n")
    assert "line 2, in f\nIndexError: " in error.value.traceback


def test_output_before_an_exception_is_kept(target):
    with pytest.raises(TargetError) as error:
        target.exec("print('before'); 1/0")
    assert error.value.output == "before\n"
    assert "ZeroDivisionError" in error.value.traceback


def test_soft_reset_forgets_names_and_keeps_files(each_target):
    each_target.exec("x = 1\nopen('kept.txt', 'w').write('here')")
    said = each_target.soft_reset()
    assert "MicroPython v1." in said
    with pytest.raises(TargetError, match="NameError"):
        each_target.exec("x")
    assert each_target.exec("print(open('kept.txt').read())") == "here\n"


def test_many_soft_resets(target):
    for _ in range(30):
        target.soft_reset()
    assert target.repl("print(1)") == "1"


def test_boot_py_and_main_py_run(target):
    target.exec("open('boot.py', 'w').write('print(\"boot ran\"); early = 1')")
    target.exec("open('main.py', 'w').write('print(\"main ran\", early)')")
    try:
        said = target.soft_reset()
        assert "boot ran\nmain ran 1\n" in said
    finally:
        target.exec("import os; os.remove('boot.py'); os.remove('main.py')")


def test_error_in_main_py_leaves_the_prompt(target):
    target.exec("open('main.py', 'w').write('1/0')")
    try:
        assert "ZeroDivisionError" in target.soft_reset()
        assert target.repl("1 + 1") == "2"
    finally:
        target.exec("import os; os.remove('main.py')")


def test_paste_mode(target):
    target.send(CTRL_E)
    target.until("=== ")
    target.send("def f(x):\r    return x + 1\r\rprint(f(41))\r")
    target.send(CTRL_D)
    assert "42" in target.wait_prompt()


def test_raw_repl_bytes_are_exact(target):
    """mpremote and pyboard.py compare these byte for byte."""
    target.send(CTRL_A)
    assert target.line.until(b">") == b"\r\nraw REPL; CTRL-B to exit\r\n>"
    target.send(b"print(1)" + CTRL_D)
    assert target.line.until(b"\x04\x04>") == b"OK1\r\n\x04\x04>"
    target.send(b"1/0" + CTRL_D)
    assert target.line.take(3) == b"OK\x04"
    assert target.line.until(b"\x04>").endswith(b"ZeroDivisionError: divide by zero\r\n\x04>")
    target.send(CTRL_D)
    said = target.line.until(b"raw REPL; CTRL-B to exit\r\n>")
    assert said.startswith(b"OK\r\nMPY: soft reboot\r\n"), said
    target.send(CTRL_B)
    target.wait_prompt()


def test_raw_paste_of_a_long_script(target):
    """200 KB with flow control: no byte may be lost however fast they come."""
    lines = "".join(f"x = {n}  # {'padding ' * 10}\n" for n in range(2000))
    assert len(lines) > 180_000
    assert target.exec(lines + "print(x)", 60) == "1999\n"


def test_a_long_line_typed_fast_arrives_whole(each_target):
    text = "0123456789" * 20
    for _ in range(5):
        assert each_target.repl(f"len('{text}')") == "200"


def test_stdin_is_eight_bits_wide(target):
    """With kbd_intr(-1), every byte value comes through, Ctrl-C too."""
    code = (
        "import sys, micropython\n"
        "micropython.kbd_intr(-1)\n"
        "print('go')\n"
        "data = sys.stdin.buffer.read(256)\n"
        "micropython.kbd_intr(3)\n"
        "print(data == bytes(range(256)))\n"
    )
    target._prompt()
    target.line.enter_raw()
    target.line.raw_start(code)
    target.line.until(b"go\r\n")
    target.send(bytes(range(256)))
    assert target.line.until(b"\x04") == b"True\r\n\x04"
    target.line.raw_end(b"")
    target.line.leave_raw()


def test_stdout_is_eight_bits_wide(target):
    target._prompt()
    target.line.enter_raw()
    target.line.raw_start("import sys; n = sys.stdout.buffer.write(bytes(range(5, 256)))")
    assert target.line.take(251) == bytes(range(5, 256))
    target.line.until(CTRL_D)
    target.line.raw_end(b"")
    target.line.leave_raw()


def test_ctrl_c_while_the_raw_repl_runs(target):
    target._prompt()
    target.line.enter_raw()
    target.line.raw_start("print('runs')\nwhile True: pass")
    target.line.until(b"runs\r\n")
    target.send(CTRL_C)
    target.line.until(CTRL_D)
    with pytest.raises(TargetError, match="KeyboardInterrupt"):
        target.line.raw_end(b"")
    target.line.leave_raw()


# Help


@pytest.mark.parametrize(
    "options, says",
    [
        ({}, "1 core, 128 MB, GICv2"),
        ({"gic": 3, "smp": 4, "mem": "1G"}, "4 cores, 1024 MB, GICv3"),
    ],
)
def test_banner_says_what_the_machine_is_and_where_to_begin(boot, options, says):
    target = boot(**options)
    banner = target.console.splitlines()
    assert banner[0].endswith("; Elapid on QEMU virt at EL2 with Cortex-A53, " + says)
    begin = banner[1].partition("begin with: ")[2]
    assert banner[1:3] == [
        f"A guest to begin with: {begin}",
        'Type "help()" for more information.',
    ]
    shown = target.repl(begin)
    assert "guest: hello from EL1, what is 20 + 22?\npython: 42, says EL2" in shown
    assert "<Exit off: cpu 0" in shown
    target.send(b"\x01\x02")  # to the raw REPL and back: the same banner
    assert says in target.until("more information.")


def test_help(target):
    assert "hv.demo()" in target.repl("help()")
    modules = target.repl("help('modules')").split()
    assert {"hv/__init__", "_hv", "machine", "asyncio/__init__", "vfs"} <= set(modules)
    for thing, line in (  # of what is hv's: tests/test_help.py
        ("'text'", "  upper -- <function>"),
        ("5", "object 5 is of type int"),
    ):
        assert line in target.repl(f"help({thing})").splitlines(), thing


def test_traceback_of_a_frozen_module_has_lines(target):
    """Packed or not: the line in modules/hv that raised."""
    for module, typed, name in (
        ("vm", "hv.VM(ram='64Q')", "_bytes"),
        ("stage2", "hv.VM(ram='1M').stage2.map(0, 0, 0x1000, type='no')", "map"),
    ):
        target.exec("import hv")
        shown = target.repl(typed)
        number = re.search(rf'File "hv/{module}.py", line (\d+), in {name}\n', shown + "\n")
        source = (ROOT / "modules" / "hv" / f"{module}.py").read_text().split("\n")
        assert number and "raise ValueError" in source[int(number[1]) - 1], shown


def test_reprs(target):
    """What a name alone shows at the prompt."""
    target.exec("import hv\nvm = hv.VM('mine', ram='1M', cpus=2)")
    for thing, shows in (
        ("vm", "<VM mine: 2 cpus, 1024 KB RAM, VMID "),
        ("vm.memory", "<Memory of mine: 0x40000000-0x400fffff (1024 KB)>"),
        ("vm.cpu[1]", "<VCPU 1 of mine\n  PC  "),
        ("vm.cpu[0].x", " x0 0x0000000000000000   x1 0x"),
        ("vm.cpu[0].exit", "<Exit none: cpu 0 at pc 0x0>"),
        ("vm.el2", "<HCR_EL2 0x"),
        ("hv.STOP", "hv.STOP"),
        ("hv.regs.MIDR_EL1", "MIDR_EL1 0x410fd034 (Implementer=0x41 "),
        ("vm.close() or vm", "<VM mine: closed>"),
        ("vm.cpu", "(<VCPU closed>, <VCPU closed>)"),
    ):
        assert target.repl(thing).startswith(shows), target.repl(thing)
