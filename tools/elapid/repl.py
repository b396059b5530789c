# SPDX-License-Identifier: MIT
"""The target's `>>>` as a person and as a program uses it, on any line that leads there."""

import ast
import re
from typing import Any

from .console import CTRL_C, CTRL_D, PROMPT, Console, TargetError


class Repl:
    """MicroPython's two REPLs. Where the line stands is known, so that calls may follow in any order."""

    life = 0  # one more with each reset: objects of before are gone

    def __init__(self, line: Console | None = None):
        self._line = line
        self.at_prompt = False
        self.at_raw = False

    @property
    def line(self) -> Console:
        if self._line is None:
            raise ValueError(f"{self!r} is not running")
        return self._line

    def send(self, data: bytes | str) -> None:
        """Types bytes or text as they are."""
        if self.at_raw:
            self._prompt()
        self.at_prompt = False
        self.line.send(data.encode() if isinstance(data, str) else data)

    def until(self, what: str | bytes | re.Pattern[bytes], seconds: float = 10) -> str:
        """Waits for text, bytes or a compiled pattern; returns what came, up to and with it.

        In text, here and in what is returned, lines end in \\n.
        """
        if isinstance(what, str):
            what = what.encode().replace(b"\n", b"\r\n")
        return self.line.until(what, seconds).decode(errors="replace").replace("\r\n", "\n")

    def wait_prompt(self, seconds: float = 10) -> str:
        """Waits for `>>>`; returns what came before it."""
        text = self.until(PROMPT, seconds)
        self.at_prompt = True
        return text.removesuffix(">>> ")

    def interrupt(self, seconds: float = 5) -> str:
        """Ctrl-C; returns what is printed up to the prompt."""
        self.send(CTRL_C)
        return self.wait_prompt(seconds)

    def repl(self, line: str, seconds: float = 10) -> str:
        """Types one line at `>>>` and returns what is printed before the next prompt.

        A line that opens a block returns at `...`; the REPL indents the lines after it by itself.
        """
        self._prompt()
        self.line.send(line.encode() + b"\r")
        self.line.until(line.encode() + b"\r\n", seconds)
        answer = self.line.until(re.compile(rb">>> |\.\.\. "), seconds)
        self.at_prompt = True
        return answer[:-4].decode(errors="replace").replace("\r\n", "\n").strip("\n")

    def exec(self, code: str, seconds: float = 10) -> str:
        """Runs code by the raw REPL. What it printed; TargetError with its traceback if it raised."""
        self._prompt()
        self.at_prompt = False
        self.line.enter_raw()
        output, error = "", None
        try:
            output = self.line.raw_exec(code, seconds)
        except TargetError as raised:
            error = raised
        self.line.leave_raw()
        self.at_prompt = True
        if error:
            raise error
        return output

    def eval(self, expression: str, seconds: float = 10) -> Any:
        """The value of an expression, for values that have a literal form."""
        return ast.literal_eval(self.exec(f"print(repr({expression}))", seconds))

    def soft_reset(self, seconds: float = 10) -> str:
        """Ctrl-D at the prompt; returns what is printed up to the next one."""
        self._prompt()
        self.life += 1
        self.send(CTRL_D)
        self.until("MPY: soft reboot", seconds)
        return self.wait_prompt(seconds)

    def _prompt(self) -> None:
        if not self.at_prompt:
            self.at_raw = False
            self.line.friendly()
            self.at_prompt = True
