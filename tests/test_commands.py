# SPDX-License-Identifier: MIT
"""The Makefile's commands, run the way a user runs them."""

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import time

import pytest
from elapid.program import QEMU
from elapid.run import QUIET_SECONDS
from harness import ROOT


def make(*words, seconds=600, **options):
    """Runs make with no terminal; (status, what it printed)."""
    # The variables of the make that runs the tests are not for this one.
    env = {name: os.environ[name] for name in os.environ if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", *words],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        text=True,
        **options,
    )
    return done.returncode, done.stdout


@pytest.fixture
def script(tmp_path):
    """script(text): the path of a script to be run by `make run SCRIPT=...`."""

    def write(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


def test_help_lists_every_command():
    status, text = make("help")
    assert status == 0
    makefile = (ROOT / "Makefile").read_text()
    for name in re.search(r"\.PHONY: (.*)", makefile)[1].split():
        assert re.search(rf"^{name} ", text, re.M), name
    for name in re.findall(r"^([A-Z_]+) *\?=.*#", makefile, re.M):
        assert re.search(rf"^{name} ", text, re.M), name


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (
            "BOARD=RPI5",
            "there is no folder ports/aarch64/boards/RPI5; there are IMX8MP QEMU_VIRT ",
        ),
        ("GIC=4", "it is 2 or 3"),
    ],
)
def test_a_machine_that_is_not_there(word, says):
    """Not QEMU's virt in its place."""
    status, text = make("run", word)
    assert status == 2 and f"*** {word}: {says}" in text and text.count("\n") == 1, text


def test_second_build_does_nothing(image):
    before = image.stat().st_mtime_ns
    status, text = make()
    assert status == 0, text
    assert image.stat().st_mtime_ns == before
    assert not re.search(r"^(CC|AR|LINK|MPY|GEN) ", text, re.M), text


def test_run_prints_the_script_and_the_prompt(image, script):
    path = script("import sys\nprint('hello from', sys.platform)\nkept = 1\n")
    status, text = make("run", f"SCRIPT={path}")
    assert status == 0, text
    assert "MicroPython v1." in text and "hello from" in text
    assert ">>>" in text.partition("hello from")[2]


@pytest.mark.parametrize("options", [["GIC=3", "SMP=4"], ["MEM=1G"]], ids=" ".join)
def test_run_takes_the_machines_options(image, script, options):
    path = script("import gc; print('free', gc.mem_free())")
    status, text = make("run", f"SCRIPT={path}", *options)
    assert status == 0 and "free " in text, text


