# SPDX-License-Identifier: MIT
"""vm.capsule(path): a snapshot in a file with what was seen around it, for a later boot to look into."""

import json
import sys

import _hv

from . import event
from .savefile import Writer
from .savefile import write as _write
from .source import Parsed
from .syndrome import register
from .trace import Record
from .whole import Whole

_ACTIONS = (
    "",
    "",
    "tally",
    "count",
    "log",
    "const",
    "answer",
    "shadow",
    "keep",
    "note",
    "deny",
)  # hook_kind_t
_RECORDS = 2000  # of a trace
# What ends a guest and is none of its own doing, nor a script's.
_NO_CRASH = ("off", "reset", "cpu_off", "stop", "timeout", "memory")


def _name(f):
    return getattr(f, "__name__", None) or repr(f)


def _hooks(vm):
    """Of each rule and handler, as text."""
    rules, handlers = [], []
    for kind, key, size, action, f, hits in vm._vm.hold("hooks"):
        if kind == "sysreg":
            where = register(key)
        else:
            where = hex(key) + (f", {size} bytes" if size else "")
        if _ACTIONS[action]:
            rules.append(
                f"{kind} {where}: {_ACTIONS[action]}, {hits} hits"
                + (f", then {_name(f)}" if f else "")
            )
        else:
            handlers.append(f"{kind} {where}: {_name(f)}")
    return rules, handlers


def _text(data):
    try:
        return data.decode()
    except UnicodeError:  # a guest that has gone wrong, or half of a character
        return "".join([chr(c) if c < 128 else "?" for c in data])


def _seen(vm, why):
    rules, handlers = _hooks(vm)
    return {
        "why": str(why),
        "console": _text(vm.console.printed(0, 16384)[1]),
        "events": [list(e) for e in event.peek()],
        "trace": [list(r) for trace in vm._traces for r in trace.peek(_RECORDS)],
        "rules": rules,
        "handlers": handlers,
        "breaks": [repr(b) for b in vm.breaks()],
        "watches": [repr(w) for w in vm.watches()],
    }


def write(vm, path, why=""):
    seen = _seen(vm, why)
    s = vm.snapshot()
    try:
        with Whole(path) as (file, bar):
            writer = Writer(vm, file)
            _write(writer, s, bar if _hv.interactive() else None)
            writer.long(b"caps", json.dumps(seen).encode())
            writer.add(b"end ", writer.count, b"")
    finally:
        s.drop()


class Capsule:
    """What hv.load() makes of a file of vm.capsule(): the VM, as `vm`, stands where it stood then, and can be looked into, made
    a core of, or run on.
    """

    def __init__(self, path, vm, seen):
        self.path: str = path
        self.vm = vm  # an hv.VM
        self.why: str = seen["why"]  # it was written
        self.console: str = seen["console"]  # the last 16 KB that its PL011 had printed
        self.events: list = [
            event.Event(*e) for e in seen["events"]
        ]  # of all VMs, as hv.events() has them
        self.trace: list = [Record(*r) for r in seen["trace"]]  # of vm.trace(), if there was one
        self.rules: list = seen["rules"]  # "sysreg SCTLR_EL1: count, 3 hits"
        self.handlers: list = seen["handlers"]  # "hvc 0x1: its function's name"
        self.breaks: list = seen["breaks"]  # as they print
        self.watches: list = seen["watches"]  # as they print

    def __repr__(self):
        return f"<Capsule {self.path} of {self.vm.name}: {self.why or 'by hand'}>"

    def close(self) -> None:
        """Close the VM."""
        self.vm.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def read(reader, vm):
    with Parsed(reader.path):
        return Capsule(reader.path, vm, json.loads(reader.long(b"caps")))


class OnCrash:
    """What vm.on_crash() has set up: remove() ends it."""

    def __init__(self, vm, what, at, reasons):
        if not isinstance(what, str) and not callable(what):
            raise TypeError(f"on_crash() takes a path or a function, not {what!r}")
        self.vm, self.what, self.reasons = vm, what, reasons
        self.why = None  # it has been called
        places = (at,) if isinstance(at, (str, int)) else at
        self._breaks = [vm.on(place, self._at(place)) for place in places]

    def __repr__(self):
        return f"<OnCrash of {self.vm.name}: {self.why or 'not yet'}>"

    def _at(self, place):
        def stopped(cpu):
            where = place if isinstance(place, str) else hex(place)
            self._tell(f"cpu {cpu.id} came to {where} at pc {cpu.pc:#x}")

        return stopped

    def ended(self, exit):
        """From vm: this is how it ended; None: vm.run() raises."""
        for cpu in self.vm.cpu if exit is None else ():
            exit = cpu.exit if cpu.exit.reason == "raised" else exit
        if exit and (
            exit.reason in self.reasons if self.reasons else exit.reason not in _NO_CRASH
        ):
            self._tell(repr(exit))

    def _tell(self, why):
        if self.why is not None:
            return
        self.why = why
        try:
            if callable(self.what):
                self.what(self.vm, why)
            else:
                write(self.vm, self.what, why)
        except Exception as error:  # the guest's own end goes on
            print(f"{self.vm.name}: on_crash() failed")
            sys.print_exception(error)

    def remove(self) -> None:
        """It is not called any more."""
        for b in self._breaks:
            b.remove()
        self._breaks = []
        if self.vm._crash is self:
            self.vm._crash = None
