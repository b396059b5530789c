# SPDX-License-Identifier: MIT
"""Plays the sessions of a Markdown page on a real target, and compares what it prints.

A page's code blocks say what they are:

    ```pycon     a session at the prompt: ">>> " and "... " lines are typed, the rest is compared
    ```python    a script for the target: it must run without an exception
    ```py        a script for the host, which has `elapid`
    ```sh        commands for the host, in the repository's root: each must succeed
    ```text      not run: listings, file formats

"..." in a printed line stands for any text; a line of "..." alone for any lines. All sessions of a
page are one user's at one machine, whose options a comment names:

    <!-- target: smp=4 mem=512M copy=build/guests/hello.elf -->

`.venv/bin/python tests/transcript.py docs/page.md` plays a page and writes down what is printed now.
Lines that still match, such as those with "...", stay as they are.
"""

import re
import subprocess
import sys
from pathlib import Path

from elapid.session import BLOCK, keys, statements

ROOT = Path(__file__).resolve().parent.parent
RUNNABLE = ("pycon", "python", "py", "sh")
OPTIONS = re.compile(r"<!-- target: (.*?) -->")


def blocks(page):
    """(language, text, line number) of each code block."""
    return [(m[1], m[2], page.count("\n", 0, m.start()) + 1) for m in BLOCK.finditer(page)]


def options(page):
    """What the page's comment asks of the machine, and the files to copy onto it."""
    found = OPTIONS.search(page)
    words = dict(word.split("=", 1) for word in found[1].split()) if found else {}
    files = [file for file in words.pop("copy", "").split(",") if file]
    return {key: int(v) if v.isdigit() else v for key, v in words.items()}, files


def play(target, lines, seconds=30):
    """Types one statement at `>>>`; the lines it printed."""
    for typed in keys(lines):
        target.send(typed)
        answer = target.until(re.compile(rb"\r\n(?:[^\x00]*\r\n)?(?:>>> |\.\.\. +)$"), seconds)
    target.at_prompt = True
    printed = answer.split("\n")[1:-1]
    return [line.rstrip() for line in printed]


def matches(expected, printed):
    """Whether the lines are as expected, "..." standing for anything."""
    wanted = "\n".join("...." if line == "..." else line.rstrip() for line in expected)
    pattern = ""
    for part in re.split(r"(\n\.\.\.\.(?=\n|$)|^\.\.\.\.(?:\n|$)|\.\.\.)", wanted):
        dots = part.strip("\n")
        pattern += "(?:.|\n)*" if dots == "...." else ".*" if dots == "..." else re.escape(part)
    return re.fullmatch(pattern, "\n".join(printed)) is not None


def merge(expected, printed):
    """What the page should say: the printed lines, with the page's own where they still match."""
    if matches(expected, printed):
        return expected
    kept = []
    for n, line in enumerate(printed):
        old = expected[n] if n < len(expected) else ""
        kept.append(old if "..." in old and old != "..." and matches([old], [line]) else line)
    return kept


def run_host(text):
    """Runs the commands of a block; what they printed."""
    clean_up = "trap 'make -s stop' EXIT\n" if "make serve" in text else ""
    done = subprocess.run(
        ["bash", "-ec", clean_up + text],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}"
    return done.stdout


def rewritten(page, target):
    """The page with what its sessions print now."""

    def block(match):
        if match[1] != "pycon":
            if match[1] == "python":
                target.exec(match[2], seconds=60)
            return match[0]
        lines = []
        for typed, expected in statements(match[2]):
            printed = play(target, typed)
            lines += [">>> " + typed[0], *("... " + line for line in typed[1:])]
            lines += merge(expected, printed)
        return "\n".join(["```pycon", *(line.rstrip() for line in lines), "```"])

    return BLOCK.sub(block, page)


def main():
    sys.path.insert(0, str(ROOT / "tools"))
    from harness import Target

    for name in sys.argv[1:]:
        page = Path(name).read_text()
        machine, files = options(page)
        target = Target(**machine).boot()
        try:
            for file in files:
                target.mpremote("cp", file, ":")
            Path(name).write_text(rewritten(page, target))
        finally:
            target.close()


if __name__ == "__main__":
    main()
