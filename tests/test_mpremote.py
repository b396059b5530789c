# SPDX-License-Identifier: MIT
"""mpremote, as a user runs it: every call is `mpremote connect PTY ...` in a process of its own."""

import hashlib
import random
import socket
import subprocess
import sys
import time

import pytest


def test_exec_eval_run(each_target, tmp_path):
    assert each_target.mpremote("exec", "print('hello')") == "hello\n"
    assert each_target.mpremote("eval", "6 * 7") == "42\n"
    script = tmp_path / "script.py"
    script.write_text("import sys\nfor n in range(3):\n    print(n)\n")
    assert each_target.mpremote("run", script) == "0\n1\n2\n"


def test_one_machine_serves_many_calls(target):
    for n in range(5):
        assert target.mpremote("exec", f"print({n})") == f"{n}\n"


def test_an_exception_is_exit_status_1(target):
    status, text = target.mpremote("exec", "1/0", check=False)
    assert status == 1 and "ZeroDivisionError: divide by zero" in text


def test_each_call_starts_fresh_unless_resumed(target):
    target.mpremote("exec", "x = 5")
    assert target.mpremote("resume", "exec", "print(x)", check=False)[0] == 0
    status, text = target.mpremote("exec", "print(x)", check=False)
    assert status == 1 and "NameError" in text


def test_chained_commands(target):
    assert target.mpremote("exec", "a = 1", "+", "exec", "print(a + 1)", "+", "sleep", "0.1") == (
        "2\n"
    )


def test_soft_reset_and_reset(target):
    target.mpremote("soft-reset")
    target.mpremote("reset")
    target.line.until(b">>> ", 20)
    assert target.mpremote("exec", "print(1)") == "1\n"


def test_files(target, tmp_path):
    local = tmp_path / "notes.txt"
    local.write_text("line 1\nline 2\n")
    assert "notes.txt" in target.mpremote("fs", "cp", local, ":notes.txt")
    assert target.mpremote("fs", "cat", ":notes.txt") == "line 1\nline 2\n"
    assert "14 notes.txt" in target.mpremote("fs", "ls")
    digest = hashlib.sha256(local.read_bytes()).hexdigest()
    assert digest in target.mpremote("fs", "sha256sum", ":notes.txt")
    target.mpremote("fs", "mkdir", ":d")
    target.mpremote("fs", "cp", ":notes.txt", ":d/copy.txt")
    tree = target.mpremote("fs", "tree")
    assert "copy.txt" in tree and "notes.txt" in tree
    status, text = target.mpremote("fs", "rmdir", ":d", check=False)
    assert status == 1, text  # not empty
    target.mpremote(
        "fs", "rm", ":d/copy.txt", "+", "fs", "rmdir", ":d", "+", "fs", "touch", ":empty"
    )
    listing = target.mpremote("fs", "ls")
    assert "d/" not in listing and "0 empty" in listing
    back = tmp_path / "back.txt"
    target.mpremote("fs", "cp", ":notes.txt", back)
    assert back.read_bytes() == local.read_bytes()
    target.mpremote("fs", "rm", ":notes.txt", ":empty")


def test_missing_file_is_a_clear_error(target):
    status, text = target.mpremote("fs", "cat", ":nothing.txt", check=False)
    assert status == 1 and "No such file" in text


def test_recursive_copy(target, tmp_path):
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/a.py").write_text("A = 1\n")
    (tmp_path / "tree/sub/b.py").write_text("B = 2\n")
    target.mpremote("fs", "cp", "-r", tmp_path / "tree", ":")
    assert target.mpremote("exec", "import tree.sub.b as b; print(b.B)") == "2\n"
    target.mpremote("fs", "rm", "-r", ":tree")


def test_df(target):
    line = [line for line in target.mpremote("df").splitlines() if line.split()[-1:] == ["/"]]
    assert line, "no file system at /"


def test_mount(target, tmp_path):
    (tmp_path / "far.py").write_text("def hello():\n    return 'from the host'\n")
    said = target.mpremote("mount", tmp_path, "exec", "import far; print(far.hello())")
    assert "from the host" in said
    target.mpremote("mount", tmp_path, "exec", "open('made.txt', 'w').write('by the target')")
    assert (tmp_path / "made.txt").read_text() == "by the target"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_megabyte_there_and_back(target, tmp_path):
    data = random.Random(1).randbytes(1 << 20)
    (tmp_path / "there.bin").write_bytes(data)
    target.mpremote("fs", "cp", tmp_path / "there.bin", ":big.bin", seconds=180)
    assert target.eval("__import__('os').stat('big.bin')[6]") == len(data)
    target.mpremote("fs", "cp", ":big.bin", tmp_path / "back.bin", seconds=180)
    assert (tmp_path / "back.bin").read_bytes() == data
    target.mpremote("fs", "rm", ":big.bin")


def test_repl_command(target, terminal):
    """`mpremote repl` on a terminal of its own; Ctrl-] leaves it."""
    user = terminal(sys.executable, "-m", "mpremote", "connect", target.lend(), "repl")
    user.until(b"Ctrl-]")
    user.until(b"\n")
    # mpremote takes the terminal over only after it has said so: press Enter until it has.
    for _ in range(20):
        user.type(b"\r")
        try:
            user.until(b">>> ", seconds=1)
            break
        except AssertionError:
            pass
    user.type(b"print(6 * 7)\r")
    user.until(b"\n42\n")
    user.type(b"\x1d")
    assert user.process.wait(10) == 0


def test_over_a_socket(image, tmp_path):
    """socket:// works as far as mpremote goes: its repl command needs a terminal device."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serial = f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on"
    machine = ["-machine", "virt,virtualization=on", "-cpu", "cortex-a53", "-nic", "none"]
    qemu = subprocess.Popen(
        ["qemu-system-aarch64", *machine, "-display", "none", "-serial", serial, "-kernel", image]
    )

    def mpremote(*args):
        command = [
            sys.executable,
            "-m",
            "mpremote",
            "connect",
            f"socket://127.0.0.1:{port}",
            *args,
        ]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    try:
        wait_for_port(port)
        assert mpremote("eval", "6 * 7").strip() == "42"
        (tmp_path / "note.txt").write_text("over a socket\n")
        mpremote("fs", "cp", str(tmp_path / "note.txt"), ":note.txt")
        assert mpremote("fs", "cat", ":note.txt") == "over a socket\n"
    finally:
        qemu.terminate()
        qemu.wait(10)


def wait_for_port(port, seconds=10):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, "QEMU does not listen"
            time.sleep(0.1)
