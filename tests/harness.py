# SPDX-License-Identifier: MIT
"""Drives a real QEMU with Elapid on it, the way a user would: typing, raw REPL, mpremote.

    target = Target(gic=3, smp=4).boot()
    target.repl("1 + 1")                 -> "2"
    target.exec("import os; print(os.listdir())")
    target.mpremote("fs", "ls")
    target.close()

The serial line is QEMU's own pseudo-terminal, kept open so that nothing is lost; mpremote opens it
too. Everything the target ever says is kept in `target.console`. Every wait is for an event, and has
a deadline: seconds of a machine with nothing else to do, times PATIENCE.
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
import tempfile
import time
from pathlib import Path

from child import dies_with_parent
from console import CTRL_C, CTRL_D, PROMPT, Console, Gone, Hung, TargetError

__all__ = ["Gone", "Hung", "ROOT", "Target", "TargetError", "Terminal", "how_long", "in_time"]

ROOT = Path(__file__).resolve().parent.parent
# MicroPython's source as it is built, patched: the Makefile's MPY_TOP.
MPY_TOP = ROOT / "build" / ("micropython-own" if os.environ.get("MICROPY_DIR") else "micropython")
BOOT_SECONDS = 20
PATIENCE = int(os.environ.get("PATIENCE", 10))  # other work may be going on beside the tests


def how_long(action):
    """Seconds of the host that something took which must come out true."""
    start = time.monotonic()
    assert action()
    return time.monotonic() - start


def in_time(times, measure, most=0.05):
    """Measures until it was at most so much this often. The host may have other work, a good deal of
    the time; what is slow by itself never gets there.
    """
    took, end = [], time.monotonic() + 120
    while sum(each <= most for each in took) < times:
        assert time.monotonic() < end, took
        took.append(measure())


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
        self.line = None
        self.at_prompt = False
        self._log = None

    def __repr__(self):
        return f"<Target {self.name}>"

    # Power

    def start(self):
        """Starts QEMU; returns at once."""
        self._folder = tempfile.TemporaryDirectory(prefix="elapid-")
        self._log = Path(self._folder.name) / "console"
        self._monitor, qemu_monitor = socket.socketpair()
        command = [
            *(*self.command, "-S", "-display", "none"),
            *("-chardev", f"pty,id=line,logfile={self._log}", "-serial", "chardev:line"),
            *("-chardev", f"socket,id=monitor,fd={qemu_monitor.fileno()}"),
            *("-mon", "chardev=monitor,mode=readline"),
        ]
        self.qemu = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[qemu_monitor.fileno()],
            preexec_fn=dies_with_parent,
        )
        qemu_monitor.close()
        Target.live.append(self)
        self.path = self._announced()
        # Held open from before the reset to the end: QEMU drops output while nobody is there.
        self.line = Console(os.open(self.path, os.O_RDWR | os.O_NOCTTY), patience=PATIENCE)
        self.at_prompt = False
        try:
            self._monitor_answer(rb"(\(qemu\) )$")
            self.monitor("cont")
        except (OSError, Gone):
            said = self.qemu.stdout.read().decode(errors="replace")
            raise Gone(f"QEMU did not start: {said}") from None
        return self

    def _announced(self):
        """The path of the terminal that QEMU has made."""
        said = b""
        while not (found := re.search(rb"redirected to (/\S+)", said)):
            ready = select.select([self.qemu.stdout], [], [], 10 * PATIENCE)[0]
            fresh = os.read(self.qemu.stdout.fileno(), 4096) if ready else b""
            if not fresh:
                raise Gone(f"QEMU did not start: {said.decode(errors='replace')}")
            said += fresh
        return found[1].decode()

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
            self.qemu.wait(5 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.qemu.kill()
            self.qemu.wait()
        if self.line:
            os.close(self.line.fd)
            self.line = None
        self._monitor.close()
        self.qemu.stdout.close()
        self._folder.cleanup()
        self.qemu = None
        Target.live.remove(self)

    def wait_off(self, seconds=10):
        """Waits until the machine has switched itself off. QEMU's exit status."""
        with contextlib.suppress(Gone):
            self.line.until(re.compile(rb"(?!)"), seconds)  # matches nothing: reads to the end
        return self.qemu.wait(seconds * PATIENCE)

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
            self.line.friendly()
            self.at_prompt = True
            self.soft_reset()
            return self
        except (Hung, Gone):
            self.close()
            return self.boot()

    # The line

    @property
    def console(self):
        """All the target has said since it was started, as text."""
        log = self._log.read_bytes() if self._log and self._log.exists() else b""
        return log.decode(errors="replace").replace("\r\n", "\n")

    def send(self, data):
        """Types bytes or text as they are."""
        self.at_prompt = False
        self.line.send(data.encode() if isinstance(data, str) else data)

    def until(self, what, seconds=10):
        """Waits for text, bytes or a compiled pattern; returns what came, up to and with it.

        In text, here and in what is returned, lines end in \\n.
        """
        what = what.encode().replace(b"\n", b"\r\n") if isinstance(what, str) else what
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

        A line that opens a block returns at `...`; the REPL indents the lines after it by itself.
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

    def lend(self):
        """The terminal's path, for a program that has the line to itself from now on."""
        self.at_prompt = False
        self.line.unread.clear()
        return self.path

    def mpremote(self, *args, seconds=30, check=True, stdin=None):
        """Runs `mpremote connect PTY args...`; what it printed, on both streams.

        `check` wants exit status 0; without it, returns (status, text).
        """
        command = [sys.executable, "-m", "mpremote", "connect", self.lend(), *map(str, args)]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds * PATIENCE,
                text=True,
            )
        except subprocess.TimeoutExpired as error:
            text = (error.stdout or b"").decode(errors="replace")
            line = " ".join(map(str, args))
            raise Hung(
                f"mpremote {line}: not done in {seconds * PATIENCE} s; it printed:\n{text}"
            ) from None
        if not check:
            return done.returncode, done.stdout
        assert done.returncode == 0, f"mpremote {' '.join(map(str, args))}:\n{done.stdout}"
        return done.stdout

    # Looking at the machine from outside

    def monitor(self, command, seconds=5):
        """One command of QEMU's monitor; its answer."""
        self._monitor.sendall(command.encode() + b"\n")
        return self._monitor_answer(rb"\r\n((?s:.*))\(qemu\) $", seconds)

    def _monitor_answer(self, pattern, seconds=5):
        seconds *= PATIENCE
        text, end = b"", time.monotonic() + seconds
        while not (found := re.search(pattern, text)):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._monitor], [], [], left)[0]:
                raise Hung(f"QEMU's monitor did not answer within {seconds} s: {text!r}")
            if not (fresh := self._monitor.recv(65536)):
                raise Gone("QEMU ended")
            text += fresh
        return found[1].decode(errors="replace").replace("\r\n", "\n")

    def post_mortem(self):
        """What the report of a failed test should show, as (title, text) pairs."""
        sections = [(f"console of {self!r}", self.console[-200_000:])]
        if self.qemu is None:
            return sections
        if self.qemu.poll() is not None:
            text = self.qemu.stdout.read().decode(errors="replace")
            return [*sections, (f"QEMU ended with status {self.qemu.returncode}", text)]
        with contextlib.suppress(OSError, Hung, Gone):
            lines = self.monitor("info registers -a").splitlines()
            text = "\n".join(line for line in lines if not line.startswith("Q"))
            sections.append((f"registers of {self!r}", text + self._where(text)))
        return sections

    def _where(self, registers):
        """The functions the cores are in, when the image knows them."""
        places = re.findall(r"PC=([0-9a-f]+)", registers)
        command = ["aarch64-linux-gnu-addr2line", "-fpe", ROOT / "hypervisor.elf", *places]
        done = subprocess.run(command, capture_output=True, text=True)
        return "".join(f"\nCPU#{n} is in {at}" for n, at in enumerate(done.stdout.splitlines()))


class Terminal:
    """A program on a terminal of its own, with a person at it."""

    def __init__(self, *command):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.seen = b""

    def type(self, keys):
        os.write(self.master, keys)

    def type_all(self, keys):
        """Types more than a terminal holds: waits while nobody reads it."""
        while keys:
            keys = keys[os.write(self.master, keys[:1024]) :]

    def until(self, text, seconds=30):
        """Reads up to `text`, which is taken together with all before it. Lines end in \\n."""
        end = time.monotonic() + seconds * PATIENCE
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.seen += os.read(self.master, 4096).replace(b"\r", b"")
                except OSError:
                    raise AssertionError(f"ended before {text!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(text)
        return before

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 15)
        self.process.wait(10 * PATIENCE)
        os.close(self.master)
