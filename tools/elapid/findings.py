# SPDX-License-Identifier: MIT
"""What a campaign has found, in a directory of AFL++'s form: queue/, crashes/, hangs/, fuzzer_stats. Each is written as
it is found, so whatever ends the campaign, that is there; the next one with the same directory goes on from it.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from .fuzzjob import Crash
from .say import Stop

FOLDERS = {"crash": "crashes", "hang": "hangs"}


class Findings:
    """corpus: inputs by when they came; crashes, hangs: the first of each kind, and how often the like was seen."""

    def __init__(self, path: Path, most: int):
        self.path = path
        self.most = most
        self.corpus: dict[bytes, None] = {}
        self.bad: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.rounds = 0
        self.covered = self.blocks = 0
        self.start = time.time()
        for name in ("queue", *FOLDERS.values()):
            (path / name).mkdir(parents=True, exist_ok=True)
        self._kinds = path / "elapid.json"
        self._go_on()

    def _go_on(self) -> None:
        for file in _inputs(self.path / "queue"):
            self.corpus[file.read_bytes()[: self.most]] = None
        try:
            known = json.loads(self._kinds.read_text())
        except FileNotFoundError:
            return
        except ValueError as error:
            raise Stop(f"{self._kinds} is not what elapid fuzz has written: {error}") from None
        self.rounds = known["rounds"]
        for each in known["found"]:
            self.bad[tuple(_tuples(each.pop("key")))] = each

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [each for key, each in self.bad.items() if key[0] == kind]

    def give(self, data: bytes, name: str) -> None:
        """An input that a person has."""
        self._add(data[: self.most], f"time:0,execs:0,orig:{name}")

    def add(self, data: bytes) -> bool:
        """An input that has led to something new. False: it is there already."""
        return self._add(data, f"{self._when()},op:havoc")

    def _add(self, data: bytes, more: str) -> bool:
        if data in self.corpus:
            return False
        _write(self.path / "queue" / f"id:{len(self.corpus):06},{more}", data)
        self.corpus[data] = None
        return True

    def crash(self, crash: Crash) -> Path | None:
        """Where it is, if it is the first of its kind."""
        if known := self.bad.get(crash.key):
            known["times"] += crash.times
            return None
        folder = FOLDERS[crash.kind]
        signal = "sig:11," if crash.kind == "crash" else ""
        name = f"id:{len(self.of_kind(crash.kind)):06},{signal}{self._when()},op:havoc"
        path = self.path / folder / name
        _write(path, crash.input)
        said = {"file": f"{folder}/{name}", "reason": crash.reason, "where": crash.where}
        self.bad[crash.key] = {**said, "times": crash.times}
        return path

    def _when(self) -> str:
        return f"time:{int(1000 * (time.time() - self.start))},execs:{self.rounds}"

    def write_stats(self, **more: object) -> None:
        """fuzzer_stats, and elapid.json, which says of each crash and hang what it is."""
        seconds = max(time.time() - self.start, 0.001)
        stats = {
            "start_time": int(self.start),
            "last_update": int(time.time()),
            "run_time": int(seconds),
            "execs_done": self.rounds,
            "corpus_count": len(self.corpus),
            "saved_crashes": len(self.of_kind("crash")),
            "saved_hangs": len(self.of_kind("hang")),
            "edges_found": self.covered,
            "total_edges": self.blocks,
            "afl_version": "elapid",
        } | more
        text = "".join(f"{name:<18}: {value}\n" for name, value in stats.items())
        _write(self.path / "fuzzer_stats", text.encode())
        found = [{"key": key, **each} for key, each in self.bad.items()]
        said = json.dumps({"rounds": self.rounds, "found": found}, indent=1)
        _write(self._kinds, said.encode())


def _inputs(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")
    )


def read_inputs(path: Path) -> list[tuple[str, bytes]]:
    """A file, or those of a folder, or of its queue/."""
    if path.is_file():
        return [(path.name, path.read_bytes())]
    if not path.is_dir():
        raise Stop(f"no file or folder of inputs: {path}")
    folder = path / "queue" if (path / "queue").is_dir() else path
    return [(file.name, file.read_bytes()) for file in _inputs(folder)]


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _write(path: Path, data: bytes) -> None:
    """Whole, or not at all."""
    part = path.with_name(f".{path.name[:60]}.part")
    part.write_bytes(data)
    os.replace(part, path)
