# SPDX-License-Identifier: MIT
"""The command `elapid`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import background
from .image import find as find_image
from .qemu import command_line
from .say import Stop

Verb = Callable[[argparse.Namespace], int]


def _machine(args: argparse.Namespace) -> list[str]:
    """QEMU's command line: what stands behind --, else what the options say."""
    if args.machine:
        return list(args.machine)
    return command_line(args.gic, args.smp, args.mem, args.cpu, disk=args.disk, args=args.qemu)


def _run(args: argparse.Namespace) -> int:
    from .run import run

    return run(args.script, args.copy, _machine(args))


def _repl(args: argparse.Namespace) -> int:
    command = [*_machine(args), "-nographic", "-serial", "mon:stdio"]
    os.execvp(command[0], command)


def _serve(args: argparse.Namespace) -> int:
    return background.serve(_machine(args))


def _stop(args: argparse.Namespace) -> int:
    return background.stop()


def _gdb(args: argparse.Namespace) -> int:
    from .gdb import gdb

    return gdb(args.gdb, args.elf, args.options, _machine(args))


def _debug(args: argparse.Namespace) -> int:
    elf = str(args.elf or find_image())
    target = f"target remote :{background.GDB_PORT}"
    return background.debug([args.gdb, elf, "-ex", target, *args.options], _machine(args))


def _lines(args: argparse.Namespace) -> int:
    from .lines import with_lines

    for line in with_lines(sys.stdin.read(), args.elf):
        print(line)
    return 0


def _draw(args: argparse.Namespace) -> int:
    from . import draw

    said, title = sys.stdin.read(), [args.title] if args.title else []
    if args.kind == "map":
        print(draw.memory_map(said, *title), end="")
    else:
        print({"exits": draw.exit_bars, "terminal": draw.terminal}[args.kind](said), end="")
    return 0


def _machine_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group(
        "machine", "QEMU's virt; a whole QEMU command line may stand behind -- instead"
    )
    group.add_argument("--gic", type=int, choices=(2, 3), default=2, help="its GIC (2)")
    group.add_argument("--smp", type=int, default=1, metavar="N", help="cores (1)")
    group.add_argument("--mem", default="128M", metavar="SIZE", help="RAM (128M)")
    group.add_argument("--cpu", default="cortex-a53", help="the cores' type (cortex-a53)")
    group.add_argument("--disk", type=Path, help="/disk of the target: a folder, or a FAT image")
    group.add_argument(
        "--qemu", action="append", default=[], metavar="WORD", help="one more word for QEMU"
    )
    return options


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="elapid", description="Elapid on QEMU, from the host.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    machine = _machine_options()

    def add(name: str, does: Verb, what: str, on_machine: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(
            name, help=what, description=what, parents=[machine] if on_machine else []
        )
        made.set_defaults(does=does)
        return made

    run = add("run", _run, "run a script on a fresh target, then stay at its >>> (Ctrl-A X ends)")
    run.add_argument("script", type=Path, help="MicroPython, as at the target's prompt")
    run.add_argument(
        "--copy", type=Path, action="append", default=[], metavar="FILE", help="put it there first"
    )
    add("repl", _repl, "a fresh target's REPL alone (Ctrl-A X ends)")
    add("serve", _serve, "a target in the background; prints the pty for mpremote")
    add("stop", _stop, "end what `elapid serve` started", False)
    for name, does, what in (
        ("gdb", _gdb, "gdb on the VM `vm` of `elapid serve`, or on ELF in a new one"),
        ("debug", _debug, "gdb on the hypervisor itself, stopped at reset"),
    ):
        made = add(name, does, what)
        made.add_argument("--gdb", default="gdb-multiarch", help="the gdb (gdb-multiarch)")
        made.add_argument("elf", type=Path, nargs="?" if name == "debug" else None)
        made.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="gdb's own")
    lines = add("lines", _lines, "source lines for what cpu.where() printed, on stdin", False)
    lines.add_argument("elf", nargs="+", help="files with debug information")
    draw = add("draw", _draw, "SVG of what a target printed, on stdin", False)
    draw.add_argument("kind", choices=("map", "exits", "terminal"))
    draw.add_argument("title", nargs="?")
    return top


def main(words: Sequence[str] | None = None) -> int:
    """The exit status."""
    words = list(sys.argv[1:] if words is None else words)
    at = words.index("--") if "--" in words else len(words)
    args = parser().parse_args(words[:at])
    args.machine = words[at + 1 :]
    try:
        return int(args.does(args))
    except Stop as stop:
        print(f"elapid: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
