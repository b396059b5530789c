# SPDX-License-Identifier: MIT
"""`make fuzz`: cases made from seeds, until time is up or something breaks.

    make fuzz SECONDS=600                   all kinds
    make fuzz KIND=mmio,psci SECONDS=60     some of them
    make fuzz KIND=mmio SEED=123            one case again
    make fuzz KIND=mmio SEED=100 COUNT=24   a row of them, on one machine

A seed says what machine the case is for. What must hold after each: session.py.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), *(str(Path(__file__).resolve().parents[n]) + name
                for n, name in ((1, ""), (2, "/tools")))]  # fmt: skip

import calls  # noqa: E402
import compiled  # noqa: E402
import files  # noqa: E402
import fire  # noqa: E402
import programs  # noqa: E402
import trees  # noqa: E402
import typed  # noqa: E402
from elapid.console import CTRL_A, CTRL_C, RAW_PROMPT  # noqa: E402
from guestcode import link  # noqa: E402
from harness import Gone, Hung, Target  # noqa: E402
from session import STREAK, Fault, Session, spread  # noqa: E402

programs.KINDS["fire"] = fire.fire
GUESTS = tuple(programs.KINDS)
KINDS = (*GUESTS, "files", "trees", "typed", "calls", "compiled")


class Guests:
    """A kind of guest."""

    def __init__(self, kind):
        self.prelude = programs.TARGET + (fire.TARGET if kind == "fire" else "")
        self.make = programs.KINDS[kind]

    def case(self, dice, machine):
        return self.make(dice, machine)

    def run(self, session, case):
        reason = session.exec(case.script(), 20).strip().rsplit("\n", 1)[-1]
        if not any(
            reason.endswith(end) for end in programs.ENDS
        ):  # before it, what the guest printed
            raise Fault(f"the guest ended with {reason[-200:]!r}")
        return next(
            end for end in sorted(programs.ENDS, key=len, reverse=True) if reason.endswith(end)
        )


class Files:
    """Damaged files."""

    def __init__(self, kind):
        self.prelude = files.prelude()
        self.sound = files.sound()

    def case(self, dice, machine):
        return files.script(dice, self.sound)

    def run(self, session, case):
        session.exec(f"print({case[0]})", 60)
        return case[1].partition(",")[0]


class Typed:
    """Lines at the prompt, then a soft reset."""

    prelude = ""

    def __init__(self, kind):
        pass

    def case(self, dice, machine):
        return typed.lines(dice)

    def run(self, session, case):
        target = session.target
        session.exec(typed.BEGIN, 20)
        for line in case:
            try:
                target.send(line)
                time.sleep(0.01)
                self.back(target)
                session.stopped()
            except (Hung, Gone) as error:
                raise Fault(f"after {line!r}: {session.verdict(error)}") from None
        session.close_typed()
        return "lines"

    def back(self, target):
        """To the prompt, as a person: Ctrl-C until it is there. C may be left in pieces, each by one."""
        for _ in range(60):
            target.send(CTRL_C + CTRL_C + CTRL_A)
            try:
                target.line.until(RAW_PROMPT, 0.3)
                break
            except Hung:
                pass
        else:
            raise Hung("no prompt after 60 times Ctrl-C")
        target.line.leave_raw()
        target.at_prompt = True


class Calls:
    """Methods with any arguments, then a soft reset."""

    def __init__(self, kind):
        self.prelude = f"_calls_code = {link(calls.CODE)[0]!r}\n" + calls.TARGET

    def case(self, dice, machine):
        return calls.script(dice)

    def run(self, session, case):
        said = session.exec(case, 30).strip().rsplit("\n", 1)[-1]
        if said != "called":
            raise Fault(said)
        session.close_typed()
        return said


class Trees:
    """Damaged trees of the machine: each case is a boot."""

    def __init__(self, kind):
        pass

    def case(self, dice, machine):
        return trees.tree(dice, machine)

    def boot(self, machine, tree):
        """How it went: "prompt", or what the image said: "stopped"; "refused" by QEMU or dtc."""
        if not tree:
            return "refused"
        with tempfile.NamedTemporaryFile(suffix=".dtb") as file:
            file.write(tree)
            file.flush()
            args = [*machine.get("args", ()), "-dtb", file.name]
            target = Target(**machine | {"args": args})
            try:
                target.start()
            except Gone:
                return "refused"
            try:
                said = target.line.until(
                    re.compile(rb">>> |Ctrl-A X"), 10 if trees.has_console(tree) else 1
                )
                if said.endswith(b">>> "):
                    target.at_prompt = True
                    if target.repl("6 * 7") != "42":
                        raise Fault(f"the prompt errs: {target.console[-300:]}")
                    return "prompt"
                return "stopped"
            except (Hung, Gone) as error:
                if target.qemu.poll() is not None:
                    return "refused"
                if not trees.has_console(tree):
                    return "mute"
                raise Fault(f"{error}; it said: {target.console[-500:]!r}") from None
            finally:
                target.close()


class Compiled:
    """Functions as bytecode and as native code."""

    prelude = compiled.PRELUDE

    def __init__(self, kind):
        pass

    def case(self, dice, machine):
        return compiled.script(dice)

    def run(self, session, case):
        said = session.exec(case, 60).strip()
        if said != "same":
            raise Fault(said)
        return said


RUNNERS = {
    **dict.fromkeys(GUESTS, Guests),
    "files": Files,
    "trees": Trees,
    "typed": Typed,
    "calls": Calls,
    "compiled": Compiled,
}


class Kind:
    """Cases of one kind by their seeds."""

    def __init__(self, name):
        self.name = name
        self.runner = RUNNERS[name](name)
        self.session = None
        self.ends = {}
        self.done = 0

    def open(self, machine):
        if self.session is None or self.session.machine != machine:
            self.close()
            self.session = Session(machine)
        self.session.ready(self.runner.prelude)
        return self.session

    def close(self):
        if self.session is not None:
            self.session.close()
            self.session = None

    def make(self, seed):
        return self.runner.case(random.Random(f"{self.name} {seed}"), spread(seed))

    def one(self, seed, case=None):
        """Runs a case; a Fault when something does not hold after it."""
        if self.name == "trees":
            end = self.runner.boot(spread(seed), case or self.make(seed))
            self.ends[end] = self.ends.get(end, 0) + 1
            self.done += 1
            return
        session = self.open(spread(seed))
        if session.free is None:
            session.check()
        case = case or self.make(seed)
        end = self.runner.run(session, case)
        less = session.check()
        for _ in range(12 if self.name == "fire" else 3):  # pools grow once; a leak takes again
            if not less:
                break
            self.runner.run(session, case)
            less = session.check()
        if less:
            raise Fault(
                f"memory is not given back: {session.free} bytes are free, less after each run"
            )
        self.ends[end] = self.ends.get(end, 0) + 1
        self.done += 1

    def shorter(self, seed, seconds=120):
        """The case without the actions it breaks without, as far as time allows; None when it does not
        break by itself, on a fresh machine."""
        case, end = self.make(seed), time.monotonic() + seconds

        def breaks(case):
            self.close()
            try:
                self.one(seed, case)
            except Fault:
                return True
            return False

        if not breaks(case):
            return None
        if not isinstance(case, programs.Case):
            return case
        pieces, size = case.pieces(), len(case.pieces()) // 2
        while size and time.monotonic() < end:
            for at in range(0, len(pieces), size):
                fewer = pieces[:at] + pieces[at + size :]
                if time.monotonic() < end and breaks(case.only(fewer)):
                    pieces = fewer
                    break
            else:
                size //= 2
        return case.only(pieces)


def report(kind, seed, first, fault):
    print(f"\nFAULT {kind.name} {seed} on {spread(seed)}: {fault}")
    print(f"again: make fuzz KIND={kind.name} SEED={seed}")
    if first != seed:
        print(
            f"or, with what ran before: make fuzz KIND={kind.name} SEED={first} COUNT={seed - first + 1}"
        )
    sys.stdout.flush()


def run(kind, seed, count, seconds, shrink):
    """Whether nothing broke in `count` cases from `seed`, or in as many as there is time for."""
    end, first = time.monotonic() + seconds, seed
    print(
        f"{kind.name}: from seed {seed}, for {seconds:.0f} s"
        if count is None
        else f"{kind.name}: seed {seed}",
        flush=True,
    )
    try:
        while (count is None and time.monotonic() < end) or (
            count is not None and seed < first + count
        ):
            try:
                kind.one(seed)
            except Fault as fault:
                report(kind, seed, max(first, seed // STREAK * STREAK), fault)
                if shrink:
                    case = kind.shorter(seed)
                    shown = (
                        trees.dtc(case, "dtb", "dts").decode()
                        if kind.name == "trees" and case
                        else case
                    )
                    shown = case.listing() if isinstance(case, programs.Case) else shown
                    print(
                        f"the shortest that breaks:\n{shown}"
                        if case
                        else "alone, on a fresh machine, it does not break"
                    )
                return False
            seed += 1
    finally:
        kind.close()
        print(f"{kind.name}: {kind.done} cases, {kind.ends}", flush=True)
    return True


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", default="", help=", ".join(KINDS))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--timed", action="store_true", help="--seed is only the first")
    parser.add_argument("--no-shrink", action="store_true")
    args = parser.parse_args(argv)
    names = args.kind.replace(",", " ").split() or KINDS
    for name in names:
        if name not in KINDS:
            parser.error(f"no kind {name}: there are {', '.join(KINDS)}")
    seed = random.SystemRandom().randrange(1_000_000) if args.seed is None else args.seed
    count = args.count or (1 if args.seed is not None and not args.timed else None)
    results = [
        run(Kind(name), seed, count, args.seconds / len(names), not args.no_shrink)
        for name in names
    ]
    for target in list(Target.live):
        target.close()
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
