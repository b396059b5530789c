# SPDX-License-Identifier: MIT
"""A virtual machine of the target, from the host."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Self

from .console import Console, Hung, TargetError
from .draw import RUN
from .remote import Remote, Session, literal
from .say import Stop
from .stream import Stream

LAST = 40  # lines of a trace in a failed test's report


class Ended(Exception):
    """The guest ended, or did what nobody answers, before what was waited for. `exit` is the target's hv.Exit."""

    def __init__(self, text: str, exit: Any):
        super().__init__(text)
        self.exit = exit


class VM(Remote):
    """An hv.VM of the target: all of its methods and attributes, and these, which are of the host.

    console: what the guest prints, and what is typed at it, as pexpect has it (stream.py); log: all it has printed.
    run(), run_until() and wait() run it in the background of the target.
    """

    def __init__(self, session: Session, handle: Remote, name: str):
        super().__init__(session, handle._number, "VM")
        object.__setattr__(self, "_handle", handle)  # it drops the number, not this
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_told", 0)
        object.__setattr__(self, "_starts", 0)
        object.__setattr__(self, "console", Stream(self))

    console: Stream

    def __del__(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._life == self._session.life:
            self.close()

    @property
    def log(self) -> str:
        """All that this object has read of the guest's console."""
        return self.console.log

    def run_until(self, what: str | re.Pattern[str], seconds: float = 60) -> str:
        """Runs the guest, from where it is, until its console has this text or pattern. What it printed before.

        Ended when the guest ends first, Hung when it takes longer. The guest goes on meanwhile.
        """
        if not self.running and self._last_exit() in (0, self._told):
            self.start()
        return self.console.wait_for(what, seconds)

    def run(self, timeout_ms: int | None = None, seconds: float = 60) -> Any:
        """Runs it to its end, or for so long: an hv.Exit. What it prints is in `console` and `log`."""
        self.start()
        if timeout_ms is not None:
            end = time.monotonic() + timeout_ms / 1000
            while self.console.fetch(50) and time.monotonic() < end:
                pass
            self.pause()
            self.console.fetch(0)
            return self.exit
        return self.wait(seconds)

    def wait(self, seconds: float = 60) -> Any:
        """Waits until the guest has ended: an hv.Exit. Hung when it does not."""
        end = time.monotonic() + seconds * self._session.line.patience
        while self.console.fetch(1000):
            if time.monotonic() > end:
                raise Hung(f"{self._name} still runs; it printed last:\n{self.log[-2000:]}")
        return self._tell()

    def start(self, cpu: int | None = None) -> None:
        object.__setattr__(self, "_told", 0)
        object.__setattr__(self, "_starts", self._starts + 1)
        self._session.call(f"{self._there}.start({cpu})")

    def reset(self) -> None:
        self._session.call(f"{self._there}.reset()")
        self._tell()

    def load(self, source: Any, **options: Any) -> Any:
        loaded = self.__getattr__("load")(source, **options)
        self._tell()
        return loaded

    def linux(self, kernel: Any, **options: Any) -> None:
        self.__getattr__("linux")(kernel, **options)
        self._tell()

    def _last_exit(self) -> int:
        """Which one it is, 0 for none: each end is told of once."""
        which = self._session.call(f"{self._there}.exit and id({self._there}.exit)")
        return int(which or 0)

    def _tell(self) -> Any:
        object.__setattr__(self, "_told", self._last_exit())
        return self.exit

    def ended(self, waited: str) -> Ended:
        exit = self._tell()
        text = self._session.module("hv").explain(exit)
        last = self.log[-2000:]
        return Ended(
            f"{self._name} ended without {waited}: {exit!r}, {text}; it printed:\n{last}", exit
        )

    def fetch(self, ipa: int, size: int, told: Callable[[int], object] | None = None) -> bytes:
        """The guest's memory, as memory[ipa : ipa + size], by the quickest way. told: of each piece's size."""
        return self._session._bulk.fetch(f"{self._there}.memory", ipa, size, told)

    def present(self) -> list[tuple[int, int]]:
        """(IPA, size) of the RAM that the guest has touched; what else it has is zero, and not there yet."""
        self._session.call(f"{self._there}.stage2.dump()")
        said = self._session.said
        base, end = self.memory.base, self.memory.base + self.memory.size
        found: list[tuple[int, int]] = []
        for run in RUN.finditer(said):
            start, stop = int(run["start"], 16), int(run["end"], 16) + 1
            start, stop = max(start, base), min(stop, end)
            if start >= stop:
                continue
            if found and sum(found[-1]) == start:
                start = found.pop()[0]
            found.append((start, stop - start))
        return found

    def post_mortem(self) -> list[tuple[str, str]]:
        """For the report of a failed test: its console, why it stopped, and where it is."""
        if self._life != self._session.life:
            return []
        line, sections = self._session.line, []
        patience, line.patience = line.patience, 1  # it may be what hangs
        try:
            while self.console.fetch() and self.console.fresh:
                pass
            self.pause()
            sections.append((f"where {self._name} is", str(self._session.call(self._place()))))
            for what, text in self._session.call(f"_elapid.seen({self._there}, {LAST})"):
                title = f"why {self._name} stopped" if what == "why" else f"last of {what}"
                sections.append((title, text))
        except (Hung, TargetError) as error:
            sections.append((f"where {self._name} is", str(error)))
        finally:
            line.patience = patience
        return [(f"console of {self._name}", self.log[-200_000:]), *sections]

    def _place(self) -> str:
        cpus = f"{self._there}.cpu"
        return f"'\\n'.join([repr(c.exit) + '\\n' + str(c.where()) for c in {cpus}])"


class VmSession(Session):
    """A Session that knows the target's VMs: an object for each."""

    def __init__(self, line: Console | None = None):
        super().__init__(line)
        self.vms: dict[str, VM] = {}

    def vm(self, name: str, **options: Any) -> VM:
        """The VM of this name (its own, or a global's), made as hv.VM(name, **options) if there is none."""
        which = f"_elapid.vm({name!r}, {literal(options, self)}, globals())"
        known = self.vms.get(name)
        if (
            known is None
            or known._life != self.life
            or not self.call(f"{known._there} is {which}")
        ):
            known = self.vms[name] = VM(self, self.call(which), name)
        return known

    def find_vm(self, name: str) -> VM:
        """The VM of this name; Stop when there is none."""
        known = self.call("[(n, v.name) for n, v in _elapid.vms(globals())]")
        if not any(name in each for each in known):
            names = ", ".join(sorted({each for pair in known for each in pair})) or "none"
            raise Stop(f"no VM {name} at the target's prompt; there is: {names}")
        return self.vm(name)
