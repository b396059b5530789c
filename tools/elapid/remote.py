# SPDX-License-Identifier: MIT
"""Objects of the target as objects of the host, over the raw REPL.

What has a literal form (numbers, text, bytes, None, lists ... of those) comes as a value. Everything else stays where
it is, and a Remote stands for it: its attributes, items and calls are those of the object there.
"""

import ast
import inspect
import os
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .bulk import Bulk
from .console import Console, TargetError
from .repl import Repl

MARK, END = "\x02", "\x1f"  # around what a call gave: before and behind it is what was printed
PIECE = 256 << 10  # of a file, for the target's heap
HELPER = Path(__file__).with_name("on_target.py")


class Session(Repl):
    """A Repl that hands out the target's objects."""

    def __init__(self, line: Console | None = None):
        super().__init__(line)
        self.said = ""
        self.files: dict[
            str, str
        ] = {}  # of the host, by resolved path: where the target has them already
        self._dropped: list[int] = []
        self._bulk = Bulk(self, None)

    def _anew(self) -> None:
        """The target begins anew."""
        self.at_prompt = self.at_raw = False
        self.life += 1
        self._dropped.clear()
        self._bulk.close()

    def call(self, expression: str, seconds: float = 10) -> Any:
        """The value of an expression, or a Remote. What it printed is in `said`."""
        return self._give(f"_elapid.give({expression})", seconds)

    def __getitem__(self, name: str) -> Any:
        """A global name at the prompt."""
        return self.call(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._give(f"{name} = {literal(value, self)}")

    def module(self, name: str) -> Any:
        """A module of the target: t.module("hv").platform()."""
        return self.call(f"__import__({name!r}, None, None, ('*',))")

    def function(self, function: Callable[..., Any]) -> "Remote":
        """A decorator: the function, whose source is sent, runs on the target, for handlers of a VM.

        It sees the target's globals, not the host's.
        """
        try:
            text = textwrap.dedent(inspect.getsource(function))
        except OSError:
            raise ValueError(f"{function!r} has no file; target.exec() takes its text") from None
        start = re.search(r"^(async )?def ", text, re.M)
        if not start:
            raise ValueError(f"{function!r} is not a plain def")
        self._give(text[start.start() :])
        remote: Remote = self.call(function.__name__)
        return remote

    def put(self, path: str | os.PathLike[str]) -> str:
        """Brings a file of the host to the target, if it is not there yet. Its path there."""
        path = Path(path)
        if str(path.resolve()) in self.files:
            return self.files[str(path.resolve())]
        self._raw()
        data = memoryview(path.read_bytes())
        if not self._bulk.give(data[:PIECE]):
            self.line.raw_copy(path)
            return path.name
        self._give(f"_elapid.file = open({path.name!r}, 'wb')")
        for at in range(0, len(data), PIECE):
            if at:
                self._bulk.give(data[at : at + PIECE])
            self._give("_elapid.file.write(_elapid.held)", 30)
        self._give("_elapid.file.close()")
        return path.name

    def fetch(self, expression: str, seconds: float = 10) -> bytes:
        """Bytes of the target, the value of an expression, by the quickest way."""
        size = self.call(f"_elapid.hold({expression})", seconds)
        return self._bulk.fetch("_elapid", 0, size) if size else b""

    def _raw(self) -> None:
        if self.at_raw:
            return
        self._prompt()
        self.line.enter_raw()
        self.at_prompt, self.at_raw = False, True

    def _give(self, code: str, seconds: float = 10) -> Any:
        self._raw()
        dropped, self._dropped = self._dropped, []
        drop = f"_elapid.drop({dropped!r})\n" if dropped else ""
        try:
            said = self._raw_exec(drop + code, seconds)
        except TargetError as error:
            if "NameError: name '_elapid'" not in error.traceback:
                raise
            said = None
        if said is None:
            # The target is new, or was reset: nothing has run yet, and what was kept there is gone.
            self.line.raw_exec(HELPER.read_text())
            said = self._raw_exec(code, seconds)
        self.said, mark, value = said.rpartition(MARK)
        if not mark:
            self.said = said
            return None
        value, _, behind = value.partition(END)
        self.said += behind.removeprefix("\r").removeprefix("\n")
        return self._unpack(ast.literal_eval(value))

    def _raw_exec(self, code: str, seconds: float) -> str:
        try:
            return self.line.raw_exec(code, seconds)
        except TargetError:
            raise
        except BaseException:
            self.at_raw = False  # wherever it is: the next call finds out
            raise

    def _unpack(self, value: Any) -> Any:
        if isinstance(value, tuple):
            if len(value) == 3 and value[0] is ...:
                return Remote(self, value[1], value[2])
            return tuple(map(self._unpack, value))
        if isinstance(value, list):
            return list(map(self._unpack, value))
        if isinstance(value, dict):
            return {key: self._unpack(item) for key, item in value.items()}
        return value


def literal(value: Any, session: Session) -> str:
    """How the target writes it: a Remote by its number, a Path by the file that is brought there."""
    if isinstance(value, Remote):
        if value._session is not session:
            raise ValueError(f"{value!r} is of another target")
        return value._there
    if isinstance(value, os.PathLike):
        return repr(session.put(value))
    if isinstance(value, tuple):
        return "(" + "".join(literal(each, session) + "," for each in value) + ")"
    if isinstance(value, list):
        return "[" + ",".join(literal(each, session) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{literal(value[key], session)}" for key in value) + "}"
    if isinstance(value, (bytearray, memoryview)):
        return repr(bytes(value))
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if callable(value):
        raise TypeError(f"{value!r} runs on the host; @target.function sends it to the target")
    raise TypeError(f"the target has nothing like {value!r}")


class Remote:
    """An object of the target."""

    _session: Session
    _number: int

    def __init__(self, session: Session, number: int, kind: str):
        # Past __setattr__, which is the target's.
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_life", session.life)

    @property
    def _there(self) -> str:
        if self._life != self._session.life:
            raise ReferenceError(f"the target was reset: its {self._kind} is no more")
        return f"_elapid.kept[{self._number}]"

    def __del__(self) -> None:
        if self._life == self._session.life:
            self._session._dropped.append(self._number)

    def __repr__(self) -> str:
        try:
            return str(self._session.call(f"repr({self._there})"))
        except (TargetError, ReferenceError):
            return f"<{self._kind} of the target, gone>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__" or name in ("_life", "_session"):
            raise AttributeError(name)
        return self._session.call(f"{self._there}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._session._give(f"{self._there}.{name} = {literal(value, self._session)}")

    def __delattr__(self, name: str) -> None:
        self._session._give(f"del {self._there}.{name}")

    def __getitem__(self, key: Any) -> Any:
        return self._session.call(f"{self._there}[{_subscript(key, self._session)}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        where = f"{self._there}[{_subscript(key, self._session)}]"
        self._session._give(f"{where} = {literal(value, self._session)}")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """With seconds=: how long it may take, instead of 60."""
        seconds = options.pop("seconds", 60)
        words = [literal(each, self._session) for each in args]
        words += [f"{name}={literal(value, self._session)}" for name, value in options.items()]
        return self._session.call(f"{self._there}({', '.join(words)})", seconds)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._session.call(f"tuple({self._there})"))

    def __len__(self) -> int:
        return int(self._session.call(f"len({self._there})"))

    def __bool__(self) -> bool:
        return bool(self._session.call(f"bool({self._there})"))

    def __int__(self) -> int:
        return int(self._session.call(f"int({self._there})"))

    def __bytes__(self) -> bytes:
        return bytes(self._session.call(f"bytes({self._there})"))


def _subscript(key: Any, session: Session) -> str:
    if not isinstance(key, slice):
        return literal(key, session)
    ends = ["" if each is None else literal(each, session) for each in (key.start, key.stop)]
    return ":".join([*ends, *([literal(key.step, session)] if key.step is not None else [])])
