# SPDX-License-Identifier: MIT
"""elapid run: starts QEMU, runs a script on the target, leaves the user at its `>>>`.

QEMU gets `-nographic -serial mon:stdio`, so its keys work as ever: Ctrl-A X ends it, Ctrl-A C is
its monitor. When stdin is not a terminal the machine is switched off after the script, and the
exit status is the script's: 0, the value given to sys.exit(), or 1 after an exception.
"""

import contextlib
import fcntl
import os
import select
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from .background import BUILD, second_line
from .child import dies_with_parent
from .console import CTRL_D, PROMPT, Console, Gone, Hung, TargetError
from .say import Stop

BOOT_SECONDS = 30
QUIT = b"\x01x"  # QEMU's Ctrl-A X
STUCK_SECONDS = 1  # the target has taken nothing for so long: QEMU does not see QUIT either
QUIET_SECONDS = 0.3  # a paste whose target has gone is over when nothing came for so long
# Runs in the target's __main__, so that the script's names are there at the prompt afterwards.
LAUNCH = """\
import sys
_status = 0
try:
    exec(compile({source!r}, {name!r}, 'exec'))
except SystemExit as _exit:
    _status = _exit.args[0] if _exit.args else 0
"""


def unread_by_peer(line: Console) -> int:
    """Bytes that QEMU has not taken yet: it takes none while the target does not."""
    return int.from_bytes(fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


class Progress:
    """Whether what is left to send has become less lately."""

    def __init__(self) -> None:
        self.left, self.since = -1, time.monotonic()

    def is_stuck(self, left: int) -> bool:
        if left != self.left:
            self.left, self.since = left, time.monotonic()
        return left > 0 and time.monotonic() > self.since + STUCK_SECONDS


class Terminal:
    """The user's terminal. Inside `with`, every key goes to the target, Ctrl-C too."""

    def __init__(self) -> None:
        self.is_tty = sys.stdin.isatty()

    def __enter__(self) -> Self:
        if self.is_tty:
            self.saved = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            mode[0] &= ~(termios.ICRNL | termios.INLCR | termios.IXON | termios.BRKINT)
            mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(0, termios.TCSADRAIN, mode)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.is_tty:
            # What is still coming was typed for the target: the shell must not get it.
            with contextlib.suppress(OSError):
                while select.select([0], [], [], QUIET_SECONDS)[0] and os.read(0, 65536):
                    pass
            termios.tcsetattr(0, termios.TCSAFLUSH, self.saved)

    def show(self, data: bytes) -> None:
        data = bytes(data) if self.is_tty else data.replace(b"\r\n", b"\n")
        while data:
            data = data[os.write(1, data) :]

    def join(self, console: Console, stop: bytes | None = None) -> None:
        """Joins keyboard, target and screen until `stop` arrives, which is taken, not shown."""
        typed, quitting = b"", None
        while True:
            if stop is not None and (end := console.unread.find(stop)) >= 0:
                self.show(console.take(end))
                console.take(len(stop))
                return
            self.show(console.take(len(console.unread)))
            sources: list[Console | int] = [console, 0] if self.is_tty else [console]
            wait = 0.1 if quitting else None
            ready, writable, _ = select.select(sources, [console] if typed else [], [], wait)
            if 0 in ready:
                if not (keys := os.read(0, 65536)):
                    raise Gone("the terminal is gone")
                typed += keys
                if QUIT in typed:
                    quitting = Progress()
            if console in ready:
                console.receive()
            if writable:
                typed = typed[console.send_some(typed) :]
            if quitting and quitting.is_stuck(len(typed) + unread_by_peer(console)):
                raise Gone("left by the user")


def run_script(console: Console, terminal: Terminal, path: Path) -> int:
    """Runs one script with the keyboard joined to it. Its exit status."""
    console.raw_start(LAUNCH.format(source=path.read_text(), name=path.name))
    terminal.join(console, CTRL_D)
    try:
        console.raw_end(b"")
        status = console.raw_exec("print(_status); del _status").strip()
    except TargetError as error:
        lines = error.traceback.splitlines(keepends=True)
        # The launcher's own frame tells the user nothing.
        text = "".join(line for line in lines if '"<stdin>"' not in line)
        terminal.show(text.replace("\n", "\r\n").encode())
        return 1
    if status == "None":
        return 0
    return int(status) & 0xFF if status.lstrip("-").isdigit() else 1


def session(console: Console, script: Path, copy: Sequence[Path]) -> int:
    """From reset to the last prompt. The script's status; Gone once the machine is off."""
    terminal = Terminal()
    console.show = terminal.show  # the boot's own words, also when it hangs
    console.until(PROMPT, BOOT_SECONDS)
    console.show = None
    console.enter_raw()
    for path in copy:
        console.raw_copy(path)
    terminal.show(f"running {script}\r\n".encode())
    with terminal:
        status = run_script(console, terminal, script)
        terminal.show(console.leave_raw())
        if terminal.is_tty:
            terminal.join(console)
    terminal.show(b"\n")
    return status


def switch_off(qemu: subprocess.Popen[bytes], line: socket.socket) -> int:
    """Ends QEMU, if it has not ended already, and returns its exit status."""
    try:
        line.sendall(QUIT)  # as a user would: QEMU has nothing to complain about
    except OSError:  # gone already, or it takes no input
        qemu.terminate()
    try:
        return qemu.wait(5)
    except subprocess.TimeoutExpired:
        qemu.kill()
        return qemu.wait()
    finally:
        line.close()


def run(script: Path, copy: Sequence[Path], machine: Sequence[str]) -> int:
    """Runs the script on a QEMU of this command line. The exit status."""
    for path in (*copy, script):
        if not path.is_file():
            raise Stop(f"no such file: {path}")

    ours, theirs = socket.socketpair()
    command = [
        *machine,
        "-nographic",
        "-serial",
        "mon:stdio",
        *second_line(BUILD / "run-line1", machine),
    ]
    # A session of its own: a Ctrl-C meant for make does not end QEMU behind our back.
    qemu = subprocess.Popen(
        command,
        stdin=theirs.fileno(),
        stdout=theirs.fileno(),
        start_new_session=True,
        preexec_fn=dies_with_parent,
    )
    theirs.close()
    status = None
    try:
        status = session(Console(ours.fileno(), mux=True), script, copy)
    except (Hung, TargetError) as error:
        print(f"\nelapid: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    except Gone:  # the machine was switched off by the script, or by the user's Ctrl-A X
        pass
    finally:
        ended = switch_off(qemu, ours)
    return ended if status is None else status
