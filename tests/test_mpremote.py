# SPDX-License-Identifier: MIT
"""mpremote, as a user runs it: every call is `mpremote connect PTY ...` in a process of its own."""

import contextlib
import functools
import hashlib
import http.server
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
import types

import pytest
import serial
from elapid.program import QEMU
from serial import rfc2217


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
def test_a_megabyte_there_and_back(target, tmp_path):
    data = random.Random(1).randbytes(1 << 20)
    (tmp_path / "there.bin").write_bytes(data)
    target.mpremote("fs", "cp", tmp_path / "there.bin", ":big.bin", seconds=180)
    assert target.eval("__import__('os').stat('big.bin')[6]") == len(data)
    target.mpremote("fs", "cp", ":big.bin", tmp_path / "back.bin", seconds=180)
    assert (tmp_path / "back.bin").read_bytes() == data
    target.mpremote("fs", "rm", ":big.bin")


def enter_repl(user):
    """mpremote takes the terminal over only after it has said so: press Enter until it has."""
    user.until(b"Ctrl-]")
    user.until(b"\n")
    for _ in range(20):
        user.type(b"\r")
        try:
            return user.until(b">>> ", seconds=1)
        except AssertionError:
            pass
    raise AssertionError(f"no prompt by mpremote's repl: {user.seen!r}")


def test_repl_command(target, terminal):
    """`mpremote repl` on a terminal of its own; Ctrl-] leaves it."""
    user = terminal(sys.executable, "-m", "mpremote", "connect", target.lend(), "repl")
    enter_repl(user)
    user.type(b"print(6 * 7)\r")
    user.until(b"\n42\n")
    user.type(b"\x1d")
    assert user.process.wait(100) == 0


