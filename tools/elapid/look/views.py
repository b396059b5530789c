# SPDX-License-Identifier: MIT
"""The page's pieces as HTML and SVG: each a function of the model. What a click types is in its element's data-type.

All text of a guest's (names of functions, of VMs) is escaped here, and quoted as Python where it is typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ..draw import size_text
from .model import Cpu, Model, Vm

PANELS = {
    "exits": "Exits",
    "hot": "Hot addresses",
    "registers": "Registers",
    "memory": "Memory",
    "breaks": "Breakpoints",
    "time": "Time",
}
STATES = {
    "off": "off",
    "stopped": "stopped",
    "ready": "waits for a core",
    "running": "runs",
    "idle": "waits for an interrupt",
    "python": "waits for Python",
}


def button(words: str, code: str, off: bool = False, small: bool = False) -> str:
    """One that types `code` at the prompt, and says so. small: only when one points at it."""
    said = "" if small else f"<code>{escape(code)}</code>"
    return (
        f'<button data-type="{escape(code)}" title="{escape(code)}"{" disabled" * off}>'
        f"{escape(words)}{said}</button>"
    )


def show(words: str, **view: object) -> str:
    """A button that changes what this page shows."""
    data = "".join(f' data-view-{k}="{escape(str(v))}"' for k, v in view.items())
    return f"<button{data}>{escape(words)}</button>"


def form(code: str, label: str, words: str, kind: str) -> str:
    """A line whose text stands for {} in what is typed. kind: "place", quoted unless it is an address; "raw"."""
    return (
        f'<form data-key="{escape(label)}" data-form="{escape(code)}" data-kind="{kind}"><label>{escape(label)} '
        f'<input name="{kind}" autocomplete="off" spellcheck="false"></label>'
        f"<button>{escape(words)}</button></form>"
    )


def free_name(prefix: str, taken: Sequence[str]) -> str:
    n = 1
    while f"{prefix}{n}" in taken:
        n += 1
    return f"{prefix}{n}"


# ---- The picture


def picture(model: Model, chosen: Vm | None, status: str) -> str:
    """EL2 above, guests below."""
    free, total = model.memory
    memory = f"{size_text(free)} of {size_text(total)} free" if total else ""
    parts = [
        f'<section class="el2 {status}"><h2>EL2 <small>Elapid: MicroPython, {status}</small></h2>'
        f'<p class="tiers"><span>native: C, vectors</span><span>rules</span><span>Python handlers</span></p>'
        f"<p>{escape(memory)}. Looking takes {4 * model.took / 1e4:.1f} % of a core.</p></section>"
    ]
    if not model.vms:
        parts.append('<p class="none">No VM at the prompt yet: hv.VM() makes one.</p>')
    parts += [guest(vm, vm is chosen) for vm in model.vms.values()]
    return "".join(parts)


def guest(vm: Vm, chosen: bool) -> str:
    state = "runs" if vm.running else "stopped"
    name = vm.at_prompt
    acts = [
        button("pause", f"{name}.pause()") if vm.running else button("start", f"{name}.start()"),
        button("reset", f"{name}.reset()", off=vm.running),
        show("hot addresses", panel="hot", vm=vm.key),
    ]
    rate = sum(vm.rates[-1][1].values()) if vm.rates else 0
    lane = min(10, len(f"{rate:.0f}")) if rate >= 1 else 0
    return (
        f'<section class="vm {state}{" chosen" * chosen}" data-key="vm{vm.key}" data-vm="{vm.key}">'
        f'<div class="lane l{lane}" aria-hidden="true"></div>'
        f"<h2>{show(f'EL1 {vm.name}', vm=vm.key)} <small>{state}, {escape(name)}, {size_text(vm.ram)}, "
        f'<b class="rate">{rate:,.0f}</b> exits/s</small></h2>'
        f'<div class="cpus">{"".join(vcpu(n, cpu) for n, cpu in enumerate(vm.cpus))}</div>'
        f"<p>{''.join(acts)}</p>"
        f'<p class="ended">{escape(vm.ended)}</p></section>'
    )


def vcpu(n: int, cpu: Cpu) -> str:
    where = cpu.place or f"{cpu.pc:#x}"
    core = (
        f"core {cpu.core}"
        if cpu.core is not None
        else f"pinned to {cpu.pin}" * (cpu.pin is not None)
    )
    return (
        f'<div class="cpu {cpu.state}"><b>vCPU {n}</b> <span class="level">{cpu.level}</span> '
        f"<span>{STATES.get(cpu.state, cpu.state)}</span> <span>{core}</span>"
        f'<code class="pc" title="PC {cpu.pc:#x}">{escape(where)}</code></div>'
    )


# ---- The panels


def exits(vm: Vm | None) -> str:
    """A table below the chart: totals and rates by class."""
    if vm is None:
        return ""
    rates = vm.rates[-1][1] if vm.rates else {}
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n" data-exits="{escape(name)}">{count:,}</td>'
        f'<td class="n">{rates.get(name, 0):,.1f}</td></tr>'
        for name, count in sorted(vm.totals().items(), key=lambda item: -item[1])
    )
    more = show("Where do they come from?", panel="hot", vm=vm.key)
    return (
        "<table><thead><tr><th>exits by class</th><th>in all</th><th>a second</th></tr></thead>"
        f"<tbody>{rows}</tbody></table><p>{more}</p>"
    )


def hot(vm: Vm | None, count: str | None, rows: list[list[Any]] | None, why: str = "") -> str:
    """Where a guest spends its exits. count: the vm.count() at the prompt that tells; rows: (key, place, how often)."""
    if vm is None:
        return ""
    if count is None:
        code = f'{free_name("counts", vm.counts)} = {vm.at_prompt}.count("exit irq")'
        return f"<p>Each exit is counted by its address, in C.</p><p>{button('Count', code)}</p>"
    if rows is None:
        return f"<p>{escape(why) or 'waiting for the target'}</p>"
    total = sum(row[2] for row in rows) or 1
    lines = []
    for address, place, n in rows:
        if address is None:
            lines.append(f'<tr><td>(others)</td><td></td><td class="n">{n:,}</td><td></td></tr>')
            continue
        where = place or f"{address:#x}"
        target = repr(place) if place else f"{address:#x}"
        stop = f'{vm.at_prompt}.on({target}, action="stop")'
        tally = f'{vm.at_prompt}.on({target}, action="count")'
        lines.append(
            f"<tr><td><code>{escape(where)}</code></td><td><code>{address:#x}</code></td>"
            f'<td class="n"><span class="bar" style="--part:{n / total:.3f}"></span>{n:,}</td>'
            f"<td>{button('break', stop, small=True)}{button('count', tally, small=True)}</td></tr>"
        )
    return (
        f"<table><thead><tr><th>where</th><th>address</th><th>exits</th><th></th></tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table><p>{button('stop counting', f'{count}.stop(); del {count}')}</p>"
    )


def breaks(vm: Vm | None) -> str:
    if vm is None:
        return ""
    rows = []
    for n, (where, hits, on, kind) in enumerate(vm.breaks):
        me = f"{vm.at_prompt}.breaks()[{n}]"
        acts = button("off", f"{me}.off()") if on else button("on", f"{me}.on()")
        rows.append(
            f'<tr><td><code>{escape(where)}</code></td><td class="n">{hits:,}</td>'
            f"<td>{kind}{'' if on else ', off'}</td><td>{acts}{button('remove', f'{me}.remove()')}</td></tr>"
        )
    table = (
        "<table><thead><tr><th>breakpoint at</th><th>hits</th><th></th><th></th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
        if rows
        else "<p>No breakpoints. Hot addresses have a button that makes one; so has this:</p>"
    )
    stop = f'{vm.at_prompt}.on({{}}, action="stop")'
    return table + form(stop, "function, function+offset or address", "break there", "place")


def time(vm: Vm | None) -> str:
    """Snapshots on a line, oldest on the left."""
    if vm is None:
        return ""
    name = vm.at_prompt
    marks = []
    for n, called in vm.snapshots:
        it = called or f"{name}._snapshots[{n}]"
        marks.append(
            f'<li><span class="dot"></span>{button(f"back to {called or n}", f"{name}.back({it})")}'
            f"{button('drop', f'{it}.drop()')}</li>"
        )
    taken = [called for _, called in vm.snapshots if called]
    new = free_name("s", taken)
    return (
        f'<ol class="line">{"".join(marks)}<li class="now"><span class="dot"></span>now '
        f"{button('snapshot', f'{new} = {name}.snapshot()')}</li></ol>"
    )
