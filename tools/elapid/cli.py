# SPDX-License-Identifier: MIT
"""The command `elapid`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, background, fuzzing, words
from .console import Gone, Hung, TargetError
from .ctrl_c import Until
from .image import find as find_image
from .qemu import command_line
from .say import Stop, progress, say, status, status_end

if TYPE_CHECKING:
    from .target import Target
    from .vm import VmSession

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

    return gdb(args.gdb, args.elf, args.options, _machine(args), args.console)


def _debug(args: argparse.Namespace) -> int:
    elf = str(args.elf or find_image())
    target = f"target remote :{background.GDB_PORT}"
    return background.debug([args.gdb, elf, "-ex", target, *args.options], _machine(args))


def _look(args: argparse.Namespace) -> int:
    try:
        from .look.launch import look
    except ImportError:
        raise Stop("aiohttp is not installed: pip install aiohttp") from None
    return look(_machine(args), args.port, args.headless)


def _thonny(args: argparse.Namespace) -> int:
    from .thonny import find, thonny

    find()  # before anything is started for it
    pty, _ = background.served(_machine(args))
    return thonny(pty, background.BUILD, args.check)


def _map(args: argparse.Namespace) -> int:
    from . import draw
    from .connection import connect

    with connect() as target:
        if args.vm is None:
            target.exec("import hv.mmu")
            said, title = target.exec("hv.mmu.dump()"), "EL2"
        else:
            vm = target.find_vm(args.vm)
            if args.exits:
                said = repr([cpu.exits for cpu in vm.cpu])
            else:
                target.call(f"{vm._there}.stage2.dump()")
                said, title = target.said, f"stage 2 of {args.vm}"
    picture = draw.exit_bars(said) if args.exits else draw.memory_map(said, title)
    if args.output:
        args.output.write_text(picture)
    else:
        print(picture, end="")
    return 0


def _core(args: argparse.Namespace) -> int:
    from . import core
    from .connection import connect

    with connect() as target, _at_rest(target.find_vm(args.vm)) as vm:
        core.save(vm, args.file, lambda done, total: progress("core", done, total))
    say(f"{args.file} is the core of {args.vm}")
    return 0


def _drgn(args: argparse.Namespace) -> int:
    try:
        from . import drgn_bridge
    except ImportError:
        raise Stop("drgn is not installed: pip install drgn") from None
    from .connection import connect

    with connect() as target:
        vm = target.find_vm(args.vm)
        with contextlib.nullcontext() if args.live else _at_rest(vm):
            return drgn_bridge.run(vm, args.symbols, args.exec)


@contextlib.contextmanager
def _session(args: argparse.Namespace) -> Iterator[VmSession]:
    """The prompt of `elapid serve`; with --script, of a target of its own that has run it."""
    if args.script is None:
        from .connection import connect

        with connect() as there:
            yield there
        return
    from .target import Target

    with Target(command=args.machine) if args.machine else _own_target(args) as target:
        for path in args.copy:
            target.put(path)
        try:
            target.exec(args.script.read_text(), 600)
        except TargetError as error:
            print(error.traceback, end="", file=sys.stderr)
            raise Stop(f"{args.script} has raised that") from None
        yield target


def _own_target(args: argparse.Namespace) -> Target:
    from .target import Target

    return Target(
        args.gic, args.smp, args.mem, cpu=args.cpu, disk=args.disk, args=args.qemu, files=()
    )


def _trace(args: argparse.Namespace) -> int:
    from . import perfetto
    from .recording import Recording

    with _session(args) as session, Until(args.seconds) as until:
        vm = session.find_vm(args.vm)
        recording = Recording(vm, " ".join(args.what) or "exit sched", args.size, args.freeze)
        ran = vm.running
        if not ran:
            vm.start()
        until.begin()
        try:
            while vm.running and not until.over:
                recording.fetch()
                status(f"trace: {len(recording):,} records")
                time.sleep(0.1)
        finally:
            if not ran:
                vm.pause()
            recording.stop()
    perfetto.save(recording, args.output)
    lost = f", {recording.lost} were lost: --size" if recording.lost else ""
    say(f"{args.output} has {len(recording)} records of {args.vm}{lost}")
    return 0


def _pcap(args: argparse.Namespace) -> int:
    from .capture import Capture, find_switch

    with contextlib.ExitStack() as stack:
        session = stack.enter_context(_session(args))
        until = stack.enter_context(Until(args.seconds))
        switch = find_switch(session, args.switch)
        live = str(args.output) == "-"
        file = sys.stdout.buffer if live else stack.enter_context(args.output.open("wb"))
        capture = Capture(session, switch, file)
        until.begin()
        with contextlib.suppress(BrokenPipeError):  # who reads it has seen enough
            try:
                while not until.over and not (args.frames and capture.frames >= args.frames):
                    status(f"pcap: {capture.write():,} frames")
                    time.sleep(0.1)
            finally:
                capture.remove()
        if live:  # what is left goes to nobody
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lost = f", {capture.lost} were lost" if capture.lost else ""
    if live:
        status_end()
        print(f"elapid: {capture.frames} frames of {switch}{lost}", file=sys.stderr)
    else:
        say(f"{args.output} has {capture.frames} frames of {switch}{lost}")
    return 0


def _fuzz(args: argparse.Namespace) -> int:
    from . import campaign

    if args.drcov and args.cover not in ("blocks", "steps"):
        raise Stop("--drcov is of addresses, which --cover blocks and steps know")
    plan, findings = fuzzing.plan(args), fuzzing.findings(args)
    about = args.targets, plan.campaign
    them = campaign.dask(args.dask, *about) if args.dask else campaign.local(*about)
    with Until(args.seconds) as until, them as workers:
        made = campaign.Campaign(plan, findings, workers, args.seed, fuzzing.tell)
        say(
            f"{workers.count} target{'s' * (workers.count != 1)}; what is found is in {args.output}"
        )
        try:
            made.run(
                args.rounds, args.crashes, lambda: until.over, lambda: status(f"fuzz: {made}")
            )
            if args.drcov:
                args.drcov.write_bytes(made.drcov())
        finally:
            findings.write_stats(targets=workers.count)
        say(str(made))
    return 0


@contextlib.contextmanager
def _at_rest(vm: Any) -> Iterator[Any]:
    """The VM stopped, and its time with it; it goes on behind when it ran before."""
    ran = vm.pause()
    try:
        yield vm
    finally:
        if ran and not vm.running:
            vm.start()


def _completion(args: argparse.Namespace) -> int:
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise Stop("argcomplete is not installed: pip install argcomplete") from None
    print(shellcode(["elapid"], shell=args.shell))
    return 0


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


def _machine_options() -> words.Parser:
    options = words.Parser(add_help=False)
    group = options.add_argument_group(
        "machine", "QEMU's virt; a whole QEMU command line may stand behind -- instead"
    )
    group.add_argument("--gic", type=int, choices=(2, 3), default=2, help="its GIC (2)")
    group.add_argument("--smp", type=words.count, default=1, metavar="N", help="cores (1)")
    group.add_argument("--mem", default="128M", metavar="SIZE", help="RAM (128M)")
    group.add_argument("--cpu", default="cortex-a53", help="the cores' type (cortex-a53)")
    group.add_argument("--disk", type=Path, help="/disk of the target: a folder, or a FAT image")
    group.add_argument(
        "--qemu", action="append", default=[], metavar="WORD", help="one more word for QEMU"
    )
    return options


def parser() -> argparse.ArgumentParser:
    top = words.Parser(prog="elapid", description="Elapid on QEMU, from the host.")
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
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
    look = add(
        "look", _look, "the machine as a page, in a browser: of `elapid serve`, or a new one"
    )
    look.add_argument(
        "--port", type=words.port, default=0, metavar="N", help="of 127.0.0.1 (a free one)"
    )
    look.add_argument("--headless", action="store_true", help="only print the page's address")
    thonny = add("thonny", _thonny, "Thonny at the prompt of `elapid serve`, or of a new one")
    thonny.add_argument("--check", action="store_true", help="only say whether they get on")
    add("stop", _stop, "end what `elapid serve` started", False)
    for name, does, what in (
        ("gdb", _gdb, "gdb on the VM `vm` of `elapid serve`, or on ELF in a new one"),
        ("debug", _debug, "gdb on the hypervisor itself, stopped at reset"),
    ):
        made = add(name, does, what)
        made.add_argument("--gdb", default="gdb-multiarch", help="the gdb (gdb-multiarch)")
        if name == "gdb":
            made.add_argument("--console", action="store_true", help="on the prompt's own line")
        made.add_argument("elf", type=words.file, nargs="?" if name == "debug" else None)
        rest = made.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="gdb's")
        rest.required = False
    picture = add("map", _map, "a picture (SVG) of EL2's memory, or of a VM's", False)
    picture.add_argument("vm", nargs="?", metavar="VM", help="as the prompt knows it")
    picture.add_argument("--exits", action="store_true", help="its vCPUs' exits instead")
    picture.add_argument("-o", "--output", type=words.output, metavar="FILE", help="not stdout")
    _recorders(add)
    fuzzing.options(add("fuzz", _fuzz, "inputs that break a guest, on as many targets as cores"))
    core = add("core", _core, "an ELF core of a VM, for gdb, drgn and crash", False)
    core.add_argument("vm", metavar="VM")
    core.add_argument("file", type=words.output, metavar="FILE")
    drgn = add("drgn", _drgn, "drgn's prompt on a VM, which stands still meanwhile", False)
    drgn.add_argument("vm", metavar="VM")
    drgn.add_argument(
        *("-s", "--symbols"), type=words.file, action="append", default=[], metavar="ELF",
        help="its debug information",
    )  # fmt: skip
    drgn.add_argument("-e", "--exec", metavar="CODE", help="run this instead of a prompt")
    drgn.add_argument("--live", action="store_true", help="leave it running")
    lines = add("lines", _lines, "source lines for what cpu.where() printed, on stdin", False)
    lines.add_argument("elf", nargs="+", type=words.file, help="files with debug information")
    draw = add("draw", _draw, "SVG of what a target printed, on stdin", False)
    draw.add_argument("kind", choices=("map", "exits", "terminal"))
    draw.add_argument("title", nargs="?")
    done = add("completion", _completion, 'for a shell: eval "$(elapid completion bash)"', False)
    done.add_argument("shell", choices=("bash", "zsh", "fish"))
    return top


def _recorders(add: Callable[..., argparse.ArgumentParser]) -> None:
    trace = add("trace", _trace, "what a VM does, recorded, for ui.perfetto.dev; Ctrl-C ends it")
    trace.add_argument("vm", metavar="VM", help="as the prompt knows it; started if it stands")
    trace.add_argument(
        "what",
        nargs="*",
        default=[],
        metavar="WHAT",
        help="as vm.trace() has them: exit sched (these), irq, svc, ...",
    )
    trace.add_argument(
        *("-o", "--output"), type=words.output, default=Path("trace.pftrace"), metavar="FILE",
        help="Perfetto's own; a name in .json: JSON, five times as long (trace.pftrace)",
    )  # fmt: skip
    trace.add_argument("--size", default="4M", help="of the ring of each core (4M)")
    trace.add_argument("--freeze", metavar="PLACE", help="nothing more once the guest is there")
    pcap = add("pcap", _pcap, "frames of a hv.Switch, for Wireshark and tshark; Ctrl-C ends it")
    pcap.add_argument("switch", nargs="?", metavar="SWITCH", help="its name at the prompt")
    pcap.add_argument(
        *("-o", "--output"), type=words.output, default=Path("lan.pcap"), metavar="FILE",
        help="-: stdout, for `| wireshark -k -i -` (lan.pcap)",
    )  # fmt: skip
    pcap.add_argument("--frames", type=words.count, metavar="N", help="end after so many")
    for each in (trace, pcap):
        each.add_argument("--seconds", type=words.seconds, metavar="S", help="end after so long")
        each.add_argument(
            "--script", type=words.file, metavar="FILE",
            help="on a target of its own, which runs this first; without: on that of elapid serve",
        )  # fmt: skip
        each.add_argument(
            "--copy", type=words.file, action="append", default=[], metavar="FILE",
            help="for the script",
        )  # fmt: skip


def main(given: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = list(sys.argv[1:] if given is None else given)
    at = given.index("--") if "--" in given else len(given)
    top = parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(top)
    args = top.parse_args(given[:at])
    args.machine = given[at + 1 :]
    try:
        ended = int(args.does(args))
        sys.stdout.flush()
        return ended
    except TargetError as error:
        status_end()
        print(f"elapid: {error.last}", file=sys.stderr)
        return 1
    except (Stop, Hung, Gone) as stop:
        status_end()
        print(f"elapid: {stop}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # as in `elapid map | head`: who reads it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:  # a file that is not, may not be read, is full
        status_end()
        name = f"{error.filename}: " if error.filename else ""
        print(f"elapid: {name}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
