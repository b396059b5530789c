# SPDX-License-Identifier: MIT
"""A machine of one's own: QEMU, and the prompt of the Elapid on it."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from .bulk import Bulk
from .console import Gone, Hung
from .qemu import Qemu, command_line, escaped
from .vm import VmSession

BOOT_SECONDS = 20


class Target(Qemu, VmSession):
    """Elapid on a QEMU of its own. Options are those of command_line(); `command` replaces the whole line.

    files: of the host, which the target has under /fw/opt from its start (QEMU's fw_cfg): at once, where put() goes
    by the serial line. line1: a second line, hv.serial(1), for bytes in numbers and for gdb; the socket `line1`.

    Used with `with`, it is at its first prompt inside and switched off behind. Every wait has a deadline:
    seconds of a machine with nothing else to do, times `patience` ($PATIENCE, 10).
    """

    def __init__(
        self,
        gic: int = 2,
        smp: int = 1,
        mem: str = "128M",
        *,
        files: Iterable[str | os.PathLike[str]] = (),
        line1: bool = True,
        command: Sequence[str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        patience: int = 0,
        **options: Any,
    ):
        brought = {Path(file).resolve(): f"opt/{Path(file).name}" for file in files}
        if len(set(brought.values())) < len(brought):
            raise ValueError(f"two files of the same name: {', '.join(map(str, brought))}")
        line1 = line1 and command is None
        if command is None:
            more = [f"name={name},file={escaped(path)}" for path, name in brought.items()]
            words = [word for each in more for word in ("-fw_cfg", each)]
            options["args"] = [*options.get("args", ()), *words]
            command = command_line(gic, smp, mem, **options)
        Qemu.__init__(self, command, cwd, patience, line1)
        VmSession.__init__(self)
        self.files = {str(path): f"/fw/{name}" for path, name in brought.items()}
        self.name = f"gicv{gic}, {smp} core{'s' * (smp > 1)}, {mem}"

    def __repr__(self) -> str:
        return f"<Target {self.name}>"

    def __enter__(self) -> Self:
        if self.qemu is None:
            try:
                self.boot()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(self) -> Self:  # type: ignore[override]
        """Starts QEMU; returns at once."""
        self._anew()
        super().start()
        self._bulk = Bulk(self, self.line1)
        return self

    def close(self) -> None:
        """Switches the machine off."""
        self._bulk.close()
        super().close()

    def boot(self, seconds: float = BOOT_SECONDS) -> Self:
        """Starts QEMU and waits for the first `>>>`."""
        self.start()
        self.wait_prompt(seconds)
        return self

    def reset(self, seconds: float = BOOT_SECONDS) -> None:
        """Presses the reset button and waits for the prompt."""
        self.line.unread.clear()
        self._anew()
        self.monitor("system_reset")
        self.wait_prompt(seconds)

    def fresh(self) -> Self:
        """A prompt with nothing left of what ran before: by soft reset, else by a new machine."""
        if self.qemu is None:
            return self.boot()
        try:
            self.at_prompt = False
            self.soft_reset()
            return self
        except (Hung, Gone):
            self.close()
            return self.boot()

    # Programs of the host

    def lend(self) -> str:
        """The terminal's path, for a program that has the line to itself from now on."""
        self.at_prompt = self.at_raw = False
        self.line.unread.clear()
        return self.path

    def mpremote(
        self, *args: object, seconds: float = 30, check: bool = True, stdin: str | None = None
    ) -> Any:
        """Runs `mpremote connect PTY args...`; what it printed, on both streams.

        `check` wants exit status 0; without it, returns (status, text).
        """
        command = [sys.executable, "-m", "mpremote", "connect", self.lend(), *map(str, args)]
        words = " ".join(map(str, args))
        try:
            done = subprocess.run(
                command,
                cwd=self.cwd,
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds * self.patience,
                text=True,
            )
        except subprocess.TimeoutExpired as error:
            text = (error.stdout or b"").decode(errors="replace")
            took = seconds * self.patience
            raise Hung(f"mpremote {words}: not done in {took} s; it printed:\n{text}") from None
        if not check:
            return done.returncode, done.stdout
        assert done.returncode == 0, f"mpremote {words}:\n{done.stdout}"
        return done.stdout
