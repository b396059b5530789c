# SPDX-License-Identifier: MIT
"""QEMU in the background with its serial line on a pseudo-terminal, for mpremote and gdb.

serve.py start COMMAND...           prints the terminal's path, also written to build/pty; the target's hv.serial(1)
                                    is the socket build/line1
serve.py stop
serve.py debug GDB... -- COMMAND... the machine stopped at reset, under gdb
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from say import Stop, say

BUILD = Path("build")
GDB_PORT = 1234  # what QEMU's -s means


def second_line(name, command):
    """QEMU's options for a second serial line of the target, hv.serial(1): the socket build/NAME.

    A virtio console; on a board, which has no virtio, its second UART. By a relative path: what a socket may be
    called is short.
    """
    made = ["-chardev", f"socket,id=line1,path={BUILD / name},server=on,wait=off"]
    if command[command.index("-machine") + 1].split(",")[0] != "virt":
        return [*made, "-serial", "chardev:line1"]
    return [*made, "-device", "virtio-serial-device", "-device", "virtconsole,chardev=line1"]


class Background:
    """One QEMU that outlives this process. Its pid and its terminal's path are in build/."""

    def __init__(self, name):
        self.pid_file = BUILD / f"{name}.pid"
        self.pty_file = BUILD / name

    def pid(self):
        """The process id, None when it does not run."""
        try:
            pid = int(self.pid_file.read_text())
            running = Path(f"/proc/{pid}/comm").read_text().startswith("qemu-system")
        except (OSError, ValueError):
            return None
        return pid if running else None

    def start(self, command, more=()):
        """Starts QEMU unless it runs already. The terminal's path. `more`: options behind the first -serial."""
        BUILD.mkdir(exist_ok=True)
        if self.pid():
            return self.pty_file.read_text().strip()
        line = [*command, "-display", "none", "-monitor", "none", "-serial", "pty"]
        line += [*more, "-daemonize", "-pidfile", str(self.pid_file)]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        found = re.search(r"redirected to (\S+)", done.stdout + done.stderr)
        if done.returncode or not found:
            lines = done.stderr.strip().splitlines() or ["no terminal announced"]
            raise Stop(f"{command[0]} did not start: {lines[-1]}")
        self.pty_file.write_text(found[1] + "\n")
        return found[1]

    def stop(self):
        """Ends QEMU. False when there was none."""
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                if not self.pid():
                    break
                time.sleep(0.05)
            else:
                os.kill(pid, signal.SIGKILL)
        self.pty_file.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        return pid is not None


def serve(command):
    qemu = Background("pty")
    running = qemu.pid() is not None
    pty = qemu.start(command, second_line("line1", command))
    if running:
        say("already running; `make stop` ends it")
    say(f"its second line, hv.serial(1), is {BUILD / 'line1'}")
    print(pty)


def debug(gdb, command):
    """gdb in the foreground; QEMU goes when it does. gdb's exit status."""
    qemu = Background("debug")
    qemu.stop()
    pty = qemu.start([*command, "-gdb", f"tcp:127.0.0.1:{GDB_PORT}", "-S"])
    say(f"console on {pty} (in another terminal: .venv/bin/mpremote connect {pty})")
    # Ctrl-C is for gdb; it reaches this process too.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        return subprocess.run(gdb).returncode
    finally:
        qemu.stop()


def main(verb, *words):
    if verb == "start":
        serve(words)
    elif verb == "stop":
        say("stopped" if Background("pty").stop() else "nothing to stop")
    elif verb == "debug":
        at = words.index("--")
        return debug(words[:at], words[at + 1 :])


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Stop as stop:
        sys.exit(f"elapid: {stop}")
