# SPDX-License-Identifier: MIT
"""elapid serve, stop, debug: QEMU in the background, its serial line on a pseudo-terminal, for mpremote and gdb."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .image import IN_SOURCE, SOURCE
from .say import Stop, say


def state_folder() -> Path:
    """Where it is kept what runs: $ELAPID_STATE, a source tree's build/, else a folder of the user's."""
    if said := os.environ.get("ELAPID_STATE"):
        return Path(said)
    if IN_SOURCE:
        return Path("build") if Path.cwd() == SOURCE else SOURCE / "build"
    return Path(os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir())) / f"elapid-{os.getuid()}"


BUILD = state_folder()
GDB_PORT = 1234  # what QEMU's -s means


def second_line(path: Path, command: Sequence[str]) -> list[str]:
    """QEMU's options for a second serial line of the target, hv.serial(1): the socket at `path`.

    A virtio console; on a board, which has no virtio, its second UART. By a relative path: what a socket may be
    called is short.
    """
    path.parent.mkdir(parents=True, exist_ok=True)  # without a source tree nobody else has made it
    made = ["-chardev", f"socket,id=line1,path={path},server=on,wait=off"]
    if command[command.index("-machine") + 1].split(",")[0] != "virt":
        return [*made, "-serial", "chardev:line1"]
    return [*made, "-device", "virtio-serial-device", "-device", "virtconsole,chardev=line1"]


class Background:
    """One QEMU that outlives this process. Its pid and its terminal's path are in build/."""

    def __init__(self, name: str):
        self.pid_file = BUILD / f"{name}.pid"
        self.pty_file = BUILD / name

    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        try:
            pid = int(self.pid_file.read_text())
            running = Path(f"/proc/{pid}/comm").read_text().startswith("qemu-system")
        except (OSError, ValueError):
            return None
        return pid if running else None

    def start(self, command: Sequence[str], more: Sequence[str] = ()) -> str:
        """Starts QEMU unless it runs already. The terminal's path. `more`: options behind the first -serial."""
        BUILD.mkdir(parents=True, exist_ok=True)
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

    def stop(self) -> bool:
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


def served(command: Sequence[str]) -> tuple[str, bool]:
    """The terminal of the machine in the background, and whether it ran before. Its hv.serial(1) is build/line1."""
    qemu = Background("pty")
    ran = qemu.pid() is not None
    return qemu.start(command, second_line(BUILD / "line1", command)), ran


def serve(command: Sequence[str]) -> int:
    pty, ran = served(command)
    if ran:
        say("already running; `elapid stop` (make stop) ends it")
    say(f"its second line, hv.serial(1), is {BUILD / 'line1'}")
    print(pty)
    return 0


def stop() -> int:
    say("stopped" if Background("pty").stop() else "nothing to stop")
    return 0


def debug(gdb: Sequence[str], command: Sequence[str]) -> int:
    """gdb in the foreground on a machine that stands at reset; QEMU goes when gdb does. gdb's exit status."""
    qemu = Background("debug")
    qemu.stop()
    pty = qemu.start([*command, "-gdb", f"tcp:127.0.0.1:{GDB_PORT}", "-S"])
    say(f"console on {pty} (in another terminal: mpremote connect {pty})")
    # Ctrl-C is for gdb; it reaches this process too.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        return subprocess.run(gdb).returncode
    finally:
        qemu.stop()