def test_over_a_socket(image, tmp_path):
    """socket:// works as far as mpremote goes: its repl command needs a terminal device."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serial = f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on"
    machine = ["-machine", "virt,virtualization=on", "-cpu", "cortex-a53", "-nic", "none"]
    qemu = subprocess.Popen(
        [*QEMU, *machine, "-display", "none", "-serial", serial, "-kernel", image]
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
            command, check=True, capture_output=True, text=True, timeout=600
        ).stdout

    try:
        wait_for_port(port)
        assert mpremote("eval", "6 * 7").strip() == "42"
        (tmp_path / "note.txt").write_text("over a socket\n")
        mpremote("fs", "cp", str(tmp_path / "note.txt"), ":note.txt")
        assert mpremote("fs", "cat", ":note.txt") == "over a socket\n"
    finally:
        qemu.terminate()
        qemu.wait(100)


def wait_for_port(port, seconds=100):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, "QEMU does not listen"
            time.sleep(0.1)


# ---- Every command of this release of mpremote

# (words after `mpremote connect PTY`, what it prints as a pattern): {d} is a folder of the host with
# a.py and sub/b.txt in it. In this order on one machine, with a soft reset before each as a user has.
COMMANDS = [
    ("resume eval 6*7", "42"),
    ("eval 6*7", "42"),
    ("exec print(6*7)", "42"),
    ("exec --no-follow print(6*7)", ""),
    ("run {d}/a.py", "a runs"),
    ("run --no-follow {d}/a.py", ""),
    ("soft-reset", ""),
    ("sleep 0.1 eval 1", "1"),
    ("eval 1 disconnect", "1"),
    # Files, by `fs` and by the short names
    ("fs cp {d}/a.py :a.py", "cp .*a.py :a.py"),
    ("fs cp {d}/a.py :a.py", "Up to date: a.py"),
    ("fs cp -f {d}/a.py :a.py", "cp"),
    ("cp -r {d} :copy", "cp"),
    ("cp :copy/sub/b.txt :c.txt", "cp"),
    ("cp -r :copy {d}/back", "cp"),
    ("fs ls", r" a\.py\n(.*\n)* +0 copy/\n"),
    ("ls :copy/sub", r"5 b\.txt"),
    ("fs cat :c.txt", "text\n"),
    ("cat :copy/a.py", "a runs"),
    ("fs tree -s :copy", r"── \[ *\d+\]  a\.py"),
    ("tree", "b.txt"),
    ("fs sha256sum :c.txt", hashlib.sha256(b"text\n").hexdigest()),
    ("sha256sum :c.txt", hashlib.sha256(b"text\n").hexdigest()),
    ("fs touch :new", "touch :new"),
    ("touch :new", "touch"),
    ("fs mkdir :dir", "mkdir :dir"),
    ("mkdir :dir/in", "mkdir"),
    ("rmdir :dir/in", "rmdir"),
    ("fs rmdir :dir", "rmdir :dir"),
    ("fs rm :new :c.txt", "rm :new"),
    ("rm -r :copy", "rm :copy"),
    ("df", r"filesystem +size .*\n(.*\n)*\S+ +[\d.]+M? .* /\n"),
    ("edit :a.py", "edit :a.py"),
    ("cat :a.py", "edited"),
    # Packages; the second time nothing is left to do
    ("mip install --index {web} parcel", r"Installing: /lib/parcel\.py"),
    ("mip install --index {web} parcel", r"Exists: /lib/parcel\.py"),
    ("mip install --target /elsewhere {d}/package.json", r"Installing: /elsewhere/a\.py"),
    ("exec import(parcel)", "unpacked"),
    # The host's folder as /remote
    ("mount {d} exec import(a)", "a runs"),
    ("mount {d} exec print(open('sub/b.txt').read())", "text"),
    ("mount {d} exec open('made.txt','w').write('x')", ""),
    ("mount -l {d} umount exec print(open('a.py').read())", "edited"),
    # The clock
    ("rtc --set", ""),
    ("rtc", r"\(20\d\d, "),
    # A ROM partition, in RAM
    ("romfs query", r"ROMFS0 partition has size \d+ bytes"),
    ("romfs -o {d}/rom.romfs --no-mpy build {d}/sub", "Writing"),
    ("romfs --no-mpy deploy {d}/sub", "ROMFS image deployed"),
    ("romfs query", "ROMFS image size: "),
    ("exec print(open('/rom/b.txt').read())", "text"),
    ("romfs --no-mpy deploy {d}/rom.romfs", "ROMFS image deployed"),
    # What ends a session
    ("bootloader", ""),
    ("resume eval 6*7", "42"),
    ("reset", ""),
    # Nothing of the target's
    ("connect list", ""),
    ("devs", ""),
    ("version", r"mpremote \d"),
    ("--version", r"mpremote \d"),
    ("help", "List of commands"),
    ("--help", "List of commands"),
]
ELSEWHERE = {"repl", "connect"}  # tests of their own, above and below
OTHER_DEVICES = {f"{kind}{n}" for kind in "acu" for n in range(4)}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A folder to copy from, a package index on a web server, an editor without a user."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "d/sub").mkdir(parents=True)
    (folder / "d/a.py").write_text("print('a runs')\n")
    (folder / "d/sub/b.txt").write_text("text\n")
    (folder / "d/package.json").write_text('{"urls": [["a.py", "a.py"]], "version": "1"}')
    code = b"print('unpacked')\n"
    name = hashlib.sha256(code).hexdigest()[:8]
    latest = json.dumps({"v": 1, "version": "1", "hashes": [["parcel.py", name]], "urls": []})
    for path, data in (
        (f"file/{name[:2]}/{name}", code),
        ("package/6/parcel/latest.json", latest.encode()),
    ):
        (folder / "web" / path).parent.mkdir(parents=True)
        (folder / "web" / path).write_bytes(data)
    editor = folder / "editor"
    editor.write_text('#!/bin/sh\necho "print(\'edited\')" > "$1"\n')
    editor.chmod(0o755)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder / "web")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield {
            "d": folder / "d",
            "web": f"http://127.0.0.1:{server.server_port}",
            "editor": editor,
        }
        server.shutdown()


@pytest.mark.parametrize("words, wanted", COMMANDS, ids=[words for words, _ in COMMANDS])
def test_command(_machine, host, monkeypatch, words, wanted):
    monkeypatch.setenv("EDITOR", str(host["editor"]))
    words = [
        f"import {word[7:-1]}" if word.startswith("import(") else word.format_map(host)
        for word in words.split()
    ]
    if _machine.qemu is None:
        _machine.boot()
    assert re.search(wanted, _machine.mpremote(*words, seconds=60))
    if words == ["reset"]:
        _machine.wait_prompt(60)
    if words == ["bootloader"]:
        assert "no boot loader here" in _machine.until("no boot loader here", 30)


def test_the_table_has_every_command():
    said = subprocess.run(
        [sys.executable, "-m", "mpremote", "help"], capture_output=True, text=True, check=True
    ).stdout
    offered = set(re.findall(r"(?m)^  (\S+) ", said)) - OTHER_DEVICES
    tried = {word for words, _ in COMMANDS for word in words.split()}
    assert offered - tried - ELSEWHERE == set()


def test_repl_captures_and_injects(target, terminal, tmp_path):
    (tmp_path / "inject.py").write_text("print('from', 'a file')\r")
    options = ["--capture", tmp_path / "session", "--inject-code", "print('in' + 'jected')\\n"]
    options += ["--inject-file", tmp_path / "inject.py"]
    command = [sys.executable, "-m", "mpremote", "connect", target.lend(), "repl", *options]
    user = terminal(*map(str, command))
    enter_repl(user)
    user.type(b"\n")  # Ctrl-J
    user.until(b"\ninjected")
    user.type(b"\x0b")  # Ctrl-K
    user.until(b"from a file")
    user.type(b"\x1d")
    assert user.process.wait(100) == 0
    assert b"injected" in (tmp_path / "session").read_bytes()


class Line(serial.Serial):
    """A pseudo-terminal as a serial port: it has no modem lines."""

    cts = dsr = ri = cd = False

    def _update_rts_state(self):
        pass

    _update_dtr_state = _update_break_state = _update_rts_state


@pytest.fixture
def terminal_server(target):
    """The target's line behind RFC 2217 (telnet with serial port options): its TCP port."""
    line = Line(target.lend(), timeout=0.05)
    with socket.create_server(("127.0.0.1", 0)) as server, line:
        ended = threading.Event()

        def serve():
            client = server.accept()[0]
            client.settimeout(0.02)
            manager = rfc2217.PortManager(line, types.SimpleNamespace(write=client.sendall))
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    line.write(b"".join(manager.filter(client.recv(1024))))
                if line.in_waiting:
                    client.sendall(b"".join(manager.escape(line.read(line.in_waiting))))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        ended.set()
        thread.join(5)


