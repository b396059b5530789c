# SPDX-License-Identifier: MIT
"""Draws what a target prints, as SVG.

map: the lines of hv.mmu.dump() or vm.stage2.dump(), a box for each run of addresses, its height by
the power of two of its size. exits: one or more dicts of cpu.exits, which are added up. terminal: text.
"""

import ast
import re
from collections.abc import Sequence
from html import escape
from math import log2

from .say import Stop

FONT = 'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"'
# Memory types as the dumps name them.
COLOURS = {"normal": "#9ecae1", "nc": "#c6b8de", "device": "#fdbe85", "?": "#cccccc"}
RUN = re.compile(
    r"(?P<start>0x[0-9a-f]+)-(?P<end>0x[0-9a-f]+) (?P<pa>0x[0-9a-f]+) +(?P<count>\d+) x (?P<page>\S+) "
    r"(?P<rights>\S+) (?P<type>[a-z?]+)(?P<script>\*?)(?P<parts>.*)"
)
# Exception classes of exits (DDI 0487 D13.2.37), short enough for a label.
CLASSES = {
    0x00: "unknown",
    0x01: "WFI, WFE",
    0x07: "FP access",
    0x16: "HVC",
    0x17: "SMC",
    0x18: "system register",
    0x20: "instruction abort",
    0x24: "data abort, MMIO",
    "irq": "interrupt",
}


# Light, or dark where the reader's screen is. Text in a box (class on) is dark on the box's colour in both.
STYLE = """<style>
.elapid .back { fill: #ffffff } .elapid text { fill: #16181d } .elapid .dim { fill: #666c78 }
@media (prefers-color-scheme: dark) {
.elapid .back { fill: #1e2127 } .elapid text { fill: #eceff4 } .elapid .dim { fill: #a3abba } .elapid .on { fill: #16181d }
}
</style>"""


def svg(width: int, height: int, body: list[str], background: str = "") -> str:
    """background: a colour of its own, with which nothing changes where it is dark."""
    back = f'fill="{background}"' if background else 'class="back"'
    about = "" if background else ' class="elapid"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" {FONT} font-size="13"{about}>\n'
        f'{"" if background else STYLE}<rect width="100%" height="100%" {back} rx="6"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, **more: object) -> str:
    named = {key.rstrip("_").replace("_", "-"): value for key, value in more.items()}
    attributes = "".join(f' {key}="{value}"' for key, value in named.items())
    return f'<text x="{x}" y="{y}"{attributes} xml:space="preserve">{escape(words)}</text>'


def box(x: float, y: float, wide: float, high: float, fill: str, *lines: str) -> list[str]:
    """A box with lines of words in it, the first one its name."""
    body = [
        f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="6" fill="{fill}" stroke="#444"/>'
    ]
    for n, line in enumerate(lines):
        weight = {"font_weight": "bold"} if n == 0 else {}
        body.append(text(x + 12, y + 22 + 18 * n, line, class_="on", **weight))
    return body


def arrow(*points: tuple[float, float]) -> str:
    """A line by these points, with a head at the last; it stops short of what it points at by the head's own length."""
    (ax, ay), (bx, by) = points[-2:]
    right, down = (bx > ax) - (bx < ax), (by > ay) - (by < ay)  # along one axis
    head = [(bx, by)]
    head += [(bx - 8 * right + side * down, by - 8 * down + side * right) for side in (-4, 4)]
    way = [*points[:-1], (bx - 8 * right, by - 8 * down)]
    joined = [" ".join(f"{x},{y}" for x, y in each) for each in (way, head)]
    return (
        f'<polyline points="{joined[0]}" fill="none" stroke="#888" stroke-width="1.5"/>'
        f'<polygon points="{joined[1]}" fill="#888"/>'
    )


def size_text(size: int) -> str:
    """As short as it is exact; else in the largest unit, to a tenth."""
    units = [
        (shift, unit) for shift, unit in ((30, "GB"), (20, "MB"), (10, "KB")) if size >> shift
    ]
    for shift, unit in units:
        if size % (1 << shift) == 0 and size >> shift < 10_000:
            return f"{size >> shift} {unit}"
    return f"{size / (1 << units[0][0]):.1f} {units[0][1]}" if units else f"{size} bytes"


def memory_map(dump: str, title: str = "memory") -> str:
    """A map of address ranges, lowest at the bottom; gaps are dashed lines."""
    runs = [match.groupdict() for match in map(RUN.match, dump.splitlines()) if match]
    if not runs:
        raise Stop("no lines of a dump in what was printed")
    body, y, above = [text(20, 28, title, font_size=16, font_weight="bold")], 50, None
    for run in reversed(runs):
        start, end = int(run["start"], 16), int(run["end"], 16) + 1
        if above is not None and end != above:
            body.append(
                f'<line x1="200" x2="440" y1="{y + 9}" y2="{y + 9}" stroke="#888" '
                f'stroke-dasharray="4 4"/>'
            )
            body.append(text(450, y + 13, f"{size_text(above - end)} not mapped", class_="dim"))
            y += 18
        high = round(24 + 3 * max(log2((end - start) / 4096), 0))
        body.append(
            f'<rect x="200" y="{y}" width="240" height="{high}" '
            f'fill="{COLOURS[run["type"]]}" stroke="#444"/>'
        )
        body.append(text(20, y + high - 4, f"{start:#014x}"))
        label = f"{run['rights']} {run['type']} {size_text(end - start)}"
        body.append(text(210, y + high / 2 + 5, label, class_="on"))
        note = f"{run['count']} x {run['page']} at {int(run['pa'], 16):#x}"
        note += " (by a script)" * bool(run["script"]) + f"  {run['parts'].strip()}"
        body.append(text(450, y + high / 2 + 5, note.rstrip()))
        y, above = y + high, start
    return svg(800, y + 20, body)


