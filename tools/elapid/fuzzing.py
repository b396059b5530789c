# SPDX-License-Identifier: MIT
"""elapid fuzz: what its words mean."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import words
from .say import Stop, say

if TYPE_CHECKING:
    from .findings import Findings
    from .fuzzjob import Crash, Plan


def options(verb: argparse.ArgumentParser) -> None:
    """The command's."""
    verb.add_argument(
        "guest", type=words.file, metavar="GUEST", help="an ELF, Image or flat binary"
    )
    what = verb.add_argument_group("a round", "as vm.fuzz() has it: docs/fuzzing.md")
    what.add_argument("--at", help="where rounds begin; without: where the guest begins")
    what.add_argument(
        "--put", metavar="WHERE[,LENGTH]",
        help="where inputs go, and their length: a symbol, an address, a register: x0,x1",
    )  # fmt: skip
    what.add_argument("--until", action="append", metavar="PLACE", help="where they end (ret)")
    what.add_argument("--crash", action="append", default=[], metavar="PLACE", help="that is one")
    what.add_argument(
        "--no-faults", action="store_true", help="the guest's own exceptions are its own affair"
    )
    what.add_argument(
        "--cover", choices=("blocks", "steps", "map", "none"), default="blocks", help="(blocks)"
    )
    what.add_argument("--map", metavar="SYMBOL", help="the guest's array of counters")
    what.add_argument(
        "--max", type=int, default=1024, metavar="N", help="bytes of an input (1024)"
    )
    what.add_argument(
        "--instructions",
        type=int,
        default=10_000_000,
        metavar="N",
        help="else it hangs (10000000)",
    )
    what.add_argument(
        "--ms", type=words.count, default=1000, metavar="MS", help="else it hangs (1000)"
    )
    what.add_argument("--seed", type=int, default=1, metavar="N", help="(1)")
    guest = verb.add_argument_group("the guest")
    guest.add_argument("--ram", default="64M", metavar="SIZE", help="its RAM (64M)")
    guest.add_argument(
        "--script", type=words.file, metavar="FILE",
        help="run on each target, where the guest is loaded as `vm`: its devices; put() and oracle()",
    )  # fmt: skip
    guest.add_argument(
        "--no-icount", action="store_true", help="quicker, but hangs are by time, not instructions"
    )
    run = verb.add_argument_group("the campaign")
    run.add_argument(
        *("-i", "--input"), type=Path, action="append", default=[], metavar="PATH",
        help="inputs to begin with: a file, a folder, or one of AFL++'s",
    )  # fmt: skip
    run.add_argument(
        *("-o", "--output"), type=Path, default=Path("findings"), metavar="FOLDER",
        help="AFL++'s: queue, crashes, hangs, fuzzer_stats; goes on from what is there (findings)",
    )  # fmt: skip
    run.add_argument(
        "--targets", type=words.count, metavar="N", help="how many at a time (one a core)"
    )
    run.add_argument(
        "--dask", metavar="HOST:PORT", help="a Dask scheduler, whose workers have the targets"
    )
    run.add_argument("--rounds", type=words.count, metavar="N", help="end after so many")
    run.add_argument("--seconds", type=words.seconds, metavar="S", help="end after so long")
    run.add_argument(
        "--crashes", type=words.count, metavar="N", help="end with so many kinds of crash"
    )
    run.add_argument(
        "--drcov", type=words.output, metavar="FILE", help="what is covered, in the end"
    )


def _place(text: str) -> int | str:
    try:
        return int(text, 0)
    except ValueError:
        return text


def _put(text: str | None, has_script: bool) -> dict[str, Any]:
    if text is None:
        if not has_script:
            raise Stop("--put says where inputs go: --put x0,x1")
        return {}
    where = tuple(map(_place, text.split(",")))
    return {"put": where if len(where) > 1 else where[0]}


def plan(args: argparse.Namespace) -> Plan:
    from .fuzzjob import Plan

    for path in (args.guest, args.script):
        if path is not None and not path.is_file():
            raise Stop(f"no such file: {path}")
    if args.machine:
        raise Stop("elapid fuzz makes its machines by --gic, --mem and --cpu")
    fuzz = {
        "at": None if args.at is None else _place(args.at),
        **_put(args.put, args.script is not None),
        "until": tuple(map(_place, args.until or ["ret"])),
        "crash": tuple(map(_place, args.crash)),
        "faults": not args.no_faults,
        "cover": None if args.cover == "none" else args.cover,
        **({} if args.map is None else {"map": args.map}),
        **{name: getattr(args, name) for name in ("max", "ms", "instructions")},
    }
    machine = {"gic": args.gic, "smp": args.smp, "mem": args.mem, "cpu": args.cpu}
    machine |= {"args": tuple(args.qemu), "icount": not args.no_icount}
    if args.disk:
        machine["disk"] = str(args.disk.resolve())
    script = args.script.read_text() if args.script else ""
    return Plan(args.guest.name, args.guest.read_bytes(), fuzz, args.ram, script, machine)


def findings(args: argparse.Namespace) -> Findings:
    from .findings import Findings, read_inputs

    made = Findings(args.output, args.max)
    for path in args.input:
        for name, data in read_inputs(path):
            made.give(data, name)
    return made


def tell(crash: Crash, path: os.PathLike[str]) -> None:
    say(f"{crash.reason} at {crash.where}: {len(crash.input)} bytes, {path}")
