# SPDX-License-Identifier: MIT
"""Sessions at `>>>` that a Markdown page shows: its code blocks, and what is typed of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def statements(session: str) -> list[tuple[list[str], list[str]]]:
    """[(lines typed, lines expected)] of a session."""
    found: list[tuple[list[str], list[str]]] = []
    for line in session.splitlines():
        if line.startswith(">>>"):
            found.append(([line[4:]], []))
        elif line.startswith("...") and not found[-1][1] and (line == "..." or line[3] == " "):
            found[-1][0].append(line[4:])
        else:
            found[-1][1].append(line)
    # A lone "..." that ends no block is output.
    for typed, expected in found:
        if len(typed) == 2 and typed[1] == "" and not opens_block(typed[0]):
            typed.pop()
            expected.insert(0, "...")
    return found


def opens_block(line: str) -> bool:
    return line.rstrip().endswith((":", "(", "[", "{", ",", "\\")) or line.startswith("@")


def keys(lines: Sequence[str]) -> Iterator[bytes]:
    """What a person types for a block: the REPL indents by itself, and a backspace takes it back."""
    indent = 0
    for line in lines:
        text = line.lstrip(" ")
        wanted = len(line) - len(text)
        yield b"\x7f" * ((indent - wanted) // 4) + text.encode() + b"\r"
        indent = wanted + 4 if text.endswith(":") else wanted
