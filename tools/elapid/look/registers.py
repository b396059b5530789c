# SPDX-License-Identifier: MIT
"""The page's registers: of a vCPU that stands still, by field, and how EL2 enters EL1 with them."""

from __future__ import annotations

from html import escape
from typing import Any

from .model import Vm
from .views import button, show

# What an ERET to EL1 is made of (DDI 0487 D1.4.4).
WAY = ("HCR_EL2", "SPSR_EL2", "ELR_EL2", "SP_EL1")


def registers(
    vm: Vm | None, chosen: int, answer: dict[str, Any] | str, before: dict[str, int]
) -> str:
    """answer: the target's, or why it has none; before: the values of the last time the page was shown them."""
    if vm is None:
        return ""
    picks = "".join(show(f"vCPU {n}", cpu=n, vm=vm.key) for n in range(len(vm.cpus)))
    head = f"<p>{picks}</p>"
    if isinstance(answer, str):
        return f"{head}<p>{escape(answer)}</p><p>{button('pause', f'{vm.at_prompt}.pause()')}</p>"
    me = f"{vm.at_prompt}.cpu[{chosen}]"
    acts = button("step", f"{me}.step()") + button("over a call", f"{me}.next()")
    acts += button("to the caller", f"{me}.finish()") + button("where", f"{me}.where()")
    rows = answer["rows"]
    way = "".join(
        f"<div class='{_mark(name, value, before)}'><b>{name}</b><code>{value:#x}</code><small>{escape(fields)}</small></div>"
        for name, value, fields in rows
        if name in WAY
    )
    step = f'<div class="eret">{way}<div class="arrow">ERET: to {escape(answer["to"])}</div></div>'
    general = "".join(_cell(name, value, before) for name, value, _ in rows if name[0] in "xsp")
    table = "".join(
        f"<tr><td>{name}</td><td class='n{_mark(name, value, before)}'>{value:#018x}</td>"
        f"<td><code>{escape(fields)}</code></td></tr>"
        for name, value, fields in rows
        if name[0] not in "xsp"
    )
    return f"{head}<p>{acts}</p>{step}<div class='general'>{general}</div><table>{table}</table>"


def _mark(name: str, value: int, before: dict[str, int]) -> str:
    return " changed" if before.get(name, value) != value else ""


def _cell(name: str, value: int, before: dict[str, int]) -> str:
    return f"<div class='{_mark(name, value, before)}'><b>{name}</b><code>{value:#x}</code></div>"
