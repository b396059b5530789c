# SPDX-License-Identifier: MIT
"""The page's memory: a VM's stage 2 or EL2's own tables as a picture, and bytes, which can be changed."""

from __future__ import annotations

from html import escape
from typing import Any

from .. import draw
from ..say import Stop
from .model import Vm
from .views import button, form, free_name, show

ROW = 16


def memory(
    vm: Vm | None,
    lines: list[str],
    bytes_at: tuple[int, bytes] | str,
    pages: str = "",
    chosen: int | None = None,
) -> str:
    """lines: of the dump, as the target has it; bytes_at: (IPA, what is there), or why not; pages: a picture of RAM;
    chosen: the address of a byte that was clicked.
    """
    picks = show("EL2", map="el2") + (show("stage 2", map="vm") if vm else "")
    try:
        title = "" if not lines else "EL2" if vm is None else f"stage 2 of {vm.name}"
        picture = draw.memory_map("\n".join(lines), title)
    except Stop:
        picture = "<p>nothing is mapped yet</p>"
    return f"<p>{picks}</p>{picture}{pages}{_bytes(vm, bytes_at, chosen)}"


def ram(vm: Vm, answer: dict[str, Any] | str, number: int | None) -> str:
    """A picture of what is touched, and written since a snapshot. number: the snapshot's."""
    if isinstance(answer, str):
        return f"<p>{escape(answer)}</p>"
    called = dict(vm.snapshots).get(number) if number is not None else None
    since = "" if number is None else called or f"snapshot {number}"
    picture = draw.pages(answer["base"], answer["part"], answer["there"], answer["written"], since)
    if vm.snapshots:
        return picture
    return picture + button("snapshot", f"{free_name('s', [])} = {vm.at_prompt}.snapshot()")


def _bytes(vm: Vm | None, bytes_at: tuple[int, bytes] | str, chosen: int | None) -> str:
    if vm is None:
        return ""
    look = (
        '<form data-key="at" data-show="at"><label>bytes at IPA <input name="where" autocomplete="off" '
        'spellcheck="false"></label><button>look</button></form>'
    )
    if isinstance(bytes_at, str):
        return look + f"<p>{escape(bytes_at)}</p>"
    at, data = bytes_at
    to = chosen if chosen is not None and at <= chosen < at + len(data) else at
    rows = "".join(_row(at + n, data[n : n + ROW], to) for n in range(0, len(data), ROW))
    near = "".join(show(words, at=at + n) for words, n in (("before", -256), ("behind", 256)))
    change = form(
        f"{vm.at_prompt}.memory[{to:#x}:{to:#x} + {{n}}] = {{}}",
        f"bytes from {to:#x} on, as a5 01 ff",
        "change",
        "bytes",
        key="bytes",
    )
    return f"{look}<p>{near}</p><table class='hex'>{rows}</table>{change}"


def _row(at: int, data: bytes, chosen: int) -> str:
    text = "".join(chr(c) if 32 <= c < 127 else "." for c in data)
    cells = " ".join(
        f'<button class="byte" tabindex="-1" data-view-byte="{at + n:#x}" aria-pressed="{str(at + n == chosen).lower()}">'
        f"{c:02x}</button>"
        for n, c in enumerate(data)
    )
    return f"<tr><td>{at:#x}</td><td><code>{cells}</code></td><td><code>{escape(text)}</code></td></tr>"


def peek(answer: Any) -> tuple[int, bytes]:
    """The target's answer: (IPA, bytes as hexadecimal digits)."""
    return int(answer[0]), bytes.fromhex(answer[1])
