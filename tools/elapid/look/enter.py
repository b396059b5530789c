# SPDX-License-Identifier: MIT
"""The page's way from EL2 to EL1, step by step, with what the registers of a vCPU are."""

from __future__ import annotations

from html import escape
from typing import Any

from .model import Vm
from .views import button, show

# A step: the register that it sets, what it is, and how one sets it at the prompt ({} is the vCPU, {v} the value).
STEPS: tuple[tuple[str, str, str], ...] = (
    ("", "The core is at EL2 and executes Elapid, on the stack of SP_EL2.", ""),
    (
        "SP_EL1",
        "The guest's stack: SP of EL1h, which the guest finds as its own.",
        "{}.sp = {v:#x}",
    ),
    (
        "HCR_EL2",
        "What comes to EL2 from below. RW: EL1 is AArch64. VM: stage 2 is on. AMO, IMO, FMO: interrupts are taken to EL2.",
        "{vm}.el2['HCR_EL2'] = {v:#x}",
    ),
    (
        "SPSR_EL2",
        "What PSTATE becomes. M: EL1h, EL1 on its own SP; I, F: whether interrupts are masked.",
        "{}.pstate = {v:#x}",
    ),
    ("ELR_EL2", "Where the guest goes on.", "{}.pc = {v:#x}"),
    ("", "DSB, ISB: what was written is done, and seen by what is executed next.", ""),
    ("", "ERET: PSTATE becomes SPSR_EL2, and with it the level; PC becomes ELR_EL2.", ""),
    (
        "",
        "The core is at EL1 and executes the guest. Elapid still exists: the next exception that HCR_EL2 sends to EL2 "
        "comes back to it, with SP_EL2 as it was.",
        "{}.step()",
    ),
)
LAST = len(STEPS) - 1
SETS = {name: n for n, (name, _, _) in enumerate(STEPS) if name}


def enter(vm: Vm | None, cpu: int, answer: dict[str, Any] | str, step: int) -> str:
    """answer: the registers of a vCPU that stands still, or why there are none."""
    if vm is None:
        return ""
    if isinstance(answer, str):
        return f"<p>{escape(answer)}</p><p>{button('pause', f'{vm.at_prompt}.pause()')}</p>"
    values = {name: (value, fields) for name, value, fields in answer["rows"]}
    step = max(0, min(step, LAST))
    name, words, code = STEPS[step]
    value = values.get(name, (0, ""))[0]
    me = f"{vm.at_prompt}.cpu[{cpu}]"
    typed = code.format(me, v=value, vm=vm.at_prompt)
    at_el1 = step == LAST
    below = _register("SP_EL1", values, step)
    above = "".join(_register(each, values, step) for each in ("HCR_EL2", "SPSR_EL2", "ELR_EL2"))
    acts = show("back", step=max(0, step - 1)) + show("next step", step=min(LAST, step + 1))
    way = "ERET" if step >= LAST - 1 else ""
    return (
        f"<p>{acts}{button('type it', typed) if typed else ''} <small>{step} of {LAST}</small></p>"
        f'<p class="now">{escape(words)}</p>'
        f'<div class="levels"><section class="el2{" here" * (not at_el1)}"><h2>EL2 <small>Elapid, CurrentEL 2</small></h2>'
        f"<div class='reg'><b>SP_EL2</b><code>Elapid's stack, unchanged on the way</code></div>{above}</section>"
        f'<div class="way">{way}</div>'
        f'<section class="vm{" here" * at_el1}"><h2>EL1 <small>{escape(vm.name)}, CurrentEL 1</small></h2>{below}'
        f"<div class='reg'><b>PC</b><code>{escape(answer['to'].partition(' at ')[2]) if at_el1 else 'does not run'}</code></div>"
        "</section></div>"
    )


def _register(name: str, values: dict[str, tuple[int, str]], step: int) -> str:
    at = SETS[name]
    value, fields = values.get(name, (0, ""))
    said = (
        f"{value:#x} {fields}" if step >= at else "old value" if name == "HCR_EL2" else "undefined"
    )
    return f'<div class="reg{" changed" * (step == at)}" data-reg="{name}"><b>{name}</b><code>{escape(said)}</code></div>'
