# SPDX-License-Identifier: MIT
"""The page's pieces as HTML and SVG: each a function of the model. What a click types is in its element's data-type.

All text of a guest's (names of functions, of VMs) is escaped here, and quoted as Python where it is typed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..draw import size_text, timeline
from .model import SAMPLE, TIERS, Answer, Cpu, Model, Vm

PANELS = {
    "exits": "Exits",
    "hot": "Hot addresses",
    "registers": "Registers",
    "enter": "Enter EL1",
    "memory": "Memory",
    "breaks": "Breakpoints",
    "time": "Time",
    "lessons": "First hour",
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


def show(words: str, pressed: bool | None = None, **view: object) -> str:
    """A button that changes what this page shows. pressed: whether it is one of several, and chosen."""
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    data = "".join(f' data-view-{k}="{escape(str(v))}"' for k, v in view.items())
    return f"<button{data}{state}>{escape(words)}</button>"


def form(code: str, label: str, words: str, kind: str, key: str = "") -> str:
    """A line whose text stands for {} in what is typed. kind: "place", quoted unless it is an address; "bytes", of
    which {n} is how many. key: what it is, whatever its label says: the same one keeps what is written in it.
    """
    return (
        f'<form data-key="{escape(key or label)}" data-form="{escape(code)}" data-kind="{kind}"><label>{escape(label)} '
        f'<input name="{kind}" autocomplete="off" spellcheck="false"></label>'
        f"<button>{escape(words)}</button></form>"
    )


def free_name(prefix: str, taken: Sequence[str]) -> str:
    n = 1
    while f"{prefix}{n}" in taken:
        n += 1
    return f"{prefix}{n}"


# ---- The picture


@dataclass
class Story:
    """An exit that is shown slowly: who answered it, and how far it has come."""

    answer: Answer
    phase: int

    @property
    def words(self) -> str:
        us, cpu, core, pc, place, esr, value = self.answer.last
        offset = 0x480 if self.answer.kind == "irq" else 0x400
        return (
            f"1: vCPU {cpu}, at EL1, comes to {place or hex(pc)}: {self.answer.of_class}.",
            f"2: core {core} enters EL2 at VBAR_EL2+{offset:#x}. ELR_EL2 {pc:#x} is where it was, "
            + ("an interrupt is why." if self.answer.kind == "irq" else f"ESR_EL2 {esr:#x} why."),
            f"3: {self.answer.tier}. {self.answer.said}",
            "4: ERET. SPSR_EL2 is the guest's PSTATE again, ELR_EL2 its PC: it goes on at EL1.",
        )[self.phase]


def picture(model: Model, chosen: Vm | None, status: str, story: Story | None = None) -> str:
    """EL2 above, guests below."""
    free, total = model.memory
    memory = f"{size_text(free)} of {size_text(total)} free" if total else ""
    lit = story.answer.tier if story and story.phase == 2 else None
    tiers = "".join(
        f'<span class="{name}{" lit" * (name == lit)}">{words}<b>{_tier_rate(chosen, name)}</b></span>'
        for name, words in TIERS.items()
    )
    parts = [
        f'<section class="el2 {status}"><h2>EL2 <small>Elapid: MicroPython, {status}</small></h2>'
        f"<p>{escape(memory)}. Looking takes {4 * model.took / 1e4:.1f} % of a core.</p>"
        f'<p class="tiers">{tiers}</p></section>'
    ]
    if not model.vms:
        parts.append('<p class="none">No VM at the prompt yet: hv.VM() makes one.</p>')
    parts += [
        guest(vm, vm is chosen, story if vm is chosen else None) for vm in model.vms.values()
    ]
    return "".join(parts)


def _tier_rate(vm: Vm | None, tier: str) -> str:
    return f"{vm.rate * vm.part(tier):,.0f}/s" if vm and vm.answers else ""


def lanes(vm: Vm, story: Story | None) -> str:
    """A lane for each tier: dots that go up and down as often as it is asked, by powers of ten, or one that is slow."""
    tracks = []
    for tier in TIERS:
        rate = vm.rate * vm.part(tier) if vm.answers else vm.rate * (tier == "native")
        speed = min(10, len(f"{rate:.0f}")) if rate >= 1 and not story else 0
        dot = f'<i class="p{story.phase}"></i>' if story and story.answer.tier == tier else ""
        tracks.append(f'<div class="lane l{speed} {tier}">{dot}</div>')
    words = f'<p class="story">{escape(story.words)}</p>' if story else ""
    return (
        f'<div class="lanes{" slow" * bool(story)}" aria-hidden="true">{"".join(tracks)}</div>'
        + words
    )


def guest(vm: Vm, chosen: bool, story: Story | None = None) -> str:
    state = "runs" if vm.running else "stopped"
    name = vm.at_prompt
    acts = [
        button("pause", f"{name}.pause()") if vm.running else button("start", f"{name}.start()"),
        button("reset", f"{name}.reset()", off=vm.running),
        show("hot addresses", panel="hot", vm=vm.key),
    ]
    if vm.answers:
        acts.append(
            show("as fast as it is" if story else "slow motion", vm=vm.key, slow=int(not story))
        )
    return (
        f'<section class="vm {state}{" chosen" * chosen}" data-key="vm{vm.key}" data-vm="{vm.key}">'
        f"{lanes(vm, story)}"
        f"<h2>{show(f'EL1 {vm.name}', vm=vm.key)} <small>{state}, {escape(name)}, {size_text(vm.ram)}, "
        f'<b class="rate">{vm.rate:,.0f}</b> exits/s</small></h2>'
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


def sampling(vm: Vm) -> str:
    """A button that has exits noted, some of which the page looks at."""
    code = f'{free_name(SAMPLE, vm.traces)} = {vm.at_prompt}.trace("exit irq", "2K")'
    return button("Who answers?", code)


def exits(vm: Vm | None, chart: str = "class", why: str = "", chosen: str = "") -> str:
    """Tables below the chart: totals and rates by class, who answers and what that costs. why: of the chosen one."""
    if vm is None:
        return ""
    rates = vm.rates[-1][1] if vm.rates else {}
    rows = "".join(
        f'<tr><td>{show(name, why="class " + name)}</td><td class="n" data-exits="{escape(name)}">{count:,}</td>'
        f'<td class="n">{rates.get(name, 0):,.1f}</td></tr>'
        for name, count in sorted(vm.totals().items(), key=lambda item: -item[1])
    )
    more = show("Where do they come from?", panel="hot", vm=vm.key)
    pick = "".join(
        show(words, pressed=chart == kind, chart=kind)
        for kind, words in (("class", "chart by class"), ("tier", "chart by answerer"))
    )
    return (
        f"<p>{pick if vm.sample else sampling(vm)}{more}</p>{why}"
        "<table><thead><tr><th>exits by class</th><th>in all</th><th>a second</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{answerers(vm, chosen)}"
    )


def answerers(vm: Vm, chosen: str) -> str:
    if not vm.answers:
        return ""
    rows = "".join(
        f'<tr class="{"chosen" * (answer.key == chosen)}"><td><span class="tier {answer.tier}">{answer.tier}</span></td>'
        f"<td>{show(answer.who, why=answer.key)}</td><td>{escape(answer.of_class)}</td>"
        f'<td class="n">{vm.rate * answer.share:,.1f}</td><td class="n">{answer.cost}</td></tr>'
        for answer in sorted(vm.answers.values(), key=lambda answer: -answer.share)
    )
    stop = button("stop sampling", f"{vm.sample}.stop(); del {vm.sample}") if vm.sample else ""
    return (
        "<table class='answers'><thead><tr><th>tier</th><th>answered by</th><th>class</th><th>a second</th>"
        f"<th>instructions each</th></tr></thead><tbody>{rows}</tbody></table><p>{stop}</p>"
    )


def detail(words: str, offers: Sequence[str]) -> str:
    """What vm.why() or vm.explain() says, and what one may do about it."""
    close = show("close", why="")
    return (
        f"<section class='why'><pre>{escape(words)}</pre><p>{''.join(offers)}{close}</p></section>"
    )


def offers_of_place(vm: Vm, address: int, place: str) -> list[str]:
    target = repr(place) if place else f"{address:#x}"
    me = vm.at_prompt
    return [
        button("break", f'{me}.on({target}, action="stop")'),
        button("count", f'{me}.on({target}, action="count")'),
        button("explain", f"{me}.explain({target})"),
    ]


def offers_of_exit(vm: Vm, answer: Answer, words: str) -> list[str]:
    """A breakpoint where it came from, and rules of its kind."""
    _, _, _, pc, place, esr, value = answer.last
    ec, me = esr >> 26, vm.at_prompt
    target = repr(place) if place else f"{pc:#x}"
    offers = [button("break", f'{me}.on({target}, action="stop")')]
    of = None
    if answer.kind == "mmio":
        of = f'"mmio", {value & ~3:#x}'
    elif ec in (0x16, 0x17) and not esr & 0xFFFF:
        of = f'"{"hvc" if ec == 0x16 else "smc"}", {value & 0xFFFFFFFF:#x}'
    elif ec == 0x18 and (found := re.search(r"(?:MRS|MSR)\W.*?\b([A-Z]\w+_EL\d)", words)):
        of = f'"sysreg", "{found[1]}"'
    if of:
        name = free_name("rule", [name for name, _ in vm.rules])
        offers.append(button("count by a rule", f'{name} = {me}.rule({of}, "count")'))
        offers.append(button("log by a rule", f'{name} = {me}.rule({of}, "log")'))
    if answer.kind != "irq":
        offers.append(button("explain", f"print(hv.explain({esr:#x}, pc={pc:#x}))"))
    return offers


def hot(
    vm: Vm | None,
    count: str | None,
    rows: list[list[Any]] | None,
    why: str = "",
    explained: str = "",
) -> str:
    """Where a guest spends its exits. count: the vm.count() at the prompt that tells; rows: (key, place, how often).
    explained: of an address that was clicked.
    """
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
            f"<tr><td>{show(where, explain=f'{address:#x}', place=place)}</td><td><code>{address:#x}</code></td>"
            f'<td class="n"><span class="bar" style="--part:{n / total:.3f}"></span>{n:,}</td>'
            f"<td>{button('break', stop, small=True)}{button('count', tally, small=True)}</td></tr>"
        )
    return (
        f"{explained}<table><thead><tr><th>where</th><th>address</th><th>exits</th><th></th></tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table><p>{button('stop counting', f'{count}.stop(); del {count}')}</p>"
    )


def breaks(vm: Vm | None) -> str:
    """Breakpoints, watches and rules, each with its hits."""
    if vm is None:
        return ""
    me = vm.at_prompt
    table = _listed("breakpoint at", vm.breaks, f"{me}.breaks()") or (
        "<p>No breakpoints. Hot addresses have a button that makes one; so has this:</p>"
    )
    stop = f'{me}.on({{}}, action="stop")'
    place = form(stop, "function, function+offset or address", "break there", "place")
    watch = f'{me}.watch({{}}, 8, "rw", action="count")'
    rules = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td class='n'>{hits:,}</td><td>rule</td>"
        f"<td>{button('remove', f'{name}.remove(); del {name}')}</td></tr>"
        for name, hits in vm.rules
    )
    return (
        f"{table}{place}{_listed('watch of', vm.watches, f'{me}.watches()')}"
        f"{form(watch, 'eight bytes of RAM at', 'watch them', 'place')}"
        + (f"<table><tr><th>rule</th><th>hits</th></tr>{rules}</table>" if rules else "")
    )


def _listed(title: str, them: Sequence[tuple[str, int, bool, str]], where: str) -> str:
    rows = []
    for n, (what, hits, on, kind) in enumerate(them):
        it = f"{where}[{n}]"
        acts = button("off", f"{it}.off()") if on else button("on", f"{it}.on()")
        rows.append(
            f'<tr><td><code>{escape(what)}</code></td><td class="n">{hits:,}</td>'
            f"<td>{kind}{'' if on else ', off'}</td><td>{acts}{button('remove', f'{it}.remove()')}</td></tr>"
        )
    head = f"<table><thead><tr><th>{title}</th><th>hits</th><th></th><th></th></tr></thead>"
    return f"{head}<tbody>{''.join(rows)}</tbody></table>" if rows else ""


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
    line = (
        f'<ol class="line">{"".join(marks)}<li class="now"><span class="dot"></span>now '
        f"{button('snapshot', f'{new} = {name}.snapshot()')}</li></ol>"
    )
    return line + traces(vm)


def traces(vm: Vm) -> str:
    """The latest exits on a line of time, and traces as files for Perfetto."""
    rows = "".join(
        f'<li><code>{escape(each)}</code> <a href="trace/{vm.key}/{escape(each)}" download="{escape(each)}.json">'
        f"what it has, for ui.perfetto.dev</a> {button('stop', f'{each}.stop(); del {each}')}</li>"
        for each in vm.traces
        if each != vm.sample
    )
    new = f'{free_name("t", vm.traces)} = {vm.at_prompt}.trace("exit irq sched", "256K")'
    drawn = timeline(list(vm.single), len(vm.cpus)) if vm.single else ""
    return f"{drawn or sampling(vm) * (not vm.sample)}<ul>{rows}</ul><p>{button('trace', new)}</p>"
