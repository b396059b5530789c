# SPDX-License-Identifier: MIT
"""A QEMU machine with Elapid on it: its command line, its power, its monitor."""

import contextlib
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .background import second_line
from .child import dies_with_parent
from .console import PATIENCE, Console, Gone, Hung
from .image import find as find_image
from .program import QEMU


def command_line(
    gic: int = 2,
    smp: int = 1,
    mem: str = "128M",
    cpu: str = "cortex-a53",
    secure: bool = False,
    virtualization: bool = True,
    kernel: str | os.PathLike[str] | None = None,
    icount: bool = False,
    disk: str | os.PathLike[str] | None = None,
    args: Sequence[str] = (),
) -> list[str]:
    """QEMU's virt with Elapid on it. `disk`: /disk of the target, a folder (read-only) or a FAT image. `args`: more."""
    on = {True: "on", False: "off"}
    machine = f"virt,virtualization={on[virtualization]},secure={on[secure]},gic-version={gic}"
    return [
        *(*QEMU, "-machine", machine, "-cpu", cpu),
        *("-smp", str(smp), "-m", mem, "-nic", "none", "-kernel", str(kernel or find_image())),
        *(("-icount", "shift=0,sleep=off") if icount else ()),
        *(_disk(Path(disk)) if disk else ()),
        *args,
    ]


def escaped(path: Path) -> str:
    """As a value of one of QEMU's options."""
    return str(path).replace(",", ",,")


def _disk(path: Path) -> list[str]:
    # QEMU is not good at writing to a folder. Writes to an image do not wait for the host's disk.
    where = escaped(path.resolve())
    what = f"readonly=on,file=fat:{where}" if path.is_dir() else f"cache=unsafe,file={where}"
    drive = f"if=none,id=disk,format=raw,{what}"
    return ["-device", "virtio-blk-device,drive=disk", "-drive", drive]


class Qemu:
    """One QEMU whose serial line is a pseudo-terminal, held open so that nothing is lost."""

    live: list["Qemu"] = []  # those that run, for the report of a failed test

    def __init__(
        self,
        command: Sequence[str],
        cwd: str | os.PathLike[str] | None = None,
        patience: int = 0,
        line1: bool = False,
    ):
        self.command = list(command)
        self.cwd = cwd
        self.patience = patience or PATIENCE
        self.has_line1 = line1
        self.qemu: subprocess.Popen[bytes] | None = None
        self._line: Console | None = None
        self._log: Path | None = None

    def start(self) -> None:
        """Starts QEMU; returns at once."""
        self._folder = tempfile.TemporaryDirectory(prefix="elapid-")
        self._log = Path(self._folder.name) / "console"
        self._monitor, qemu_monitor = socket.socketpair()
        command = [
            *(*self.command, "-S", "-display", "none"),
            *("-chardev", f"pty,id=line,logfile={self._log}", "-serial", "chardev:line"),
            *("-chardev", f"socket,id=monitor,fd={qemu_monitor.fileno()}"),
            *("-mon", "chardev=monitor,mode=readline"),
            *(second_line(self.line1, self.command) if self.line1 else ()),
        ]
        self.qemu = subprocess.Popen(
            command,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[qemu_monitor.fileno()],
            preexec_fn=dies_with_parent,
        )
        qemu_monitor.close()
        Qemu.live.append(self)
        self.path = self._announced()
        # Held open from before the reset to the end: QEMU drops output while nobody is there.
        self._line = Console(os.open(self.path, os.O_RDWR | os.O_NOCTTY), patience=self.patience)
        try:
            self._monitor_answer(rb"(\(qemu\) )$")
            self.monitor("cont")
        except (OSError, Gone):
            raise Gone(f"QEMU did not start: {self._last_words()}") from None

    @property
    def line1(self) -> Path | None:
        """The socket that is the target's hv.serial(1)."""
        return Path(self._folder.name) / "line1" if self.has_line1 else None

    def _last_words(self) -> str:
        assert self.qemu is not None and self.qemu.stdout is not None
        return self.qemu.stdout.read().decode(errors="replace")

    def _announced(self) -> str:
        """The path of the terminal that QEMU has made."""
        assert self.qemu is not None and self.qemu.stdout is not None
        said = b""
        while not (found := re.search(rb"redirected to (/\S+)", said)):
            ready = select.select([self.qemu.stdout], [], [], 10 * self.patience)[0]
            fresh = os.read(self.qemu.stdout.fileno(), 4096) if ready else b""
            if not fresh:
                raise Gone(f"QEMU did not start: {said.decode(errors='replace')}")
            said += fresh
        return found[1].decode()

    def close(self) -> None:
        """Switches the machine off."""
        if self.qemu is None:
            return
        self.qemu.terminate()
        try:
            self.qemu.wait(5 * self.patience)
        except subprocess.TimeoutExpired:
            self.qemu.kill()
            self.qemu.wait()
        if self._line:
            os.close(self._line.fd)
            self._line = None
        self._monitor.close()
        if self.qemu.stdout:
            self.qemu.stdout.close()
        self._folder.cleanup()
        self.qemu = None
        Qemu.live.remove(self)

    def wait_off(self, seconds: float = 10) -> int:
        """Waits until the machine has switched itself off. QEMU's exit status."""
        assert self.qemu is not None and self._line is not None
        with contextlib.suppress(Gone):
            self._line.until(re.compile(rb"(?!)"), seconds)  # matches nothing: reads to the end
        return self.qemu.wait(seconds * self.patience)

    @property
    def console(self) -> str:
        """All the target has said since it was started, as text."""
        log = self._log.read_bytes() if self._log and self._log.exists() else b""
        return log.decode(errors="replace").replace("\r\n", "\n")

    def monitor(self, command: str, seconds: float = 5) -> str:
        """One command of QEMU's monitor; its answer."""
        self._monitor.sendall(command.encode() + b"\n")
        return self._monitor_answer(rb"\r\n((?s:.*))\(qemu\) $", seconds)

    def _monitor_answer(self, pattern: bytes, seconds: float = 5) -> str:
        seconds *= self.patience
        text, end = b"", time.monotonic() + seconds
        while not (found := re.search(pattern, text)):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._monitor], [], [], left)[0]:
                raise Hung(f"QEMU's monitor did not answer within {seconds} s: {text!r}")
            if not (fresh := self._monitor.recv(65536)):
                raise Gone("QEMU ended")
            text += fresh
        return found[1].decode(errors="replace").replace("\r\n", "\n")

    def post_mortem(self) -> list[tuple[str, str]]:
        """What the report of a failed test should show, as (title, text) pairs."""
        sections = [(f"console of {self!r}", self.console[-200_000:])]
        if self.qemu is None:
            return sections
        if self.qemu.poll() is not None:
            return [
                *sections,
                (f"QEMU ended with status {self.qemu.returncode}", self._last_words()),
            ]
        with contextlib.suppress(OSError, Hung, Gone):
            lines = self.monitor("info registers -a").splitlines()
            text = "\n".join(line for line in lines if not line.startswith("Q"))
            sections.append((f"registers of {self!r}", text + _where(text)))
        return sections


def _where(registers: str) -> str:
    """The functions the cores are in, when the image knows them."""
    places = re.findall(r"PC=([0-9a-f]+)", registers)
    try:
        command = ["aarch64-linux-gnu-addr2line", "-fpe", str(find_image()), *places]
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return "".join(f"\nCPU#{n} is in {at}" for n, at in enumerate(done.stdout.splitlines()))
