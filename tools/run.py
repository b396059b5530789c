# SPDX-License-Identifier: MIT
"""`make run`: starts QEMU, runs a script on the target, leaves the user at its `>>>`.

    run.py [--copy FILE]... SCRIPT -- qemu-system-aarch64 ...

QEMU gets `-nographic -serial mon:stdio`, so its keys work as ever: Ctrl-A X ends it, Ctrl-A C is
its monitor. When stdin is not a terminal the machine is switched off after the script, and the
exit status is the script's: 0, the value given to sys.exit(), or 1 after an exception.
"""

import argparse
import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from child import dies_with_parent
from console import CTRL_D, PROMPT, Console, Gone, Hung, TargetError
from serve import second_line

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


def unread_by_peer(line):
    """Bytes that QEMU has not taken yet: it takes none while the target does not."""
    return struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))[0]


class Progress:
    """Whether what is left to send has become less lately."""

    def __init__(self):
        self.left, self.since = None, time.monotonic()

    def is_stuck(self, left):
        if left != self.left:
            self.left, self.since = left, time.monotonic()
        return left > 0 and time.monotonic() > self.since + STUCK_SECONDS


class Terminal:
    """The user's terminal. Inside `with`, every key goes to the target, Ctrl-C too."""

    def __init__(self):
        self.is_tty = sys.stdin.isatty()

    def __enter__(self):
        if self.is_tty:
            self.saved = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            mode[0] &= ~(termios.ICRNL | termios.INLCR | termios.IXON | termios.BRKINT)
            mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(0, termios.TCSADRAIN, mode)
        return self

    def __exit__(self, *exception):
        if self.is_tty:
            # What is still coming was typed for the target: the shell must not get it.
            with contextlib.suppress(OSError):
                while select.select([0], [], [], QUIET_SECONDS)[0] and os.read(0, 65536):
                    pass
            termios.tcsetattr(0, termios.TCSAFLUSH, self.saved)

    def show(self, data):
        data = bytes(data) if self.is_tty else data.replace(b"\r\n", b"\n")
        while data:
            data = data[os.write(1, data) :]

    def join(self, console, stop=None):
        """Joins keyboard, target and screen until `stop` arrives, which is taken, not shown."""
        typed, quitting = b"", None
        while True:
            if stop is not None and (end := console.unread.find(stop)) >= 0:
                self.show(console.take(end))
                console.take(len(stop))
                return
            self.show(console.take(len(console.unread)))
            sources = [console, 0] if self.is_tty else [console]
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


def run_script(console, terminal, path):
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


def session(console, args):
    """From reset to the last prompt. The script's status; Gone once the machine is off."""
    terminal = Terminal()
    console.show = terminal.show  # the boot's own words, also when it hangs
    console.until(PROMPT, BOOT_SECONDS)
    console.show = None
    console.enter_raw()
    for path in args.copy:
        console.raw_copy(path)
    terminal.show(f"running {args.script}\r\n".encode())
    with terminal:
        status = run_script(console, terminal, args.script)
        terminal.show(console.leave_raw())
        if terminal.is_tty:
            terminal.join(console)
    terminal.show(b"\n")
    return status


def switch_off(qemu, line):
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


def main():
    parser = argparse.ArgumentParser(usage="run.py [--copy FILE]... SCRIPT -- COMMAND...")
    parser.add_argument("--copy", type=Path, action="append", default=[])
    parser.add_argument("script", type=Path)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    for path in (*args.copy, args.script):
        if not path.is_file():
            sys.exit(f"elapid: no such file: {path}")

    ours, theirs = socket.socketpair()
    command = [*args.command, "-nographic", "-serial", "mon:stdio"]
    command += second_line("run-line1", args.command)
    # A session of its own: a Ctrl-C meant for make does not end QEMU behind our back.
    qemu = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        start_new_session=True,
        preexec_fn=dies_with_parent,
    )
    theirs.close()
    status = None
    try:
        status = session(Console(ours.fileno(), mux=True), args)
    except (Hung, TargetError) as error:
        print(f"\nelapid: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    except Gone:  # the machine was switched off by the script, or by the user's Ctrl-A X
        pass
    finally:
        ended = switch_off(qemu, ours)
    sys.exit(ended if status is None else status)


if __name__ == "__main__":
    main()
