# SPDX-License-Identifier: MIT
"""Drives a real QEMU with Elapid on it, the way a user would: typing, raw REPL, mpremote.

    target = Target(gic=3, smp=4).boot()
    target.repl("1 + 1")                 -> "2"
    target.exec("import os; print(os.listdir())")
    target.mpremote("fs", "ls")
    target.close()

The serial line is a socket to QEMU; mpremote gets a pseudo-terminal joined to it, and everything
the target ever says is kept in `target.console`. Every wait has a deadline.
"""

import ast
import contextlib
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

from console import CTRL_C, CTRL_D, PROMPT, Console, Gone, Hung, TargetError

__all__ = ["Gone", "Hung", "ROOT", "Target", "TargetError"]

ROOT = Path(__file__).resolve().parent.parent
BOOT_SECONDS = 20


class Target:
    """One machine. Options are QEMU's: `args` are appended, `command` replaces the whole line."""

    live = []  # those with a QEMU running, for the report of a failed test

    def __init__(
        self,
        gic=2,
        smp=1,
        mem="128M",
        secure=False,
        virtualization=True,
        kernel="hypervisor.elf",
        icount=False,
        args=(),
        command=None,
    ):
        on = {True: "on", False: "off"}
        machine = f"virt,virtualization={on[virtualization]},secure={on[secure]},gic-version={gic}"
        self.command = command or [
            *("qemu-system-aarch64", "-machine", machine, "-cpu", "cortex-a53"),
            *("-smp", str(smp), "-m", mem, "-nic", "none", "-kernel", kernel),
            *(("-icount", "shift=0,sleep=off") if icount else ()),
            *args,
        ]
        self.name = f"gicv{gic}, {smp} core{'s' * (smp > 1)}, {mem}"
        self.qemu = None
        self.at_prompt = False
        self.log_before = b""

    def __repr__(self):
        return f"<Target {self.name}>"

    # Power

    def start(self):
        """Starts QEMU; returns at once."""
        line, qemu_line = socket.socketpair()
        self._monitor, qemu_monitor = socket.socketpair()
        ends = [qemu_line.fileno(), qemu_monitor.fileno()]
        command = [
            *self.command,
            *("-display", "none", "-chardev", f"socket,id=line,fd={ends[0]}"),
            *("-serial", "chardev:line", "-chardev", f"socket,id=monitor,fd={ends[1]}"),
            *("-mon", "chardev=monitor,mode=readline"),
        ]
        self.qemu = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=ends
        )
        qemu_line.close()
        qemu_monitor.close()
        self.line = Console(line)
        self.at_prompt = False
        Target.live.append(self)
        return self

    def boot(self, seconds=BOOT_SECONDS):
        """Starts QEMU and waits for the first `>>>`."""
        self.start()
        self.wait_prompt(seconds)
        return self

    def close(self):
        """Switches the machine off."""
        if self.qemu is None:
            return
        self.qemu.terminate()
        try:
            self.qemu.wait(5)
        except subprocess.TimeoutExpired:
            self.qemu.kill()
            self.qemu.wait(5)
        self.line.sock.close()
        self._monitor.close()
        self.qemu.stderr.close()
        self.qemu = None
        Target.live.remove(self)

    def wait_off(self, seconds=10):
        """Waits until the machine has switched itself off. QEMU's exit status."""
        with contextlib.suppress(Gone):
            self.line.until(re.compile(rb"(?!)"), seconds)  # matches nothing: reads to the end
        return self.qemu.wait(seconds)

    def reset(self, seconds=BOOT_SECONDS):
        """Presses the reset button and waits for the prompt."""
        self.line.unread.clear()
        self.monitor("system_reset")
        self.wait_prompt(seconds)

    def fresh(self):
        """A prompt with nothing left of what ran before: by soft reset, else by a new machine."""
        if self.qemu is None:
            return self.boot()
        try:
            self.line.friendly(3)
            self.at_prompt = True
            self.soft_reset(5)
            return self
        except (Hung, Gone):
            self.close()
            return self.boot()

    # The line

    @property
    def console(self):
        """All the target has said since it was started, as text."""
        return bytes(self.line.log).decode(errors="replace")

    def send(self, data):
        """Types bytes or text as they are."""
        self.at_prompt = False
        self.line.send(data.encode() if isinstance(data, str) else data)

    def until(self, what, seconds=10):
        """Waits for text, bytes or a compiled pattern; returns what came, up to and with it."""
        what = what.encode() if isinstance(what, str) else what
        return self.line.until(what, seconds).decode(errors="replace").replace("\r\n", "\n")

    def wait_prompt(self, seconds=10):
        """Waits for `>>>`; returns what came before it."""
        text = self.until(PROMPT, seconds)
        self.at_prompt = True
        return text.removesuffix(">>> ")

    def interrupt(self, seconds=5):
        """Ctrl-C; returns what is printed up to the prompt."""
        self.send(CTRL_C)
        return self.wait_prompt(seconds)

    # MicroPython

    def repl(self, line, seconds=10):
        """Types one line at `>>>` and returns what is printed before the next prompt.

        A line that opens a block returns at `...`; the REPL indents the lines after it by itself,
        and an empty line ends the block.
        """
        self._prompt()
        self.line.send(line.encode() + b"\r")
        self.line.until(line.encode() + b"\r\n", seconds)
        answer = self.line.until(re.compile(rb">>> |\.\.\. "), seconds)
        self.at_prompt = True
        return answer[:-4].decode(errors="replace").replace("\r\n", "\n").strip("\n")

    def exec(self, code, seconds=10):
        """Runs code by the raw REPL. What it printed; TargetError with its traceback if it raised."""
        self._prompt()
        self.at_prompt = False
        self.line.enter_raw()
        output = error = None
        try:
            output = self.line.raw_exec(code, seconds)
        except TargetError as raised:
            error = raised
        self.line.leave_raw()
        self.at_prompt = True
        if error:
            raise error
        return output

    def eval(self, expression, seconds=10):
        """The value of an expression, for values that have a literal form."""
        return ast.literal_eval(self.exec(f"print(repr({expression}))", seconds))

    def soft_reset(self, seconds=10):
        """Ctrl-D at the prompt; returns what is printed up to the next one."""
        self._prompt()
        self.send(CTRL_D)
        self.until("MPY: soft reboot", seconds)
        return self.wait_prompt(seconds)

    def _prompt(self):
        if not self.at_prompt:
            self.line.friendly()
            self.at_prompt = True

    # Programs of the host

    @contextlib.contextmanager
    def pty(self):
        """The path of a pseudo-terminal joined to the line, for as long as the `with` lasts."""
        master, slave = pty.openpty()
        path = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        done = threading.Event()
        bridge = threading.Thread(target=self._bridge, args=(master, done), daemon=True)
        bridge.start()
        self.at_prompt = False
        try:
            yield path
        finally:
            done.set()
            bridge.join(5)
            os.close(master)
            self.line.unread.clear()

    def _bridge(self, master, done):
        """Joins line and pseudo-terminal; like QEMU's own, drops output nobody is there to read."""
        poll = select.poll()
        poll.register(master, select.POLLIN)
        with contextlib.suppress(Gone):
            while not done.is_set():
                state = dict(poll.poll(0)).get(master, 0)
                if state & select.POLLIN:
                    with contextlib.suppress(OSError):
                        self.line.send(os.read(master, 4096))
                    continue
                attached = not state & select.POLLHUP
                # A terminal with nobody on it always polls as ready: look again a little later.
                wait_for = [self.line, master] if attached else [self.line]
                if self.line in select.select(wait_for, [], [], 0.02)[0]:
                    self.line.unread.clear()
                    data = self.line.receive()
                    state = dict(poll.poll(0)).get(master, 0)
                    while data and not state & select.POLLHUP and not done.is_set():
                        if select.select([], [master], [], 0.1)[1]:
                            data = data[os.write(master, data) :]
                        state = dict(poll.poll(0)).get(master, 0)

    def mpremote(self, *args, seconds=30, check=True, stdin=None):
        """Runs `mpremote connect PTY args...`; what it printed, on both streams.

        `check` wants exit status 0; without it, returns (status, text).
        """
        with self.pty() as path:
            command = [sys.executable, "-m", "mpremote", "connect", path, *map(str, args)]
            try:
                done = subprocess.run(
                    command,
                    cwd=ROOT,
                    input=stdin,
                    stdin=None if stdin is not None else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=seconds,
                    text=True,
                )
            except subprocess.TimeoutExpired as error:
                text = (error.stdout or b"").decode(errors="replace")
                line = " ".join(map(str, args))
                raise Hung(
                    f"mpremote {line}: not done in {seconds} s; it printed:\n{text}"
                ) from None
        if not check:
            return done.returncode, done.stdout
        assert done.returncode == 0, f"mpremote {' '.join(map(str, args))}:\n{done.stdout}"
        return done.stdout

    # Looking at the machine from outside

    def monitor(self, command, seconds=5):
        """One command of QEMU's monitor; its answer."""
        self._monitor.sendall(command.encode() + b"\n")
        return self._monitor_answer(seconds)

    def _monitor_answer(self, seconds):
        # The greeting and every answer end with a prompt of their own; the echo has escapes.
        text, end = b"", time.monotonic() + seconds
        while select.select(
            [self._monitor], [], [], 0.2 if text.endswith(b"(qemu) ") else seconds
        )[0]:
            text += self._monitor.recv(65536)
            if time.monotonic() > end:
                break
        text = text.decode(errors="replace").replace("\r\n", "\n")
        return text.rpartition("\x1b[K")[2].partition("\n")[2].removesuffix("(qemu) ")

    def post_mortem(self):
        """What the report of a failed test should show, as (title, text) pairs."""
        sections = [(f"console of {self!r}", self.console[-200_000:])]
        if self.qemu is None:
            return sections
        if self.qemu.poll() is not None:
            text = self.qemu.stderr.read().decode(errors="replace")
            return [*sections, (f"QEMU ended with status {self.qemu.returncode}", text)]
        with contextlib.suppress(OSError):
            registers = self.monitor("info registers")
            sections.append((f"registers of {self!r}", registers + self._where(registers)))
        return sections

    def _where(self, registers):
        """The function a halted or hung machine is in, when the image knows it."""
        if not (found := re.search(r"PC=([0-9a-f]+)", registers)):
            return ""
        command = ["aarch64-linux-gnu-addr2line", "-fpe", ROOT / "hypervisor.elf", found[1]]
        return "PC is at " + subprocess.run(command, capture_output=True, text=True).stdout
