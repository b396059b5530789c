# SPDX-License-Identifier: MIT
"""The first hour beside the machine: the sessions of docs/first-hour.md, a statement at a time.

Nothing is written twice: what is read and typed here is the page's, which the tests play.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from ..image import IN_SOURCE, PACKAGE, SOURCE
from ..session import BLOCK, statements
from .views import show

PAGE = (SOURCE / "docs" if IN_SOURCE else PACKAGE / "data") / "first-hour.md"
MARKS = re.compile(r"`([^`]+)`|\*([^*\n]+)\*|\[([^]]+)\]\([^)]+\)")


@dataclass
class Step:
    """A statement, its lines as they are typed, and the page's words before it."""

    words: str
    code: str


@dataclass
class Lesson:
    title: str
    steps: list[Step]
    after: str  # words below the last session


def parse(page: str) -> list[Lesson]:
    """The sections of a page that have sessions."""
    lessons = []
    for section in re.split(r"^## ", page, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        steps, words, at = [], "", 0
        for block in BLOCK.finditer(body):
            words += body[at : block.start()]
            at = block.end()
            for typed, _ in statements(block[2]) if block[1] == "pycon" else ():
                steps.append(Step(words.strip(), "\n".join(typed)))
                words = ""
        if steps:
            lessons.append(Lesson(title, steps, (words + body[at:]).strip()))
    return lessons


def read() -> list[Lesson]:
    """What there is to play: nothing where the page was not brought along."""
    return parse(PAGE.read_text()) if PAGE.is_file() else []


def prose(words: str) -> str:
    """Markdown's paragraphs as HTML: code and emphasis; a link is its words."""

    def tag(found: re.Match[str]) -> str:
        code, em, link = found.groups()
        return f"<code>{code}</code>" if code else f"<em>{em}</em>" if em else link

    text = MARKS.sub(tag, escape(words, quote=False))
    return "".join(f"<p>{part}</p>" for part in re.split(r"\n\n+", text) if part)


def lessons(them: list[Lesson], at: int, line: int) -> str:
    """Those there are, and the steps of one. line: which is next; a click on any types it, and goes on behind it."""
    if not them:
        return f"<p>This installation has no {PAGE.name}: nothing to play.</p>"
    at = min(max(at, 0), len(them) - 1)
    pick = "".join(
        show(each.title.replace("`", ""), n == at, lesson=n, line=0) for n, each in enumerate(them)
    )
    lesson = them[at]
    steps = "".join(
        f"{prose(step.words)}{typing(step.code, at, n, line)}"
        for n, step in enumerate(lesson.steps)
    )
    on = ""
    if line >= len(lesson.steps) and at + 1 < len(them):
        on = f"<p class='on'>{show('next session', lesson=at + 1, line=0)}</p>"
    return (
        f'<p class="lessons">{pick}</p><div class="lesson">{steps}{prose(lesson.after)}{on}</div>'
    )


def typing(code: str, at: int, n: int, line: int) -> str:
    """A step's button: done, next, or to come."""
    state = "done" if n < line else ""
    mark = ' aria-current="step"' if n == line else ""
    return (
        f'<button class="line {state}"{mark} data-type="{escape(code)}" data-view-lesson="{at}" '
        f'data-view-line="{n + 1}"><code>{escape(code.rstrip())}</code></button>'
    )