def test_over_rfc2217(terminal_server):
    device = f"rfc2217://127.0.0.1:{terminal_server}?timeout=100"  # of the other end's answers: 3 s else
    command = [sys.executable, "-m", "mpremote", "connect", device, "eval", "6 * 7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == "42", done.stderr


def test_connect_by_port_prefix(target):
    command = [
        sys.executable,
        "-m",
        "mpremote",
        "connect",
        f"port:{target.lend()}",
        "eval",
        "6 * 7",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == "42", done.stderr


def test_deploying_to_a_partition_from_outside(boot, tmp_path):
    """An initrd's image is partition 0 and stays as it is; the one in RAM goes first once it is used."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/name.txt").write_text("outside")
    image = tmp_path / "rom.romfs"
    build = [sys.executable, "-m", "mpremote", "romfs", "--no-mpy", "-o", image, "build"]
    subprocess.run([*build, tmp_path / "sub"], check=True, stdout=subprocess.DEVNULL)
    machine = boot(kernel="hypervisor.bin", args=["-initrd", image])
    read = ("exec", "print(open('/rom/name.txt').read())")
    assert machine.mpremote(*read) == "outside\n"
    status, text = machine.mpremote("romfs", "deploy", image, check=False)
    assert status == 1 and "partition 0 came from outside and is read-only: deploy to 1" in text
    (tmp_path / "sub/name.txt").write_text("deployed")
    machine.mpremote("romfs", "--no-mpy", "-p", "1", "deploy", tmp_path / "sub")
    assert machine.mpremote(*read) == "deployed\n"
