# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/fuzz.py.
"""Fuzzing on snapshots: vm.fuzz().

The loop is in C: back to the snapshot, an input, the guest until the round ends, what came of it. What the guest is, where
a round ends and what counts as a crash is said here."""

from typing import Any

from .traps import number as number

class Crash:
    """An input that ends badly: input, reason, pc, esr, far, frames (who called, innermost first, by return addresses),
    round (0: it was given), times (how often the like has happened)."""

    def __init__(self, fz: Any, found: Any) -> None: ...
    @property
    def where(self) -> str:
        """Where it was, and who called, by names in so far as there are any."""


class Fuzz:
    """What vm.fuzz() returns: run(), crashes, hangs, corpus, replay(), add(), export(), load(), close()."""

    snapshot: Any
    def __init__(self, vm: Any, at: Any, put: Any, until: Any, crash: Any, faults: Any, cover: Any, map: Any, blocks: Any, seed: Any, max: Any, ms: Any, instructions: Any, oracle: Any, quota: Any, cpu: Any) -> None: ...
    def run(self, rounds: int | None=None, *, crashes: int=0) -> Any:
        """So many rounds, or with None until Ctrl-C; crashes=: or until there are so many more kinds of crash. Returns
        the Fuzz, which shows what it has come to. Ctrl-C raises KeyboardInterrupt: what was found is kept, and run()
        goes on from there."""
    def replay(self, which: Any) -> str:
        """Run a round again, of a crash by its number in `crashes`, of a Crash, or of an input. Returns "ok", "crash" or
        "hang"; the VM is as it is then: to look at, with cpu.where() for one."""
    @property
    def rounds(self) -> int:
        """How many there have been."""
    @property
    def corpus(self) -> list:
        """The inputs that have led to something new, and those that were given, as bytes."""
    @property
    def crashes(self) -> list:
        """One Crash of each kind: by where it was, and who called."""
    @property
    def hangs(self) -> list:
        """Inputs of rounds that came to no end, one of each kind."""
    @property
    def covered(self) -> list:
        """Addresses of basic blocks that were executed; with cover="steps", of those that something branched to."""
    @property
    def limit(self) -> str:
        """What a round may take, as it is enforced here."""
    def add(self, data: Any) -> None:
        """An input, bytes, for the corpus. It is run as it is, then others are made of it."""
    def words(self, *words: Any) -> None:
        """Words of the format, bytes, which are put into inputs: a dictionary."""
    def export(self, path: str) -> None:
        """Write what was found into a directory of AFL++'s form: queue/, crashes/, hangs/, fuzzer_stats. Where names may
        not have colons (FAT) they are as with its SIMPLE_FILES: id_000000."""
    def load(self, path: str) -> int:
        """Add the inputs in a directory, or of its queue/, and return how many there were. Those longer than max= are cut."""
    def drcov(self, path: str, base: int | None=None) -> int:
        """Write the covered blocks as a drcov file, which disassemblers' coverage plug-ins read, and return how many there
        are. base: of the module that their addresses are told from; None: the first page that has one."""
    def close(self) -> None:
        """Forget all of it. The VM stays as it is."""
    def __enter__(self) -> Any: ...
    def __exit__(self, *exception: Any) -> Any: ...