def exit_bars(printed: str) -> str:
    """Horizontal bars of exits by class, longest first; a logarithmic scale."""
    total: dict[int | str, int] = {}
    for found in re.findall(r"\{.*?\}", printed):
        for key, count in ast.literal_eval(found).items():
            total[key] = total.get(key, 0) + count
    rows = sorted(((n, key) for key, n in total.items() if n), key=lambda row: -row[0])
    if not rows:
        raise Stop("no exits in what was printed, or none have been made yet")
    body = [text(20, 28, f"{sum(total.values()):,} exits", font_size=16, font_weight="bold")]
    for line, (count, key) in enumerate(rows):
        y = 50 + 26 * line
        wide = 30 + 400 * log2(count + 1) / log2(rows[0][0] + 1)
        name = CLASSES.get(key, f"class {key:#04x}" if isinstance(key, int) else key)
        body.append(text(20, y + 15, name))
        body.append(f'<rect x="180" y="{y}" width="{wide:.0f}" height="20" fill="#9ecae1"/>')
        body.append(text(188, y + 15, f"{count:,}", class_="on"))
    body.append(text(20, 50 + 26 * len(rows) + 14, "logarithmic scale", class_="dim"))
    return svg(660, 90 + 26 * len(rows), body)


# Colours of tiers: who answers an exit.
TIERS = {"native": "#9ecae1", "rules": "#fdbe85", "Python": "#8fd19e"}


def timeline(events: Sequence[tuple[int, int, str, str]], cpus: int, seconds: float = 2) -> str:
    """Exits on a line of time for each vCPU: (us, vCPU, tier, kind), the latest `seconds` of them."""
    end, rows = max(us for us, *_ in events), list(TIERS)
    body = [text(20, 28, f"exits of the last {seconds:g} s", font_size=16, font_weight="bold")]
    for n, (tier, colour) in enumerate(TIERS.items()):
        body.append(f'<rect x="{300 + 130 * n}" y="16" width="12" height="12" fill="{colour}"/>')
        body.append(text(318 + 130 * n, 27, tier))
    for cpu in range(cpus):
        y = 50 + 40 * cpu
        body.append(text(20, y + 18, f"vCPU {cpu}"))
        body.append(
            f'<line x1="90" x2="770" y1="{y + 28}" y2="{y + 28}" stroke="#888" stroke-width="1"/>'
        )
    for us, cpu, tier, kind in events:
        x = 770 - 680 * (end - us) / 1e6 / seconds
        if x >= 90 and cpu < cpus:
            body.append(
                f'<rect x="{x:.1f}" y="{52 + 40 * cpu + 9 * rows.index(tier)}" width="2" height="8" fill="{TIERS[tier]}">'
                f"<title>{escape(kind)}, {us} us</title></rect>"
            )
    return svg(800, 60 + 40 * cpus, body)


def pages(base: int, part: int, there: Sequence[int], written: Sequence[int], since: str) -> str:
    """RAM in equal parts, row by row: touched or not, and written since a snapshot."""
    across, wide = 64, 12
    body = [
        text(
            20, 26, f"RAM from {base:#x}, {size_text(part)} each", font_size=16, font_weight="bold"
        )
    ]
    about = [("#9ecae1", "touched"), ("none", "not touched")]
    about += [("#d9534f", f"written since {since}")] if since else []
    for n, (colour, words) in enumerate(about):
        body.append(
            f'<rect x="{20 + 150 * n}" y="38" width="12" height="12" fill="{colour}" stroke="#888"/>'
        )
        body.append(text(38 + 150 * n, 49, words))
    for n, (mapped, dirty) in enumerate(zip(there, written)):
        colour = "#d9534f" if dirty else "#9ecae1" if mapped else "none"
        words = (
            f"{base + n * part:#x}: {size_text(mapped)} touched"
            + f", {dirty} pages written" * bool(dirty)
        )
        body.append(
            f'<rect x="{16 + wide * (n % across)}" y="{60 + 16 * (n // across)}" width="{wide - 1}" height="15" '
            f'fill="{colour}" stroke="#8884"><title>{words}</title></rect>'
        )
    return svg(800, 72 + 16 * ((len(there) + across - 1) // across), body)


def terminal(words: str) -> str:
    """A terminal's window with these lines; what a person typed is brighter."""
    words = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n -~]", "", words)  # no escapes, no controls
    lines = words.rstrip().splitlines()
    wide = max(80, *map(len, lines)) * 8 + 40
    body = []
    for n, line in enumerate(lines):
        colour = "#ffffff" if line.startswith((">>> ", "... ", "$ ", "/ # ")) else "#a9b7c6"
        body.append(text(20, 32 + 18 * n, line, fill=colour))
    return svg(wide, 30 + 18 * len(lines) + 10, body, background="#1e1f22")
