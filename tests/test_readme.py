# SPDX-License-Identifier: MIT
"""The README's session is a real one."""

import re
import subprocess

from harness import ROOT


def test_session_is_what_make_run_shows(image):
    """Line for line, but for MicroPython's version and date, and where the guest's compiler put it."""
    shown = re.search(
        r"^```text\n(MicroPython .*?)```", (ROOT / "README.md").read_text(), re.M | re.S
    )[1]
    done = subprocess.run(
        ["make", "-s", "run"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    real = done.stdout[done.stdout.index("MicroPython ") :]

    def plain(text):
        text = re.sub(r"MicroPython v\S+ on \S+;", "MicroPython;", text)
        text = re.sub(r"4008[0-9a-f]{4}\b", "4008xxxx", text)
        return [line.rstrip() for line in text.strip().splitlines()]

    assert plain(real) == plain(shown)