def test_rom_folder(image, script, tmp_path):
    """make run ROM=folder: its files are under /rom, and modules in it can be imported."""
    path = script("import far\nprint(far.WORD, len(open('/rom/data.bin', 'rb').read()))\n")
    (tmp_path / "rom").mkdir()
    (tmp_path / "rom/far.py").write_text("WORD = 'imported'\n")
    (tmp_path / "rom/data.bin").write_bytes(bytes(1_000_000))
    status, text = make("run", f"SCRIPT={path}", f"ROM={tmp_path / 'rom'}")
    assert status == 0 and "imported 1000000" in text, text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pass", 0),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(0)", 0),
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit('no')", 1),
        ("print('before')\n1/0\n", 1),
        ("this is not Python", 1),
    ],
)
def test_run_exits_with_the_scripts_status(image, script, text, expected):
    # make turns any failure into its own status 2, so elapid is asked directly.
    command = ["-machine", "virt,virtualization=on", "-cpu", "cortex-a53", "-nic", "none"]
    done = subprocess.run(
        [sys.executable, "-m", "elapid", "run", script(text), "--"]
        + [*QEMU, *command, "-kernel", "hypervisor.elf"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    if "1/0" in text:
        assert "before\nTraceback" in done.stdout
        assert 'File "script.py", line 2' in done.stdout and "<stdin>" not in done.stdout


def test_run_without_the_script_is_one_line(image):
    status, text = make("run", "SCRIPT=nothing.py")
    assert status != 0 and "elapid: no such file: nothing.py" in text


def test_run_at_a_terminal_leaves_the_user_at_the_prompt(image, script, terminal):
    path = script("answer = 42\nprint('ready')\n")
    user = terminal("make", "run", f"SCRIPT={path}")
    user.until(b"ready")
    user.until(b">>> ")
    user.type(b"print(answer + 1)\r")
    user.until(b"\n43\n>>> ")
    user.type(b"exec('print(99 + 1)\\nwhile True: pass')\r")
    user.until(b"\n100\n")
    user.type(b"\x03")  # goes to the target
    user.until(b"KeyboardInterrupt")
    user.until(b">>> ")
    user.type(b"\x01c")  # QEMU's own keys work
    user.until(b"(qemu) ")
    user.type(b"\x01c\x01x")
    user.until(b"QEMU: Terminated")
    assert user.process.wait(100) == 0


def test_closing_the_terminal_ends_qemu(image, script, terminal):
    path = script("print('ready')\n")
    user = terminal("make", "run", f"SCRIPT={path}")
    user.until(b"ready\n")
    pattern = f"elapid run.* {path} "
    (runner,) = subprocess.run(["pgrep", "-f", pattern], capture_output=True).stdout.split()
    children = ["pgrep", "-P", runner.decode(), "qemu"]
    (qemu,) = subprocess.run(children, capture_output=True).stdout.split()
    os.kill(int(runner), 9)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            state = open(f"/proc/{qemu.decode()}/stat").read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":  # process 1 of a container may not care
            return
        time.sleep(0.05)
    os.kill(int(qemu), 9)
    raise AssertionError("QEMU is still running")


def test_run_lets_the_script_read_the_keyboard(image, script, terminal):
    path = script("name = input('who? ')\nprint('hello,', name)\n")
    user = terminal("make", "run", f"SCRIPT={path}")
    user.until(b"who? ")
    user.type(b"you\r")
    user.until(b"hello, you\n")
    user.until(b">>> ")
    user.type(b"\x01x")
    assert user.process.wait(100) == 0


def test_repl(image, terminal):
    user = terminal("make", "repl")
    user.until(b">>> ")
    user.type(b"6 * 7\r")
    user.until(b"\n42\n")
    user.type(b"\x01x")
    assert user.process.wait(100) == 0


@pytest.fixture
def served(image):
    """The pty that `make serve` announces."""
    make("stop")
    status, text = make("serve")
    assert status == 0, text
    yield text.strip().splitlines()[-1]
    make("stop")


def mpremote(*words):
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def test_serve_is_for_mpremote(served):
    assert re.fullmatch(r"/dev/pts/\d+", served)
    assert (ROOT / "build/pty").read_text().strip() == served
    for n in range(3):
        assert mpremote("connect", served, "exec", f"print({n})") == (0, f"{n}\n")
    status, text = make("serve")
    assert status == 0 and "already running" in text and served in text
    assert "stopped" in make("stop")[1]
    assert not (ROOT / "build/pty").exists()
    assert "nothing to stop" in make("stop")[1]


def test_serve_has_a_second_line(served):
    """hv.serial(1) is the socket that make says; mpremote is on the other line meanwhile."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("build/line1")
        line.sendall(b"hello\n")
        code = "import hv; s = hv.serial(1)\nwhile s.any() < 6: pass\nprint(s.readline()); s.write('there')"
        assert mpremote("connect", served, "exec", code) == (0, "b'hello\\n'\n")
        line.settimeout(60)
        assert line.recv(5, socket.MSG_WAITALL) == b"there"
    assert "line1" in make("serve")[1]


def test_serve_keeps_state_between_calls(served):
    mpremote("connect", served, "exec", "open('kept', 'w').write('x')")
    assert mpremote("connect", served, "exec", "import os; print(os.listdir())") == (
        0,
        "['fw', 'kept']\n",
    )


def test_gdb_is_on_the_guest(served):
    """One that it makes; then the one that is there, where it was left, with the prompt beside."""
    args = "GDB_ARGS=-batch -ex 'break guest_main' -ex continue -ex bt -ex 'p $$_exitcode'"
    status, text = make("gdb", args)
    assert status == 0 and "gdb is on <VM guest: 1 cpus" in text, text
    assert re.search(r"^#0 +guest_main \(x0=0\) at hello/hello.c:", text, re.M), text
    assert mpremote("connect", served, "resume", "exec", "print(vm.running)")[1] in (
        "True\n",
        "False\n",
    )
    mpremote("connect", served, "resume", "exec", "vm.reset()")
    status, text = make("gdb", "GDB_ARGS=-batch -ex 'p $$pc'")
    assert status == 0 and "<_start>" in text and "gdb is on" not in text, text
    status, text = make("gdb", "ELF=build/guests/none.elf", "GDB_ARGS=-batch")
    assert "no such file: build/guests/none.elf; " in text


def test_debug_stops_at_the_reset_entry(image):
    status, text = make("debug", "GDB_ARGS=-batch -ex 'break main' -ex continue -ex bt")
    assert status == 0, text
    assert re.search(r"_start \(\) at (\.\./)*boot/start\.S:", text), text
    assert re.search(r"^#0 .*main \(.* at ports/aarch64/main.c:", text, re.M), text


def test_debug_stops_in_a_panic(image):
    """docs/debugging.md: `break panic`, which is where every end of the hypervisor comes by."""
    page = (ROOT / "docs/debugging.md").read_text()
    where = re.search(r"`break (\w+)`", page)[1]
    # A stack that overflows is a long way; here its last step.
    over = (
        "-ex 'break main' -ex continue -ex 'set $$x0 = $$sp' -ex 'set $$pc = el2_stack_overflow'"
    )
    status, text = make("debug", f"GDB_ARGS=-batch {over} -ex 'break {where}' -ex continue -ex bt")
    assert status == 0, text
    assert re.search(
        rf"^#0 .*{where} \(why=.*EL2 stack overflow.*at \S*hv_native/trap/el2_fault.c:", text, re.M
    ), text


def test_plain_make_run_shows_guest_handlers_and_prompt(image):
    """The README's first command, with nobody at the keyboard."""
    status, text = make("run")
    assert status == 0, text
    after = text.partition("running examples/launch_guest.py\n")[2]
    assert "guest: hello from EL1" in after
    assert "python: the guest asks for 20 + 22" in after
    assert "guest: powering off" in after
    assert after.rstrip().endswith(">>>")


def test_the_example_by_mpremote_three_times_on_one_boot(served):
    assert mpremote("connect", served, "fs", "cp", "build/guests/hello.elf", ":")[0] == 0
    for _ in range(3):
        status, text = mpremote("connect", served, "run", "examples/launch_guest.py")
        assert status == 0, text
        assert text.count("guest: powering off") == 1


SUM = """\
import sys, hashlib
print('ready')
left, digest = {size}, hashlib.sha256()
while left:
    data = sys.stdin.buffer.read(min(left, 8192))
    digest.update(data)
    left -= len(data)
print('sha256', digest.digest().hex())
"""


def paste(user, data):
    """Types it all at once, while what is shown is read."""
    typing = threading.Thread(target=user.type_all, args=(data,), daemon=True)
    typing.start()
    return typing


def test_a_long_paste_arrives_whole(image, script, terminal):
    """1 MB, as a terminal hands it over, at a script that reads it."""
    data = b"".join(b"%07d\n" % line for line in range(1 << 17))
    path = script(SUM.format(size=len(data)))
    user = terminal("make", "run", f"SCRIPT={path}")
    user.until(b"ready\n")
    typing = paste(user, data)
    user.until(hashlib.sha256(data).hexdigest().encode(), 300)
    typing.join(10)
    user.until(b">>> ")
    user.type(b"\x01x")
    assert user.process.wait(20) == 0


def test_a_long_paste_at_the_prompt_is_echoed_whole(image, script, terminal):
    path = script("print('ready')\n")
    user = terminal("make", "run", f"SCRIPT={path}")
    user.until(b"ready\n")
    user.until(b">>> ")
    typing = paste(user, b"".join(b"n = %d\r" % line for line in range(12000)) + b"n + 1\r")
    user.until(b"\n12000\n", 300)
    typing.join(10)
    user.type(b"\x01x")
    assert user.process.wait(20) == 0


@pytest.mark.parametrize("end", ["import hv; hv.poweroff()", "while True: pass"])
def test_what_was_typed_ahead_is_not_the_shells(image, script, terminal, end):
    """The machine goes off, or reads nothing and is left, in a paste: the shell gets nothing of it. As long as the paste goes
    on: one in which this process was held up has ended there, for who reads it, and is tried again.
    """
    path = script(f"print('ready')\nimport time; time.sleep(1)\n{end}\n")
    for _ in range(20):
        user = terminal("sh", "-c", f"make run SCRIPT={path}; echo 'at the'  shell; cat")
        user.until(b"ready\n")
        typing = paste(user, b"touch typed-ahead\r" * 6000)
        if "while" in end:
            typing.join(600)
            user.type(b"\x01x")
        user.until(b"at the shell\n", 60)
        typing.join(600)
        user.type(b"mine\n")
        got = user.until(b"mine\n")
        if b"ahead" not in got or user.longest < QUIET_SECONDS / 2:
            break
    assert b"ahead" not in got
