# SPDX-License-Identifier: MIT
"""The page's memory: a VM's stage 2 or EL2's own tables as a picture, and bytes, which can be changed."""

from __future__ import annotations

from html import escape
from typing import Any

from .. import draw
from ..say import Stop
from .model import Vm
from .views import form, show

ROW = 16


def memory(vm: Vm | None, lines: list[str], bytes_at: tuple[int, bytes] | str) -> str:
    """lines: of the dump, as the target has it; bytes_at: (IPA, what is there), or why not."""
    picks = show("EL2", map="el2") + (show("stage 2", map="vm") if vm else "")
    try:
        title = "" if not lines else "EL2" if vm is None else f"stage 2 of {vm.name}"
        picture = draw.memory_map("\n".join(lines), title)
    except Stop:
        picture = "<p>nothing is mapped yet</p>"
    return f"<p>{picks}</p>{picture}{_bytes(vm, bytes_at)}"


def _bytes(vm: Vm | None, bytes_at: tuple[int, bytes] | str) -> str:
    if vm is None:
        return ""
    look = (
        '<form data-key="at" data-show="at"><label>bytes at IPA <input name="where" autocomplete="off" '
        'spellcheck="false"></label><button>look</button></form>'
    )
    if isinstance(bytes_at, str):
        return look + f"<p>{escape(bytes_at)}</p>"
    at, data = bytes_at
    rows = "".join(_row(at + n, data[n : n + ROW]) for n in range(0, len(data), ROW))
    near = "".join(show(words, at=at + n) for words, n in (("before", -256), ("behind", 256)))
    change = form(
        f"{vm.at_prompt}.memory[{at:#x}] = {{}}", f"the byte at {at:#x}", "change", "raw"
    )
    return f"{look}<p>{near}</p><table class='hex'>{rows}</table>{change}"


def _row(at: int, data: bytes) -> str:
    text = "".join(chr(c) if 32 <= c < 127 else "." for c in data)
    return (
        f"<tr><td>{at:#x}</td><td><code>{data.hex(' ')}</code></td>"
        f"<td><code>{escape(text)}</code></td></tr>"
    )


def peek(answer: Any) -> tuple[int, bytes]:
    """The target's answer: (IPA, bytes as hexadecimal digits)."""
    return int(answer[0]), bytes.fromhex(answer[1])
