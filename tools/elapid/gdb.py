# SPDX-License-Identifier: MIT
"""elapid gdb: gdb on a guest of the machine that `elapid serve` runs, which is started if it is not.

The guest is what the target's prompt has as `vm`; if it has none, ELF in a new VM of that name. gdb is on the
second line, so that the prompt stays; where there is none, or with console=True, on the prompt's own, until it ends. Of a Linux that runs there gdb knows the names that it has itself, wherever KASLR
has moved it; ELF=vmlinux, with its lines, is one that has not been moved.
"""

import ast
import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import kallsyms
from .background import BUILD, served
from .console import Console, Gone, Hung, TargetError
from .say import Stop, say

LINE = BUILD / "line1"
NAMES = BUILD / "guest-linux.elf"
OURS = "import hv; print('vm' in globals() and isinstance(vm, hv.VM) and not vm._vm.closed)"
LINES = "import hv; print(len(hv.serial()))"
LOAD = "vm = hv.VM('guest'); vm.load({!r}); None"


def answers() -> bool:
    """Whether there is a stub already on the second line."""
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(str(LINE))
            line.sendall(b"$qAttached#8f")
            return bool(select.select([line], [], [], 1)[0] and line.recv(100))
        except OSError:
            return False


def take_console(console: Console) -> None:
    """At the prompt: gdb has its line from now on."""
    console.send(b"hv.gdb(vm, 0)\r")
    said = console.until(re.compile(rb"not now after all\r\n|\n>>> "), 30)
    if b"not now" not in said:
        raise Stop(said.decode(errors="replace").strip().splitlines()[-2])


def prepare(pty: str, elf: Path, alone: bool) -> tuple[bool, kallsyms.Where | None, str]:
    """By the target's prompt: a VM, and hv.gdb() on it. Whether that is on this line; where a Linux has its names, and its
    functions' frame records.
    """
    console = Console(os.open(pty, os.O_RDWR | os.O_NOCTTY), patience=3)
    try:
        console.friendly()
        console.enter_raw()
        if console.raw_exec(OURS).strip() != "True":
            if not elf.is_file():
                raise Stop(f"no such file: {elf}")
            console.raw_copy(elf)
            console.raw_exec(LOAD.format(elf.name), 60)
        alone = alone or console.raw_exec(LINES).strip() == "1"
        begin = "print(vm)" if alone else "hv.gdb(vm); print(vm)"
        say(f"gdb is on {console.raw_exec(begin).strip()}")
        where = ast.literal_eval(console.raw_exec(kallsyms.WHERE, 60).strip())
        records = console.raw_exec(kallsyms.RECORDS, 60).strip() if where else ""
        console.leave_raw()
        if alone:
            take_console(console)
        return alone, where or None, records
    except TargetError as error:
        raise Stop(error.last) from None
    except (Gone, Hung) as error:
        raise Stop(str(error)) from None
    finally:
        os.close(console.fd)


def back_to_prompt(pty: str) -> None:
    """gdb is gone, by detach, kill or in the middle; in the prompt's hands two Ctrl-C do nothing."""
    console = Console(os.open(pty, os.O_RDWR | os.O_NOCTTY), patience=3)
    try:
        console.friendly()
    except (Gone, Hung) as error:
        raise Stop(str(error)) from None
    finally:
        os.close(console.fd)


def gdb(
    program: str, elf: Path, options: Sequence[str], machine: Sequence[str], console: bool = False
) -> int:
    """gdb's exit status."""
    pty, ran = served(machine)
    line: str | Path = LINE
    if console or not (ran and answers()):
        console, where, records = prepare(pty, elf, console)
        line = pty if console else LINE
        if where and elf.name != "vmlinux":
            count = kallsyms.fetch(line, where, NAMES, records)
            say(f"{count} names of the Linux in it are in {NAMES}")
            elf = NAMES
            if console:
                prepare(pty, elf, console)
    if console:
        say(f"the prompt is back on {pty} when gdb ends")
    else:
        say(f"the prompt is on {pty} (in another terminal: mpremote connect {pty} resume)")
    # Ctrl-C is for gdb; it reaches this process too.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    status = subprocess.run([program, elf, "-ex", f"target remote {line}", *options]).returncode
    if console:
        back_to_prompt(pty)
    return status
