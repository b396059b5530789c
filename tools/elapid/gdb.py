# SPDX-License-Identifier: MIT
"""elapid gdb: gdb on a guest of the machine that `elapid serve` runs, which is started if it is not.

The guest is what the target's prompt has as `vm`; if it has none, ELF in a new VM of that name. gdb is on the
second line, so that the prompt stays. Of a Linux that runs there gdb knows the names that it has itself, wherever KASLR
has moved it; ELF=vmlinux, with its lines, is one that has not been moved.
"""

import ast
import os
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


def prepare(pty: str, elf: Path) -> kallsyms.Where | None:
    """By the target's prompt: a VM, and hv.gdb() on it. Where a Linux in it has its names."""
    console = Console(os.open(pty, os.O_RDWR | os.O_NOCTTY), patience=3)
    try:
        console.friendly()
        console.enter_raw()
        if console.raw_exec(OURS).strip() != "True":
            if not elf.is_file():
                raise Stop(f"no such file: {elf}")
            console.raw_copy(elf)
            console.raw_exec(LOAD.format(elf.name), 60)
        say(f"gdb is on {console.raw_exec('hv.gdb(vm); print(vm)').strip()}")
        where = ast.literal_eval(console.raw_exec(kallsyms.WHERE, 60).strip())
        console.leave_raw()
        return where or None
    except TargetError as error:
        raise Stop(error.traceback.strip().splitlines()[-1]) from None
    except (Gone, Hung) as error:
        raise Stop(str(error)) from None
    finally:
        os.close(console.fd)


def gdb(program: str, elf: Path, options: Sequence[str], machine: Sequence[str]) -> int:
    """gdb's exit status."""
    pty, ran = served(machine)
    if not (ran and answers()) and (where := prepare(pty, elf)) and elf.name != "vmlinux":
        say(f"{kallsyms.fetch(LINE, where, NAMES)} names of the Linux in it are in {NAMES}")
        elf = NAMES
    say(f"the prompt is on {pty} (in another terminal: mpremote connect {pty} resume)")
    # Ctrl-C is for gdb; it reaches this process too.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    return subprocess.run([program, elf, "-ex", f"target remote {LINE}", *options]).returncode
